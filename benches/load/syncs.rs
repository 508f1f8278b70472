//! The floor of a journal: what the machine itself takes to make as many blocks durable as the journal's groups were,
//! one after the other, over and over in a file that is there already. Nobody is told and nothing is looked up.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::{Figures, Until, say};

/// A page of the journal.
const BLOCK: usize = 4096;

/// How many are written over in turn: what is to be written out of the kernel's memory is no more than one.
const BLOCKS: u64 = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Syncs {
    /// The file, which nobody else uses.
    #[arg(long)]
    path: PathBuf,
    /// How many blocks a second.
    #[arg(long)]
    rate: f64,
}

impl Syncs {
    pub(crate) fn run(&self, until: &Until) -> anyhow::Result<Figures> {
        let path = &self.path;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .with_context(|| path.display().to_string())?;
        let block = [7; BLOCK];
        for _ in 0..BLOCKS {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        say("ready")?;
        let gap = Duration::from_secs_f64(self.rate.recip());
        let (mut made, mut spent, mut next) = (0, Duration::ZERO, Instant::now());
        while !until.is_over() {
            next += gap;
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let before = own_time()?;
            file.write_all_at(&block, made % BLOCKS * BLOCK as u64)?;
            file.sync_data()?;
            spent += own_time()? - before;
            made += 1;
        }
        let each = spent.as_secs_f64() * 1e6 / made as f64;
        Ok(json!({"syncs": made, "cpu_us": each}))
    }
}

/// The time that this thread has had of a core.
fn own_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
