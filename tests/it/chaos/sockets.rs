//! Listening sockets that somebody holds while the node is away, as systemd does: sd_listen_fds(3).

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
    path::Path,
    process::Command,
};

use command_fds::{CommandFdExt as _, FdMapping};

/// A node's sockets of SIP.
pub(super) struct Sockets([OwnedFd; 2]);

impl Sockets {
    pub(super) fn hold(port: u16) -> anyhow::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, port);
        let (udp, tcp) = (UdpSocket::bind(address)?, TcpListener::bind(address)?);
        Ok(Self([udp.into(), tcp.into()]))
    }

    /// A program that will listen on them.
    pub(super) fn command(&self, program: &Path) -> anyhow::Result<Command> {
        // Only the process itself knows its number before it runs.
        let script = "export LISTEN_PID=$$; exec \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(program)
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "sip:sip");
        let mut mappings = Vec::new();
        for (child_fd, held) in (FIRST..).zip(&self.0) {
            mappings.push(FdMapping {
                parent_fd: held.try_clone()?,
                child_fd,
            });
        }
        command.fd_mappings(mappings)?;
        Ok(command)
    }
}

/// The first descriptor that a process is given (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;
