//! The result as tables.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use node::engine::acd::{LineId, SiteId};
use sim::planning::{Served, Statistics};

use super::{
    country::{Country, Span},
    observed::Observed,
};
use crate::language::Language;

/// How callers were served with mutual aid, and with each centre alone.
pub(super) struct Page<'a> {
    pub(super) country: &'a Country,
    pub(super) span: Span,
    pub(super) aided: &'a Observed,
    pub(super) alone: &'a Observed,
    pub(super) language: Language,
}

/// The lines of a place that callers from outside reach.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) lines: Vec<LineId>,
}

impl fmt::Display for Page<'_> {
    /// Calls from outside by nation, region and site: what callers of 15 meet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |en, fr| self.language.of(en, fr);
        writeln!(f, "{}", self.title())?;
        writeln!(
            f,
            "{}\n",
            say(
                "QS20, QS30, QS60: answered by a person within so many seconds, of all calls offered; \
                 QS60/ans of\nthose answered. Waits in seconds, of calls answered. Calls from outside; \
                 `alone` is the same callers\nwith no overflow plan.",
                "QS20, QS30, QS60 : décrochés par une personne en autant de secondes, sur les appels \
                 présentés ;\nQS60/déc sur les appels décrochés. Attentes en secondes, des appels décrochés. \
                 Appels de l'extérieur ;\n« seul » : les mêmes appelants sans plan d'entraide.",
            )
        )?;
        self.head(f, "")?;
        self.both(f, &self.nation())?;
        self.head(f, say("\nby region", "\npar région"))?;
        for region in self.regions() {
            self.both(f, &region)?;
        }
        self.head(f, say("\nby site", "\npar CRRA"))?;
        for (_, site) in self.sites() {
            self.both(f, &site)?;
        }
        self.work(f)
    }
}

impl<'a> Page<'a> {
    /// Every line, calls that were sent on to it included.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        let title = self.language.of(
            "\nby line, calls sent on included",
            "\npar ligne, transferts compris",
        );
        // Writing to a string does not fail.
        let _ = self.head(&mut text, title);
        let directory = self.country.directory();
        for line in directory.lines() {
            let place = Place {
                name: &directory.line_profile(line).id,
                lines: vec![line],
            };
            let _ = self.both(&mut text, &place);
        }
        text
    }

    /// What this is about.
    pub(super) fn title(&self) -> String {
        let Span { days, seed } = self.span;
        let mut title = match self.language {
            Language::En => format!("{}: {days} days, seed {seed}", self.country.name),
            Language::Fr => format!("{} : {days} jours, graine {seed}", self.country.name),
        };
        let scenario = &self.country.scenario;
        for part in [&scenario.name, &scenario.description] {
            if !part.is_empty() {
                title.push_str(". ");
                title.push_str(part.trim_end_matches('.'));
            }
        }
        if self.country.is_replay() {
            title.push_str(self.language.of(". Recorded calls", ". Appels enregistrés"));
        }
        title
    }

    /// How long it took: told to whoever waits, and no part of the result.
    #[expect(
        clippy::print_stderr,
        reason = "the result on stdout is the same each time"
    )]
    pub(super) fn tell_times(&self) {
        for (name, observed) in [("aided", self.aided), ("alone", self.alone)] {
            let seconds = observed.took.as_secs_f64();
            eprintln!(
                "{name}: {} calls, each once for every line that it came to, in {seconds:.1} s on one core",
                observed.stages
            );
        }
    }

    /// All lines that callers from outside reach.
    pub(super) fn nation(&self) -> Place<'a> {
        Place {
            name: self.language.of("nation", "nation"),
            lines: self.country.first_lines().into_iter().collect(),
        }
    }

    /// Those of each region, by name.
    pub(super) fn regions(&self) -> Vec<Place<'a>> {
        let directory = self.country.directory();
        let mut regions: BTreeMap<&'a str, Vec<LineId>> = BTreeMap::new();
        for line in self.country.first_lines() {
            let site = directory.line_profile(line).site;
            let region = directory.site_profile(site).region.as_str();
            regions.entry(region).or_default().push(line);
        }
        let regions = regions.into_iter();
        regions.map(|(name, lines)| Place { name, lines }).collect()
    }

    /// Those of each site.
    pub(super) fn sites(&self) -> Vec<(SiteId, Place<'a>)> {
        let directory = self.country.directory();
        let mut sites: BTreeMap<SiteId, Vec<LineId>> =
            directory.sites().map(|site| (site, Vec::new())).collect();
        for line in self.country.first_lines() {
            let site = directory.line_profile(line).site;
            sites.entry(site).or_default().push(line);
        }
        let place = |(site, lines)| {
            let name = directory.site_profile(site).id.as_str();
            (site, Place { name, lines })
        };
        sites.into_iter().map(place).collect()
    }

    fn head(&self, out: &mut dyn Write, title: &str) -> fmt::Result {
        write!(out, "{title:32}")?;
        let mut words = columns(self.language).into_iter();
        words.try_for_each(|word| write!(out, "{word:>9}"))?;
        writeln!(out)
    }

    fn both(&self, out: &mut dyn Write, place: &Place<'_>) -> fmt::Result {
        row(out, place.name, &place.served(&self.aided.statistics))?;
        let alone = self.language.of("  alone", "  seul");
        row(out, alone, &place.served(&self.alone.statistics))
    }

    /// How busy agents were, and what sites did for one another.
    fn work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |en, fr| self.language.of(en, fr);
        writeln!(
            f,
            "\n{:32}{:>12}{:>12}{:>12}{:>12}",
            say("at work", "au travail"),
            say("occupancy", "occupation"),
            say("alone", "seul"),
            say("help given", "aide donnée"),
            say("help taken", "aide reçue")
        )?;
        let (aided, alone) = (&self.aided.statistics, &self.alone.statistics);
        for (site, place) in self.sites() {
            let (given, taken) = aided.help_of(site);
            writeln!(
                f,
                "{:32}{:>12}{:>12}{given:>12}{taken:>12}",
                place.name,
                percent(aided.occupancy_of(site)),
                percent(alone.occupancy_of(site)),
            )?;
        }
        Ok(())
    }
}

impl Place<'_> {
    /// How its callers were served.
    pub(super) fn served(&self, statistics: &Statistics) -> Served {
        statistics.of(self.lines.iter().copied())
    }
}

/// What [`cells`] are.
pub(super) const fn columns(language: Language) -> [&'static str; 13] {
    match language {
        Language::En => [
            "offered", "answered", "QS20", "QS30", "QS60", "QS60/ans", "lost", "lost<15s", "mean",
            "p50", "p90", "p99", "max",
        ],
        Language::Fr => [
            "présentés",
            "décroch.",
            "QS20",
            "QS30",
            "QS60",
            "QS60/déc",
            "perdus",
            "perd<15s",
            "moyenne",
            "p50",
            "p90",
            "p99",
            "max",
        ],
    }
}

/// How callers were served, in the order of [`columns`].
pub(super) fn cells(served: &Served) -> [String; 13] {
    let [qs20, qs30, qs60] = served.level_of_offered().map(percent);
    let [.., of_answered] = served.level_of_answered().map(percent);
    let seconds = |wait: Duration| format!("{:.1}", wait.as_secs_f64());
    let waits = &served.waits;
    [
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
    ]
}

fn row(out: &mut dyn Write, name: &str, served: &Served) -> fmt::Result {
    write!(out, "{name:32}")?;
    let mut cells = cells(served).into_iter();
    cells.try_for_each(|cell| write!(out, "{cell:>9}"))?;
    writeln!(out)
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
