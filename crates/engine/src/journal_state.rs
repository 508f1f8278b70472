//! How the journal stands, and what that means for calls that come.

use std::time::Instant;

use crate::{engine::Engine, event::Event};

/// How the journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalState {
    /// There is none: what this process knows ends with it.
    Off,
    /// What is told is durable.
    Kept,
    /// The disk does not keep up: nothing is answered until it does. Senders repeat what they sent.
    Late,
    /// The disk has failed. Calls that are there go on, and end with this process; new ones are refused,
    /// so that another node has them.
    Failed,
}

impl JournalState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Off, Self::Kept, Self::Late, Self::Failed];

    /// For the API and metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Kept => "kept",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }

    /// Whether a node in this state should be given calls.
    pub const fn is_sound(self) -> bool {
        matches!(self, Self::Off | Self::Kept)
    }
}

impl Engine {
    /// Whoever writes down what [`crate::Output::Record`] says tells how that goes.
    pub fn set_journal_state(&mut self, now: Instant, state: JournalState) {
        if std::mem::replace(&mut self.journal_state, state) != state {
            self.now = now;
            self.acd.hold_back(now, state == JournalState::Late);
            self.emit(Event::JournalChanged { state });
            self.pump(now);
        }
        if state == JournalState::Failed {
            self.close_journal();
        }
    }

    /// How the journal stands.
    pub const fn journal_state(&self) -> JournalState {
        self.journal_state
    }

    /// Whether new calls are refused.
    pub(crate) fn refuses_calls(&self) -> bool {
        self.is_draining() || self.journal_state == JournalState::Failed
    }
}
