//! One connection: what is under way in each direction, and where it was cut.

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use engine::sip::{Frame, FramingError, Limits, StreamFramer, StreamSide};

use super::End;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Who opened it.
    Opener,
    /// Who took it.
    Taker,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Taker,
            Self::Taker => Self::Opener,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    opener: Receiver,
    taker: Receiver,
}

/// One side, and what is under way to it.
struct Receiver {
    end: End,
    /// What this side had asked for whenever that could not be had, and this connection was taken instead.
    instead_of: BTreeSet<End>,
    framer: StreamFramer,
    /// When the last byte so far arrives.
    last: Instant,
    /// Bytes that have not arrived.
    under_way: usize,
    /// How many more arrive, where it is cut.
    remaining: Option<usize>,
    has_left: bool,
}

impl Connection {
    pub(super) fn new(opener: End, taker: End, now: Instant) -> Self {
        Self {
            opener: Receiver::new(opener, StreamSide::Opened, now),
            taker: Receiver::new(taker, StreamSide::Accepted, now),
        }
    }

    const fn side(&self, side: Side) -> &Receiver {
        match side {
            Side::Opener => &self.opener,
            Side::Taker => &self.taker,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut Receiver {
        match side {
            Side::Opener => &mut self.opener,
            Side::Taker => &mut self.taker,
        }
    }

    pub(super) const fn end(&self, side: Side) -> End {
        self.side(side).end
    }

    /// A side sends by it what was meant for another connection.
    pub(super) fn stand_in(&mut self, side: Side, asked: End) {
        self.side_mut(side).instead_of.insert(asked);
    }

    /// So many bytes leave for this side, to arrive then or when what is before them has; when that is.
    pub(super) fn send(&mut self, to: Side, at: Instant, len: usize) -> Instant {
        let way = self.side_mut(to);
        way.under_way += len;
        way.last = way.last.max(at);
        way.last
    }

    /// Nothing arrives at this side before.
    pub(super) fn open_at(&mut self, at: Instant) {
        self.taker.last = at;
    }

    /// Whether it can be taken: it is not over by now.
    pub(super) const fn can_be_taken(&self) -> bool {
        !self.taker.has_left
    }

    /// A piece arrives, as far as it does.
    pub(super) fn receive(&mut self, at: Side, piece: &[u8]) {
        let way = self.side_mut(at);
        way.under_way -= piece.len();
        let arrives = way.remaining.unwrap_or(usize::MAX).min(piece.len());
        if let Some(remaining) = &mut way.remaining {
            *remaining -= arrives;
        }
        if !way.has_left {
            way.framer.push(&piece[..arrives]);
        }
    }

    /// The next message that is whole.
    ///
    /// # Errors
    /// Nobody can say where it ends, nor any after it.
    pub(super) fn next_message(&mut self, at: Side) -> Result<Option<Bytes>, FramingError> {
        loop {
            match self.side_mut(at).framer.next_frame()? {
                Some(Frame::Message(bytes)) => return Ok(Some(bytes)),
                // Nobody sends pings.
                Some(Frame::Ping | Frame::Pong) => {}
                None => return Ok(None),
            }
        }
    }

    /// Ends what is under way at some byte in each direction. Whether bytes are lost by that.
    pub(super) fn cut(&mut self, mut arrives: impl FnMut(usize) -> usize) -> bool {
        let mut is_lost = false;
        for way in [&mut self.opener, &mut self.taker] {
            let left = way.remaining.unwrap_or(way.under_way);
            let remaining = arrives(left);
            is_lost |= remaining < left;
            way.remaining = Some(remaining);
        }
        is_lost
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.opener.remaining.is_some()
    }

    /// A side hears that it is over: what it had it as, unless it had heard so before, and what it had asked
    /// for where that could not be had.
    pub(super) fn leave(&mut self, side: Side) -> Option<(End, BTreeSet<End>)> {
        let way = self.side_mut(side);
        let is_first = !std::mem::replace(&mut way.has_left, true);
        is_first.then(|| (way.end, std::mem::take(&mut way.instead_of)))
    }

    /// Whether nobody has it any more.
    pub(super) const fn is_over(&self) -> bool {
        self.opener.has_left && self.taker.has_left
    }
}

impl Receiver {
    fn new(end: End, side: StreamSide, now: Instant) -> Self {
        Self {
            end,
            instead_of: BTreeSet::new(),
            framer: StreamFramer::new(side, Limits::default()),
            last: now,
            under_way: 0,
            remaining: None,
            has_left: false,
        }
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("end", &self.end)
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}
