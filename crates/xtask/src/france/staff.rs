//! A staffing, by a rule: nobody publishes who works when.
//!
//! In each part of the week a centre has as many posts as its mean load there in erlangs, and a margin
//! of so many times the root of the load (square-root staffing), and never fewer than a floor.

/// A shift: its roster, when it is, and which hours its posts are sized for.
#[derive(Debug)]
pub(super) struct Shift {
    pub(super) roster: &'static str,
    pub(super) hours: &'static str,
    days: std::ops::Range<usize>,
    sized_for: [usize; 2],
    /// Shifts that are there at the same time: only what they lack is added.
    beside: &'static [&'static str],
}

/// Day and night, and an evening shift over the change of both; weekends apart.
pub(super) const SHIFTS: [Shift; 6] = [
    shift("night-week", "mon-fri 19:00-07:00", 0..5, [0, 7], &[]),
    shift("night-weekend", "sat-sun 19:00-07:00", 5..7, [0, 7], &[]),
    shift("day-week", "mon-fri 07:00-19:00", 0..5, [7, 17], &[]),
    shift("day-weekend", "sat-sun 07:00-19:00", 5..7, [7, 17], &[]),
    shift(
        "evening-week",
        "mon-fri 11:00-23:00",
        0..5,
        [17, 23],
        &["day-week", "night-week"],
    ),
    shift(
        "evening-weekend",
        "sat-sun 11:00-23:00",
        5..7,
        [17, 23],
        &["day-weekend", "night-weekend"],
    ),
];

const fn shift(
    roster: &'static str,
    hours: &'static str,
    days: std::ops::Range<usize>,
    sized_for: [usize; 2],
    beside: &'static [&'static str],
) -> Shift {
    Shift {
        roster,
        hours,
        days,
        sized_for,
        beside,
    }
}

/// Who does a kind of work, and how many of them there must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    /// The beginning of their ids.
    pub(super) id: &'static str,
    pub(super) skills: &'static str,
    /// Seconds of talk and wrap-up for each call of the centre.
    work: f64,
    margin: f64,
    floor: usize,
}

/// ARMs: 60 + 15 s for each call, and 150 + 30 s more for three of four. Their margin makes about 430 of
/// them on duty on average. Physicians: 240 + 60 s for P0 and P1 (emergency), for P2 and P3 (general).
pub(super) const TRADES: [Trade; 3] = [
    trade("arm", "f01 = 5, f02 = 5", 75.0 + 0.75 * 180.0, 0.7, 2),
    trade("mu", "mu = 5", 0.2 * 300.0, 1.0, 1),
    trade("ml", "ml = 5", 0.6 * 300.0, 1.0, 1),
];

const fn trade(
    id: &'static str,
    skills: &'static str,
    work: f64,
    margin: f64,
    floor: usize,
) -> Trade {
    Trade {
        id,
        skills,
        work,
        margin,
        floor,
    }
}

impl Trade {
    /// Posts of a centre on each of the shifts, in their order.
    pub(super) fn posts(&self, calls_per_day: f64, week: &[f64]) -> [usize; 6] {
        let wanted = |shift: &Shift| {
            let [from, until] = shift.sized_for;
            let hours = shift.days.clone().flat_map(|day| {
                let hours = from..until;
                hours.map(move |hour| week[day * 24 + hour])
            });
            let hours: Vec<_> = hours.collect();
            let mean = hours.iter().sum::<f64>() / hours.len() as f64;
            let load = calls_per_day / 86_400.0 * mean * self.work;
            let posts = (load + self.margin * load.sqrt()).ceil();
            (posts as usize).max(self.floor)
        };
        let mut posts = SHIFTS.each_ref().map(wanted);
        for (at, shift) in SHIFTS.iter().enumerate() {
            let there = SHIFTS.iter().zip(posts);
            let there = there.filter(|(other, _)| shift.beside.contains(&other.roster));
            let there = there.map(|(_, posts)| posts).min().unwrap_or(0);
            posts[at] = posts[at].saturating_sub(there);
        }
        posts
    }
}

/// How many posts are there on average, of so many on each shift: each lasts half a day.
pub(super) fn on_duty(posts: [usize; 6]) -> f64 {
    let days = SHIFTS.iter().zip(posts);
    let post_days: usize = days.map(|(shift, posts)| shift.days.len() * posts).sum();
    post_days as f64 / 14.0
}
