//! The INVITE client transaction: RFC 3261 §17.1.1, figure 5, as RFC 6026 §8.4 amends it.
//!
//! ```text
//!                       INVITE from the user: send it, arm A and B
//!                                   │
//!                 A: send again ┌───▼─────┐  B or no transport: tell the user
//!                          ┌────┤ Calling ├──────────────────────────────┐
//!                          └───►└─┬──┬──┬─┘                              │
//!                    1xx: tell ┌──┘  │  └──────────┐ 2xx: tell, arm M    │
//!                   ┌──────────▼─┐   │ 300-699:    │                     │
//!     1xx: tell ┌───┤ Proceeding │   │ tell, ACK,  │                     │
//!               └──►└─┬──┬────┬──┘   │ arm D       │                     │
//!   guard of a CANCEL │  │    └──────┼─────────┐   │                     │
//!                     │  └───────┐   │    2xx: │   │                     │
//!                     │ 300-699: │   │   tell, │   │                     │
//!                     │ tell, ACK│   │   arm M │   │                     │
//!                     │       ┌──▼───▼────┐  ┌─▼───▼────┐ 2xx: tell      │
//!                     │       │ Completed ├┐ │ Accepted ├──┐             │
//!                     │       └─┬─────▲───┘│ └─┬──────▲─┘  │             │
//!                     │       D │     └────┘   │ M    └────┘             │
//!                     │         │ 300-699: ACK │                         │
//!                     └─────────┴──►┌──────────▼─┐◄──────────────────────┘
//!                                   │ Terminated │
//!                                   └────────────┘
//! ```
//!
//! When its connection breaks or timer B fires, the RFC forgets an INVITE. It may have arrived all the same, the last
//! of its repetitions half a second before, and its phone ring for nobody. So it is remembered until a phone can no
//! longer say so:
//!
//! ```text
//!     Calling, Proceeding
//!              │ no transport: tell the user; Proceeding: CANCEL by another connection
//!              │ Calling: B: tell the user, arm M
//!        ┌─────▼────┐ 1xx: CANCEL       300-699: ACK, arm D
//!     ┌──┤ Given up ├──────────────────────────────────────► Completed
//!     │  └─▲──────┬─┘
//!     └────┘      │ B, M, or the guard of the CANCEL
//!                 ▼
//!             Terminated
//! ```

use crate::timers::Timer;

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    GivenUp,
    Terminated,
}

/// What moves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 300 to 699.
    Failure,
    /// A timer fired.
    Fired(Timer),
    /// The request or the ACK could not be sent.
    TransportError,
}

/// What is to be done on the way to the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Pass the response to the transaction user.
    Tell,
    /// Send the request again and arm timer A with twice the interval.
    Resend,
    /// Build the ACK, send it, and keep it.
    Acknowledge,
    /// Send the kept ACK again.
    AcknowledgeAgain,
    /// Disarm A and B.
    StopCalling,
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
        use Action::{
            Acknowledge, AcknowledgeAgain, Arm, FailTimeout, FailTransport, Resend, StopCalling,
            Tell,
        };
        use Event::{Failure, Fired, Provisional, Success, TransportError};
        Some(match (self, event) {
            (Self::Calling, Fired(Timer::A)) => (Self::Calling, &[Resend]),
            (Self::Calling, Fired(Timer::B)) => {
                (Self::GivenUp, &[StopCalling, FailTimeout, Arm(Timer::M)])
            }
            (Self::Calling | Self::Proceeding, TransportError) => (Self::GivenUp, &[FailTransport]),
            (Self::Calling, Provisional) => (Self::Proceeding, &[StopCalling, Tell]),
            (Self::Calling | Self::Proceeding, Success) => {
                (Self::Accepted, &[StopCalling, Arm(Timer::M), Tell])
            }
            (Self::Calling | Self::Proceeding, Failure) => (
                Self::Completed,
                &[StopCalling, Acknowledge, Arm(Timer::D), Tell],
            ),
            (Self::Proceeding, Provisional) => (Self::Proceeding, &[Tell]),
            (Self::Proceeding, Fired(Timer::CancelGuard)) => (Self::Terminated, &[FailTimeout]),
            (Self::Completed, Failure) => (Self::Completed, &[AcknowledgeAgain]),
            (Self::Completed, Fired(Timer::D)) => (Self::Terminated, &[]),
            (Self::Completed, TransportError) => (Self::Terminated, &[]),
            (Self::Accepted, Success) => (Self::Accepted, &[Tell]),
            (Self::Accepted, Fired(Timer::M)) => (Self::Terminated, &[]),
            (Self::GivenUp, Provisional) => (Self::GivenUp, &[StopCalling]),
            (Self::GivenUp, Failure) => {
                (Self::Completed, &[StopCalling, Acknowledge, Arm(Timer::D)])
            }
            (Self::GivenUp, Fired(Timer::B | Timer::M | Timer::CancelGuard)) => {
                (Self::Terminated, &[])
            }
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
            State::Calling,
            State::Proceeding,
            State::Completed,
            State::Accepted,
            State::GivenUp,
            State::Terminated,
        ];
        let events = [
            Event::Provisional,
            Event::Success,
            Event::Failure,
            Event::TransportError,
        ];
        insta::assert_snapshot!(crate::timers::transitions(
            &states,
            &events,
            Event::Fired,
            State::on
        ));
    }
}
