//! The configuration as text.

use std::fmt;

use super::{
    data::{Centre, Data},
    staff::{SHIFTS, TRADES, on_duty},
};

/// The whole file.
pub(super) struct Page<'a> {
    data: &'a Data,
}

/// Share of calls whose callers choose "life at risk" in the menu (assumed).
const VITAL: f64 = 0.03;

/// A line that every centre has: its flow id without the centre, and the rest of it.
const LINES: [(&str, &str); 9] = [
    (
        "15-Samu-Px-F01",
        "skills = { f01 = 1 }, priority = 2, wrap_up = \"15s\", overflow = \"entraide\", planning = { flow = \"F01\"",
    ),
    (
        "15-Samu-UV-F01",
        "skills = { f01 = 3 }, priority = 0, wrap_up = \"15s\", parallel = 2, ring_time = \"10s\", service_level = \"10s\", overflow = \"vital\", planning = { flow = \"UV\"",
    ),
    (
        "FluxStd-T2-P1-F02",
        "skills = { f02 = 1 }, priority = 1, wrap_up = \"30s\", transferred_priority = \"of-the-line\", overflow = \"entraide\", planning = { flow = \"T2-P1\"",
    ),
    (
        "FluxStd-T2-P2-F02",
        "skills = { f02 = 1 }, priority = 2, wrap_up = \"30s\", transferred_priority = \"of-the-line\", overflow = \"entraide\", planning = { flow = \"T2-P2\"",
    ),
    (
        "FluxStd-T2-P3-F02",
        "skills = { f02 = 1 }, priority = 3, wrap_up = \"30s\", transferred_priority = \"of-the-line\", overflow = \"entraide\", planning = { flow = \"T2-P3\"",
    ),
    (
        "FluxStd-MU-P0-F02",
        "skills = { mu = 1 }, priority = 0, wrap_up = \"60s\", transferred_priority = \"of-the-line\", hand_over = \"attended\", overflow = \"vital\", planning = { flow = \"MU-P0\"",
    ),
    (
        "FluxStd-MU-P1-F02",
        "skills = { mu = 1 }, priority = 1, wrap_up = \"60s\", transferred_priority = \"of-the-line\", overflow = \"medecins\", planning = { flow = \"MU-P1\"",
    ),
    (
        "FluxStd-ML-P2-F02",
        "skills = { ml = 1 }, priority = 2, wrap_up = \"60s\", transferred_priority = \"of-the-line\", overflow = \"medecins\", planning = { flow = \"ML-P2\"",
    ),
    (
        "FluxStd-ML-P3-F02",
        "skills = { ml = 1 }, priority = 3, wrap_up = \"60s\", transferred_priority = \"of-the-line\", overflow = \"medecins\", planning = { flow = \"ML-P3\"",
    ),
];

impl<'a> Page<'a> {
    pub(super) const fn new(data: &'a Data) -> Self {
        Self { data }
    }

    fn sites(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n# The centres; neighbours are listed by distance.\nsite = ["
        )?;
        for centre in &self.data.centres {
            let neighbours = centre.neighbours.iter().map(|id| format!("\"{id}\""));
            let neighbours = neighbours.collect::<Vec<_>>().join(", ");
            let reserve = if centre.calls_per_day > 1_000.0 { 2 } else { 1 };
            let (latitude, longitude) = centre.position;
            writeln!(
                f,
                "    {{ id = \"{}\", name = \"{}\", region = \"{}\", zone = \"{}\", reserve = {reserve}, \
                 position = [{latitude:.2}, {longitude:.2}], neighbours = [{neighbours}] }},",
                centre.id, centre.name, centre.region, centre.zone,
            )?;
        }
        writeln!(f, "]")
    }

    fn lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n# First level (F01), second level (T2), physicians (MU, ML). The numbers are of the range that is \
             kept\n# for fiction (01 99 00).\nline = ["
        )?;
        for (at, centre) in self.data.centres.iter().enumerate() {
            for (which, (flow, rest)) in LINES.iter().enumerate() {
                let share = [1.0 - VITAL, VITAL].get(which);
                let numbers = share.map_or_else(String::new, |_| {
                    format!("numbers = [\"+3319900{:04}\"], ", 2 * at + which)
                });
                let load = share.map_or_else(String::new, |share| {
                    format!(", calls_per_day = {:.1}", share * centre.calls_per_day)
                });
                let id = &centre.id;
                writeln!(
                    f,
                    "    {{ id = \"{id}-{flow}\", site = \"{id}\", {numbers}{rest}{load} }} }},"
                )?;
            }
        }
        writeln!(f, "]")
    }

    fn agents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n# People are made up.\nagent = [")?;
        for centre in &self.data.centres {
            let number = centre.id.trim_start_matches("FR");
            for trade in TRADES {
                let posts = trade.posts(centre.calls_per_day, &self.data.week);
                let mut person = 0;
                for (shift, posts) in SHIFTS.iter().zip(posts) {
                    for _ in 0..posts {
                        person += 1;
                        writeln!(
                            f,
                            "    {{ id = \"{}-{number}-{person:02}\", site = \"{}\", \
                             skills = {{ {} }}, roster = \"{}\" }},",
                            trade.id, centre.id, trade.skills, shift.roster,
                        )?;
                    }
                }
            }
        }
        writeln!(f, "]")
    }

    fn week(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "week = [")?;
        for day in self.data.week.chunks(24) {
            let hours: Vec<_> = day.iter().map(|hour| format!("{hour:.3}")).collect();
            writeln!(f, "    [{}],", hours.join(", "))?;
        }
        writeln!(f, "]")
    }

    fn on_duty(&self, trade: usize) -> f64 {
        let posts = |centre: &Centre| TRADES[trade].posts(centre.calls_per_day, &self.data.week);
        let centres = self.data.centres.iter();
        centres.map(|centre| on_duty(posts(centre))).sum()
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duty = [0, 1, 2].map(|trade| self.on_duty(trade));
        writeln!(
            f,
            "# Every centre of France, for `quinze sim`; `quinze serve` would start with it, too.\n\
             # Written by `cargo xtask france` from config/france/data, whose README names the sources. Do not \
             edit.\n#\n\
             # Calls are in proportion to population; hours, talk times, shares, patience and staffing are \
             assumed.\n\
             # In each part of the week a centre has as many posts as its mean load in erlangs and a margin of \
             the\n# load's root. On average {:.0} ARMs are on duty, {:.0} emergency physicians, {:.0} general \
             practitioners.",
            duty[0], duty[1], duty[2]
        )?;
        self.sites(f)?;
        self.lines(f)?;
        self.agents(f)?;
        write!(f, "{NODE}")?;
        writeln!(
            f,
            "default_line = \"{}-{}\"",
            self.data.centres[0].id, LINES[0].0
        )?;
        write!(f, "{PLANS}")?;
        self.week(f)?;
        write!(f, "{PLANNING}")?;
        for shift in SHIFTS {
            writeln!(
                f,
                "\n[[planning.roster]]\nname = \"{}\"\nhours = \"{}\"",
                shift.roster, shift.hours
            )?;
        }
        Ok(())
    }
}

const NODE: &str = include_str!("node.toml");
const PLANS: &str = include_str!("plans.toml");
const PLANNING: &str = include_str!("planning.toml");
