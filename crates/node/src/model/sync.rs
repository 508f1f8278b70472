//! What `crate::sync` is for the node, for the model checker.

pub(crate) use shuttle::sync::{Arc, atomic};

pub(crate) mod threads {
    pub(crate) use shuttle::thread;

    pub(crate) use super::inbox as mpsc;
}

/// Stand-ins for what tokio and dashmap have, as far as it is used.
pub(crate) mod tasks {
    pub(crate) use super::{
        channel as mpsc,
        map::{DashMap, Entry},
    };
}

pub(crate) mod channel;
pub(crate) mod inbox;
mod map;
pub(crate) mod planted;
