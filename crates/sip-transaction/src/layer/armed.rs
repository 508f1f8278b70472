//! The timers of transactions: which are armed, and what for.

use std::time::{Duration, Instant};

use super::{ClientTx, ServerTx, TransactionLayer, client::Client, server::Server};
use crate::{
    timers::Timer,
    wheel::{TimerId, TimerWheel},
};

/// What a timer of the wheel is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Client(ClientTx, Timer),
    Server(ServerTx, Timer),
}

/// The timers of one transaction: at most one that repeats something and one that ends it, and the
/// guard of a CANCEL.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Armed {
    repeat: Option<TimerId>,
    end: Option<TimerId>,
    pub(super) guard: Option<TimerId>,
}

impl Armed {
    /// Where the one is that does what this timer does.
    pub(super) const fn slot(&mut self, timer: Timer) -> &mut Option<TimerId> {
        match timer {
            Timer::A | Timer::E | Timer::G => &mut self.repeat,
            Timer::CancelGuard => &mut self.guard,
            _ => &mut self.end,
        }
    }
}

impl TransactionLayer {
    /// Arms a timer, instead of one that was armed for the same.
    pub(super) fn arm(&mut self, now: Instant, after: Duration, due: Due) {
        let room = self.servers.capacity() + self.clients.capacity();
        let wheel = self
            .wheel
            .get_or_insert_with(|| TimerWheel::with_capacity(now, room));
        let (armed, timer) = match due {
            Due::Client(tx, timer) => (self.clients.get_mut(tx).map(Client::armed), timer),
            Due::Server(tx, timer) => (self.servers.get_mut(tx).map(Server::armed), timer),
        };
        let Some(slot) = armed.map(|armed| armed.slot(timer)) else {
            return;
        };
        if let Some(before) = slot.take() {
            wheel.cancel(before);
        }
        let at = now + after;
        *slot = Some(if timer.only_forgets() && !after.is_zero() {
            wheel.schedule_loosely(at, due)
        } else {
            wheel.schedule(at, due)
        });
    }

    /// Disarms all of a transaction's timers.
    pub(super) fn disarm(&mut self, armed: Armed) {
        let Some(wheel) = &mut self.wheel else { return };
        for id in [armed.repeat, armed.end, armed.guard].into_iter().flatten() {
            wheel.cancel(id);
        }
    }
}
