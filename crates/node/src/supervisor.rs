//! What a supervisor such as systemd is told (sd_notify(3)): that the node takes calls, how it is, that
//! it still turns, that it ends.
//!
//! Each sign of life is an answer of the core's thread to a question that took its place among all
//! others. A core that hangs gives none, and the supervisor starts another process.

use std::{env, time::Duration};

use engine::StatusView;
use sd_notify::NotifyState;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::warn;

/// Between two words about how the node is.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// After a question that the core did not answer.
const RETRY: Duration = Duration::from_millis(100);

/// Whoever started this process and wants to know how it is. Nobody is told anything where there is none.
pub(crate) struct Supervisor {
    requests: mpsc::Sender<api::Request>,
    is_there: bool,
    /// How long it waits for a sign of life before it ends the process.
    watchdog: Option<Duration>,
    next_turn: Instant,
    next_status: Instant,
    stage: Stage,
    /// What it was told last.
    status: String,
    /// Whether the log says already that it cannot be told.
    is_deaf: bool,
}

/// What the supervisor believes the node to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Ready,
    Stopping,
}

impl Supervisor {
    /// The one that the variables `NOTIFY_SOCKET` and `WATCHDOG_USEC` name. It learns how the core is from
    /// answers to requests.
    pub(crate) fn from_env(requests: mpsc::Sender<api::Request>) -> Self {
        let now = Instant::now();
        Self {
            requests,
            is_there: env::var_os("NOTIFY_SOCKET").is_some(),
            watchdog: sd_notify::watchdog_enabled(),
            next_turn: now,
            next_status: now,
            stage: Stage::Starting,
            status: String::new(),
            is_deaf: false,
        }
    }

    /// Waits until it is time, asks the core, and passes its answer on. May be dropped at any point.
    pub(crate) async fn turn(&mut self) {
        if !self.is_there {
            return std::future::pending().await;
        }
        sleep_until(self.next_turn).await;
        let Some(status) = api::node_status(&self.requests).await else {
            self.next_turn = Instant::now() + RETRY;
            return;
        };
        let now = Instant::now();
        self.next_turn = now + interval(self.watchdog);
        let mut states = Vec::new();
        if self.stage == Stage::Starting {
            states.push(NotifyState::Ready);
        }
        if self.watchdog.is_some() {
            states.push(NotifyState::Watchdog);
        }
        let status = words(&status);
        let is_news = status != self.status && self.next_status <= now;
        if is_news {
            states.push(NotifyState::Status(&status));
        }
        // What is not heard is said again.
        if !self.tell(&states) {
            return;
        }
        if self.stage == Stage::Starting {
            self.stage = Stage::Ready;
        }
        if is_news {
            self.next_status = now + STATUS_INTERVAL;
            self.status = status;
        }
    }

    /// Does something to a node that already runs, between the words that it is being done and that it
    /// has been.
    pub(crate) fn reload(&mut self, reload: impl FnOnce()) {
        let is_told = self.is_there && self.stage == Stage::Ready;
        if is_told {
            let now = NotifyState::monotonic_usec_now().ok();
            let states = [Some(NotifyState::Reloading), now];
            let states: Vec<_> = states.into_iter().flatten().collect();
            self.tell(&states);
        }
        reload();
        if is_told {
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// The node is about to end, now or when its calls have.
    pub(crate) fn stopping(&mut self) {
        if self.is_there && self.stage != Stage::Stopping {
            self.stage = Stage::Stopping;
            self.tell(&[NotifyState::Stopping]);
        }
    }

    /// Whether it was heard. The log says once that it was not.
    fn tell(&mut self, states: &[NotifyState<'_>]) -> bool {
        let told = if states.is_empty() {
            Ok(())
        } else {
            sd_notify::notify(states)
        };
        match told {
            Ok(()) => self.is_deaf = false,
            Err(ref error) if !self.is_deaf => {
                self.is_deaf = true;
                warn!(%error, "the supervisor cannot be told how the node is");
            }
            Err(_) => {}
        }
        !self.is_deaf
    }
}

/// How often the core is asked.
fn interval(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(STATUS_INTERVAL, |limit| STATUS_INTERVAL.min(limit / 2))
}

/// A line for people: numbers, and nobody's.
fn words(status: &StatusView) -> String {
    let calls = status.waiting + status.ringing + status.connected;
    let draining = if status.draining { "draining: " } else { "" };
    let noun = if calls == 1 { "call" } else { "calls" };
    format!("{draining}{calls} {noun}, {} waiting", status.waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_asked_twice_within_what_the_watchdog_waits() {
        let seconds = Duration::from_secs;
        assert_eq!(interval(None), seconds(5));
        assert_eq!(interval(Some(seconds(60))), seconds(5));
        assert_eq!(interval(Some(seconds(3))), Duration::from_millis(1500));
    }

    #[test]
    fn a_status_is_a_short_line() {
        let mut status = StatusView {
            journal: engine::JournalState::Kept,
            node: "node".to_owned(),
            draining: false,
            uptime: Duration::ZERO,
            waiting: 3,
            ringing: 2,
            connected: 7,
            legs: 0,
            forwarding: 0,
            server_transactions: 0,
            client_transactions: 0,
            registered: 0,
        };
        assert_eq!(words(&status), "12 calls, 3 waiting");
        (status.waiting, status.ringing, status.connected) = (0, 0, 1);
        status.draining = true;
        assert_eq!(words(&status), "draining: 1 call, 0 waiting");
    }
}
