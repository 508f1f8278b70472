//! The journal's clock: it goes on while no process runs, and cares for no clock on the wall unless the
//! machine itself was down.

use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use engine::journal::{self, Change, Clock, Row};
use nix::time::{ClockId, clock_gettime};

/// The row that says what time it was.
pub(crate) const TIME: u16 = 100;

/// Nanoseconds that all processes of a journal count from one zero.
#[derive(Clone, Debug)]
pub(crate) struct JournalClock {
    /// Which boot of the machine this is: its monotonic clock begins with it.
    boot: String,
    clock: Clock,
}

/// When a row says that it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    boot: String,
    /// The journal's clock then.
    nanos: i64,
    /// The machine's monotonic clock then.
    monotonic: i64,
    /// The clock on the wall then, in milliseconds since 1970.
    wall: i64,
}

impl JournalClock {
    /// The clock of a journal in which these rows were found, and how long nobody wrote them.
    pub(crate) fn begin(found: &[Row]) -> (Self, Duration) {
        let now = Instant::now();
        let (boot, monotonic, wall) = (boot(), monotonic(), wall());
        let written = found
            .iter()
            .filter(|row| row.kind == TIME)
            .find_map(|row| Written::read(&row.body));
        let (nanos, down) = match &written {
            None => (0, 0),
            Some(written) => {
                let down = written.until(&boot, monotonic, wall);
                (written.nanos.saturating_add(down), down)
            }
        };
        let clock = Clock::new(now, nanos);
        let down = Duration::from_nanos(u64::try_from(down).unwrap_or(0));
        (Self { boot, clock }, down)
    }

    /// For instants of this process.
    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// What time it is, to be written down.
    pub(crate) fn row(&self, now: Instant) -> Change {
        let written = Written {
            boot: self.boot.clone(),
            nanos: self.clock.nanos(now),
            monotonic: monotonic(),
            wall: wall(),
        };
        Change::Put(Row {
            kind: TIME,
            key: Vec::new(),
            version: journal::VERSION,
            body: written.write(),
        })
    }
}

impl Written {
    /// Nanoseconds from then to now. By the machine's own clock if it has not been started anew; else by the
    /// clock on the wall, of which one that was set back counts as no time.
    fn until(&self, boot: &str, monotonic: i64, wall: i64) -> i64 {
        if self.boot == boot && !boot.is_empty() {
            return (monotonic - self.monotonic).max(0);
        }
        (wall - self.wall).max(0).saturating_mul(1_000_000)
    }

    fn write(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for number in [self.nanos, self.monotonic, self.wall] {
            body.extend(number.to_be_bytes());
        }
        body.extend(self.boot.as_bytes());
        body
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (numbers, boot) = body.split_at_checked(24)?;
        let number = |at: usize| {
            let bytes = numbers.get(at..at + 8)?;
            bytes.try_into().ok().map(i64::from_be_bytes)
        };
        Some(Self {
            nanos: number(0)?,
            monotonic: number(8)?,
            wall: number(16)?,
            boot: String::from_utf8(boot.to_vec()).ok()?,
        })
    }
}

/// Empty where the system does not say.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The machine's clock that is never set, and that an [`Instant`] is of.
fn monotonic() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    time.ok()
        .and_then(|time| i64::try_from(time.as_nanos()).ok())
        .unwrap_or(0)
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn written() -> Written {
        Written {
            boot: "one".to_owned(),
            nanos: 7_000,
            monotonic: 50_000_000_000,
            wall: 1_000 * HOUR,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Written::read(&written().write()), Some(written()));
        assert_eq!(Written::read(&[0; 23]), None);
    }

    /// A clock on the wall that was set by an hour, forth or back, while the process was down.
    #[test]
    fn the_clock_on_the_wall_does_not_count_while_the_machine_runs() {
        for jump in [-HOUR, 0, HOUR] {
            let down = written().until("one", 53_000_000_000, 1_000 * HOUR + jump);
            assert_eq!(down, 3_000_000_000);
        }
    }

    #[test]
    fn after_a_boot_the_clock_on_the_wall_counts_forth_only() {
        let after = |wall| written().until("two", 5_000_000_000, wall);
        assert_eq!(after(1_000 * HOUR + 40_000), 40_000_000_000);
        assert_eq!(after(999 * HOUR), 0);
        // A machine that cannot be told from another.
        let nameless = Written {
            boot: String::new(),
            ..written()
        };
        assert_eq!(nameless.until("", 60_000_000_000, 1_000 * HOUR), 0);
    }

    #[test]
    fn a_new_journal_begins_at_zero_and_the_next_process_goes_on() {
        let (clock, down) = JournalClock::begin(&[]);
        assert_eq!(down, Duration::ZERO);
        let now = Instant::now();
        let Change::Put(row) = clock.row(now) else {
            unreachable!("it is put")
        };
        let (next, down) = JournalClock::begin(&[row]);
        assert!(down < Duration::from_secs(60), "{down:?}");
        // Both mean the same moment by the same number, but for the moments in between.
        let apart = next.clock().nanos(now).abs_diff(clock.clock().nanos(now));
        assert!(apart < 1_000_000_000, "{apart} ns apart");
    }
}
