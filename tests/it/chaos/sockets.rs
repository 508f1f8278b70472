//! Listening sockets that somebody holds while the node is away, as systemd does: sd_listen_fds(3).

use std::{
    ffi::OsStr,
    fs::File,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::support::process::Process;

/// A node's sockets of SIP.
pub(super) struct Sockets {
    tcp: TcpListener,
    udp: UdpSocket,
}

impl Sockets {
    pub(super) fn hold(port: u16) -> anyhow::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port);
        Ok(Self {
            tcp: TcpListener::bind(address)?,
            udp: UdpSocket::bind(address)?,
        })
    }

    /// Starts a process that listens on them. A shell moves them to where they are expected, and says
    /// for whom they are.
    pub(super) fn start(
        &self,
        name: &str,
        program: &Path,
        args: &[&OsStr],
        log: &Path,
    ) -> anyhow::Result<Process> {
        let log = File::create(log).with_context(|| format!("{}", log.display()))?;
        let child = Command::new("sh")
            .args(["-c", MOVED, "sh"])
            .arg(program)
            .args(args)
            .stdin(Stdio::from(OwnedFd::from(self.tcp.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(self.udp.try_clone()?)))
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name}: cannot start a shell"))?;
        Ok(Process::adopt(name, child))
    }
}

/// The shell becomes the node: its process id stays.
const MOVED: &str = "exec 3<&0 4<&1 </dev/null >&2\n\
                     LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=sip-tcp:sip-udp exec \"$@\"";
