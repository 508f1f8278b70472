//! Calls that came once, and come again under another plan.

use std::time::Duration;

use engine::acd::{CallerKey, LineId};

/// Calls from outside that came once, in the order in which they came. Those of callers who called again
/// are among them: nobody is drawn to call again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The calls.
    pub calls: Vec<RecordedCall>,
}

/// A call that came once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// When, since the beginning of the history.
    pub came: Duration,
    /// On which line.
    pub line: LineId,
    /// Whose it was, if that is known: the same number for the same caller.
    pub caller: Option<CallerKey>,
    /// What is known of the caller's patience.
    pub patience: KnownPatience,
    /// How long was talked; drawn when not known.
    pub talk: Option<Duration>,
}

/// What is known of how long a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownPatience {
    /// Nothing: it is drawn.
    Nothing,
    /// The caller gave up after so long.
    Exactly(Duration),
    /// The caller was answered after so long, and waited until then: the rest is drawn.
    AtLeast(Duration),
}
