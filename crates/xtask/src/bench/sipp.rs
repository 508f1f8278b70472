//! SIPp on both sides of a system: calls at a rate, and what came of them.

use std::{
    fs,
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{
    child::{Child, Core},
    system::Ports,
    usage,
};

/// What happens in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(super) enum Shape {
    /// INVITE, 100, 180, 50 ms, 200, ACK, 100 ms, BYE, 200: forwarded by a proxy.
    Proxied,
    /// Given to a free agent: 20 ms of ringing, 1.5 s of talk, the agent hangs up.
    Distributed,
}

impl Shape {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Proxied => "proxied",
            Self::Distributed => "distributed",
        }
    }

    /// The scenarios of the caller and of the phone, and how long each pauses, in milliseconds.
    const fn plays(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Proxied => [("proxied-caller", "100"), ("proxied-phone", "50")],
            Self::Distributed => [("queued-caller", "0"), ("queued-phone", "1500")],
        }
    }

    /// What the callers dial at a node.
    const fn dials(self) -> &'static str {
        match self {
            Self::Proxied => "arm-0",
            Self::Distributed => "15",
        }
    }

    /// How long a call lasts.
    const fn lasts(self) -> Duration {
        match self {
            Self::Proxied => Duration::from_millis(150),
            Self::Distributed => Duration::from_millis(1520),
        }
    }
}

/// Calls to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calls {
    pub(super) shape: Shape,
    /// A second.
    pub(super) rate: u32,
    pub(super) count: u32,
    /// How much longer the caller and the phone make their messages.
    pub(super) pads: [usize; 2],
}

impl Calls {
    /// Calls of a shape at a rate, for a time.
    pub(super) fn new(shape: Shape, rate: u32, time: Duration) -> Self {
        let count = time.as_millis() * u128::from(rate) / 1000;
        Self {
            shape,
            rate,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            pads: [0; 2],
        }
    }

    /// How long they take, and as long again: longer, and something hangs.
    fn limit(&self) -> Duration {
        let time = Duration::from_secs(u64::from(self.count / self.rate)) + self.shape.lasts();
        2 * time + Duration::from_secs(40)
    }
}

/// What came of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Played {
    pub(super) completed: u32,
    pub(super) failed: u32,
    /// Messages that SIPp had to send again.
    pub(super) repeated: u32,
    /// From the first call to the end of the last.
    pub(super) took: Duration,
}

/// Both sides of calls that are being made.
#[derive(Debug)]
pub(super) struct Playing<'a> {
    calls: Calls,
    folder: &'a Path,
    phone: Child,
    caller: Child,
    began: Instant,
}

impl<'a> Playing<'a> {
    /// Starts both sides.
    pub(super) fn start(ports: Ports, folder: &'a Path, calls: Calls) -> anyhow::Result<Self> {
        let [(caller, caller_pause), (phone, phone_pause)] = calls.shape.plays();
        let mut phone = start(
            ports.phone,
            folder,
            &calls,
            (phone, phone_pause, calls.pads[1]),
            &[],
        )?;
        phone.await_level("it listens", Duration::from_secs(10), || {
            usage::is_bound(ports.phone)
        })?;
        let rate = calls.rate.to_string();
        // None is held back as long as calls end in time: then this is a load of another kind.
        let at_a_time = (4 * calls.rate).max(1000).to_string();
        let node = format!("127.0.0.1:{}", ports.node);
        let more = [
            "-r",
            &rate,
            "-l",
            &at_a_time,
            "-s",
            calls.shape.dials(),
            &node,
        ];
        let began = Instant::now();
        let caller = start(
            ports.caller,
            folder,
            &calls,
            (caller, caller_pause, calls.pads[0]),
            &more,
        )?;
        Ok(Self {
            calls,
            folder,
            phone,
            caller,
            began,
        })
    }

    /// Waits until they have ended.
    pub(super) fn end(mut self) -> anyhow::Result<Played> {
        let status = self.caller.await_end()?;
        let took = self.began.elapsed();
        // A phone that some calls have not reached waits for them until its limit: it is not waited for.
        let phone_status = if status.success() {
            Some(self.phone.await_end()?)
        } else {
            None
        };
        let [(caller, _), (phone, _)] = self.calls.shape.plays();
        let at_callers = self.counts(caller)?;
        let at_phones = self.counts(phone)?;
        let ended_well = status.success() && phone_status.is_some_and(|status| status.success());
        let mut played = Played {
            completed: at_callers.successful,
            failed: at_callers.failed.max(at_phones.failed),
            repeated: at_callers.repeated + at_phones.repeated,
            took,
        };
        if !ended_well {
            // SIPp knows of failures that it counts nowhere: calls that were not even begun.
            let missing = self.calls.count.saturating_sub(at_callers.successful);
            played.failed = played.failed.max(missing).max(1);
        }
        Ok(played)
    }

    /// Calls that have ended so far.
    pub(super) fn completed(&self) -> anyhow::Result<u32> {
        let [(caller, _), _] = self.calls.shape.plays();
        // Before the first second is over there is no line of figures.
        Ok(self.counts(caller).map_or(0, |counts| counts.successful))
    }

    /// Whether the callers have ended.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.caller.ended()
    }

    fn counts(&self, play: &str) -> anyhow::Result<Counts> {
        let path = self.folder.join(format!("{play}.csv"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Counts::parse(&text).with_context(|| format!("{}: not SIPp's figures", path.display()))
    }
}

fn start(
    port: u16,
    folder: &Path,
    calls: &Calls,
    (play, pause, pad): (&str, &str, usize),
    more: &[&str],
) -> anyhow::Result<Child> {
    let scenario = super::root()?.join(format!("benches/load/peers/{play}.xml"));
    let scenario = scenario.display().to_string();
    let (port, count) = (port.to_string(), calls.count.to_string());
    let limit = calls.limit().as_secs().to_string();
    let (figures, errors) = (format!("{play}.csv"), format!("{play}.errors"));
    let pad = "0".repeat(pad + 1);
    let mut command = vec![
        "sipp",
        "-sf",
        &scenario,
        "-i",
        "127.0.0.1",
        "-p",
        &port,
        "-nostdin",
    ];
    command.extend(["-m", &count, "-d", pause, "-key", "pad", &pad]);
    command.extend(["-trace_stat", "-fd", "1", "-stf", &figures]);
    command.extend(["-trace_err", "-error_file", &errors]);
    // Looks every millisecond, so that calls do not come in heaps; takes all that the kernel will hold.
    command.extend(["-timer_resol", "1", "-buff_size", "8388608"]);
    command.extend([
        "-timeout",
        &limit,
        "-timeout_error",
        "-watchdog_interval",
        "0",
    ]);
    command.extend(more);
    let stale = folder.join(&figures);
    if stale.exists() {
        fs::remove_file(stale)?;
    }
    Child::start(Core::Load, folder, play, &command)
}

/// SIPp's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    successful: u32,
    failed: u32,
    repeated: u32,
}

impl Counts {
    /// Reads the last whole line of the statistics file.
    fn parse(csv: &str) -> Option<Self> {
        let mut lines = csv.lines();
        let names: Vec<_> = lines.next()?.split(';').collect();
        let last: Vec<_> = lines.next_back()?.split(';').collect();
        let value = |name| {
            let at = names.iter().position(|one| *one == name)?;
            last.get(at)?.parse().ok()
        };
        Some(Self {
            successful: value("SuccessfulCall(C)")?,
            failed: value("FailedCall(C)")?,
            repeated: value("Retransmissions(C)")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_the_names_of_their_columns() {
        let csv = "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n\
                   1;0;1;0;0;\n2;1;20;3;4;\n";
        let counts = Counts {
            successful: 20,
            failed: 3,
            repeated: 4,
        };
        assert_eq!(Counts::parse(csv), Some(counts));
        assert_eq!(Counts::parse("StartTime;\n1;\n"), None);
        assert_eq!(Counts::parse(""), None);
    }

    #[test]
    fn a_time_at_a_rate_is_a_number_of_calls() {
        let calls = Calls::new(Shape::Proxied, 2000, Duration::from_millis(1500));
        assert_eq!(calls.count, 3000);
    }
}
