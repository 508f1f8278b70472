//! The unit files that are shipped: what they must say, and what systemd says of them.

use std::{
    collections::BTreeSet, fs, net::SocketAddr, path::PathBuf, process::Command, time::Duration,
};

use engine::sip::Transport;

use super::super::folder;
use crate::support::binary;

const UNITS: [&str; 2] = ["quinze.service", "quinze.socket"];

fn shipped(name: &str) -> String {
    let path = binary::root().join("config/systemd").join(name);
    fs::read_to_string(path).unwrap()
}

/// The configuration that the sockets are those of.
fn single_site() -> config::Loaded {
    let path = binary::root().join("config/single-site.toml");
    let text = fs::read_to_string(&path).unwrap();
    config::load(&path, &text, [0; 4]).unwrap()
}

/// A unit file: section, key and value of each line, in their order.
struct Unit(Vec<(String, String, String)>);

impl Unit {
    fn shipped(name: &str) -> Self {
        let (mut section, mut lines) = (String::new(), Vec::new());
        for line in shipped(name).lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                section = name.strip_suffix(']').unwrap().to_owned();
                continue;
            }
            let (key, value) = line.split_once('=').unwrap();
            lines.push((section.clone(), key.to_owned(), value.to_owned()));
        }
        Self(lines)
    }

    fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let here = self
            .0
            .iter()
            .filter(|(in_section, has, _)| in_section == section && has == key);
        here.map(|(_, _, value)| value.as_str()).collect()
    }

    fn one(&self, section: &str, key: &str) -> &str {
        let all = self.all(section, key);
        assert_eq!(all.len(), 1, "[{section}] {key} once");
        all[0]
    }
}

#[test]
fn the_service_is_started_again_whatever_happens_and_can_touch_little() {
    let unit = Unit::shipped("quinze.service");
    assert_eq!(unit.one("Unit", "StartLimitIntervalSec"), "0");
    let expected = [
        ("Type", "notify"),
        ("Sockets", "quinze.socket"),
        ("Restart", "always"),
        ("StateDirectory", "quinze"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
    ];
    for (key, value) in expected {
        assert_eq!(unit.one("Service", key), value, "{key}");
    }
    assert_eq!(
        unit.all("Service", "SystemCallFilter"),
        ["@system-service", "~@privileged @resources"]
    );
    let seconds = |key| Duration::from_secs(unit.one("Service", key).parse().unwrap());
    // Longer than the core may take to be asked and to answer, shorter than Timer B.
    let watchdog = seconds("WatchdogSec");
    assert!((Duration::from_secs(10)..Duration::from_secs(30)).contains(&watchdog));
    // What drains is not killed, and the last transactions may end.
    let lingering = Duration::from_secs(5);
    assert!(seconds("TimeoutStopSec") >= single_site().drain_limit + lingering);
    let descriptors: usize = unit.one("Service", "LimitNOFILE").parse().unwrap();
    assert!(descriptors > 2 * single_site().connections.connections_max);
}

#[test]
fn the_sockets_are_those_of_the_single_site() {
    let unit = Unit::shipped("quinze.socket");
    let held = |key| {
        let addresses = unit.all("Socket", key).into_iter();
        addresses
            .map(|one| one.parse::<SocketAddr>().unwrap())
            .collect::<BTreeSet<_>>()
    };
    let loaded = single_site();
    let (udp, streams): (Vec<_>, Vec<_>) = loaded
        .engine
        .listeners
        .iter()
        .partition(|listener| listener.transport == Transport::Udp);
    let addresses = |listeners: Vec<&engine::Listener>| {
        let addresses = listeners.into_iter().map(|listener| listener.address);
        addresses.collect::<BTreeSet<_>>()
    };
    assert_eq!(held("ListenDatagram"), addresses(udp));
    let mut streams = addresses(streams);
    streams.insert(loaded.http);
    assert_eq!(held("ListenStream"), streams);
    assert_eq!(unit.one("Socket", "Accept"), "no");
    assert_eq!(unit.one("Socket", "FlushPending"), "no");
    assert_eq!(unit.one("Socket", "BindIPv6Only"), "ipv6-only");
    assert_eq!(unit.one("Socket", "TriggerLimitIntervalSec"), "0");
}

/// On a machine without systemd's programs, what the tests above look at is all that is looked at.
#[test]
fn systemd_understands_every_line_where_it_is_there_to_be_asked() {
    let folder = folder("systemd-units");
    let quinze = binary::quinze().unwrap().display().to_string();
    let write = |name: &str| -> PathBuf {
        let path = folder.join(name);
        // It looks whether the program is there.
        let text = shipped(name).replace("/usr/local/bin/quinze", &quinze);
        fs::write(&path, text).unwrap();
        path
    };
    let units = UNITS.map(write);
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(units)
        .output();
    let Ok(output) = verified else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    // It looks at the units of the machine that these need, too.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("quinze"))
        .collect();
    assert!(ours.is_empty() && output.status.success(), "{said}");
}
