//! What proxies do differently.

use std::time::Duration;

use engine::sip::Transport;

pub(crate) use super::rewriting::Style;
use crate::peer::Patience;

/// How a proxy behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyManner {
    /// How it reaches the node.
    pub(crate) downstream: Transport,
    /// Whether it stays in the way of dialogs (Record-Route).
    pub(crate) stays: bool,
    /// How many others are behind it, as Via says.
    pub(crate) hops_hidden: usize,
    /// Whether a call goes to the node by two ways, of which the node refuses one.
    pub(crate) forks: bool,
    /// How long it waits for a final answer after each other one.
    pub(crate) timer_c: Duration,
    pub(crate) gives_up: GivesUp,
    pub(crate) patience: Patience,
    pub(crate) style: Style,
}

/// What a proxy says that has waited for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivesUp {
    /// 408 at once, and CANCEL.
    ByItself,
    /// CANCEL; the answer to the INVITE is sent back.
    WithTheAnswer,
}
