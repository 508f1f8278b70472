//! The log: its lines are written by a thread of their own, so that whoever reads them slowly, or not at all, holds up
//! no call.

use std::{
    io::{self, IsTerminal as _, Write},
    mem,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use config::LogFormat;
use tracing::warn;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that may wait to be written; what comes beyond them is lost, and counted.
const LINES_MAX: usize = 16_384;

/// How long lines are gathered to be written together. Nobody reads them faster.
const GATHERED_FOR: Duration = Duration::from_millis(20);

/// How much is gathered at most: of more nothing is saved.
const GATHERED_MAX: usize = 64 << 10;

/// Starts the log of this process on its error output. What is given back writes the last lines when it is
/// dropped; a second at most is waited for whoever reads them.
pub(crate) fn start(format: LogFormat) -> WorkerGuard {
    let filter = EnvFilter::try_from_env("QUINZE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let (lines, guard) = gather(io::stderr(), LINES_MAX);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        // Whoever tells of a line that could not be written would panic: there is nowhere to write it.
        .log_internal_errors(false)
        .with_writer(lines);
    match format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.init(),
    }
    guard
}

/// A thread that writes lines, of which so many may wait.
fn gather(to: impl Write + Send + 'static, lines_max: usize) -> (NonBlocking, WorkerGuard) {
    let lost = Arc::new(OnceLock::new());
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(lines_max)
        .thread_name("quinze-log")
        .finish(Gathering::new(to, Arc::clone(&lost)));
    lost.get_or_init(|| lines.error_counter());
    (lines, guard)
}

/// Writes what has been gathered when it is flushed, and gathers again for a while before more is taken.
struct Gathering<W> {
    to: W,
    gathered: Vec<u8>,
    /// How many lines were lost.
    lost: Arc<OnceLock<ErrorCounter>>,
    /// How many of them were told of.
    told: usize,
}

impl<W> Gathering<W> {
    const fn new(to: W, lost: Arc<OnceLock<ErrorCounter>>) -> Self {
        Self {
            to,
            gathered: Vec::new(),
            lost,
            told: 0,
        }
    }

    /// A line tells how many are missing before it.
    fn tell_lost(&mut self) {
        let lost = self.lost.get().map_or(0, ErrorCounter::dropped_lines);
        let lines = lost - mem::replace(&mut self.told, lost);
        if lines > 0 {
            warn!(lines, "lines of the log are lost: they are read too slowly");
        }
    }
}

impl<W: Write> Gathering<W> {
    /// What cannot be written is forgotten: there is nowhere else.
    fn write_out(&mut self) -> io::Result<()> {
        let written = self.to.write_all(&self.gathered);
        self.gathered.clear();
        written
    }
}

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.gathered.len() + line.len() > GATHERED_MAX {
            self.write_out()?;
        }
        self.gathered.extend_from_slice(line);
        Ok(line.len())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the thread of this has nothing else to do"
    )]
    fn flush(&mut self) -> io::Result<()> {
        // None waits just now: there is room for one more.
        self.tell_lost();
        self.write_out()?;
        self.to.flush()?;
        thread::sleep(GATHERED_FOR);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use tracing::info;

    use super::*;

    /// Writes nothing before it may.
    struct Slow {
        began: Sender<Vec<u8>>,
        may: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            let _nobody_looks_any_more = self.began.send(lines.to_vec());
            let _nobody_holds_it_up = self.may.recv();
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_is_read_slowly_keeps_what_it_may_and_says_how_much_is_lost() {
        let ((began, writes), (go, may)) = (mpsc::channel(), mpsc::channel());
        let (lines, guard) = gather(Slow { began, may }, 2);
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(lines)
            .finish();
        tracing::subscriber::set_global_default(log).unwrap();
        let next = || String::from_utf8(writes.recv().unwrap()).unwrap();
        info!("first");
        assert!(next().contains("first"));
        // Somebody is at it: two lines wait, and the others find no room.
        for number in 0..5 {
            info!(number);
        }
        go.send(()).unwrap();
        let waited = next();
        let found = [0, 1, 2].map(|number| waited.contains(&format!("number={number}")));
        assert_eq!(found, [true, true, false], "{waited}");
        go.send(()).unwrap();
        let told = next();
        assert!(told.contains("lines of the log are lost"), "{told}");
        assert!(told.contains("lines=3"), "{told}");
        drop(go);
        drop(guard);
    }
}
