//! Reads `[planning]`, and what lines, agents and sites say of it.

use std::{collections::BTreeMap, time::Duration};

use acd::Directory;

use super::{Flow, LineLoad, Patience, Planning, Repeat, Roster, Shape, Spread, WEEK_HOURS};
use crate::{
    report::Report,
    table::{At, Table},
};

/// `[planning]`, with names that are not resolved.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    planning: Planning,
    /// For each flow: where its calls go, by name.
    then: Vec<Onward>,
}

/// Where the calls of a flow go, by name, with their shares.
type Onward = Vec<(At<String>, f64)>;

/// What a line says: its flow and its load.
#[derive(Clone, Debug)]
pub(crate) struct LinePlanning {
    pub(crate) line: String,
    pub(crate) flow: At<String>,
    pub(crate) calls_per_day: f64,
}

/// What an agent says: the roster.
#[derive(Clone, Debug)]
pub(crate) struct AgentPlanning {
    pub(crate) agent: String,
    pub(crate) roster: At<String>,
}

impl LinePlanning {
    /// The `planning` of a line.
    pub(crate) fn read(table: &Table<'_>, line: &str) -> Option<Self> {
        let table = table.table("planning", "`planning` of a line")?;
        let flow = table.required("flow", "the name of a [[planning.flow]]");
        let calls = table.number("calls_per_day", 0.0, 10_000_000.0);
        table.finish();
        Some(Self {
            line: line.to_owned(),
            flow: flow?,
            calls_per_day: calls.map_or(0.0, |at| at.value),
        })
    }
}

impl Section {
    /// `[planning]`, if it is there.
    pub(crate) fn read(root: &Table<'_>, report: &Report<'_>) -> Option<Self> {
        let table = root.table("planning", "[planning]")?;
        let steady = Spread {
            mean: Duration::from_secs(60),
            shape: Shape::Constant,
        };
        let mut planning = Planning::steady(steady, []);
        planning.flows.clear();
        read_week(&table, report, &mut planning.week);
        let pickup = table.duration("pickup");
        planning.pickup = pickup.map_or(Duration::from_secs(3), |at| at.value);
        let no_shows = table.number("no_shows", 0.0, 1.0);
        planning.no_shows = no_shows.map_or(0.0, |at| at.value);
        if let Some(repeat) = table.table("repeat", "`repeat` of [planning]") {
            planning.repeat = Repeat {
                share: share(&repeat, "share"),
                within: time(&repeat, "within"),
            };
            repeat.finish();
        }
        if let Some(patience) = table.table("patience", "[planning.patience]") {
            planning.patience = Patience {
                mean: patience.positive_duration("mean").map(|at| at.value),
                hasty: share(&patience, "hasty"),
                hasty_within: time(&patience, "hasty_within"),
            };
            patience.finish();
        }
        let mut then = Vec::new();
        for flow in table.tables("flow", "[[planning.flow]]") {
            if let Some((flow, onward)) = read_flow(&flow, report) {
                planning.flows.push(flow);
                then.push(onward);
            }
        }
        for roster in table.tables("roster", "[[planning.roster]]") {
            planning.rosters.extend(read_roster(&roster, report));
        }
        table.finish();
        Some(Self { planning, then })
    }

    /// Finds what is named.
    pub(crate) fn resolve(
        mut self,
        directory: &Directory,
        lines: &[LinePlanning],
        agents: &[AgentPlanning],
        positions: &[(String, (f64, f64))],
        report: &Report<'_>,
    ) -> Planning {
        let flows = self.planning.flows.iter().enumerate();
        let flows: BTreeMap<_, _> = flows.map(|(at, flow)| (flow.name.clone(), at)).collect();
        let rosters = self.planning.rosters.iter().enumerate();
        let rosters: BTreeMap<_, _> = rosters.map(|(at, one)| (one.name.clone(), at)).collect();
        let find = |kind: &str, known: &BTreeMap<String, usize>, name: &At<String>| {
            let found = known.get(&name.value).copied();
            if found.is_none() {
                let known: Vec<_> = known.keys().map(String::as_str).collect();
                let known = known.join(", ");
                let message = format!("{kind} `{}` is not defined; there are: {known}", name.value);
                report.error(&name.span, message);
            }
            found
        };
        for (flow, then) in self.planning.flows.iter_mut().zip(&self.then) {
            let place =
                |(name, share): &(At<String>, f64)| Some((find("flow", &flows, name)?, *share));
            flow.then = then.iter().filter_map(place).collect();
        }
        for line in lines {
            if let (Some(id), Some(flow)) =
                (directory.line(&line.line), find("flow", &flows, &line.flow))
            {
                let calls_per_day = line.calls_per_day;
                let load = LineLoad {
                    flow,
                    calls_per_day,
                };
                self.planning.lines.insert(id, load);
            }
        }
        for agent in agents {
            let roster = find("roster", &rosters, &agent.roster);
            if let (Some(id), Some(roster)) = (directory.agent(&agent.agent), roster) {
                self.planning.shifts.insert(id, roster);
            }
        }
        let sites = positions.iter();
        let sites = sites.filter_map(|(id, position)| Some((directory.site(id)?, *position)));
        self.planning.positions = sites.collect();
        self.planning
    }
}

fn share(table: &Table<'_>, key: &'static str) -> f64 {
    table.number(key, 0.0, 1.0).map_or(0.0, |at| at.value)
}

fn time(table: &Table<'_>, key: &'static str) -> Duration {
    table.duration(key).map(|at| at.value).unwrap_or_default()
}

fn read_week(table: &Table<'_>, report: &Report<'_>, week: &mut [f64; WEEK_HOURS]) {
    let Some(rows) = table.numbers("week", 0.0, 1_000.0) else {
        return;
    };
    match <[f64; WEEK_HOURS]>::try_from(rows.value) {
        Ok(hours) => *week = hours,
        Err(hours) => {
            let message = format!(
                "`week` in [planning] has {} numbers; 168 are wanted: 7 rows of 24, Monday first",
                hours.len()
            );
            report.error(&rows.span, message);
        }
    }
}

fn read_flow(table: &Table<'_>, report: &Report<'_>) -> Option<(Flow, Onward)> {
    let name = table.required("name", "\"F01\"");
    let talk = table.table("talk", "`talk` of a flow").map(|talk| {
        let mean = talk.positive_duration("mean").map(|at| at.value);
        let spread = talk.number("spread", 0.0, 10.0).map_or(0.8, |at| at.value);
        let shapes = [
            ("log-normal", Shape::LogNormal(spread)),
            ("exponential", Shape::Exponential),
            ("constant", Shape::Constant),
        ];
        let shape = talk.word("shape", &shapes).map(|at| at.value);
        talk.finish();
        Spread {
            mean: mean.unwrap_or(Duration::from_secs(60)),
            shape: shape.unwrap_or(Shape::LogNormal(spread)),
        }
    });
    if talk.is_none() {
        table.missing("talk", "{ mean = \"60s\", spread = 0.8 }");
    }
    let mut then = Vec::new();
    let mut sum = 0.0;
    for onward in table.tables("then", "`then` of a flow") {
        let flow = onward.required("flow", "the name of a [[planning.flow]]");
        let part = share(&onward, "share");
        onward.finish();
        sum += part;
        then.extend(flow.map(|flow| (flow, part)));
    }
    table.finish();
    if sum > 1.0 + 1e-9 {
        let message = format!("the shares of `then` are {sum:.2} together; 1 is all");
        report.error(table.span(), message);
    }
    let flow = Flow {
        name: name?.value,
        talk: talk?,
        then: Vec::new(),
    };
    Some((flow, then))
}

fn read_roster(table: &Table<'_>, report: &Report<'_>) -> Option<Roster> {
    let name = table.required("name", "\"day\"");
    let hours = table.string_or_strings("hours");
    table.finish();
    let mut on_duty = vec![false; 7 * 24 * 60];
    for range in &hours {
        match minutes_of(&range.value) {
            Some(minutes) => minutes
                .into_iter()
                .for_each(|minute| on_duty[minute] = true),
            None => {
                let message = format!("`{}`: write \"mon-fri 07:00-19:00\"", range.value);
                report.error(&range.span, message);
            }
        }
    }
    Some(Roster {
        name: name?.value,
        shifts: shifts(&on_duty),
    })
}

/// The minutes of the week of `mon-fri 07:00-19:00`. A range of hours may pass midnight.
fn minutes_of(text: &str) -> Option<Vec<usize>> {
    let (days, hours) = text.split_once(' ')?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let day = |word: &str| DAYS.iter().position(|day| *day == word);
    let (first, last) = (day(first)?, day(last)?);
    let (from, until) = hours.split_once('-')?;
    let (from, until) = (minute_of(from)?, minute_of(until)?);
    let length = match until.checked_sub(from) {
        Some(length) if length > 0 => length,
        _ => until + DAY - from,
    };
    let days = (0..7).map(|step| (first + step) % 7);
    let days = days.take((last + 7 - first) % 7 + 1);
    Some(
        days.flat_map(|day| (0..length).map(move |step| (day * DAY + from + step) % (7 * DAY)))
            .collect(),
    )
}

fn minute_of(text: &str) -> Option<usize> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (usize, usize) = (hour.parse().ok()?, minute.parse().ok()?);
    let is_time = minute < 60 && hour < 24 || (hour, minute) == (24, 0);
    is_time.then_some(hour * 60 + minute)
}

fn shifts(on_duty: &[bool]) -> Vec<(u32, u32)> {
    let minute = |at: usize| u32::try_from(at).expect("a week has 10,080 minutes");
    let mut shifts = Vec::new();
    let mut began = None;
    for (at, &is_on) in on_duty.iter().chain([&false]).enumerate() {
        match (is_on, began) {
            (true, None) => began = Some(at),
            (false, Some(from)) => {
                shifts.push((minute(from), minute(at)));
                began = None;
            }
            _ => {}
        }
    }
    shifts
}

const DAY: usize = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_of_the_week_read_as_people_write_them() {
        let of = |text| {
            let mut on_duty = vec![false; 7 * DAY];
            minutes_of(text)
                .unwrap()
                .into_iter()
                .for_each(|at| on_duty[at] = true);
            shifts(&on_duty)
        };
        assert_eq!(of("mon 07:00-19:30"), [(420, 1170)]);
        assert_eq!(
            of("sun-mon 22:00-06:00"),
            [(0, 360), (1320, 1800), (9960, 10080)]
        );
        assert_eq!(of("mon-sun 00:00-24:00"), [(0, 10080)]);
        for wrong in ["monday 07:00-19:00", "mon 7-19", "mon", "mon 25:00-26:00"] {
            assert_eq!(minutes_of(wrong), None, "{wrong}");
        }
    }
}
