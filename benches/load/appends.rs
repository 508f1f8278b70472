//! Durable appends, one at a time, on the disk of the journal that is measured.

use std::path::PathBuf;

use quinze_benches::appends::Probe;
use serde_json::json;

use crate::{Figures, Until, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Appends {
    /// The journal that is written, which nobody else uses.
    #[arg(long)]
    path: PathBuf,
}

impl Appends {
    pub(crate) fn run(&self, until: Until) -> anyhow::Result<Figures> {
        let probe = Probe::start(&self.path);
        say("ready")?;
        until.wait();
        let waits = probe.stop();
        let micros = |share| waits.at(share).as_secs_f64() * 1e6;
        Ok(json!({
            "appends": waits.made,
            "p50_us": micros(0.5),
            "p99_us": micros(0.99),
        }))
    }
}
