//! Faults on purpose, by which the simulator's tests see whether their oracle sees them. They are there
//! with the feature `planted` only, which no binary has.

use crate::calls::Calls;

/// A fault on purpose.
#[cfg_attr(
    not(feature = "planted"),
    expect(unreachable_pub, reason = "it is seen with the feature only")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Planted {
    /// A phone that answers too late is not hung up.
    LateAnswerKept,
    /// Of several who are rung, those who were not the first are not told.
    OthersRingOn,
    /// It is not armed when who waits is told so again.
    NobodyTold,
    /// A wait never ends by itself.
    WaitWithoutEnd,
}

impl Calls {
    /// Whether this is wrong.
    #[cfg(feature = "planted")]
    pub(crate) fn has_planted(&self, fault: Planted) -> bool {
        self.settings.planted == Some(fault)
    }

    /// Nothing is.
    #[cfg(not(feature = "planted"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) const fn has_planted(&self, _: Planted) -> bool {
        false
    }
}
