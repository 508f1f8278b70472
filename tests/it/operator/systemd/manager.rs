//! What systemd is to a service: it holds the sockets, starts the process with them, and hears how it is.

use std::{
    env, fs,
    io::ErrorKind,
    net::{TcpListener, UdpSocket},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use command_fds::{CommandFdExt as _, FdMapping};

use super::super::folder;
use crate::support::{
    binary,
    node::{LIMIT, Node},
    ports::free_port,
};

/// The first descriptor that a process is given (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;

/// Within this the process must give a sign of life: it gives one in half of it.
const WATCHDOG: Duration = Duration::from_millis(200);

pub(super) struct Manager {
    pub(crate) folder: PathBuf,
    pub(super) sip: u16,
    pub(super) http: u16,
    held: Vec<(&'static str, OwnedFd)>,
    ear: UnixDatagram,
    path: PathBuf,
    heard: String,
}

impl Manager {
    /// Binds the sockets of a configuration with one UDP listener and one of streams at the same port.
    pub(super) fn new(name: &str, configuration: impl Fn(u16, u16) -> String) -> Self {
        let folder = folder(name);
        let (sip, http) = (free_port(), free_port());
        fs::write(folder.join("node.toml"), configuration(sip, http)).unwrap();
        let udp = UdpSocket::bind(("127.0.0.1", sip)).unwrap();
        let [stream, web] = [sip, http].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        // The name of a Unix socket must be short, and the folder's may be long.
        let path = env::temp_dir().join(format!("quinze-{}-{name}", std::process::id()));
        let _of_a_run_before = fs::remove_file(&path);
        let ear = UnixDatagram::bind(&path).unwrap();
        Self {
            folder,
            sip,
            http,
            held: vec![
                ("http", web.into()),
                ("sip", stream.into()),
                ("sip", udp.into()),
            ],
            ear,
            path,
            heard: String::new(),
        }
    }

    /// Holds one more.
    pub(super) fn hold(&mut self, name: &'static str, descriptor: OwnedFd) {
        self.held.push((name, descriptor));
    }

    /// Starts a process on the sockets, and waits for nothing.
    pub(super) fn start(&self) -> Node {
        let names: Vec<_> = self.held.iter().map(|(name, _)| *name).collect();
        // Only the process itself knows its number before it runs.
        let script = "export LISTEN_PID=$$ WATCHDOG_PID=$$; exec \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(binary::quinze().unwrap())
            .args(["serve", "--config"])
            .arg(self.folder.join("node.toml"))
            .env("LISTEN_FDS", self.held.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let mappings = (FIRST..).zip(&self.held).map(|(child_fd, (_, held))| {
            let parent_fd = held.try_clone().unwrap();
            FdMapping {
                parent_fd,
                child_fd,
            }
        });
        command.fd_mappings(mappings.collect()).unwrap();
        Node::spawn(&self.folder, &mut command, self.sip, self.http)
    }

    /// The next message that has this line; others before it are passed over.
    pub(super) fn hear(&mut self, line: &str) -> String {
        loop {
            let message = self.hear_within(LIMIT);
            let message = message.unwrap_or_else(|| panic!("waited in vain for {line}"));
            if message.lines().any(|one| one == line) {
                return message;
            }
        }
    }

    /// The next message; `None` when none comes for so long.
    pub(super) fn hear_within(&mut self, limit: Duration) -> Option<String> {
        self.ear.set_read_timeout(Some(limit)).unwrap();
        let mut buffer = [0; 4096];
        match self.ear.recv(&mut buffer) {
            Ok(len) => {
                let message = String::from_utf8(buffer[..len].to_vec()).unwrap();
                self.heard += &message;
                Some(message)
            }
            Err(error) => {
                let kinds = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(kinds.contains(&error.kind()), "{error}");
                None
            }
        }
    }

    /// All that was said so far.
    pub(super) fn heard(&self) -> &str {
        &self.heard
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _gone_already = fs::remove_file(&self.path);
    }
}
