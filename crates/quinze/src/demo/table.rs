//! The live table: redrawn in place on a terminal, plain lines elsewhere.

use node::engine::{GaugesView, acd::AgentStateKind};

use super::{centres::CENTRES, figures::Figures};
use crate::out::write_out;

/// How figures are shown while the demo runs.
pub(super) struct Table {
    terminal: bool,
    drawn: std::cell::Cell<usize>,
}

impl Table {
    pub(super) const fn new(terminal: bool) -> Self {
        Self {
            terminal,
            drawn: std::cell::Cell::new(0),
        }
    }

    /// How often to show: five times a second to eyes, every five seconds to a log.
    pub(super) const fn refresh_millis(&self) -> u64 {
        if self.terminal { 200 } else { 5000 }
    }

    /// Prints text that stays.
    pub(super) fn say(&self, text: &str) {
        self.drawn.set(0);
        let _shown_to_nobody = write_out(&format!("{text}\n"));
    }

    pub(super) fn show(&self, figures: &Figures, gauges: Option<&GaugesView>) {
        let lines = match gauges {
            Some(gauges) if self.terminal => self.rows(figures, gauges),
            Some(gauges) => vec![format!(
                "waiting {:>3}  ringing {:>3}  talking {:>3}  {}",
                gauges.status.waiting,
                gauges.status.ringing,
                gauges.status.connected,
                figures.line()
            )],
            None => vec![figures.line()],
        };
        let up = match self.drawn.get() {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A"),
        };
        let clear = if self.terminal { "\x1b[K" } else { "" };
        let text: String = lines
            .iter()
            .map(|line| format!("{line}{clear}\n"))
            .collect();
        let _shown_to_nobody = write_out(&format!("{up}{text}"));
        self.drawn.set(if self.terminal { lines.len() } else { 0 });
    }

    fn rows(&self, figures: &Figures, gauges: &GaugesView) -> Vec<String> {
        let mut rows = vec![format!(
            "{:<20} {:>8} {:>8} {:>7} {:>8} {:>8} {:>8}",
            "centre", "waiting", "longest", "ready", "offered", "talking", "wrap-up"
        )];
        for (centre, (site, line)) in CENTRES.iter().zip(gauges.sites.iter().zip(&gauges.lines)) {
            let agents = |kind| {
                site.agents
                    .iter()
                    .find(|(one, _)| *one == kind)
                    .map_or(0, |(_, count)| *count)
            };
            rows.push(format!(
                "{:<20} {:>8} {:>7.1}s {:>7} {:>8} {:>8} {:>8}",
                centre.name,
                site.waiting,
                line.wait_longest.as_secs_f64(),
                agents(AgentStateKind::Ready),
                agents(AgentStateKind::Offered),
                agents(AgentStateKind::Talking),
                agents(AgentStateKind::WrapUp),
            ));
        }
        rows.push(figures.line());
        rows
    }
}
