//! What was sent: all of it as a ladder, or the last minute in the raw, which costs nothing until
//! somebody wants to see it.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use crate::{
    ladder::Ladder,
    network::{Datagram, Fate},
};

/// How much of a run is kept where not all is.
const KEPT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Tape {
    names: BTreeMap<SocketAddr, String>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    All(Ladder),
    LastMinute(VecDeque<(Duration, Datagram, Fate)>),
}

impl Default for Tape {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            kept: Kept::All(Ladder::default()),
        }
    }
}

impl Tape {
    /// From now on the last minute is kept, and what came before is not.
    pub(crate) fn keep_last_minute(&mut self) {
        self.kept = Kept::LastMinute(VecDeque::new());
    }

    pub(crate) fn name(&mut self, address: SocketAddr, name: &str) {
        self.names.insert(address, name.to_owned());
        if let Kept::All(ladder) = &mut self.kept {
            ladder.name(address, name);
        }
    }

    pub(crate) fn add(&mut self, at: Duration, datagram: &Datagram) {
        match &mut self.kept {
            Kept::All(ladder) => ladder.add(at, datagram),
            Kept::LastMinute(sent) => {
                while sent.front().is_some_and(|(of, ..)| *of + KEPT < at) {
                    sent.pop_front();
                }
                sent.push_back((at, datagram.clone(), Fate::Passes));
            }
        }
    }

    /// What becomes of what was added last.
    pub(crate) fn note_fate(&mut self, of_last: Fate) {
        match &mut self.kept {
            Kept::All(ladder) => ladder.note_fate(of_last),
            Kept::LastMinute(sent) => {
                if let Some((.., fate)) = sent.back_mut() {
                    *fate = of_last;
                }
            }
        }
    }

    pub(crate) fn ladder(&self) -> Ladder {
        let sent = match &self.kept {
            Kept::All(ladder) => return ladder.clone(),
            Kept::LastMinute(sent) => sent,
        };
        let mut ladder = Ladder::default();
        for (address, name) in &self.names {
            ladder.name(*address, name);
        }
        for (at, datagram, fate) in sent {
            ladder.add(*at, datagram);
            ladder.note_fate(*fate);
        }
        ladder
    }
}
