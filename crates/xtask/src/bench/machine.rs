//! On what it was measured, and of what.

use std::fs;

use anyhow::Context as _;

use crate::program::Program;

/// The machine and the versions of all that took part.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    pub(super) commit: String,
    pub(super) day: String,
    pub(super) rustc: String,
    pub(super) sipp: String,
    pub(super) kamailio: String,
}

impl Machine {
    pub(super) fn look() -> anyhow::Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let commit = Program::new("git", &["rev-parse", "--short", "HEAD"]).output()?;
        let changes =
            Program::new("git", &["status", "--porcelain", "--untracked-files=no"]).output()?;
        Ok(Self {
            processor: model(&processors).unwrap_or("unknown").to_owned(),
            cores: processors
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            commit: of_commit(commit.trim(), &changes),
            day: Program::new("date", &["--utc", "+%F"])
                .output()?
                .trim()
                .to_owned(),
            rustc: Program::new("rustc", &["--version"])
                .output()?
                .trim()
                .to_owned(),
            sipp: version(&Program::new("sipp", &["-v"]).words(), "SIPp v")?,
            kamailio: version(
                &Program::new("kamailio", &["-v"]).words(),
                "version: kamailio ",
            )?,
        })
    }
}

fn model(processors: &str) -> Option<&str> {
    let line = processors
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// A commit, and whether it is what was measured. The results themselves are no part of that.
fn of_commit(commit: &str, changes: &str) -> String {
    let is_ours = |line: &&str| {
        !line.ends_with("benches/RESULTS.md") && !line.ends_with("benches/results.svg")
    };
    if changes.lines().filter(is_ours).count() == 0 {
        commit.to_owned()
    } else {
        format!("{commit} with changes")
    }
}

/// What follows a word in what a program says of itself.
fn version(said: &str, after: &str) -> anyhow::Result<String> {
    let (_, rest) = said
        .split_once(after)
        .with_context(|| format!("no `{after}` in `{said}`"))?;
    let version = rest.split_whitespace().next().unwrap_or_default();
    Ok(version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let sipp = "\n SIPp v3.6.1-SCTP-PCAP-RTPSTREAM.\n\n This program is free software";
        assert_eq!(
            version(sipp, "SIPp v").unwrap(),
            "3.6.1-SCTP-PCAP-RTPSTREAM"
        );
        assert!(version("nothing", "SIPp v").is_err());
    }

    #[test]
    fn a_model_is_named_once() {
        let text = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t: a b\n";
        assert_eq!(model(text), Some("A Processor @ 2 GHz"));
        assert_eq!(model(""), None);
    }

    #[test]
    fn what_is_not_committed_is_said() {
        assert_eq!(of_commit("abc", " M benches/RESULTS.md\n"), "abc");
        assert_eq!(
            of_commit("abc", " M crates/sip/src/lib.rs\n"),
            "abc with changes"
        );
    }
}
