//! The formulas, as the textbooks have them (Kleinrock, *Queueing Systems* I and II, 1975 and 1976;
//! Garnett, Mandelbaum, Reiman, *Designing a call center with impatient customers*, 2002).

/// A centre with one kind of call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub(super) agents: usize,
    /// Calls in a mean talk time (erlangs).
    pub(super) load: f64,
    /// The mean talk time in seconds.
    pub(super) talk: f64,
}

/// What Erlang C says.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErlangC {
    /// Share of calls that wait.
    pub(super) waits: f64,
    /// The mean wait of all calls, in seconds.
    pub(super) mean_wait: f64,
    /// How many calls a second agents serve more than come, when all are busy.
    spare: f64,
}

/// What Erlang A says.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErlangA {
    /// Share of calls that wait.
    pub(super) waits: f64,
    /// Share of calls whose callers give up.
    pub(super) abandons: f64,
}

/// Kleinrock I, (3.40): the probability of waiting of M/M/m, by the recursion of the loss formula.
pub(super) fn erlang_c(queue: Queue) -> ErlangC {
    let loss = (1..=queue.agents).fold(1.0, |loss, agents| {
        queue.load * loss / (agents as f64 + queue.load * loss)
    });
    let occupancy = queue.load / queue.agents as f64;
    let waits = loss / (1.0 - occupancy * (1.0 - loss));
    let spare = (queue.agents as f64 - queue.load) / queue.talk;
    ErlangC {
        waits,
        mean_wait: waits / spare,
        spare,
    }
}

impl ErlangC {
    /// Share of calls that wait longer than so many seconds.
    pub(super) fn waits_longer_than(&self, seconds: f64) -> f64 {
        self.waits * (-self.spare * seconds).exp()
    }
}

/// M/M/m+M from its balance equations: with `n` calls there the next one goes at `min(n, m)` times the
/// rate of talk plus `n - m` times the rate of patience.
pub(super) fn erlang_a(queue: Queue, patience: f64) -> ErlangA {
    let (come, serve, give_up) = (queue.load / queue.talk, 1.0 / queue.talk, 1.0 / patience);
    let mut probability = vec![1.0];
    for calls in 1..2_000 {
        let talking = calls.min(queue.agents) as f64;
        let waiting = calls.saturating_sub(queue.agents) as f64;
        let go = talking * serve + waiting * give_up;
        let before = probability[calls - 1];
        probability.push(before * come / go);
    }
    let all: f64 = probability.iter().sum();
    let waiting = probability.iter().enumerate().skip(queue.agents);
    let busy: f64 = waiting.clone().map(|(_, share)| share).sum();
    let queued: f64 = waiting
        .map(|(calls, share)| (calls - queue.agents) as f64 * share)
        .sum();
    ErlangA {
        waits: busy / all,
        abandons: queued / all * give_up / come,
    }
}

/// Kleinrock I, (5.72): the mean wait of M/G/1. `deviation` is that of the talk time, as a multiple of
/// its mean.
pub(super) fn pollaczek_khinchine(load: f64, talk: f64, deviation: f64) -> f64 {
    residual(load, talk, deviation) / (1.0 - load)
}

/// Cobham 1954 (Kleinrock II, (3.31)): the mean waits of two classes of M/G/1, the first before the
/// second, none interrupted.
pub(super) fn cobham(loads: [f64; 2], talk: f64, deviation: f64) -> [f64; 2] {
    let both = loads[0] + loads[1];
    let residual = residual(both, talk, deviation);
    let first = 1.0 - loads[0];
    [residual / first, residual / (first * (1.0 - both))]
}

/// What is left of the talk that a call finds, on average: λ E[S²] / 2.
fn residual(load: f64, talk: f64, deviation: f64) -> f64 {
    load * talk * deviation.mul_add(deviation, 1.0) / 2.0
}
