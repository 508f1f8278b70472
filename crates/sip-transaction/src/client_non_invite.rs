//! The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.
//!
//! ```text
//!                    request from the user: send it, arm E and F
//!                                   │
//!                 E: send again ┌───▼────┐  F or no transport: tell the user
//!                          ┌────┤ Trying ├──────────────────────┐
//!                          └───►└─┬────┬─┘                      │
//!                       1xx: tell │    │ 200-699: tell, arm K   │
//!                       ┌─────────▼──┐ └──────┐                 │
//!     1xx: tell,    ┌───┤ Proceeding ├────────┼─────────────────┤
//!     E: send again └──►└─────────┬──┘        │ F, no transport │
//!                  200-699: tell, │           │                 │
//!                          arm K  └─►┌────────▼──┐              │
//!                                    │ Completed │              │
//!                                    └────────┬──┘              │
//!                                             │ K               │
//!                                    ┌────────▼───┐             │
//!                                    │ Terminated │◄────────────┘
//!                                    └────────────┘
//! ```

use crate::timers::Timer;

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// What moves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// 1xx.
    Provisional,
    /// 200 to 699.
    Final,
    /// A timer fired.
    Fired(Timer),
    /// The request could not be sent.
    TransportError,
}

/// What is to be done on the way to the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Pass the response to the transaction user.
    Tell,
    /// Send the request again; arm timer E with twice the interval, T2 at most.
    Resend,
    /// Send the request again; arm timer E with T2 (RFC 3261 §17.1.2.2).
    ResendAtT2,
    /// Disarm E and F.
    StopTrying,
    /// Arm this timer.
    Arm(Timer),
    /// Tell the user that no answer came.
    FailTimeout,
    /// Tell the user that the transport failed.
    FailTransport,
}

impl State {
    /// The next state and what is done on the way; `None` when the event means nothing here.
    pub(crate) const fn on(self, event: Event) -> Option<(Self, &'static [Action])> {
        use Action::{Arm, FailTimeout, FailTransport, Resend, ResendAtT2, StopTrying, Tell};
        use Event::{Final, Fired, Provisional, TransportError};
        Some(match (self, event) {
            (Self::Trying, Fired(Timer::E)) => (Self::Trying, &[Resend]),
            (Self::Proceeding, Fired(Timer::E)) => (Self::Proceeding, &[ResendAtT2]),
            (Self::Trying | Self::Proceeding, Fired(Timer::F)) => {
                (Self::Terminated, &[FailTimeout])
            }
            (Self::Trying | Self::Proceeding, TransportError) => {
                (Self::Terminated, &[FailTransport])
            }
            (Self::Trying | Self::Proceeding, Provisional) => (Self::Proceeding, &[Tell]),
            (Self::Trying | Self::Proceeding, Final) => {
                (Self::Completed, &[StopTrying, Arm(Timer::K), Tell])
            }
            (Self::Completed, Fired(Timer::K)) => (Self::Terminated, &[]),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_event() {
        let states = [
            State::Trying,
            State::Proceeding,
            State::Completed,
            State::Terminated,
        ];
        let events = [Event::Provisional, Event::Final, Event::TransportError];
        insta::assert_snapshot!(crate::timers::transitions(
            &states,
            &events,
            Event::Fired,
            State::on
        ));
    }
}
