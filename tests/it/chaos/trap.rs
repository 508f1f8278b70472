//! Kills a node at the very moment at which a message goes by.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{
    message::Message,
    phase::{How, Link, Sign},
    relay::{Fate, Towards},
    victim::{JournalMark, Target},
};

/// Shared by the relays, which see the messages, and the run, which sets it and waits for it.
pub(super) struct Trap {
    target: Target,
    set: Mutex<Option<Set>>,
    /// The Call-IDs of callers that have gone by.
    begun: Mutex<BTreeSet<String>>,
    sprung: mpsc::Sender<Sprung>,
}

/// What is waited for.
pub(super) struct Set {
    pub(super) sign: Sign,
    pub(super) how: How,
    /// What becomes of the message.
    pub(super) fate: Fate,
    /// So many such messages pass before.
    pub(super) pass_before: u32,
}

/// It has gone by.
pub(super) struct Sprung {
    how: How,
    at: Instant,
    journal: JournalMark,
    /// The message, as its first line.
    pub(super) by: String,
}

/// The other end of a trap: the run's.
pub(super) struct Hunt(mpsc::Receiver<Sprung>);

impl Trap {
    pub(super) fn new(target: Target) -> (Self, Hunt) {
        let (sprung, hunt) = mpsc::channel();
        let trap = Self {
            target,
            set: Mutex::new(None),
            begun: Mutex::default(),
            sprung,
        };
        (trap, Hunt(hunt))
    }

    pub(super) fn set(&self, set: Set) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Some(set);
    }

    /// How many calls have gone by.
    pub(super) fn begun(&self) -> usize {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.len()
    }

    /// Looks at a message that goes by.
    pub(super) fn look(&self, link: Link, towards: Towards, message: &Message) -> Fate {
        if (link, towards) == (Link::Callers, Towards::Outer) && message.is_first_invite() {
            let call_id = message.call_id().unwrap_or_default().to_owned();
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            begun.insert(call_id);
        }
        let mut slot = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = slot.as_mut() else {
            return Fate::Passed;
        };
        if !set.sign.is(link, towards, message) {
            return Fate::Passed;
        }
        if set.pass_before > 0 {
            set.pass_before -= 1;
            return Fate::Passed;
        }
        let Some(Set { how, fate, .. }) = slot.take() else {
            return Fate::Passed;
        };
        let journal = self.target.journal();
        match how {
            How::AtOnce => self.target.kill(),
            How::Stopped(_) => self.target.stop(),
            How::After(_) | How::JournalGrows => {}
        }
        let sprung = Sprung {
            how,
            at: Instant::now(),
            journal,
            by: message.start().to_owned(),
        };
        // A run that is over waits for nothing.
        let _nobody_waits = self.sprung.send(sprung);
        fate
    }
}

impl Hunt {
    /// Waits until the message has gone by and the node has been killed.
    pub(super) fn killed(&self, target: &Target, deadline: Instant) -> anyhow::Result<Sprung> {
        let left = deadline.saturating_duration_since(Instant::now());
        let sprung = self
            .0
            .recv_timeout(left)
            .context("waited in vain for the message at which the node was to be killed")?;
        match sprung.how {
            How::AtOnce => {}
            // A time that was drawn: an input of the test.
            How::After(millis) | How::Stopped(millis) => {
                let until = sprung.at + Duration::from_millis(millis);
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
            How::JournalGrows => target.await_journal(&sprung.journal, deadline)?,
        }
        target.kill();
        Ok(sprung)
    }
}
