//! The fault that is there, for all threads of a scenario: the checker runs them on one.

use std::cell::Cell;

pub(crate) use crate::sync::planted::Planted;

thread_local! {
    static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// Puts a fault in, and takes the one before out.
pub(crate) fn plant(fault: Option<Planted>) {
    PLANTED.set(fault);
}

/// Whether a fault is there.
pub(crate) fn has_planted(fault: Planted) -> bool {
    PLANTED.get() == Some(fault)
}
