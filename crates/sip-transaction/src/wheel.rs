//! A hierarchical timing wheel: arming, cancelling and firing a timer cost the same whatever the
//! number of timers.
//!
//! Time is cut into ticks of one millisecond. Level 0 has a slot for each of the next 64 ticks,
//! level 1 for each 64 of them, and so on over six levels, more than two years. A timer is put into
//! the lowest level whose slot tells it apart from the present, and moves down as time passes. A
//! bitmap for each level finds the next slot that holds something.
//!
//! There are two such sets of levels over one present: of timers that somebody waits for, and of loose
//! ones, for which nobody is woken as long as somebody else soon is.

use std::time::{Duration, Instant};

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;

/// The lists of one set of levels.
const LISTS: usize = LEVELS * SLOTS;

/// The list of timers that are due and have not been taken.
const DUE: usize = 2 * LISTS;

/// How much later than its time a loose timer fires at most, in ticks.
const LOOSE: u64 = 250;

/// A tick is a millisecond.
const TICKS_PER_SECOND: u64 = 1_000;
const NANOS_PER_TICK: u32 = 1_000_000;

/// The last tick that the wheel can tell apart from others.
const TICK_MAX: u64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;

/// No entry.
const NONE: u32 = u32::MAX;

/// Timers that carry a key. Fires never early and at most one millisecond late, or a quarter of a second where it is
/// armed by [`TimerWheel::schedule_loosely`].
#[derive(Debug)]
pub struct TimerWheel<K> {
    base: Instant,
    /// The tick up to which everything has been moved to the due list.
    current: u64,
    occupied: [[u64; LEVELS]; 2],
    lists: Vec<List>,
    entries: Vec<Entry<K>>,
    free: u32,
    armed: usize,
}

/// An armed timer. One that has fired or was cancelled is never mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

/// Which set of levels.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Exact,
    Loose,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
    /// The first tick at which one of its timers is due, or was before it was cancelled.
    earliest: u64,
}

const EMPTY: List = List {
    head: NONE,
    tail: NONE,
    earliest: u64::MAX,
};

#[derive(Debug)]
struct Entry<K> {
    /// `None` for a free entry.
    key: Option<K>,
    at: u64,
    list: u32,
    previous: u32,
    next: u32,
    generation: u32,
}

impl<K> TimerWheel<K> {
    /// An empty wheel whose time begins at `base`.
    pub fn new(base: Instant) -> Self {
        Self::with_capacity(base, 0)
    }

    /// An empty wheel with room for so many timers at a time, before it takes more memory.
    pub fn with_capacity(base: Instant, timers: usize) -> Self {
        Self {
            base,
            current: 0,
            occupied: [[0; LEVELS]; 2],
            lists: vec![EMPTY; DUE + 1],
            entries: Vec::with_capacity(timers),
            free: NONE,
            armed: 0,
        }
    }

    /// Arms a timer. One that is due already fires at the next [`TimerWheel::pop_expired`].
    pub fn schedule(&mut self, at: Instant, key: K) -> TimerId {
        self.add(Pace::Exact, at, key)
    }

    /// Arms a timer that may be late by a quarter of a second: what is only cleared away is cleared away when
    /// somebody is awake. One that is due already is due at once, as with [`TimerWheel::schedule`].
    pub fn schedule_loosely(&mut self, at: Instant, key: K) -> TimerId {
        self.add(Pace::Loose, at, key)
    }

    fn add(&mut self, pace: Pace, at: Instant, key: K) -> TimerId {
        let at = self.tick_after(at);
        let index = self.allocate(at, key);
        self.link(pace, index);
        self.armed += 1;
        TimerId {
            index,
            generation: self.entries[index as usize].generation,
        }
    }

    /// Disarms a timer; its key, unless it has fired or was cancelled before.
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        let entry = self.entries.get(id.index as usize)?;
        if entry.generation != id.generation || entry.key.is_none() {
            return None;
        }
        self.unlink(id.index);
        Some(self.release(id.index))
    }

    /// The key of the next timer that is due at `now`, in the order of the deadlines.
    pub fn pop_expired(&mut self, now: Instant) -> Option<K> {
        self.advance(now);
        let index = self.lists[DUE].head;
        if index == NONE {
            return None;
        }
        self.unlink(index);
        Some(self.release(index))
    }

    /// When [`TimerWheel::pop_expired`] should be called next: at the next deadline, or at one before it
    /// whose timer has been cancelled. Timers that only have to move to a finer level wait until then.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.lists[DUE].head != NONE {
            return Some(self.base + Duration::from_millis(self.current));
        }
        let exact = self.earliest(Pace::Exact);
        let loose = self.earliest(Pace::Loose).map(|earliest| earliest + LOOSE);
        let next = exact.into_iter().chain(loose).min()?;
        Some(self.base + Duration::from_millis(next))
    }

    /// Whether [`TimerWheel::pop_expired`] has something at `now`, or did until it was cancelled: loose timers
    /// are due before anybody has to be woken for them.
    pub fn is_due(&self, now: Instant) -> bool {
        let now = self.tick_at(now);
        let is_due = |pace| {
            self.earliest(pace)
                .is_some_and(|earliest: u64| earliest <= now)
        };
        self.lists[DUE].head != NONE || is_due(Pace::Exact) || is_due(Pace::Loose)
    }

    /// The first tick at which a timer of this pace is due, or was before it was cancelled.
    fn earliest(&self, pace: Pace) -> Option<u64> {
        let slot = self.next_slot(pace)?;
        Some(self.lists[slot.list()].earliest)
    }

    /// Timers that are armed.
    pub const fn len(&self) -> usize {
        self.armed
    }

    /// Whether no timer is armed.
    pub const fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// The first tick that is not before `at`: a timer never fires early.
    fn tick_after(&self, at: Instant) -> u64 {
        self.ticks_to(at, |nanos| nanos.div_ceil(NANOS_PER_TICK))
    }

    /// The last tick that has begun at `now`.
    fn tick_at(&self, now: Instant) -> u64 {
        self.ticks_to(now, |nanos| nanos / NANOS_PER_TICK)
    }

    /// The ticks from the beginning, of which the last is rounded. All of it fits into a word.
    fn ticks_to(&self, at: Instant, round: impl FnOnce(u32) -> u32) -> u64 {
        let since = at.saturating_duration_since(self.base);
        let whole = since.as_secs().saturating_mul(TICKS_PER_SECOND);
        let ticks = whole.saturating_add(round(since.subsec_nanos()).into());
        ticks.min(TICK_MAX)
    }

    fn advance(&mut self, now: Instant) {
        let now = self.tick_at(now);
        while let Some(slot) = self.next_of_all().filter(|slot| slot.tick <= now) {
            self.current = slot.tick;
            let mut index = self.take_list(&slot);
            while index != NONE {
                let next = self.entries[index as usize].next;
                self.link(slot.pace, index);
                index = next;
            }
        }
        self.current = self.current.max(now);
    }

    /// The next slot that holds something. Both sets move on together: they have one present.
    fn next_of_all(&self) -> Option<Slot> {
        let both = [Pace::Exact, Pace::Loose].map(|pace| self.next_slot(pace));
        both.into_iter().flatten().min_by_key(|slot| slot.tick)
    }

    /// The next slot of this pace that holds something: always in the lowest level that does.
    fn next_slot(&self, pace: Pace) -> Option<Slot> {
        let occupied = &self.occupied[pace as usize];
        let level = occupied.iter().position(|&occupied| occupied != 0)?;
        let index = occupied[level].trailing_zeros();
        let shift = SLOT_BITS * u32::try_from(level).expect("there are six levels");
        let above = self.current >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        let tick = above | (u64::from(index) << shift);
        Some(Slot {
            pace,
            level,
            index: index as usize,
            tick,
        })
    }

    /// Puts an entry into the slot of its deadline.
    fn link(&mut self, pace: Pace, index: u32) {
        let at = self.entries[index as usize].at;
        let list = self.list_of(pace, at);
        if list != DUE {
            *self.occupied_of(list) |= 1 << (list % SLOTS);
        }
        let tail = self.lists[list].tail;
        self.lists[list].earliest = self.lists[list].earliest.min(at);
        let entry = &mut self.entries[index as usize];
        entry.list = u32::try_from(list).expect("lists are few");
        entry.previous = tail;
        entry.next = NONE;
        match tail {
            NONE => self.lists[list].head = index,
            tail => self.entries[tail as usize].next = index,
        }
        self.lists[list].tail = index;
    }

    fn list_of(&self, pace: Pace, at: u64) -> usize {
        if at <= self.current {
            return DUE;
        }
        // The highest bit in which the deadline differs from the present names the level.
        let differing = 63 - (at ^ self.current).leading_zeros();
        let level = differing / SLOT_BITS;
        let slot = (at >> (level * SLOT_BITS)) as usize % SLOTS;
        pace as usize * LISTS + level as usize * SLOTS + slot
    }

    /// Which lists hold something of those that lie on the level of this one.
    const fn occupied_of(&mut self, list: usize) -> &mut u64 {
        &mut self.occupied[list / LISTS][list % LISTS / SLOTS]
    }

    fn unlink(&mut self, index: u32) {
        let Entry {
            list,
            previous,
            next,
            ..
        } = self.entries[index as usize];
        let list = list as usize;
        match previous {
            NONE => self.lists[list].head = next,
            previous => self.entries[previous as usize].next = next,
        }
        match next {
            NONE => self.lists[list].tail = previous,
            next => self.entries[next as usize].previous = previous,
        }
        if list != DUE && self.lists[list].head == NONE {
            self.lists[list] = EMPTY;
            *self.occupied_of(list) &= !(1 << (list % SLOTS));
        }
    }

    /// Empties a slot; its first entry.
    fn take_list(&mut self, slot: &Slot) -> u32 {
        let list = slot.list();
        *self.occupied_of(list) &= !(1 << slot.index);
        std::mem::replace(&mut self.lists[list], EMPTY).head
    }

    fn allocate(&mut self, at: u64, key: K) -> u32 {
        if self.free == NONE {
            let index = u32::try_from(self.entries.len()).expect("fewer than 2^32 timers");
            let entry = Entry {
                key: Some(key),
                at,
                list: 0,
                previous: NONE,
                next: NONE,
                generation: 0,
            };
            self.entries.push(entry);
            return index;
        }
        let index = self.free;
        let entry = &mut self.entries[index as usize];
        self.free = entry.next;
        entry.key = Some(key);
        entry.at = at;
        index
    }

    fn release(&mut self, index: u32) -> K {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
        self.armed -= 1;
        entry.key.take().expect("an entry in a list has a key")
    }
}

struct Slot {
    pace: Pace,
    level: usize,
    index: usize,
    /// When it begins.
    tick: u64,
}

impl Slot {
    const fn list(&self) -> usize {
        self.pace as usize * LISTS + self.level * SLOTS + self.index
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other constructor"
    )]
    fn base() -> Instant {
        Instant::now()
    }

    #[test]
    fn fires_in_order_and_never_early() {
        let base = base();
        let mut wheel = TimerWheel::new(base);
        for micros in [
            5_000_000,
            500,
            63_000,
            64_000,
            64_500,
            4_096_000,
            0,
            86_400_000_000_u64,
        ] {
            wheel.schedule(base + Duration::from_micros(micros), micros);
        }
        let mut fired = Vec::new();
        while let Some(at) = wheel.next_deadline() {
            while let Some(micros) = wheel.pop_expired(at) {
                assert!(at >= base + Duration::from_micros(micros));
                assert!(at <= base + Duration::from_micros(micros) + Duration::from_millis(1));
                fired.push(micros);
            }
        }
        assert!(fired.is_sorted() && fired.len() == 8 && wheel.is_empty());
    }

    #[test]
    fn a_stale_id_cancels_nothing() {
        let base = base();
        let mut wheel = TimerWheel::new(base);
        let first = wheel.schedule(base, 'a');
        assert_eq!(wheel.pop_expired(base), Some('a'));
        let second = wheel.schedule(base + Duration::from_secs(1), 'b');
        assert_eq!(wheel.cancel(first), None);
        assert_eq!(wheel.cancel(second), Some('b'));
        assert_eq!(wheel.cancel(second), None);
        assert_eq!(wheel.next_deadline(), None);
    }

    /// No level holds it, so nothing knows any more that it could wait.
    #[test]
    fn a_loose_timer_that_is_due_already_is_due_at_once() {
        let base = base();
        let mut wheel = TimerWheel::new(base);
        wheel.schedule_loosely(base, 'a');
        assert!(wheel.is_due(base));
        assert_eq!(wheel.next_deadline(), Some(base));
        assert_eq!(wheel.pop_expired(base), Some('a'));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Schedule(Pace, u64),
        Cancel(usize),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let pace = prop_oneof![Just(Pace::Exact), Just(Pace::Loose)];
        let after = prop_oneof![0..200_u64, 0..100_000_u64, 0..10_000_000_u64];
        prop_oneof![
            (pace, after).prop_map(|(pace, after)| Step::Schedule(pace, after)),
            (0..50_usize).prop_map(Step::Cancel),
            prop_oneof![0..100_u64, 0..70_000_u64, 0..10_000_000_u64].prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(steps in proptest::collection::vec(step(), 1..200)) {
            let base = base();
            let mut now = base;
            let mut wheel = TimerWheel::new(base);
            let mut model = BTreeMap::new();
            let (mut ids, mut none_cancelled) = (Vec::new(), true);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Schedule(pace, millis) => {
                        let at = now + Duration::from_millis(millis);
                        let (id, late) = match pace {
                            Pace::Exact => (wheel.schedule(at, number), 0),
                            Pace::Loose if at == now => (wheel.schedule_loosely(at, number), 0),
                            Pace::Loose => (wheel.schedule_loosely(at, number), LOOSE),
                        };
                        ids.push((id, (at, number)));
                        model.insert((at, number), at + Duration::from_millis(late));
                    }
                    Step::Cancel(which) if !ids.is_empty() => {
                        let (id, key) = ids[which % ids.len()];
                        let expected = model.remove(&key).map(|_| key.1);
                        none_cancelled &= expected.is_none();
                        prop_assert_eq!(wheel.cancel(id), expected);
                    }
                    Step::Cancel(_) => {}
                    Step::Pass(millis) => {
                        now += Duration::from_millis(millis);
                        let mut fired = Vec::new();
                        while let Some(key) = wheel.pop_expired(now) {
                            fired.push(key);
                        }
                        let later = model.split_off(&(now + Duration::from_nanos(1), 0));
                        let mut expected: Vec<_> = model.keys().map(|&(_, key)| key).collect();
                        model = later;
                        fired.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(fired, expected);
                    }
                }
                prop_assert_eq!(wheel.len(), model.len());
                let next = model.values().min().copied();
                prop_assert!(wheel.next_deadline() <= next || next.is_none());
                prop_assert_eq!(wheel.next_deadline().is_some(), next.is_some());
                // Nobody is woken for nothing.
                prop_assert!(wheel.next_deadline() == next || !none_cancelled);
                let is_due = model.keys().any(|&(at, _)| at <= now);
                prop_assert!(wheel.is_due(now) == is_due || !none_cancelled);
            }
        }
    }
}
