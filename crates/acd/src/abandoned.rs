//! Callers who gave up before anybody answered: whom to call back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    acd::Acd,
    event::{Event, Ignored},
    ids::{AbandonedId, CallId, CallerKey, LineId, SiteId},
    settings::Settings,
};

/// Calls of an entry that are named: the first and the latest ones.
const CALLS_MAX: usize = 16;

/// A caller who gave up, once or several times within [`Settings::repeat_within`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The centre that was called.
    pub site: SiteId,
    /// The line that was called last.
    pub line: LineId,
    /// Whose calls they were; `None` when the number was not known: each such call is an entry.
    pub caller: Option<CallerKey>,
    /// When the first of the calls ended.
    pub first: Instant,
    /// When the last of the calls ended.
    pub last: Instant,
    /// How often.
    pub attempts: u32,
    /// The longest wait of a call.
    pub longest_wait: Duration,
    /// The first call, and the latest of the others: 16 in all.
    pub calls: Vec<CallId>,
    /// The call with which the caller has come back and waits now, or was answered.
    pub came_back: Option<CallId>,
    /// How it stands.
    pub state: AbandonedState,
}

/// How an abandoned caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AbandonedState {
    /// Somebody should call back.
    ToCallBack,
    /// Somebody has called back.
    Called,
    /// Nothing is left to do: the caller was reached, or has come back and was answered.
    Resolved,
}

impl AbandonedState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::ToCallBack, Self::Called, Self::Resolved];

    /// The name, as the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToCallBack => "to-call-back",
            Self::Called => "called",
            Self::Resolved => "resolved",
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct AbandonedList {
    entries: BTreeMap<AbandonedId, Abandoned>,
    /// The latest entry of each caller at each site.
    by_caller: BTreeMap<(CallerKey, SiteId), AbandonedId>,
    /// By call with which a caller came back: the entry.
    came_back: BTreeMap<CallId, AbandonedId>,
    /// Entries that nobody needs to call back, the oldest first.
    resolved: BTreeSet<AbandonedId>,
    next: u64,
    /// The last calls of all entries, the one of longest ago first.
    by_last: BTreeSet<(Instant, AbandonedId)>,
    /// Entries that were touched; `None` where nobody has asked for it.
    touched: Option<Vec<AbandonedId>>,
}

impl AbandonedList {
    /// From now on it is noted which entries are touched, for [`Self::drain_touched`].
    pub(crate) fn note_touched(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// From now on nothing is noted.
    pub(crate) fn note_nothing(&mut self) {
        self.touched = None;
    }

    /// How many notes there are.
    pub(crate) fn notes(&self) -> usize {
        self.touched.as_ref().map_or(0, Vec::len)
    }

    /// Entries that may have changed.
    pub(crate) fn drain_touched(&mut self) -> impl Iterator<Item = AbandonedId> {
        self.touched
            .iter_mut()
            .flat_map(|touched| touched.drain(..))
    }

    fn touch(&mut self, id: AbandonedId) {
        if let Some(touched) = &mut self.touched {
            touched.push(id);
        }
    }

    /// An entry of before.
    pub(crate) fn restore(&mut self, id: AbandonedId, entry: Abandoned) {
        self.next = self.next.max(id.value());
        if let Some(caller) = entry.caller {
            self.by_caller.insert((caller, entry.site), id);
        }
        if let Some(call) = entry.came_back {
            self.came_back.insert(call, id);
        }
        let state = entry.state;
        self.by_last.insert((entry.last, id));
        self.entries.insert(id, entry);
        self.set_state(id, state);
    }

    /// The entry of a caller who gave up not long ago, or a new one.
    fn entry(
        &mut self,
        now: Instant,
        site: SiteId,
        caller: Option<CallerKey>,
        settings: &Settings,
    ) -> Option<AbandonedId> {
        let id = *self.by_caller.get(&(caller?, site))?;
        let entry = self.entries.get(&id)?;
        (now <= entry.last + settings.repeat_within).then_some(id)
    }

    /// A new entry, and those that had to make room for it.
    fn add(&mut self, entry: Abandoned, settings: &Settings) -> (AbandonedId, Vec<AbandonedId>) {
        let mut gone = Vec::new();
        while self.entries.len() >= settings.abandoned_max.max(1) {
            let oldest = self.entries.keys().next().copied();
            let Some(goes) = self.resolved.first().copied().or(oldest) else {
                break;
            };
            self.remove(goes);
            gone.push(goes);
        }
        self.next += 1;
        let id = AbandonedId::new(self.next);
        if let Some(caller) = entry.caller {
            self.by_caller.insert((caller, entry.site), id);
        }
        self.by_last.insert((entry.last, id));
        self.entries.insert(id, entry);
        self.touch(id);
        (id, gone)
    }

    fn remove(&mut self, id: AbandonedId) {
        self.touch(id);
        self.resolved.remove(&id);
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.by_last.remove(&(entry.last, id));
        if let Some(call) = entry.came_back {
            self.came_back.remove(&call);
        }
        if let Some(caller) = entry.caller {
            let key = (caller, entry.site);
            if self.by_caller.get(&key) == Some(&id) {
                self.by_caller.remove(&key);
            }
        }
    }

    fn set_state(&mut self, id: AbandonedId, state: AbandonedState) {
        self.touch(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.state = state;
        }
        if state == AbandonedState::Resolved {
            self.resolved.insert(id);
        } else {
            self.resolved.remove(&id);
        }
    }
}

impl Acd {
    /// Puts a call that was given up into the list.
    pub(crate) fn list_abandoned(
        &mut self,
        now: Instant,
        call: CallId,
        line: LineId,
        caller: Option<CallerKey>,
        waited: Duration,
    ) {
        let site = self.directory.line_profile(line).site;
        let list = &mut self.abandoned;
        let came_back = list.came_back.remove(&call);
        let known = came_back.or_else(|| list.entry(now, site, caller, &self.settings));
        let id = known.unwrap_or_else(|| {
            let entry = Abandoned {
                site,
                line,
                caller,
                first: now,
                last: now,
                attempts: 0,
                longest_wait: Duration::ZERO,
                calls: Vec::new(),
                came_back: None,
                state: AbandonedState::ToCallBack,
            };
            let (id, gone) = self.abandoned.add(entry, &self.settings);
            for entry in gone {
                self.emit(Event::AbandonedForgotten { entry });
            }
            id
        });
        if let Some(entry) = self.abandoned.entries.get_mut(&id) {
            self.abandoned.by_last.remove(&(entry.last, id));
            self.abandoned.by_last.insert((now, id));
            entry.line = line;
            entry.last = now;
            entry.attempts = entry.attempts.saturating_add(1);
            entry.longest_wait = entry.longest_wait.max(waited);
            entry.came_back = None;
            if entry.calls.len() >= CALLS_MAX {
                entry.calls.remove(1);
            }
            entry.calls.push(call);
        }
        self.abandoned.set_state(id, AbandonedState::ToCallBack);
        self.emit(Event::AbandonedListed {
            entry: id,
            call,
            line,
        });
    }

    /// Notes that a caller who gave up has come back, so that nobody calls back meanwhile.
    pub(crate) fn link_to_abandoned(
        &mut self,
        call: CallId,
        caller: Option<CallerKey>,
        now: Instant,
    ) {
        let Some(line) = self.calls.get(&call).map(|call| call.line) else {
            return;
        };
        let site = self.directory.line_profile(line).site;
        let list = &mut self.abandoned;
        if let Some(id) = list.entry(now, site, caller, &self.settings)
            && let Some(entry) = list.entries.get_mut(&id)
        {
            let before = entry.came_back.replace(call);
            if let Some(before) = before {
                list.came_back.remove(&before);
            }
            let attempts = entry.attempts;
            list.came_back.insert(call, id);
            list.touch(id);
            self.emit(Event::CameBack {
                call,
                line,
                entry: id,
                attempts,
            });
        }
    }

    /// A caller who came back has been answered.
    pub(crate) fn resolve_abandoned(&mut self, call: CallId) {
        if let Some(entry) = self.abandoned.came_back.remove(&call) {
            self.change_abandoned(entry, AbandonedState::Resolved);
        }
    }

    /// Entries that have been in the list for long enough are forgotten.
    pub(crate) fn forget_abandoned(&mut self, now: Instant) {
        while let Some(&(last, entry)) = self.abandoned.by_last.first()
            && last + self.settings.abandoned_kept <= now
        {
            self.abandoned.remove(entry);
            self.emit(Event::AbandonedForgotten { entry });
        }
    }

    /// When [`Self::forget_abandoned`] has something to do.
    pub(crate) fn abandoned_due(&self) -> Option<Instant> {
        let &(last, _) = self.abandoned.by_last.first()?;
        Some(last + self.settings.abandoned_kept)
    }

    /// Somebody has dealt with an entry.
    pub(crate) fn abandoned_handled(&mut self, entry: AbandonedId, state: AbandonedState) {
        if self.abandoned.entries.contains_key(&entry) {
            self.change_abandoned(entry, state);
        } else {
            self.ignore(Ignored::Abandoned(entry));
        }
    }

    fn change_abandoned(&mut self, entry: AbandonedId, state: AbandonedState) {
        self.abandoned.set_state(entry, state);
        self.emit(Event::AbandonedChanged { entry, state });
    }

    /// A caller who gave up.
    pub fn abandoned_entry(&self, entry: AbandonedId) -> Option<&Abandoned> {
        self.abandoned.entries.get(&entry)
    }

    /// How many callers who gave up are in the list.
    pub fn abandoned_len(&self) -> usize {
        self.abandoned.entries.len()
    }

    /// The callers who gave up, in the order in which they first did.
    pub fn abandoned(&self) -> impl Iterator<Item = (AbandonedId, &Abandoned)> {
        self.abandoned
            .entries
            .iter()
            .map(|(&id, entry)| (id, entry))
    }
}
