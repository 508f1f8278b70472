//! What came of the calls, counted at the callers' end; overflow as the node tells it.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use node::{Node, engine};
use tokio::sync::broadcast::{self, error::RecvError};

/// The figures of the demo.
pub(super) struct Figures {
    pub(super) offered: usize,
    answered: usize,
    answered_in_30: usize,
    abandoned: usize,
    abandoned_in_15: usize,
    failed: usize,
    /// Milliseconds from the INVITE to the answer.
    waits: Histogram<u64>,
    /// Calls answered by another site's agent: from site, to site, how many.
    overflow: Vec<Vec<usize>>,
    directory: Arc<engine::acd::Directory>,
    events: broadcast::Receiver<Arc<engine::Event>>,
    missed: u64,
}

/// Something that the node told, or how much of it was missed.
pub(super) enum Told {
    Event(Arc<engine::Event>),
    Missed(u64),
}

impl Figures {
    pub(super) fn new(node: &Node, directory: Arc<engine::acd::Directory>) -> Self {
        let sites = directory.sites().count();
        Self {
            offered: 0,
            answered: 0,
            answered_in_30: 0,
            abandoned: 0,
            abandoned_in_15: 0,
            failed: 0,
            waits: Histogram::new_with_bounds(1, 3_600_000, 3).expect("the bounds are right"),
            overflow: vec![vec![0; sites]; sites],
            directory,
            events: node.subscribe(),
            missed: 0,
        }
    }

    pub(super) async fn next_event(&mut self) -> Told {
        match self.events.recv().await {
            Ok(event) => Told::Event(event),
            Err(RecvError::Lagged(count)) => Told::Missed(count),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    pub(super) fn take(&mut self, told: &Told) {
        match told {
            Told::Missed(count) => self.missed += count,
            Told::Event(event) => {
                if let engine::Event::Distribution {
                    what: engine::acd::Event::Answered { line, site, .. },
                    ..
                } = &**event
                {
                    let home = self.directory.line_profile(*line).site;
                    if home != *site {
                        self.overflow[home.index()][site.index()] += 1;
                    }
                }
            }
        }
    }

    pub(super) fn answered(&mut self, after: Duration) {
        self.answered += 1;
        self.answered_in_30 += usize::from(after <= Duration::from_secs(30));
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.waits.saturating_record(millis.max(1));
    }

    /// A caller whose INVITE ended without an answer: given up (487 to the CANCEL), or lost.
    pub(super) fn failed(&mut self, status: engine::sip::StatusCode, after: Duration) {
        if status == engine::sip::StatusCode::REQUEST_TERMINATED {
            self.abandoned += 1;
            self.abandoned_in_15 += usize::from(after <= Duration::from_secs(15));
        } else {
            self.failed += 1;
        }
    }

    /// Calls that were neither answered nor given up by their caller.
    pub(super) const fn lost(&self) -> usize {
        self.failed
    }

    /// One line for a log or a terminal.
    pub(super) fn line(&self) -> String {
        format!(
            "offered {}  answered {}  abandoned {}  lost {}  QS30 {}  overflow {}",
            self.offered,
            self.answered,
            self.abandoned,
            self.failed,
            percent(self.answered_in_30, self.offered),
            self.overflow.iter().flatten().sum::<usize>(),
        )
    }

    pub(super) fn summary(&self, lost: usize) -> String {
        let mut text = String::from("\nFigures (waits from the INVITE to a person's answer)\n");
        let mut put = |name: &str, value: String| {
            writeln!(text, "  {name:<22} {value}").expect("writing to a string does not fail");
        };
        put("offered", self.offered.to_string());
        put(
            "answered",
            format!(
                "{} ({})",
                self.answered,
                percent(self.answered, self.offered)
            ),
        );
        put(
            "abandoned",
            format!(
                "{} (of them {} within 15 s)",
                self.abandoned, self.abandoned_in_15
            ),
        );
        put("lost", lost.to_string());
        put(
            "QS30 of offered",
            percent(self.answered_in_30, self.offered),
        );
        put(
            "QS30 of answered",
            percent(self.answered_in_30, self.answered),
        );
        let quantile = |q: f64| format!("{:.1} s", self.seconds_at(q));
        put(
            "wait p50 / p90 / p99",
            [0.5, 0.9, 0.99].map(quantile).join(" / "),
        );
        put("wait max", quantile(1.0));
        let overflow: usize = self.overflow.iter().flatten().sum();
        put(
            "answered elsewhere",
            format!("{overflow} ({})", percent(overflow, self.answered)),
        );
        for (from, row) in self.directory.sites().zip(&self.overflow) {
            for (to, &count) in self
                .directory
                .sites()
                .zip(row)
                .filter(|(_, count)| **count > 0)
            {
                let (from, to) = (
                    self.directory.site_profile(from),
                    self.directory.site_profile(to),
                );
                put(
                    &format!("  {} helped by {}", from.id, to.id),
                    count.to_string(),
                );
            }
        }
        if self.missed > 0 {
            put(
                "events missed",
                format!("{}: the overflow figures are too low", self.missed),
            );
        }
        text
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a demo are far below 2^52"
    )]
    fn seconds_at(&self, quantile: f64) -> f64 {
        self.waits.value_at_quantile(quantile) as f64 / 1000.0
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "calls of a demo are far below 2^52"
)]
fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}
