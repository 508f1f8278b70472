//! Scenarios of a simulation: what is not as usual, and when.
//!
//! A file of its own beside the configuration, so that one country meets many days, and one day many
//! configurations.

use std::{collections::BTreeSet, path::Path, time::Duration};

use acd::{CrisisId, Directory, SiteId};
use toml::de::DeTable;

use crate::{
    Errors,
    report::Report,
    table::{At, Table},
};

/// What is not as usual, and when; nothing at all by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What happens, in a sentence.
    pub description: String,
    /// More or fewer calls than usual.
    pub demand: Vec<Demand>,
    /// Sites whose agents cannot work.
    pub outages: Vec<Outage>,
    /// Crisis plans that are on.
    pub crises: Vec<CrisisWindow>,
}

/// More or fewer calls than usual for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Whose lines.
    pub sites: BTreeSet<SiteId>,
    /// When.
    pub window: Window,
    /// How many times as many calls. Where several overlap, they multiply.
    pub factor: f64,
}

/// A site whose agents cannot work for a while: they end the calls that they have, and take no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Where.
    pub sites: BTreeSet<SiteId>,
    /// When.
    pub window: Window,
}

/// A crisis plan that is on for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrisisWindow {
    /// The plan.
    pub crisis: CrisisId,
    /// Where.
    pub sites: BTreeSet<SiteId>,
    /// When.
    pub window: Window,
}

/// A time of the simulated history, from its beginning on Monday at midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From then on.
    pub from: Duration,
    /// Until then.
    pub until: Duration,
}

/// Reads a scenario for the sites and crisis plans of a configuration. `path` is only for messages.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn load_scenario(path: &Path, text: &str, directory: &Directory) -> Result<Scenario, Errors> {
    let report = Report::new(path, text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        report.error(&error.span().unwrap_or_default(), error.message());
    }
    if report.has_errors() {
        return Err(report.into_errors());
    }
    let scenario = {
        let root = Table::new(document.get_ref(), "the file", 0..0, &report);
        let reader = Reader {
            directory,
            report: &report,
        };
        let scenario = reader.scenario(&root);
        root.finish();
        scenario
    };
    match report.has_errors() {
        true => Err(report.into_errors()),
        false => Ok(scenario),
    }
}

struct Reader<'a> {
    directory: &'a Directory,
    report: &'a Report<'a>,
}

impl Reader<'_> {
    fn scenario(&self, root: &Table<'_>) -> Scenario {
        let name = root.required("name", "\"Flu peak\"");
        let description = root.string("description");
        let demand = root.tables("demand", "[[demand]]");
        let outages = root.tables("outage", "[[outage]]");
        let crises = root.tables("crisis", "[[crisis]]");
        Scenario {
            name: name.map(|at| at.value).unwrap_or_default(),
            description: description.map(|at| at.value).unwrap_or_default(),
            demand: demand.iter().filter_map(|one| self.demand(one)).collect(),
            outages: outages.iter().filter_map(|one| self.outage(one)).collect(),
            crises: crises.iter().filter_map(|one| self.crisis(one)).collect(),
        }
    }

    fn demand(&self, table: &Table<'_>) -> Option<Demand> {
        let (sites, window) = (self.sites(table), self.window(table));
        let factor = table.number("factor", 0.0, 1_000.0);
        if !table.has("factor") {
            table.missing("factor", "1.5");
        }
        table.finish();
        Some(Demand {
            sites,
            window: window?,
            factor: factor?.value,
        })
    }

    fn outage(&self, table: &Table<'_>) -> Option<Outage> {
        let (sites, window) = (self.sites(table), self.window(table));
        table.finish();
        Some(Outage {
            sites,
            window: window?,
        })
    }

    fn crisis(&self, table: &Table<'_>) -> Option<CrisisWindow> {
        let (sites, window) = (self.sites(table), self.window(table));
        let plan = table.required("plan", "\"plan-blanc\"");
        table.finish();
        let plan = plan?;
        let crisis = self.directory.crisis(&plan.value);
        if crisis.is_none() {
            let crises = self.directory.crises();
            let known: Vec<_> = crises
                .map(|id| self.directory.crisis_profile(id).name.as_str())
                .collect();
            self.unknown("crisis plan", &plan, &known);
        }
        Some(CrisisWindow {
            crisis: crisis?,
            sites,
            window: window?,
        })
    }

    /// The sites that are named, with those of the regions and zones; all where nothing is.
    fn sites(&self, table: &Table<'_>) -> BTreeSet<SiteId> {
        let directory = self.directory;
        let (ids, regions, zones) = (
            table.string_or_strings("sites"),
            table.string_or_strings("regions"),
            table.string_or_strings("zones"),
        );
        if ids.is_empty() && regions.is_empty() && zones.is_empty() {
            return directory.sites().collect();
        }
        let mut sites = BTreeSet::new();
        for id in &ids {
            match directory.site(&id.value) {
                Some(site) => drop(sites.insert(site)),
                None => self.unknown("site", id, &[]),
            }
        }
        let profiles = || {
            directory
                .sites()
                .map(|site| (site, directory.site_profile(site)))
        };
        for (kind, names) in [("region", &regions), ("zone", &zones)] {
            for name in names {
                let named = profiles().filter(|(_, profile)| match kind {
                    "region" => profile.region == name.value,
                    _ => profile.zone == name.value,
                });
                let named: BTreeSet<_> = named.map(|(site, _)| site).collect();
                if named.is_empty() {
                    self.unknown(kind, name, &[]);
                }
                sites.extend(named);
            }
        }
        sites
    }

    fn unknown(&self, kind: &str, name: &At<String>, known: &[&str]) {
        let known = match known {
            [] => String::new(),
            some => format!("; there are: {}", some.join(", ")),
        };
        let message = format!("{kind} `{}` is not in the configuration{known}", name.value);
        self.report.error(&name.span, message);
    }

    fn window(&self, table: &Table<'_>) -> Option<Window> {
        let from = self.moment(table, "from");
        let until = self.moment(table, "until");
        let (from, until) = (from?, until?);
        if until.value <= from.value {
            let message = "`until` must be later than `from`";
            self.report.error(&until.span, message);
            return None;
        }
        Some(Window {
            from: from.value,
            until: until.value,
        })
    }

    fn moment(&self, table: &Table<'_>, key: &'static str) -> Option<At<Duration>> {
        let text = table.required(key, "\"2d 18:00\", two days after Monday at 18:00")?;
        let Some(value) = moment(&text.value) else {
            let message = format!(
                "`{key}`: `{}` is no moment; write \"18:00\" or \"2d 18:00\"",
                text.value
            );
            self.report.error(&text.span, message);
            return None;
        };
        Some(At {
            value,
            span: text.span,
        })
    }
}

/// `18:00`, or `2d 18:00`: that time of the day, so many days after the beginning. 24:00 is the end of a
/// day.
fn moment(text: &str) -> Option<Duration> {
    let (days, time) = match text.split_once("d ") {
        Some((days, time)) => (days.parse::<u32>().ok()?, time),
        None => (0, text),
    };
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let is_time = minutes < 60 && hours * 60 + minutes <= 24 * 60;
    let minutes = u64::from(days) * 24 * 60 + u64::from(hours * 60 + minutes);
    is_time.then(|| Duration::from_secs(60 * minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let minutes = |text| moment(text).map(|at| at.as_secs() / 60);
        assert_eq!(minutes("00:00"), Some(0));
        assert_eq!(minutes("18:05"), Some(18 * 60 + 5));
        assert_eq!(minutes("2d 18:00"), Some(66 * 60));
        assert_eq!(minutes("6d 24:00"), Some(7 * 24 * 60));
        for wrong in [
            "",
            "18",
            "18:60",
            "24:01",
            "8:00",
            "d 18:00",
            "-1d 18:00",
            "18:0x",
        ] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
    }
}
