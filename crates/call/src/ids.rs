//! The names of calls: on this node, and for people and other systems.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use sip::Digits;
use sip_transaction::IdSource;

/// The upper half of a number says which of the processes that write a journal has given it.
const EPOCH_SHIFT: u32 = 32;

/// A call's number on this node: ascending in the order of arrival, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(u64);

impl CallNumber {
    /// The call of this number, for an owner that has kept [`CallNumber::value`].
    pub const fn from_value(number: u64) -> Self {
        Self(number)
    }

    /// The first number that the process of this epoch gives: each has room for four thousand million.
    pub const fn first_of(epoch: u64) -> Self {
        Self(epoch << EPOCH_SHIFT)
    }

    /// By how many processes one of another number was begun later.
    pub(crate) const fn processes_until(self, later: Self) -> u32 {
        let epochs = (later.0 >> EPOCH_SHIFT).saturating_sub(self.0 >> EPOCH_SHIFT);
        if epochs > 1_000 { 1_000 } else { epochs as u32 }
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// A tag that also says which call it belongs to, so that a request inside a dialog finds its
    /// call without a table: see [`CallNumber::of_tag`].
    pub(crate) fn tag(self, ids: &mut IdSource) -> Bytes {
        let mut tag = ids.token();
        tag.push('-');
        tag.push_str(Digits::hex(self.0).as_str());
        Bytes::from(tag)
    }

    /// The call that one of our tags names. The tag itself must still be compared with the
    /// dialog's: anybody can write a number.
    pub(crate) fn of_tag(tag: &[u8]) -> Option<Self> {
        let dash = tag.iter().rposition(|&byte| byte == b'-')?;
        let digits = std::str::from_utf8(&tag[dash + 1..]).ok()?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// The call id: one name for a caller's journey from the first INVITE to the last BYE, across
/// transfers and sites. At most 33 characters, letters and digits only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Arc<str>);

impl std::borrow::Borrow<str> for CallId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl CallId {
    pub(crate) fn new(ids: &mut IdSource) -> Self {
        Self(Arc::from(ids.token()))
    }

    /// The call of this id, which was written down.
    pub(crate) fn of(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One INVITE to one phone of an agent. Given by the owner of [`crate::Calls`]; several attempts
/// may belong to one offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_call() {
        let mut ids = IdSource::new([7, 7]);
        let call = CallNumber::from_value(0xabc);
        assert_eq!(CallNumber::of_tag(&call.tag(&mut ids)), Some(call));
        for foreign in ["", "abc", "x-y", "1-2-zz", "9-ffffffffffffffffff"] {
            assert_eq!(CallNumber::of_tag(foreign.as_bytes()), None, "{foreign}");
        }
        assert!(CallId::new(&mut ids).as_str().len() <= 64);
    }
}
