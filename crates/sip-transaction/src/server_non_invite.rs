//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.
//!
//! ```text
//!                      request: tell the user
//!                               │
//!              request:    ┌────▼───┐
//!              absorb    ┌─┤ Trying ├─────────────────┐
//!                        └►└────┬───┘                 │
//!          1xx from the user:   │                     │
//!          send          ┌──────▼─────┐               │
//!  request: send again ┌─┤ Proceeding │               │ 200-699 from
//!  1xx: send           └►└──────┬─────┘               │ the user: send,
//!        200-699 from the user: │                     │ arm J
//!               send, arm J     │                     │
//!                        ┌──────▼────┐                │
//!  request: send again ┌─┤ Completed │◄───────────────┘
//!                      └►└──────┬────┘
//!                               │ J
//!                        ┌──────▼─────┐
//!                        │ Terminated │
//!                        └────────────┘
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
    /// The request came again.
    Request,
    /// The user answers 1xx.
    Provisional,
    /// The user answers 200 to 699.
    Final,
    /// A timer fired.
    Fired(Timer),
}

/// What is to be done on the way to the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the user's response and keep it as the last one.
    Send,
    /// Send the last response again.
    SendAgain,
    /// Drop what only an open transaction needs.
    Release,
    /// Arm this timer.
    Arm(Timer),
}

impl State {
    /// The next state and what is done on the way; `None` when the event means nothing here.
    pub(crate) const fn on(self, event: Event) -> Option<(Self, &'static [Action])> {
        use Action::{Arm, Release, Send, SendAgain};
        use Event::{Final, Fired, Provisional, Request};
        Some(match (self, event) {
            (Self::Trying, Request) => (Self::Trying, &[]),
            (Self::Trying | Self::Proceeding, Provisional) => (Self::Proceeding, &[Send]),
            (Self::Trying | Self::Proceeding, Final) => {
                (Self::Completed, &[Send, Release, Arm(Timer::J)])
            }
            (Self::Proceeding, Request) => (Self::Proceeding, &[SendAgain]),
            (Self::Completed, Request) => (Self::Completed, &[SendAgain]),
            (Self::Completed, Fired(Timer::J)) => (Self::Terminated, &[]),
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
        let events = [Event::Request, Event::Provisional, Event::Final];
        insta::assert_snapshot!(crate::timers::transitions(
            &states,
            &events,
            Event::Fired,
            State::on
        ));
    }
}
