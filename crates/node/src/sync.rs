//! By what threads share things.
//!
//! The modules that take it from here (`journal::gate`, `streams::table`, `streams::places`) name it
//! `super::sync`, and nothing else of the kind. In tests they are compiled a second time, under `model`,
//! where `super::sync` is that of a model checker: the same source, every order of its steps.

pub(crate) use std::sync::{Arc, atomic};

/// Between threads that may wait.
pub(crate) mod threads {
    pub(crate) use std::{sync::mpsc, thread};
}

/// Between tasks, and from the core to them: nobody waits but by `await`.
pub(crate) mod tasks {
    pub(crate) use dashmap::{DashMap, mapref::entry::Entry};
    pub(crate) use tokio::sync::mpsc;
}

pub(crate) mod planted;
