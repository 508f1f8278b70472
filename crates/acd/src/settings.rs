//! Limits and times of the distributor.

use std::time::Duration;

/// Limits and times of the distributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls that may exist at a time.
    pub calls_max: usize,
    /// No sign of life from a phone for so long after an offer: it is unreachable.
    pub unreachable_after: Duration,
    /// How often an unreachable phone is probed. Less than a second counts as a second.
    pub unreachable_retry: Duration,
    /// How long it may take to bring an agent who has answered together with the caller.
    pub joining_max: Duration,
    /// How long an agent whose phone was busy or declined is left alone.
    pub refusal_retry: Duration,
    /// So many calls in a row that rang in vain: nobody sits there, and the agent takes no calls
    /// until a person says so. At least 1.
    pub no_answer_limit: u32,
    /// So many calls in a row that were declined: the agent takes no calls until a person says so.
    /// 0: however many.
    pub decline_limit: u32,
    /// How long the work after a call may take in all, with every extension.
    pub wrap_up_max: Duration,
    /// Callers that are remembered at a time: who had them last, and that they gave up.
    pub callers_max: usize,
    /// How long a caller is remembered.
    pub caller_kept: Duration,
    /// Entries of the list of abandoned callers. When it is full the oldest that nobody needs to call
    /// back goes first.
    pub abandoned_max: usize,
    /// How long after the last call an entry of that list stays in it, however it stands: it is about a
    /// person.
    pub abandoned_kept: Duration,
    /// A caller who gives up again within so long is the same entry of that list.
    pub repeat_within: Duration,
    /// What a call takes an agent, as long as nothing has been measured.
    pub handling_assumed: Duration,
    /// What is wrong on purpose.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls_max: 100_000,
            unreachable_after: Duration::from_secs(5),
            unreachable_retry: Duration::from_secs(30),
            joining_max: Duration::from_secs(40),
            refusal_retry: Duration::from_secs(10),
            no_answer_limit: 1,
            decline_limit: 0,
            wrap_up_max: Duration::from_secs(300),
            callers_max: 100_000,
            caller_kept: Duration::from_secs(3600),
            abandoned_max: 10_000,
            abandoned_kept: Duration::from_secs(24 * 3600),
            repeat_within: Duration::from_secs(600),
            handling_assumed: Duration::from_secs(90),
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

impl Settings {
    /// The same with values that would make no sense set right.
    pub(crate) fn within_reason(mut self) -> Self {
        self.unreachable_retry = self.unreachable_retry.max(Duration::from_secs(1));
        self.no_answer_limit = self.no_answer_limit.max(1);
        self
    }
}
