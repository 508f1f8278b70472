//! What must hold after each step, and what must be left of it all in the end: nothing.

use std::time::Duration;

use engine::acd::Want;

use super::{
    bench::{Bench, Ends, WAIT_MAX},
    centres::AGENTS,
};

/// Longer than a call may wait and last, than a binding lives, than any transaction after it, and than who
/// gave up is remembered.
const SILENCE: Duration = Duration::from_secs(30 * 3600);

impl Bench<'_> {
    /// What must hold after each step.
    pub(super) fn check(&self) {
        let status = self.engine.status(self.now);
        let calls = self.engine.calls_live();
        assert!(calls <= self.calls_max, "{calls} calls");
        assert!(
            status.legs <= 3 * calls,
            "{} legs of {calls} calls",
            status.legs
        );
        // A CANCEL is always allowed: it ends something.
        let transactions = status.server_transactions + status.client_transactions;
        assert!(
            transactions <= 3 * self.transactions_max,
            "{transactions} transactions"
        );
        assert!(status.registered <= AGENTS.len(), "{status:?}");

        let open = self
            .calls
            .values()
            .filter(|ends| **ends == Ends::NotYet)
            .count();
        assert_eq!(
            self.engine.calls(self.now).len(),
            open,
            "calls that started and did not end"
        );
        let waiting: usize = self
            .engine
            .lines(self.now)
            .iter()
            .map(|line| line.waiting)
            .sum();
        assert!(waiting <= open, "{waiting} wait of {open} calls");
        let by_state: usize = self
            .engine
            .sites()
            .iter()
            .flat_map(|site| &site.agents)
            .map(|(_, count)| count)
            .sum();
        assert_eq!(by_state, AGENTS.len(), "agents over all states");
    }

    /// No peer says anything any more, and everybody goes home.
    pub(super) fn fall_silent(&mut self) {
        self.pass_until(self.now + WAIT_MAX);
        self.check();
        let agents: Vec<_> = self.engine.directory().agents().collect();
        for agent in agents {
            let want = Want::LoggedOut;
            let order = engine::Order::SetAgent { agent, want };
            let obeyed = self.engine.carry_out(self.now, order);
            assert_eq!(obeyed, Ok(()), "who wants to leave may");
            self.drain();
            self.do_what_is_due();
        }
        self.pass_until(self.now + SILENCE);
        self.check();
        let status = self.engine.status(self.now);
        let left = [
            ("calls", self.engine.calls_live()),
            ("legs", status.legs),
            ("server transactions", status.server_transactions),
            ("client transactions", status.client_transactions),
            ("phones", status.registered),
            ("calls of the API", self.engine.calls(self.now).len()),
        ];
        for (what, count) in left {
            assert_eq!(count, 0, "{what} left after hours of silence");
        }
        self.manners.assert_nothing_open();
        self.promises.assert_kept();
        assert!(self.engine.is_idle());
        let due = self.engine.poll_timeout();
        assert_eq!(due, None, "a timer of nothing");
    }
}
