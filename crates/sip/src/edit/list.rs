//! Changes of the elements of a list.

use super::{Copier, Value};
use crate::{
    HeaderName, Message,
    field::{Field, HEAD_MAX},
    lexer::Elements,
};

/// A change of the elements of a comma-joined header, all its lines taken together.
#[derive(Clone, Copy)]
pub(super) struct ListChange<'a> {
    pub(super) name: HeaderName,
    pub(super) drop_first: usize,
    pub(super) drop_last: usize,
    pub(super) replace_first: Option<Value<'a>>,
}

impl ListChange<'_> {
    /// Turns `drop_last` into the number of elements from the front at which dropping starts.
    pub(super) fn count_from_the_front(&mut self, message: &Message) {
        self.drop_last = match self.drop_last {
            0 => usize::MAX,
            count => message.elements(self.name).count().saturating_sub(count),
        };
    }

    /// Prints one line of the list, and counts on past its elements.
    pub(super) fn print(&mut self, field: &Field, copy: &mut Copier<'_>) {
        let value_start = field.value_start();
        let elements = Elements::new(&copy.bytes[value_start..field.end()]);
        let mut kept: Option<(usize, usize, usize)> = None;
        let (mut index, mut is_whole) = (0, true);
        for (start, end) in elements.spans() {
            if (self.drop_first..self.drop_last).contains(&index) {
                let first = kept.unwrap_or((start, end, end));
                kept = Some((first.0, first.1, end));
            } else {
                is_whole = false;
            }
            index += 1;
        }
        let replacement = kept.and_then(|_| self.replace_first.take());
        self.drop_first = self.drop_first.saturating_sub(index);
        self.drop_last = match self.drop_last {
            usize::MAX => usize::MAX,
            until => until.saturating_sub(index),
        };
        if is_whole && replacement.is_none() {
            return copy.note_copy(field);
        }
        let Some((start, first_end, end)) = kept else {
            copy.up_to(field.start());
            copy.skip_to(field.end_with_break(copy.bytes));
            return;
        };
        let at = copy.place_of(field.start());
        copy.up_to(value_start);
        copy.out.extend_from_slice(b" ");
        match replacement {
            Some(value) => {
                value.print(copy.out);
                copy.skip_to(value_start + first_end);
            }
            None => copy.skip_to(value_start + start),
        }
        copy.up_to(value_start + end);
        copy.skip_to(field.end());
        let line = at..copy.out.len();
        if line.end <= HEAD_MAX {
            let value_start = at + value_start - field.start();
            copy.note(Field::new(field.name(), line, value_start));
        }
    }
}
