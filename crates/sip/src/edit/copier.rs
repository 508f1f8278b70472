//! What an edit writes with: copies of lines, new lines, and notes of where they are.

use bytes::BytesMut;

use super::{Name, Value};
use crate::{
    HeaderName,
    field::{Field, HEAD_MAX},
    message::Fields,
};

/// Copies the untouched stretches of a message.
pub(super) struct Copier<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) copied: usize,
    pub(super) out: &'a mut BytesMut,
    /// The header lines of what is written, where somebody wants to know.
    pub(super) fields: Option<&'a mut Fields>,
}

impl Copier<'_> {
    /// Where what stands there in the message will be written, if nothing comes between.
    pub(super) fn place_of(&self, at: usize) -> usize {
        self.out.len() + at.saturating_sub(self.copied)
    }

    /// Writes a line of its own.
    pub(super) fn add(&mut self, name: Name<'_>, value: Value<'_>) {
        let at = self.out.len();
        name.print(self.out);
        let colon = self.out.len();
        self.out.extend_from_slice(b": ");
        value.print(self.out);
        let end = self.out.len();
        self.out.extend_from_slice(b"\r\n");
        // A line without a name is no header, whoever reads it. Where the head is too long nobody asks.
        if self.fields.is_some() && colon > at && end <= HEAD_MAX {
            let name = HeaderName::of(&self.out[at..colon]);
            self.note(Field::new(name, at..end, colon + 1));
        }
    }

    /// Notes that a line is written as it is.
    #[inline]
    pub(super) fn note_copy(&mut self, field: &Field) {
        if self.fields.is_none() {
            return;
        }
        let at = self.place_of(field.start());
        if at + field.end() - field.start() <= HEAD_MAX {
            self.note(field.moved_to(at));
        }
    }

    pub(super) fn note(&mut self, field: Field) {
        if let Some(fields) = &mut self.fields {
            fields.push(field);
        }
    }

    pub(super) fn up_to(&mut self, at: usize) {
        if at > self.copied {
            self.out.extend_from_slice(&self.bytes[self.copied..at]);
            self.copied = at;
        }
    }

    pub(super) fn skip_to(&mut self, at: usize) {
        self.copied = self.copied.max(at);
    }
}
