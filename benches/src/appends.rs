//! Durable appends beside a node: what the disk takes for one, while it serves the node too.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be run fails, and says why"
)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use node::journal::{
    file::JournalFile,
    row::{Change, Row},
};

use crate::live::Waits;

/// How often a durable append is timed beside the node.
const PROBED_EVERY: Duration = Duration::from_millis(20);

/// What a row of a call takes, about.
const ROW: usize = 1500;

/// Durable appends of one row at a time to a journal that nobody else uses.
#[derive(Debug)]
pub struct Probe {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Waits>,
}

impl Probe {
    /// Begins, with a journal at this path.
    ///
    /// # Panics
    /// When the journal cannot be opened.
    pub fn start(path: &Path) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (mut file, _) = JournalFile::open(path).unwrap();
        let thread = {
            let done = done.clone();
            thread::spawn(move || {
                let mut waits = Waits::default();
                while !done.load(Ordering::Relaxed) {
                    waits.made += 1;
                    let row = Row {
                        kind: 1,
                        key: (waits.made % 100).to_be_bytes().to_vec(),
                        version: 1,
                        body: vec![7; ROW],
                    };
                    let began = Instant::now();
                    file.write([(file.last_seq() + 1, Change::Put(row))])
                        .unwrap();
                    waits.waits.push(began.elapsed());
                    thread::sleep(PROBED_EVERY);
                }
                waits.waits.sort_unstable();
                waits
            })
        };
        Self { done, thread }
    }

    /// Ends; how long the appends took.
    ///
    /// # Panics
    /// When one of them failed.
    pub fn stop(self) -> Waits {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
