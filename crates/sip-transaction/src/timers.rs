//! The timers of RFC 3261 §17 and RFC 6026, by the letters that they have there.

use std::time::Duration;

/// The base values that all timers are made of (RFC 3261 §17.1.1.1, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// T1, an estimate of the round-trip time: 500 ms.
    pub t1: Duration,
    /// T2, the longest retransmission interval of a non-INVITE request and of an INVITE's final
    /// response: 4 s.
    pub t2: Duration,
    /// T4, how long a message stays in the network: 5 s.
    pub t4: Duration,
    /// Timer D, how long an INVITE client answers repeated final responses over UDP: more than 32 s.
    pub d: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
        }
    }
}

impl Timers {
    /// 64·T1: timers B, F, H, J, L and M, and the guard of a CANCEL (RFC 3261 §9.1).
    pub fn transaction_max(&self) -> Duration {
        64 * self.t1
    }
}

/// Which timer of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// INVITE client: send the request again (unreliable transports).
    A,
    /// INVITE client: no answer at all.
    B,
    /// INVITE client: no more repeated final responses are expected.
    D,
    /// Non-INVITE client: send the request again (unreliable transports).
    E,
    /// Non-INVITE client: no answer.
    F,
    /// INVITE server: send the final response again (unreliable transports).
    G,
    /// INVITE server: no ACK came.
    H,
    /// INVITE server: no more repeated ACKs are expected.
    I,
    /// Non-INVITE server: no more repeated requests are expected.
    J,
    /// Non-INVITE client: no more repeated responses are expected.
    K,
    /// INVITE server: no more repeated INVITEs are expected after a 2xx (RFC 6026).
    L,
    /// INVITE client: no more 2xx are expected (RFC 6026), nor anything of one that has failed by timer B.
    M,
    /// INVITE client: no final response came after our CANCEL (RFC 3261 §9.1).
    CancelGuard,
}

impl Timer {
    /// Whether nothing happens when it fires but that a transaction that is over is forgotten: the RFCs say how long
    /// it is to be known at least.
    pub(crate) const fn only_forgets(self) -> bool {
        matches!(
            self,
            Self::D | Self::I | Self::J | Self::K | Self::L | Self::M
        )
    }
}

/// One line for each state and event: what the machine does, or that the event means nothing there.
#[cfg(test)]
pub(crate) fn transitions<S, E, A>(
    states: &[S],
    events: &[E],
    fired: impl Fn(Timer) -> E,
    on: impl Fn(S, E) -> Option<(S, &'static [A])>,
) -> String
where
    S: Copy + std::fmt::Debug,
    E: Copy + std::fmt::Debug,
    A: std::fmt::Debug + 'static,
{
    use Timer::{A as TimerA, B, CancelGuard, D, E as TimerE, F, G, H, I, J, K, L, M};
    let timers = [TimerA, B, D, TimerE, F, G, H, I, J, K, L, M, CancelGuard];
    let mut lines = String::new();
    for &state in states {
        for event in events.iter().copied().chain(timers.into_iter().map(&fired)) {
            let line = match on(state, event) {
                Some((next, actions)) => format!("{next:?} {actions:?}"),
                None => "-".to_owned(),
            };
            lines += &format!(
                "{:<10} {:<18} => {line}\n",
                format!("{state:?}"),
                format!("{event:?}")
            );
        }
    }
    lines
}
