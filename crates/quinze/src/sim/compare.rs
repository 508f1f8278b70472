//! Two configurations that meet the same callers: which serves them better, and how sure is that?
//!
//! Each seed is a history of both (common random numbers), so the differences within the pairs are what is
//! looked at: their mean has a confidence interval by Student's t.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use anyhow::ensure;
use node::engine::acd::LineId;
use rayon::prelude::*;
use sim::planning::{History, Served, Statistics, simulate};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::country::{Country, Span};
use crate::language::Language;

/// Share of intervals that hold the true difference.
const CONFIDENCE: f64 = 0.95;

/// A figure that two configurations are compared by.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// 1 where more is better, -1 where less is.
    better: f64,
    of: fn(&Served) -> f64,
}

/// The first decides.
const FIGURES: [Figure; 9] = [
    figure("QS30", "%", 1.0, |served| {
        100.0 * served.level_of_offered()[1]
    }),
    figure("QS20", "%", 1.0, |served| {
        100.0 * served.level_of_offered()[0]
    }),
    figure("QS60", "%", 1.0, |served| {
        100.0 * served.level_of_offered()[2]
    }),
    figure("answered", "%", 1.0, |served| 100.0 * served.answer_rate()),
    figure("lost", "", -1.0, |served| served.abandoned as f64),
    figure("mean", "s", -1.0, |served| {
        served.waits.mean().as_secs_f64()
    }),
    figure("p90", "s", -1.0, |served| {
        served.waits.quantile(0.9).as_secs_f64()
    }),
    figure("p99", "s", -1.0, |served| {
        served.waits.quantile(0.99).as_secs_f64()
    }),
    figure("max", "s", -1.0, |served| {
        served.waits.longest().as_secs_f64()
    }),
];

const fn figure(
    name: &'static str,
    unit: &'static str,
    better: f64,
    of: fn(&Served) -> f64,
) -> Figure {
    Figure {
        name,
        unit,
        better,
        of,
    }
}

/// The figures of one history.
struct Outcome {
    nation: [f64; FIGURES.len()],
    /// QS30 of each site that is in both, in the order of their ids.
    sites: Vec<f64>,
}

/// A difference, B less A, and half of the width of its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Difference {
    mean: f64,
    half: f64,
}

/// Which is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    A,
    B,
    /// Neither is shown to be.
    Open,
}

/// Runs histories of both with as many seeds, on all threads, and says what differs.
pub(super) fn run(
    countries: [&Country; 2],
    span: Span,
    replications: u64,
    language: Language,
) -> anyhow::Result<String> {
    let lines = countries.map(|country| {
        let lines = country.first_lines();
        let called = lines.into_iter().map(|line| {
            let profile = country.directory().line_profile(line);
            let site = country.directory().site_profile(profile.site).id.clone();
            (profile.id.clone(), (site, line))
        });
        called.collect::<BTreeMap<String, (String, LineId)>>()
    });
    ensure!(
        lines[0].keys().eq(lines[1].keys()),
        "{} and {} have not the same lines that callers from outside reach",
        countries[0].name,
        countries[1].name
    );
    let mut sites: BTreeMap<&str, [Vec<LineId>; 2]> = BTreeMap::new();
    for (which, lines) in lines.iter().enumerate() {
        for (site, line) in lines.values() {
            sites.entry(site).or_default()[which].push(*line);
        }
    }
    sites.retain(|_, [a, b]| !a.is_empty() && !b.is_empty());
    let runs: Vec<_> = (0..replications)
        .flat_map(|run| [(run, 0), (run, 1)])
        .collect();
    let outcomes: Vec<_> = runs
        .into_par_iter()
        .map(|(run, which): (u64, usize)| {
            let history = countries[which].history(span);
            let history = History {
                seed: history.seed.wrapping_add(run),
                ..history
            };
            let statistics = simulate(&history, &mut |_| {});
            let sites = sites.values().map(|lines| lines[which].as_slice());
            outcome(
                &statistics,
                lines[which].values().map(|(_, line)| *line),
                sites,
            )
        })
        .collect();
    let comparison = Comparison {
        countries,
        span,
        sites: sites.into_keys().collect(),
        pairs: outcomes.chunks_exact(2).collect(),
        language,
    };
    Ok(comparison.to_string())
}

fn outcome<'a>(
    statistics: &Statistics,
    nation: impl Iterator<Item = LineId>,
    sites: impl Iterator<Item = &'a [LineId]>,
) -> Outcome {
    let all = statistics.of(nation);
    let qs30 = |lines: &[LineId]| (FIGURES[0].of)(&statistics.of(lines.iter().copied()));
    Outcome {
        nation: FIGURES.map(|figure| (figure.of)(&all)),
        sites: sites.map(qs30).collect(),
    }
}

struct Comparison<'a> {
    countries: [&'a Country; 2],
    span: Span,
    sites: Vec<&'a str>,
    pairs: Vec<&'a [Outcome]>,
    language: Language,
}

impl Comparison<'_> {
    fn figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:12}{:>12}{:>12}{:>24}", "", "A", "B", "B - A (95 %)")?;
        for (at, figure) in FIGURES.iter().enumerate() {
            let of = |which: usize| self.pairs.iter().map(move |pair| pair[which].nation[at]);
            let mean = |which: usize| of(which).sum::<f64>() / self.pairs.len() as f64;
            let difference = difference(of(0).zip(of(1)), 1.0 - CONFIDENCE);
            let name = format!("{} {}", figure.name, figure.unit);
            let told = format!("{:+.2} ± {:.2}", difference.mean, difference.half);
            let verdict = difference.verdict(figure.better);
            writeln!(
                f,
                "{name:12}{:>12.2}{:>12.2}{told:>24}  {}",
                mean(0),
                mean(1),
                self.say(verdict)
            )?;
        }
        Ok(())
    }

    /// Which sites gain and lose: all of it holds together with that confidence (Bonferroni).
    fn by_site(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let risk = (1.0 - CONFIDENCE) / self.sites.len() as f64;
        let verdict = |at: usize| {
            let pairs = self
                .pairs
                .iter()
                .map(|pair| (pair[0].sites[at], pair[1].sites[at]));
            difference(pairs, risk).verdict(FIGURES[0].better)
        };
        let verdicts: Vec<_> = (0..self.sites.len()).map(verdict).collect();
        let count = |wanted| {
            verdicts
                .iter()
                .filter(|&&verdict| verdict == wanted)
                .count()
        };
        let worse = self.sites.iter().zip(&verdicts);
        let worse = worse.filter(|(_, verdict)| **verdict == Verdict::A);
        let worse = worse.map(|(site, _)| *site).collect::<Vec<_>>().join(", ");
        let (better, open) = (count(Verdict::B), count(Verdict::Open));
        match self.language {
            Language::En => write!(
                f,
                "\nQS30 by site, all together at 95 %: {better} better with B, {} with A, {open} open",
                count(Verdict::A)
            ),
            Language::Fr => write!(
                f,
                "\nQS30 par CRRA, tous ensemble à 95 % : {better} meilleurs avec B, {} avec A, {open} \
                 indécis",
                count(Verdict::A)
            ),
        }?;
        if !worse.is_empty() {
            write!(f, " (A : {worse})")?;
        }
        writeln!(f)
    }

    const fn say(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::A => self.language.of("A is better", "A est meilleur"),
            Verdict::B => self.language.of("B is better", "B est meilleur"),
            Verdict::Open => self
                .language
                .of("no difference shown", "pas de différence établie"),
        }
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Span { days, seed }, runs) = (self.span, self.pairs.len());
        let [a, b] = self.countries;
        match self.language {
            Language::En => writeln!(
                f,
                "A: {}\nB: {}\n{runs} histories of {days} days, seeds from {seed} on; calls from outside",
                a.name, b.name
            ),
            Language::Fr => writeln!(
                f,
                "A : {}\nB : {}\n{runs} histoires de {days} jours, graines à partir de {seed} ; appels de \
                 l'extérieur",
                a.name, b.name
            ),
        }?;
        if !a.meets_the_same_callers(b) {
            writeln!(
                f,
                "{}",
                self.language.of(
                    "Their callers differ: [planning] or the calls of a line are not the same",
                    "Leurs appelants diffèrent : [planning] ou les appels d'une ligne ne sont pas les mêmes",
                )
            )?;
        }
        f.write_char('\n')?;
        self.figures(f)?;
        self.by_site(f)?;
        let deciding = self
            .pairs
            .iter()
            .map(|pair| (pair[0].nation[0], pair[1].nation[0]));
        let verdict = difference(deciding, 1.0 - CONFIDENCE).verdict(FIGURES[0].better);
        writeln!(f, "\nQS30: {}", self.say(verdict))
    }
}

impl Difference {
    fn verdict(self, better: f64) -> Verdict {
        match self.mean * better {
            // Within the interval lies no difference at all.
            gain if gain.abs() <= self.half => Verdict::Open,
            gain if gain > 0.0 => Verdict::B,
            _ => Verdict::A,
        }
    }
}

/// The mean difference of pairs, at a two-sided risk.
fn difference(pairs: impl Iterator<Item = (f64, f64)>, risk: f64) -> Difference {
    let differences: Vec<_> = pairs.map(|(a, b)| b - a).collect();
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares = differences.iter().map(|one| (one - mean).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0);
    let student = StudentsT::new(0.0, 1.0, count - 1.0).expect("there are three pairs at least");
    let half = student.inverse_cdf(1.0 - risk / 2.0) * (variance / count).sqrt();
    Difference { mean, half }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's numbers: t(0.975, 4) = 2.776.
    #[test]
    fn an_interval_is_students() {
        let pairs = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0), (4.0, 8.0), (5.0, 10.0)];
        let shown = difference(pairs.into_iter(), 0.05);
        assert!((shown.mean - 3.0).abs() < 1e-9);
        let half = 2.776_445 * (2.5_f64 / 5.0).sqrt();
        assert!((shown.half - half).abs() < 1e-4, "{shown:?}");
        assert_eq!(shown.verdict(1.0), Verdict::B);
        assert_eq!(shown.verdict(-1.0), Verdict::A);
    }

    #[test]
    fn what_may_be_chance_is_open() {
        let pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 3.5), (1.0, 0.8)];
        assert_eq!(
            difference(pairs.into_iter(), 0.05).verdict(1.0),
            Verdict::Open
        );
        let same = [(1.0, 1.0); 5];
        assert_eq!(
            difference(same.into_iter(), 0.05).verdict(1.0),
            Verdict::Open
        );
    }
}
