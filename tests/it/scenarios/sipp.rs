//! A SIPp process: its command line, its cue, its figures.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::spec::{Play, SippSpec, Transport};
use crate::support::{
    binary,
    poll::{self, Look},
    process::Process,
};

/// From so many calls on SIPp writes no trace of every message: it would measure the disk.
const TRACED_CALLS_MAX: u64 = 100;

pub(crate) struct Sipp<'a> {
    spec: &'a SippSpec,
    port: u16,
    folder: PathBuf,
    process: Process,
    progress: Progress,
    pub(crate) started_at: Instant,
}

impl<'a> Sipp<'a> {
    /// Starts one. `xml_folder` is the scenario's, `folder` that of this run.
    pub(crate) fn start(
        spec: &'a SippSpec,
        ports: &BTreeMap<&str, u16>,
        xml_folder: &Path,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let port = ports[spec.name.as_str()];
        let mut command = Command::new("sipp");
        command.current_dir(folder);
        match &spec.play {
            Play::Builtin { builtin } => command.args(["-sn", builtin]),
            Play::File(file) if file.starts_with("peers/") => command
                .arg("-sf")
                .arg(binary::root().join("sip-scenarios").join(file)),
            Play::File(file) => command.arg("-sf").arg(xml_folder.join(file)),
        };
        command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"]);
        command.args(["-t", spec.transport.sipp_mode()]);
        command.args(["-cid_str", &format!("{}-%u", spec.name)]);
        command.args([
            "-trace_stat",
            "-fd",
            "1",
            "-stf",
            &format!("{}.csv", spec.name),
        ]);
        command.args([
            "-trace_err",
            "-error_file",
            &format!("{}.errors", spec.name),
        ]);
        if spec.calls <= TRACED_CALLS_MAX {
            command.args([
                "-trace_msg",
                "-message_file",
                &format!("{}.messages", spec.name),
            ]);
        }
        if spec.calls > 0 {
            command.args(["-m", &spec.calls.to_string()]);
        }
        command.args(spec.args.iter().map(|arg| with_ports(arg, ports)));
        if let Some(number) = &spec.dials {
            let node_port = ports["sip"];
            command
                .args(["-s", number])
                .arg(format!("127.0.0.1:{node_port}"));
        }
        let started_at = Instant::now();
        let screen = folder.join(format!("{}.screen", spec.name));
        let process = Process::start(spec.name.as_str(), &mut command, &screen)?;
        Ok(Self {
            spec,
            port,
            folder: folder.to_owned(),
            process,
            progress: Progress::Running,
            started_at,
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.process.name()
    }

    /// Waits until it listens.
    pub(crate) fn await_listening(&mut self, deadline: Instant) -> anyhow::Result<()> {
        let what = format!("{} to listen on port {}", self.spec.name, self.port);
        poll::until(deadline, &what, || {
            let ended = self.process.ended()?;
            ensure!(
                ended.is_none(),
                "it ended at once; see {}.screen",
                self.spec.name
            );
            Ok(if is_bound(self.port, self.spec.transport)? {
                Look::Done(())
            } else {
                Look::NotYet("the port is not bound".to_owned())
            })
        })
    }

    /// Sends the INFO that its scenario waits for, as one more message of its first call: SIPp
    /// finds the call by its Call-ID, which is ours to choose.
    pub(crate) fn cue(&self) -> anyhow::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = &self.spec.name;
        let from = socket.local_addr()?;
        let cue = format!(
            "INFO sip:{name}@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKcue\r\n\
             From: <sip:runner@{from}>;tag=cue\r\nTo: <sip:{name}@127.0.0.1>\r\nCall-ID: {name}-1\r\n\
             CSeq: 1 INFO\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            port = self.port,
        );
        socket.send_to(cue.as_bytes(), (Ipv4Addr::LOCALHOST, self.port))?;
        Ok(())
    }

    /// Whether it waits for the end of a number of calls. A phone that may get none does not.
    pub(crate) fn ends_by_itself(&self) -> bool {
        self.spec.calls > 0
    }

    /// Tells it to end.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGUSR1)
    }

    /// Whether it runs, as [`Sipp::check`] has last seen it.
    pub(crate) fn runs(&self) -> bool {
        self.progress == Progress::Running
    }

    /// Looks whether it has ended: an error when it has, but not well.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if self.progress == Progress::Running
            && let Some(status) = self.process.ended()?
        {
            self.check_end(status)?;
            self.progress = Progress::Ended;
        }
        Ok(())
    }

    /// Exactly the calls that it was started for, and all well.
    fn check_end(&self, status: ExitStatus) -> anyhow::Result<()> {
        let Self {
            spec: SippSpec { name, calls, .. },
            ..
        } = self;
        let figures = self
            .figures()
            .with_context(|| format!("{name} ended with {status}"))?;
        ensure!(
            figures
                == Figures {
                    successful: *calls,
                    failed: 0
                },
            "{name}: {figures:?}, should be {calls} successful and none failed; {}",
            self.trouble()
        );
        // 0 says that all calls were well; without any call SIPp says 99.
        ensure!(
            *calls == 0 || status.success(),
            "{name} ended with {status}; {}",
            self.trouble()
        );
        Ok(())
    }

    fn figures(&self) -> anyhow::Result<Figures> {
        let path = self.folder.join(format!("{}.csv", self.spec.name));
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        Figures::parse(&text).with_context(|| format!("{}: not SIPp's figures", path.display()))
    }

    /// What SIPp complained of last.
    fn trouble(&self) -> String {
        let path = self.folder.join(format!("{}.errors", self.spec.name));
        let errors = fs::read(path).unwrap_or_default();
        let errors = String::from_utf8_lossy(&errors);
        let head: Vec<_> = errors.lines().take(24).collect();
        if head.is_empty() {
            "SIPp complains of nothing".to_owned()
        } else {
            head.join("\n  ")
        }
    }
}

/// An argument with the ports that it names.
fn with_ports(arg: &str, ports: &BTreeMap<&str, u16>) -> String {
    ports.iter().fold(arg.to_owned(), |arg, (name, port)| {
        arg.replace(&format!("{{{name}_port}}"), &port.to_string())
    })
}

/// Where a SIPp stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Running,
    /// And well.
    Ended,
}

/// SIPp's counts of calls.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    successful: u64,
    failed: u64,
}

impl Figures {
    /// Reads the last line of the statistics file.
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
        })
    }
}

impl Transport {
    /// SIPp's name for one socket of this transport.
    const fn sipp_mode(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }
}

/// Whether somebody has bound this port, as the kernel lists it (`proc_net(5)`).
fn is_bound(port: u16, transport: Transport) -> anyhow::Result<bool> {
    let table = match transport {
        Transport::Udp => "/proc/net/udp",
        Transport::Tcp => "/proc/net/tcp",
    };
    let table = fs::read_to_string(table).context(table)?;
    let suffix = format!(":{port:04X}");
    Ok(table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .any(|local| local.ends_with(&suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_the_names_of_their_columns() {
        let csv = "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(P);FailedCall(C);\n\
                   1;0;1;0;0;\n2;1;2;0;1;\n";
        assert_eq!(
            Figures::parse(csv),
            Some(Figures {
                successful: 2,
                failed: 1
            })
        );
        assert_eq!(Figures::parse("StartTime;\n1;\n"), None);
    }
}
