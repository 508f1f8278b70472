//! The result as tables.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use config::planning::Planning;
use node::engine::acd::{Directory, LineId, SiteId};
use sim::planning::{Served, Statistics};

/// How callers were served with mutual aid, and with each centre alone.
pub(super) struct Page<'a> {
    pub(super) directory: &'a Directory,
    pub(super) planning: &'a Planning,
    pub(super) aided: &'a Statistics,
    pub(super) alone: &'a Statistics,
}

const HEAD: [&str; 13] = [
    "offered", "answered", "QS20", "QS30", "QS60", "QS60/ans", "lost", "lost<15s", "mean", "p50",
    "p90", "p99", "max",
];

impl fmt::Display for Page<'_> {
    /// Calls from outside by nation, region and site: what callers of 15 meet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "QS20, QS30, QS60: answered by a person within so many seconds, of all calls offered; \
             QS60/ans of those answered.\nWaits in seconds, of calls answered. Calls from outside; \
             `alone` is the same callers with no overflow plan.\n"
        )?;
        let all: Vec<_> = self.first_lines().collect();
        self.head(f, "")?;
        self.both(f, "nation", &all)?;
        let mut regions: BTreeMap<&str, Vec<LineId>> = BTreeMap::new();
        for &line in &all {
            let site = self.directory.line_profile(line).site;
            let region = self.directory.site_profile(site).region.as_str();
            regions.entry(region).or_default().push(line);
        }
        self.head(f, "\nby region")?;
        for (region, lines) in regions {
            self.both(f, region, &lines)?;
        }
        self.head(f, "\nby site")?;
        for site in self.directory.sites() {
            let own = |&line: &LineId| self.directory.line_profile(line).site == site;
            let lines: Vec<_> = all.iter().copied().filter(own).collect();
            self.both(f, &self.directory.site_profile(site).id, &lines)?;
        }
        self.sites(f)
    }
}

impl Page<'_> {
    /// Every line, calls that were sent on to it included.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.head(&mut text, "\nby line, calls sent on included");
        for line in self.directory.lines() {
            let _ = self.both(&mut text, &self.directory.line_profile(line).id, &[line]);
        }
        text
    }

    fn first_lines(&self) -> impl Iterator<Item = LineId> {
        let lines = self.planning.lines.iter();
        lines
            .filter(|(_, load)| load.calls_per_day > 0.0)
            .map(|(&line, _)| line)
    }

    fn head(&self, out: &mut dyn Write, title: &str) -> fmt::Result {
        write!(out, "{title:32}")?;
        HEAD.iter().try_for_each(|word| write!(out, "{word:>9}"))?;
        writeln!(out)
    }

    fn both(&self, out: &mut dyn Write, name: &str, lines: &[LineId]) -> fmt::Result {
        let of = |all: &Statistics| all.of(lines.iter().copied());
        row(out, name, &of(self.aided))?;
        row(out, "  alone", &of(self.alone))
    }

    /// How busy agents were, and what sites did for one another.
    fn sites(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:32}{:>12}{:>12}{:>12}{:>12}",
            "at work", "occupancy", "alone", "help given", "help taken"
        )?;
        for site in self.directory.sites() {
            let (given, taken) = self.aided.help_of(site);
            let busy = |all: &Statistics, site: SiteId| percent(all.occupancy_of(site));
            writeln!(
                f,
                "{:32}{:>12}{:>12}{given:>12}{taken:>12}",
                self.directory.site_profile(site).id,
                busy(self.aided, site),
                busy(self.alone, site),
            )?;
        }
        Ok(())
    }
}

fn row(out: &mut dyn Write, name: &str, served: &Served) -> fmt::Result {
    let [qs20, qs30, qs60] = served.level_of_offered().map(percent);
    let [.., of_answered] = served.level_of_answered().map(percent);
    let seconds = |wait: std::time::Duration| format!("{:.1}", wait.as_secs_f64());
    let waits = &served.waits;
    let cells = [
        served.offered.to_string(),
        percent(served.answer_rate()),
        qs20,
        qs30,
        qs60,
        of_answered,
        served.abandoned.to_string(),
        served.abandoned_early.to_string(),
        seconds(waits.mean()),
        seconds(waits.quantile(0.5)),
        seconds(waits.quantile(0.9)),
        seconds(waits.quantile(0.99)),
        seconds(waits.longest()),
    ];
    write!(out, "{name:32}")?;
    cells.iter().try_for_each(|cell| write!(out, "{cell:>9}"))?;
    writeln!(out)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
