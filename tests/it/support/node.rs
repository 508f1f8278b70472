//! A node as a process: started, asked over HTTP, ended.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{
    binary,
    poll::{self, Look},
    ports::free_port,
    process::Process,
};

/// Longer than anything here takes on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A node as a process.
pub(crate) struct Node {
    pub(crate) process: Process,
    log: PathBuf,
    pub(crate) sip: u16,
    pub(crate) http: u16,
}

impl Node {
    /// Starts a node and waits until it takes calls. Its configuration is made for a port of SIP
    /// and one of HTTP; its files lie in the folder.
    pub(crate) fn start(folder: &Path, configuration: impl Fn(u16, u16) -> String) -> Self {
        let (sip, http) = (free_port(), free_port());
        let config = folder.join("node.toml");
        fs::write(&config, configuration(sip, http)).unwrap();
        let mut command = Command::new(binary::quinze().unwrap());
        command.arg("serve").arg("--config").arg(&config);
        let mut node = Self::spawn(folder, &mut command, sip, http);
        node.until("ready", |node| node.get("/readyz").0 == 200);
        node
    }

    /// Starts a node in a way of the test's own, and waits for nothing.
    pub(crate) fn spawn(folder: &Path, command: &mut Command, sip: u16, http: u16) -> Self {
        let log = folder.join("node.log");
        let process = Process::start("the node", command, &log).unwrap();
        Self {
            process,
            log,
            sip,
            http,
        }
    }

    /// Ends it at once, whatever calls it has: by a second SIGTERM, should the first not do. All that it has
    /// logged.
    pub(crate) fn stop(mut self) -> String {
        let status = poll::until(Instant::now() + LIMIT, "the end of the node", || {
            if let Some(status) = self.process.ended()? {
                return Ok(Look::Done(status));
            }
            self.process.signal(Signal::SIGTERM)?;
            Ok(Look::NotYet("it still runs".to_owned()))
        });
        assert_eq!(status.unwrap().code(), Some(0), "{}", self.log());
        self.log()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        match agent
            .get(format!("http://127.0.0.1:{}{path}", self.http))
            .call()
        {
            Ok(mut answer) => (
                answer.status().as_u16(),
                answer.body_mut().read_to_string().unwrap_or_default(),
            ),
            Err(_) => (0, String::new()),
        }
    }

    /// Gives an order; the status of the answer.
    pub(crate) fn post(&self, path: &str, body: &str) -> u16 {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let answer = agent
            .post(format!("http://127.0.0.1:{}{path}", self.http))
            .content_type("application/json")
            .send(body);
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// The value of a series of `/metrics`, 0 when it is absent.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// What has been dropped so far, by reason.
    pub(crate) fn drops(&self) -> BTreeMap<String, u64> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "the metrics: {text}");
        let series = text
            .lines()
            .filter_map(|line| line.strip_prefix("quinze_drops_total{"));
        let entry = |line: &str| {
            let reason = line.split_once("reason=\"")?.1.split_once('"')?.0;
            let count = line.rsplit(' ').next()?.parse().ok()?;
            Some((reason.to_owned(), count))
        };
        series
            .map(|line| entry(line).unwrap_or_else(|| panic!("a series of drops: {line}")))
            .collect()
    }

    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        poll::until(Instant::now() + LIMIT, what, || {
            anyhow::ensure!(self.process.ended()?.is_none(), "the node has ended");
            Ok(if holds(self) {
                Look::Done(())
            } else {
                Look::NotYet("not yet".to_owned())
            })
        })
        .unwrap();
    }

    /// Waits for its end; the exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let status = poll::until(Instant::now() + LIMIT, "the end of the node", || {
            Ok(match self.process.ended()? {
                Some(status) => Look::Done(status),
                None => Look::NotYet("it still runs".to_owned()),
            })
        });
        status.unwrap().code()
    }

    /// Waits until it has logged this so many times: lines are written a little later than they are said. The log.
    pub(crate) fn until_logged(&mut self, what: &str, times: usize) -> String {
        self.until(what, |node| node.log().matches(what).count() == times);
        self.log()
    }

    /// What it has logged so far, or all of it once it has ended.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}
