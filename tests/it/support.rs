//! What tests against the real binary share.

pub(crate) mod binary;
pub(crate) mod certificates;
pub(crate) mod node;
pub(crate) mod poll;
pub(crate) mod ports;
pub(crate) mod process;
