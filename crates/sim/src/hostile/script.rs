//! From bytes to actions.

/// Bytes of a script that are read; the rest is ignored, so that no run is long.
pub const SCRIPT_LEN_MAX: usize = 4096;

/// The bytes that are left of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a> {
    rest: &'a [u8],
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Somebody calls.
    Invite,
    /// Somebody answers a request of the engine.
    Answer,
    /// Somebody acknowledges an answer of the engine.
    Acknowledge,
    /// A caller asks something inside a dialog.
    CallerAsks,
    /// A phone asks something inside a dialog.
    PhoneAsks,
    /// A caller gives up.
    Cancel,
    /// A message comes again, perhaps from elsewhere.
    Repeat,
    /// A phone registers.
    Register,
    /// Somebody asks something outside any dialog.
    Ask,
    /// Time passes.
    Wait,
    /// A person at a desk wants something.
    SetAgent,
    /// A flow breaks.
    Break,
    /// Bytes that are no template of ours.
    Raw,
    /// The engine's own message comes back to it.
    Reflect,
    /// A stream cannot be framed.
    Malformed,
    /// The node is told to drain, or is asked for its state.
    Operate,
}

/// How often each is drawn from an even source: calls that come about need many answers.
const WEIGHTS: [(Action, u8); 16] = [
    (Action::Invite, 12),
    (Action::Answer, 26),
    (Action::Acknowledge, 12),
    (Action::CallerAsks, 14),
    (Action::PhoneAsks, 12),
    (Action::Cancel, 4),
    (Action::Repeat, 8),
    (Action::Register, 6),
    (Action::Ask, 4),
    (Action::Wait, 14),
    (Action::SetAgent, 5),
    (Action::Break, 3),
    (Action::Raw, 3),
    (Action::Reflect, 2),
    (Action::Malformed, 1),
    (Action::Operate, 2),
];

/// The sum of all weights: half of the values of a byte. The other half is the same with a
/// mutation of the message that comes.
const WEIGHT: u8 = 128;

/// Operands below this mean the usual case. A message has up to eight operands, and most messages
/// must be right for a call to come about.
const USUAL: u8 = 216;

impl<'a> Script<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: &bytes[..bytes.len().min(SCRIPT_LEN_MAX)],
        }
    }

    /// The next action, and whether its message is mutated; `None` at the end.
    pub(super) fn action(&mut self) -> Option<(Action, bool)> {
        let byte = self.next()?;
        let mut at = byte % WEIGHT;
        for (action, weight) in WEIGHTS {
            if at < weight {
                // Three of four messages come as they were written.
                let mutated = byte >= WEIGHT && self.byte() & 1 == 1;
                return Some((action, mutated));
            }
            at -= weight;
        }
        unreachable!("a test sums up the weights")
    }

    /// An operand; 0 when the script is over.
    pub(super) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// One of these: the first for most bytes, so that it is the usual one.
    pub(super) fn usually<T: Copy>(&mut self, choices: &[T]) -> T {
        let byte = self.byte();
        match byte.checked_sub(USUAL) {
            None => choices[0],
            Some(other) => choices[usize::from(other) % choices.len()],
        }
    }

    /// One of these, all alike.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Whether something rare happens.
    pub(super) fn rarely(&mut self) -> bool {
        self.byte() >= 224
    }

    /// The next bytes, at most so many as the next byte says.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_an_action() {
        let sum: u8 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        assert_eq!(sum, WEIGHT);
        for byte in 0..=u8::MAX {
            assert!(Script::new(&[byte]).action().is_some());
        }
        assert_eq!(Script::new(&[0]).action(), Some((Action::Invite, false)));
        assert_eq!(Script::new(&[]).action(), None);
    }
}
