//! One value to CBOR and back: an array of fields for what has fields, a number before the fields for what
//! has variants.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    convert::Infallible,
    ops::Range,
    time::{Duration, Instant},
};

use acd::{Directory, LineId};
use bytes::Bytes;
use minicbor::{Decoder, Encoder, data::Type, encode::Write};
use smallvec::SmallVec;

use crate::clock::Clock;

/// A row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It is not the CBOR that was written.
    #[error("it is not what was written: {0}")]
    Malformed(String),
    /// A variant that nobody has written.
    #[error("there is no {kind} of number {number}")]
    UnknownVariant {
        /// Of what.
        kind: &'static str,
        /// Which.
        number: u8,
    },
    /// A name that the configuration does not have any more.
    #[error("the configuration has no {kind} `{name}`")]
    UnknownName {
        /// Of what.
        kind: &'static str,
        /// Which.
        name: String,
    },
}

impl From<minicbor::decode::Error> for WireError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// What names and times mean here.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) directory: &'a Directory,
    /// What stands for lines that the directory does not have any more. `None` where nothing is read.
    pub(crate) stand_in: Option<StandIn<'a>>,
    pub(crate) clock: Clock,
}

/// The line that stands for those that are not configured any more, and which those were.
#[derive(Clone, Copy)]
pub(crate) struct StandIn<'a> {
    pub(crate) line: LineId,
    pub(crate) missed: &'a RefCell<BTreeSet<String>>,
}

impl StandIn<'_> {
    fn of(&self, missing: &str) -> LineId {
        let mut missed = self.missed.borrow_mut();
        if !missed.contains(missing) {
            missed.insert(missing.to_owned());
        }
        self.line
    }
}

pub(crate) type Out = Encoder<Body>;
pub(crate) type In<'b> = Decoder<'b>;

/// A value that is written and read.
pub(crate) trait Wire: Sized {
    fn put(&self, out: &mut Out, context: &Context<'_>);
    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError>;
}

/// Writing to a vector does not fail.
const WRITES: &str = "a vector takes all";

macro_rules! number {
    ($($kind:ty: $write:ident $read:ident),* $(,)?) => {$(
        impl Wire for $kind {
            fn put(&self, out: &mut Out, _: &Context<'_>) {
                out.$write(*self).expect(WRITES);
            }

            fn get(input: &mut In<'_>, _: &Context<'_>) -> Result<Self, WireError> {
                Ok(input.$read()?)
            }
        }
    )*};
}

number!(u8: u8 u8, u16: u16 u16, u32: u32 u32, u64: u64 u64, i64: i64 i64, bool: bool bool);

impl Wire for String {
    fn put(&self, out: &mut Out, _: &Context<'_>) {
        out.str(self).expect(WRITES);
    }

    fn get(input: &mut In<'_>, _: &Context<'_>) -> Result<Self, WireError> {
        Ok(input.str()?.to_owned())
    }
}

/// Bytes that are in the row already are not written again: an INVITE is what was asked as well as what the caller's
/// side last said of its media. In their place stands where they begin.
impl Wire for Bytes {
    fn put(&self, out: &mut Out, _: &Context<'_>) {
        if self.len() < SHARED_FROM {
            out.bytes(self).expect(WRITES);
            return;
        }
        match out.writer().find(self) {
            Some(at) => out.u64(at as u64).expect(WRITES),
            None => {
                let at = out.writer().bytes.len();
                out.bytes(self).expect(WRITES);
                let body = out.writer_mut();
                let end = body.bytes.len();
                body.strings.push((at, end - self.len()..end));
                out
            }
        };
    }

    fn get(input: &mut In<'_>, _: &Context<'_>) -> Result<Self, WireError> {
        let here = input.position();
        if input.datatype()? == Type::Bytes {
            return Ok(Self::copy_from_slice(input.bytes()?));
        }
        let at = input.u64()?;
        let after = input.position();
        let before = usize::try_from(at).ok().filter(|at| *at < here);
        input.set_position(before.ok_or_else(|| {
            WireError::Malformed(format!("bytes at {here} that are to be at {at}"))
        })?);
        let bytes = Self::copy_from_slice(input.bytes()?);
        input.set_position(after);
        Ok(bytes)
    }
}

/// From how many bytes on it is looked whether they are there already.
const SHARED_FROM: usize = 32;

/// The body of a row, as it is written.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// The strings of bytes that may come again: where CBOR begins them, and where they lie.
    strings: SmallVec<[(usize, Range<usize>); 8]>,
}

impl Body {
    /// For another row, in the same room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.strings.clear();
    }

    /// Where these bytes have been written.
    fn find(&self, wanted: &[u8]) -> Option<usize> {
        let is_it = |lies: &Range<usize>| self.bytes[lies.clone()] == *wanted;
        let found = self.strings.iter().find(|(_, lies)| is_it(lies));
        found.map(|&(at, _)| at)
    }
}

impl Write for Body {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl Wire for Instant {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        context.clock.nanos(*self).put(out, context);
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        Ok(context.clock.instant(i64::get(input, context)?))
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        let nanos = u64::try_from(self.as_nanos()).unwrap_or(u64::MAX);
        nanos.put(out, context);
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        Ok(Self::from_nanos(u64::get(input, context)?))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        match self {
            Some(value) => value.put(out, context),
            None => {
                out.null().expect(WRITES);
            }
        }
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        if input.datatype()? == Type::Null {
            input.null()?;
            return Ok(None);
        }
        known(input, context)
    }
}

/// A part that may be missing: one that names what the configuration does not have any more is left out. A
/// call must not be lost with an agent or a plan.
fn known<T: Wire>(input: &mut In<'_>, context: &Context<'_>) -> Result<Option<T>, WireError> {
    let begins_at = input.position();
    match T::get(input, context) {
        Err(WireError::UnknownName { .. }) => {
            input.set_position(begins_at);
            input.skip()?;
            Ok(None)
        }
        got => got.map(Some),
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        begin(out, self.len());
        self.iter().for_each(|one| one.put(out, context));
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        let count = length(input)?;
        // Not more room than there are bytes for.
        let known = (0..count).map(|_| known(input, context).transpose());
        known.flatten().collect()
    }
}

impl<T: Wire, const N: usize> Wire for [Option<T>; N] {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        begin(out, N);
        self.iter().for_each(|one| one.put(out, context));
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        let all = Vec::<Option<T>>::get(input, context)?;
        let count = all.len();
        Self::try_from(all).map_err(|_| WireError::Malformed(format!("{count} of {N}")))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Out, context: &Context<'_>) {
        (**self).put(out, context);
    }

    fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
        T::get(input, context).map(Self::new)
    }
}

macro_rules! tuple {
    ($count:literal: $($name:ident $index:tt),*) => {
        impl<$($name: Wire),*> Wire for ($($name,)*) {
            fn put(&self, out: &mut Out, context: &Context<'_>) {
                begin(out, $count);
                $(self.$index.put(out, context);)*
            }

            fn get(input: &mut In<'_>, context: &Context<'_>) -> Result<Self, WireError> {
                fields(input, $count)?;
                Ok(($($name::get(input, context)?,)*))
            }
        }
    };
}

tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);

pub(crate) fn begin(out: &mut Out, count: usize) {
    out.array(count as u64).expect(WRITES);
}

fn length(input: &mut In<'_>) -> Result<u64, WireError> {
    let count = input.array()?;
    count.ok_or_else(|| WireError::Malformed("an array without its length".to_owned()))
}

/// An array of so many.
pub(crate) fn fields(input: &mut In<'_>, wanted: u64) -> Result<(), WireError> {
    expect(length(input)?, wanted)
}

fn expect(count: u64, wanted: u64) -> Result<(), WireError> {
    match count == wanted {
        true => Ok(()),
        false => Err(WireError::Malformed(format!(
            "{count} fields, not {wanted}"
        ))),
    }
}

mod kinds;
#[cfg(test)]
mod tests;
