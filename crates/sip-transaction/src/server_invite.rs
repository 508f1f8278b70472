//! The INVITE server transaction: RFC 3261 §17.2.1, figure 7, as RFC 6026 §8.3 amends it.
//!
//! ```text
//!                              INVITE: tell the user
//!                                      │
//!      INVITE: send the last 1xx ┌─────▼──────┐
//!      1xx from the user: send ┌─┤ Proceeding ├──────────────────┐
//!                              └►└─┬──────────┘                  │
//!              300-699 from the    │                2xx from the │
//!              user: send, arm G, H│                user: send,  │
//!      INVITE: send │        ┌─────▼─────┐          arm L        │
//!      G: send      └────────┤ Completed ├──┐              ┌─────▼────┐ INVITE: absorb
//!                            └─┬─────────┘  │ H: tell      │ Accepted ├─┐ 2xx from the
//!                   ACK: arm I │            │              └─┬──────▲─┘ │ user: send
//!                            ┌─▼─────────┐  │              L │      └───┘ ACK: tell
//!               ACK: absorb  │ Confirmed │  │                │
//!                            └─┬─────────┘  │                │
//!                            I │            │                │
//!                            ┌─▼────────────▼────────────────▼─┐
//!                            │           Terminated            │
//!                            └─────────────────────────────────┘
//! ```

use crate::timers::Timer;

/// The states of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

/// What moves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The INVITE came again.
    Invite,
    /// An ACK came that matches this transaction.
    Ack,
    /// The user answers 1xx.
    Provisional,
    /// The user answers 2xx.
    Success,
    /// The user answers 300 to 699.
    Failure,
    /// A timer fired.
    Fired(Timer),
}

/// What is to be done on the way to the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send the user's response and keep it as the last one.
    Send,
    /// Send the last response again, if there is one.
    SendAgain,
    /// Send the last response again and arm timer G with twice the interval, T2 at most.
    Resend,
    /// Drop what only an open transaction needs.
    Release,
    /// Disarm G and H.
    StopResending,
    /// Arm this timer.
    Arm(Timer),
    /// Pass the ACK to the transaction user.
    TellAck,
    /// Tell the user that no ACK came.
    FailTimeout,
}

impl State {
    /// The next state and what is done on the way; `None` when the event means nothing here.
    pub(crate) const fn on(self, event: Event) -> Option<(Self, &'static [Action])> {
        use Action::{Arm, FailTimeout, Release, Resend, Send, SendAgain, StopResending, TellAck};
        use Event::{Ack, Failure, Fired, Invite, Provisional, Success};
        Some(match (self, event) {
            (Self::Proceeding, Invite) => (Self::Proceeding, &[SendAgain]),
            (Self::Proceeding, Provisional) => (Self::Proceeding, &[Send]),
            (Self::Proceeding, Success) => (Self::Accepted, &[Send, Release, Arm(Timer::L)]),
            (Self::Proceeding, Failure) => (
                Self::Completed,
                &[Send, Release, Arm(Timer::G), Arm(Timer::H)],
            ),
            (Self::Completed, Invite) => (Self::Completed, &[SendAgain]),
            (Self::Completed, Fired(Timer::G)) => (Self::Completed, &[Resend]),
            (Self::Completed, Fired(Timer::H)) => (Self::Terminated, &[FailTimeout]),
            (Self::Completed, Ack) => (Self::Confirmed, &[StopResending, Arm(Timer::I)]),
            (Self::Confirmed, Ack | Invite) => (Self::Confirmed, &[]),
            (Self::Confirmed, Fired(Timer::I)) => (Self::Terminated, &[]),
            // RFC 6026 §7.1: the user repeats its 2xx by itself; a repeated INVITE is absorbed.
            (Self::Accepted, Invite) => (Self::Accepted, &[]),
            (Self::Accepted, Success) => (Self::Accepted, &[Send]),
            (Self::Accepted, Ack) => (Self::Accepted, &[TellAck]),
            (Self::Accepted, Fired(Timer::L)) => (Self::Terminated, &[]),
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
            State::Proceeding,
            State::Completed,
            State::Confirmed,
            State::Accepted,
            State::Terminated,
        ];
        let events = [
            Event::Invite,
            Event::Ack,
            Event::Provisional,
            Event::Success,
            Event::Failure,
        ];
        insta::assert_snapshot!(crate::timers::transitions(
            &states,
            &events,
            Event::Fired,
            State::on
        ));
    }
}
