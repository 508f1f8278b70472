//! One history, watched: its figures, its hours, its calls as a file, and how far it is.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use sim::planning::{History, Served, Stage, Statistics, simulate};

use super::{calls::Writer, country::Span, days};

/// What came of a history.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) statistics: Statistics,
    /// Calls from outside by the hour in which they came: each hour of the history, or of the week where
    /// it is longer.
    pub(super) hours: Vec<Served>,
    /// Calls, each once for every line that it came to.
    pub(super) stages: u64,
    /// How long one core worked on it.
    pub(super) took: Duration,
}

/// Shows how far several histories are, together, on a terminal.
#[derive(Debug)]
pub(super) struct Watch {
    bar: ProgressBar,
    length: Duration,
    hours: usize,
}

const HOUR: Duration = Duration::from_secs(3_600);
const WEEK_HOURS: usize = 7 * 24;

impl Watch {
    pub(super) fn new(histories: u64, span: Span) -> Self {
        let length = days(span.days);
        let bar = ProgressBar::new(histories * hours(length));
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {eta} left");
        bar.set_style(style.expect("the template is right"));
        let hours = usize::try_from(hours(length)).unwrap_or(usize::MAX);
        Self {
            bar,
            length,
            hours: hours.min(WEEK_HOURS),
        }
    }

    /// Runs a history, and writes its calls to a file where one is named.
    pub(super) fn observe(
        &self,
        history: &History<'_>,
        file: Option<&Path>,
    ) -> anyhow::Result<Observed> {
        let mut writer = file
            .map(|file| Writer::create(file, &history.directory))
            .transpose()?;
        let mut hours: Vec<_> = (0..self.hours).map(|_| Served::new()).collect();
        let mut stages = 0;
        let mut progress = Progress::default();
        let began = Instant::now();
        let statistics = simulate(history, &mut |stage: &Stage| {
            stages += 1;
            if stage.stage == 0 {
                hours[hour_of(stage.came) % self.hours].add(stage);
            }
            if let Some(writer) = &mut writer {
                writer.write(stage);
            }
            match progress.reach(stage.came + stage.waited) {
                0 => {}
                more => self.bar.inc(more),
            }
        });
        let took = began.elapsed();
        self.bar.inc(progress.reach(self.length));
        if let Some(writer) = writer {
            writer.finish()?;
        }
        Ok(Observed {
            statistics,
            hours,
            stages,
            took,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Hours of one history that have passed.
#[derive(Debug, Default)]
struct Progress {
    hours: u64,
}

impl Progress {
    /// How many more have passed.
    fn reach(&mut self, at: Duration) -> u64 {
        let more = hours(at).saturating_sub(self.hours);
        self.hours += more;
        more
    }
}

const fn hours(length: Duration) -> u64 {
    length.as_secs() / HOUR.as_secs()
}

fn hour_of(came: Duration) -> usize {
    usize::try_from(hours(came)).unwrap_or(usize::MAX)
}
