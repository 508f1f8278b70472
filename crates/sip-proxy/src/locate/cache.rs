//! What DNS has answered, for as long as it holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::records::{Answer, Query};

/// Limits and times of a [`super::Locator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocatorSettings {
    /// Answers that are kept, and questions that are open, at most. The one that ends first makes room.
    pub entries_max: usize,
    /// For how long any answer holds at least: a time to live of 0 would ask for each request.
    pub ttl_min: Duration,
    /// And at most.
    pub ttl_max: Duration,
    /// How long "there is none" and "DNS does not answer" hold.
    pub negative_ttl: Duration,
    /// How long a question may be open before it is asked again.
    pub question_max: Duration,
}

impl Default for LocatorSettings {
    fn default() -> Self {
        Self {
            entries_max: 10_000,
            ttl_min: Duration::from_secs(5),
            ttl_max: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(10),
            question_max: Duration::from_secs(10),
        }
    }
}

/// What is known of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes(Answer),
    /// It has been asked.
    Asked,
    No,
}

#[derive(Debug)]
pub(super) struct Cache {
    settings: LocatorSettings,
    /// `None` while the question is open.
    entries: BTreeMap<Query, (Option<Answer>, Instant)>,
    by_end: BTreeSet<(Instant, Query)>,
}

impl Cache {
    pub(super) const fn new(settings: LocatorSettings) -> Self {
        Self {
            settings,
            entries: BTreeMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, now: Instant, query: &Query) -> Known {
        match self.entries.get(query) {
            Some((answer, until)) if now < *until => match answer {
                Some(answer) => Known::Yes(answer.clone()),
                None => Known::Asked,
            },
            _ => Known::No,
        }
    }

    /// Notes that a question is asked.
    pub(super) fn note_asked(&mut self, now: Instant, query: Query) {
        self.put(query, None, now + self.settings.question_max);
    }

    /// Keeps an answer. The time to live of the records counts, within the limits.
    pub(super) fn learn(&mut self, now: Instant, query: Query, answer: Answer, ttl: Duration) {
        let LocatorSettings {
            ttl_min,
            ttl_max,
            negative_ttl,
            ..
        } = self.settings;
        let holds = match answer {
            Answer::None | Answer::Failed => negative_ttl,
            _ => ttl.clamp(ttl_min, ttl_max),
        };
        self.put(query, Some(answer), now + holds);
    }

    fn put(&mut self, query: Query, answer: Option<Answer>, until: Instant) {
        if let Some((_, before)) = self.entries.remove(&query) {
            self.by_end.remove(&(before, query.clone()));
        }
        while self.entries.len() >= self.settings.entries_max
            && let Some((_, query)) = self.by_end.pop_first()
        {
            self.entries.remove(&query);
        }
        self.entries.insert(query.clone(), (answer, until));
        self.by_end.insert((until, query));
    }
}
