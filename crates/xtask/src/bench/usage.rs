//! What processes use, as the kernel tells it.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nix::{
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

/// A process and all that it has started, and what those have.
pub(super) fn family(leader: u32) -> anyhow::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that has ended meanwhile is nobody's.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            parents.push((process, parent));
        }
    }
    Ok(descendants(leader, &parents))
}

/// The fourth field of `proc_pid_stat(5)`. What is in brackets before it may hold blanks and brackets.
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

fn descendants(leader: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![leader];
    let mut next = 0;
    while let Some(&one) = found.get(next) {
        next += 1;
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == one)
                .map(|(process, _)| process),
        );
    }
    found
}

/// The processor time of processes with all their threads, those that have ended too, in nanoseconds:
/// the sum that `/proc` shows in ticks of 10 ms.
pub(super) fn processor_time(processes: &[u32]) -> anyhow::Result<Duration> {
    let time = |process: &u32| {
        let process = Pid::from_raw(i32::try_from(*process)?);
        let clock = ClockId::pid_cpu_clock_id(process).context("a measured process has ended")?;
        Ok(Duration::from(clock_gettime(clock)?))
    };
    processes.iter().map(time).sum()
}

/// The memory of processes in bytes, what they share counted once.
pub(super) fn memory(processes: &[u32]) -> anyhow::Result<u64> {
    let memory = |process: &u32| {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        kilobytes(&text, "Pss:").with_context(|| path)
    };
    let kilobytes: u64 = processes.iter().map(memory).sum::<anyhow::Result<u64>>()?;
    Ok(kilobytes * 1024)
}

/// The resident memory of one process in bytes.
pub(super) fn resident(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    Ok(kilobytes(&text, "VmRSS:").with_context(|| path)? * 1024)
}

/// The value of a line like `VmRSS:     1234 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether somebody has bound this port of UDP, as the kernel lists it (`proc_net(5)`).
pub(super) fn is_bound(port: u16) -> anyhow::Result<bool> {
    let table = fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
    Ok(lists(&table, port))
}

fn lists(table: &str, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    let locals = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    locals.into_iter().any(|local| local.ends_with(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_past_a_strange_name() {
        assert_eq!(parent("17 (a) b) (c) S 4 17 17 0 -1"), Some(4));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_family_is_all_that_come_from_one() {
        let parents = [(2, 1), (5, 2), (3, 1), (9, 8), (6, 5)];
        assert_eq!(descendants(2, &parents), [2, 5, 6]);
        assert_eq!(descendants(7, &parents), [7]);
    }

    #[test]
    fn kilobytes_are_read_by_the_name_of_the_line() {
        let text = "Rss:   9 kB\nPss:   1234 kB\nPss_Dirty:   1 kB\n";
        assert_eq!(kilobytes(text, "Pss:"), Some(1234));
        assert_eq!(kilobytes(text, "VmRSS:"), None);
    }

    #[test]
    fn a_bound_port_is_listed_in_hexadecimal() {
        let table = "  sl  local_address rem_address\n  1: 0100007F:13C4 00000000:0000 07\n";
        assert!(lists(table, 5060));
        assert!(!lists(table, 5061));
    }

    #[test]
    fn our_own_time_and_memory_can_be_read() {
        let us = [std::process::id()];
        assert!(processor_time(&us).unwrap() > Duration::ZERO);
        assert!(memory(&us).unwrap() > 0);
        assert!(resident(us[0]).unwrap() > 0);
    }
}
