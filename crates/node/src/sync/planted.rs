//! Faults that the model checker puts into what threads share, to show that its checks can fail. The node
//! has none: there [`has_planted`] is `false` for the compiler to see.

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// Changes are told durable before they are written.
    ToldBeforeWritten,
    /// Changes are counted when the other thread may be done with them.
    CountedAfterSending,
    /// What is durable stays counted.
    LeftCounted,
    /// Changes that are refused stay counted.
    RefusedLeftCounted,
    /// A failure is told, and the door is still open.
    DoorLeftOpen,
    /// After a failure the next group is tried.
    FailureGoesOn,
    /// Nobody waits for the thread when its gate is dropped.
    NotJoined,
    /// A connection is gone from the table before its end is told.
    GoneBeforeTold,
    /// A connection goes from the table and its end is not told.
    EndUntold,
    /// Whoever leaves tells its end, even if another has already.
    EndToldTwice,
    /// What a connection says counts although its end has been told.
    HeardAfterEnd,
    /// A connection is opened although the core has not heard of the end of the one before.
    EndsIgnored,
    /// The table is locked while there is no room to tell an end.
    LockedWhileWaiting,
    /// A place is looked at first and taken afterwards.
    PlaceTakenLate,
    /// A place is taken for a while by who gets none.
    PlaceHeldInVain,
}

/// Whether a fault is there.
pub(crate) const fn has_planted(_: Planted) -> bool {
    false
}
