//! Which lines an edit is about.

use crate::HeaderName;

/// A set of names.
#[derive(Clone, Copy)]
pub(super) struct Names(u128);

const _: () = assert!(
    HeaderName::KNOWN.len() < u128::BITS as usize,
    "each name has a bit"
);

impl Names {
    pub(super) fn of(names: impl Iterator<Item = HeaderName>) -> Self {
        Self(names.fold(0, |all, name| all | Self::bit(name)))
    }

    pub(super) const fn has(self, name: HeaderName) -> bool {
        self.0 & Self::bit(name) != 0
    }

    const fn bit(name: HeaderName) -> u128 {
        1 << name as u8
    }
}
