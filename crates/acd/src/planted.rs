//! Faults on purpose, by which the simulator's tests see whether their oracle sees them. They are there
//! with the feature `planted` only, which no binary has.

use crate::acd::Acd;

/// A fault on purpose.
#[cfg_attr(
    not(feature = "planted"),
    expect(unreachable_pub, reason = "it is seen with the feature only")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Planted {
    /// The end of an offer is not armed.
    OfferWithoutEnd,
    /// A call that comes back has its place by when it came back.
    PlaceLost,
    /// A caller who calls again has the place of a new one.
    ResumedWithoutPlace,
    /// The end of an agent's state is not armed.
    StateWithoutEnd,
    /// An agent who declined stays as she was.
    AgentNotReleased,
    /// Whoever became free is not looked for.
    FreeUnnoticed,
}

impl Acd {
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
