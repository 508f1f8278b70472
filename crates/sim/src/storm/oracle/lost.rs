//! What a part of the disk that is lost was about.

use std::{collections::BTreeSet, time::Instant};

use engine::journal::{self, Kind, Row};
use memchr::memmem;

/// Rows that are lost, or that are as they were before.
#[derive(Debug)]
pub(in crate::storm) struct Lost {
    rows: Vec<Row>,
    pub(super) calls: BTreeSet<String>,
}

impl Lost {
    pub(in crate::storm) fn of(rows: Vec<Row>, names: journal::Names<'_>, now: Instant) -> Self {
        let clock = journal::Clock::new(now, 0);
        // Of each row by itself: there may be several of a name.
        let calls = rows.iter().flat_map(|row| {
            let read = journal::decode([row], names, clock).node;
            read.calls.into_iter().map(|entry| entry.legs.id)
        });
        let calls = calls.collect();
        Self { rows, calls }
    }

    /// Whether what an agent did is lost.
    pub(super) fn is_of_an_agent(&self) -> bool {
        let is_it = |row: &Row| row.kind == Kind::Agent.number();
        self.rows.iter().any(is_it)
    }

    /// Whether one of the rows says this. Of what was damaged on its way, and is no text, all the rest is looked for.
    pub(super) fn names(&self, what: &str) -> bool {
        let finders = what.split(char::REPLACEMENT_CHARACTER);
        let finders: Vec<_> = finders
            .filter(|part| !part.is_empty())
            .map(memmem::Finder::new)
            .collect();
        let says = |part: &Vec<u8>| finders.iter().all(|one| one.find(part).is_some());
        let is_in = |row: &Row| says(&row.key) || says(&row.body);
        !finders.is_empty() && self.rows.iter().any(is_in)
    }
}
