//! Cuts a byte stream (TCP, TLS) into messages and keep-alives (RFC 3261 §18.3, RFC 5626 §3.5.1).

use std::{fmt, mem};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{HeaderName, Limits, ParseError, lexer, lines::Lines, lines::name_of, start_line};

/// Finds where messages begin and end in a stream. It does no I/O and parses no more of a message
/// than its length needs.
///
/// After each [`StreamFramer::push`], call [`StreamFramer::next_frame`] until it gives `None`. What
/// comes out does not depend on how the bytes were cut into pushes, and each byte is looked at
/// once, however small the pieces.
///
/// ```
/// use sip::{Frame, Limits, StreamFramer, StreamSide};
///
/// let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
/// framer.push(b"\r\n\r\nOPTIONS sip:15@192.0.2.1 SIP/2.0\r\nl: 2\r\n\r\nhi");
/// assert_eq!(framer.next_frame(), Ok(Some(Frame::Ping)));
/// let Ok(Some(Frame::Message(bytes))) = framer.next_frame() else { panic!("a message") };
/// assert!(bytes.starts_with(b"OPTIONS") && bytes.ends_with(b"hi"));
/// assert_eq!(framer.next_frame(), Ok(None));
/// ```
pub struct StreamFramer {
    buffer: BytesMut,
    limits: Limits,
    side: StreamSide,
    state: State,
}

/// Who opened the connection, and so who sends the pings on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSide {
    /// The peer did: a double CRLF between messages is its ping.
    Accepted,
    /// We did: each CRLF between messages answers a ping of ours.
    Opened,
}

/// One thing that a stream holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, start line to end of body, in bytes of its own.
    Message(Bytes),
    /// The peer's keep-alive: the answer is one CRLF (RFC 5626 §3.5.1).
    Ping,
    /// The answer to a keep-alive of ours.
    Pong,
}

/// Why nobody can say where the next message begins: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// What comes is not SIP: another protocol, or the rest of a body whose length was wrong.
    #[error("the stream holds something that is no SIP message")]
    NotSip,
    /// The header section breaks a limit, or a rule of lines.
    #[error("the header section cannot be read")]
    Head(#[from] ParseError),
    /// There is a Content-Type but no Content-Length.
    #[error("a body without a length")]
    LengthMissing,
    /// Content-Length is no number, or two of them differ.
    #[error("the Content-Length is wrong")]
    LengthMalformed,
    /// The whole message would be longer than [`Limits::message_len`].
    #[error("the message is too long")]
    MessageTooLong,
    /// More was pushed than one message and one piece as large, without taking the frames out.
    #[error("frames were not taken out between pushes")]
    Overrun,
}

impl FramingError {
    /// A short name for metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotSip => "not-sip",
            Self::Head(error) => error.label(),
            Self::LengthMissing => "length-missing",
            Self::LengthMalformed => "length-malformed",
            Self::MessageTooLong => "message-too-long",
            Self::Overrun => "overrun",
        }
    }
}

/// How far the bytes at the front of the buffer have been looked at.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Between messages; consecutive line breaks are counted.
    Between { line_breaks: usize },
    /// In a header section: `scanned` bytes hold no end of it, the last line starts at
    /// `line_start`.
    Head { scanned: usize, line_start: usize },
    /// The message has this length.
    Body { message_len: usize },
    /// Lost for good.
    Failed(FramingError),
}

impl StreamFramer {
    /// A framer for a new connection.
    pub fn new(side: StreamSide, limits: Limits) -> Self {
        Self {
            buffer: BytesMut::new(),
            limits,
            side,
            state: State::Between { line_breaks: 0 },
        }
    }

    /// Takes what was read from the connection: at most [`Limits::message_len`] bytes at a time.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        // At most one unfinished message is left when all frames have been taken out.
        if self.buffer.len().saturating_add(bytes.len()) > self.limits.message_len.saturating_mul(2)
        {
            self.fail(FramingError::Overrun);
            return;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message or keep-alive; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FramingError`]: close the connection. The error stays, and what is pushed is ignored.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        loop {
            let step = match self.state {
                State::Between { line_breaks } => self.skip_line_breaks(line_breaks),
                State::Head {
                    scanned,
                    line_start,
                } => self.scan_head(scanned, line_start),
                State::Body { message_len } => Ok(self.take_message(message_len)),
                State::Failed(error) => return Err(error),
            };
            match step {
                Ok(Step::Frame(frame)) => return Ok(Some(frame)),
                Ok(Step::Next(state)) => self.state = state,
                Ok(Step::Starved) => return Ok(None),
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Bytes that are held: part of one message once all frames have been taken out.
    pub fn buffered_len(&self) -> usize {
        self.buffer.len()
    }

    fn fail(&mut self, error: FramingError) -> FramingError {
        self.buffer = BytesMut::new();
        self.state = State::Failed(error);
        error
    }

    /// A lone CR or LF is skipped; a CRLF counts.
    fn skip_line_breaks(&mut self, mut line_breaks: usize) -> Result<Step, FramingError> {
        loop {
            match *self.buffer {
                [] | [b'\r'] => {
                    self.state = State::Between { line_breaks };
                    return Ok(Step::Starved);
                }
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                [b'\r' | b'\n', ..] => {
                    self.buffer.advance(1);
                    continue;
                }
                _ => {
                    return Ok(Step::Next(State::Head {
                        scanned: 0,
                        line_start: 0,
                    }));
                }
            }
            line_breaks += 1;
            let frame = match self.side {
                StreamSide::Accepted if line_breaks == 2 => Frame::Ping,
                StreamSide::Accepted => continue,
                StreamSide::Opened => Frame::Pong,
            };
            self.state = State::Between { line_breaks: 0 };
            return Ok(Step::Frame(frame));
        }
    }

    fn scan_head(&mut self, scanned: usize, line_start: usize) -> Result<Step, FramingError> {
        let mut line_start = line_start;
        for newline in memchr::memchr_iter(b'\n', &self.buffer[scanned..]) {
            let newline = scanned + newline;
            self.check_head_len(newline, line_start)?;
            let line = &self.buffer[line_start..newline];
            if matches!(line, [] | [b'\r']) {
                let message_len = self.message_len(newline + 1)?;
                return Ok(Step::Next(State::Body { message_len }));
            }
            if line_start == 0 && !start_line::looks_like_sip(lexer::trim_end(line)) {
                return Err(FramingError::NotSip);
            }
            line_start = newline + 1;
        }
        self.check_head_len(self.buffer.len(), line_start)?;
        self.state = State::Head {
            scanned: self.buffer.len(),
            line_start,
        };
        Ok(Step::Starved)
    }

    /// Whether a head of which `len` bytes are there, and no end, may go on. It gives the same
    /// answer when the head comes byte by byte and when it comes whole.
    const fn check_head_len(&self, len: usize, line_start: usize) -> Result<(), FramingError> {
        // The start line with its carriage return.
        let line_len_max = self.limits.line_len.saturating_add(1);
        if line_start == 0 && line_len_max < self.limits.head_len && len > line_len_max {
            return Err(FramingError::Head(ParseError::LineTooLong));
        }
        if len > self.limits.head_len {
            return Err(FramingError::Head(ParseError::HeadTooLong));
        }
        Ok(())
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-18.3
    //# The Content-Length header field MUST be used with stream oriented
    //# transports.
    /// A message that breaks this rule but tells of no body is taken to have none: its end is
    /// clear. With a Content-Type it is not.
    fn message_len(&self, head_len: usize) -> Result<usize, FramingError> {
        let head = &self.buffer[..head_len];
        let mut lines = Lines::new(head, &self.limits);
        let mut body_len: Option<usize> = None;
        let mut has_type = false;
        while let Some(range) = lines.next_header()? {
            let line = &head[range];
            match name_of(line) {
                Some((HeaderName::ContentLength, value_start)) => {
                    let value = lexer::trim(&line[value_start..]);
                    let len = lexer::number(value).ok_or(FramingError::LengthMalformed)?;
                    if body_len.is_some_and(|before| before != len) {
                        return Err(FramingError::LengthMalformed);
                    }
                    body_len = Some(len);
                }
                Some((HeaderName::ContentType, _)) => has_type = true,
                _ => {}
            }
        }
        match body_len {
            None if has_type => Err(FramingError::LengthMissing),
            None => Ok(head_len),
            Some(len) => Some(head_len.saturating_add(len))
                .filter(|&message_len| message_len <= self.limits.message_len)
                .ok_or(FramingError::MessageTooLong),
        }
    }

    /// The message is copied out, so that a message that is kept for an hour does not keep the
    /// whole read buffer, and the buffer is never reallocated.
    fn take_message(&mut self, message_len: usize) -> Step {
        let Some(message) = self.buffer.get(..message_len) else {
            return Step::Starved;
        };
        let message = Bytes::copy_from_slice(message);
        self.buffer.advance(message_len);
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_CAPACITY_MAX {
            self.buffer = BytesMut::new();
        }
        self.state = State::Between { line_breaks: 0 };
        Step::Frame(Frame::Message(message))
    }
}

impl fmt::Debug for StreamFramer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamFramer")
            .field("buffered_len", &self.buffer.len())
            .field("side", &self.side)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Ping => f.write_str("Ping"),
            Self::Pong => f.write_str("Pong"),
        }
    }
}

/// What one look at the buffer came to.
enum Step {
    Frame(Frame),
    Next(State),
    Starved,
}

/// A connection that waits keeps no more than this.
const IDLE_CAPACITY_MAX: usize = 16 * 1024;

const _: () = assert!(mem::size_of::<State>() <= 32, "one per connection");

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(side: StreamSide, pieces: &[&[u8]]) -> Result<Vec<Frame>, FramingError> {
        let mut framer = StreamFramer::new(side, Limits::default());
        let mut frames = Vec::new();
        for piece in pieces {
            framer.push(piece);
            while let Some(frame) = framer.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    fn message(text: &str) -> Frame {
        Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
    }

    const BYE: &str = "BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn every_spelling_of_content_length() {
        for line in [
            "Content-Length: 3",
            "content-length:3",
            "CONTENT-LENGTH :\t3 ",
            "l: 3",
            "L:\r\n 003",
            "l: 3\r\nContent-Length: 3",
        ] {
            let text = format!("INFO sip:a SIP/2.0\r\n{line}\r\n\r\n\r\n\r");
            let two = format!("{text}{BYE}");
            assert_eq!(
                frames(StreamSide::Accepted, &[two.as_bytes()]),
                Ok(vec![message(&text), message(BYE)]),
                "{line}"
            );
        }
    }

    #[test]
    fn without_content_length_there_is_no_body() {
        let ack = "ACK sip:a SIP/2.0\r\nVia: x\r\n\r\n";
        assert_eq!(
            frames(StreamSide::Accepted, &[ack.as_bytes(), BYE.as_bytes()]),
            Ok(vec![message(ack), message(BYE)])
        );
        let typed = "INVITE sip:a SIP/2.0\r\nc: application/sdp\r\n\r\nv=0\r\n";
        assert_eq!(
            frames(StreamSide::Accepted, &[typed.as_bytes()]),
            Err(FramingError::LengthMissing)
        );
    }

    #[test]
    fn keep_alives_depend_on_who_opened_the_connection() {
        let idle = [
            &b"\r\n"[..],
            b"\r",
            b"\n",
            BYE.as_bytes(),
            b"\r\n",
            BYE.as_bytes(),
        ];
        assert_eq!(
            frames(StreamSide::Accepted, &idle),
            Ok(vec![Frame::Ping, message(BYE), message(BYE)])
        );
        assert_eq!(
            frames(StreamSide::Opened, &idle),
            Ok(vec![
                Frame::Pong,
                Frame::Pong,
                message(BYE),
                Frame::Pong,
                message(BYE)
            ])
        );
    }

    #[test]
    fn what_cannot_be_framed_says_why_and_stays_so() {
        let long_line = [b"a".as_slice(); 9000].concat();
        let many_lines = [
            b"INFO sip:a SIP/2.0\r\n".as_slice(),
            &b"X: y\r\n".repeat(6000),
        ]
        .concat();
        let cases: [(&[u8], FramingError); 9] = [
            (b"GET / HTTP/1.1\r\n", FramingError::NotSip),
            (b"v=0\r\n", FramingError::NotSip),
            (b"\x16\x03\x01\n", FramingError::NotSip),
            (&long_line, FramingError::Head(ParseError::LineTooLong)),
            (&many_lines, FramingError::Head(ParseError::HeadTooLong)),
            (
                b"INFO sip:a SIP/2.0\r\nX: a\rb\r\n\r\n",
                FramingError::Head(ParseError::BareCarriageReturn),
            ),
            (
                b"INFO sip:a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n",
                FramingError::LengthMalformed,
            ),
            (
                b"INFO sip:a SIP/2.0\r\nl: -1\r\n\r\n",
                FramingError::LengthMalformed,
            ),
            (
                b"INFO sip:a SIP/2.0\r\nl: 99999999\r\n\r\n",
                FramingError::MessageTooLong,
            ),
        ];
        for (bytes, error) in cases {
            let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
            framer.push(bytes);
            assert_eq!(framer.next_frame(), Err(error));
            framer.push(BYE.as_bytes());
            assert_eq!(framer.next_frame(), Err(error));
            assert_eq!(framer.buffered_len(), 0);
        }
    }

    #[test]
    fn no_byte_of_a_head_is_looked_at_twice() {
        let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
        let head = [
            b"INFO sip:a SIP/2.0\r\nX: ".as_slice(),
            &b"a\r\n ".repeat(2000),
        ]
        .concat();
        for (pushed, byte) in head.iter().enumerate() {
            framer.push(&[*byte]);
            assert_eq!(framer.next_frame(), Ok(None));
            let State::Head { scanned, .. } = framer.state else {
                panic!("still in the head");
            };
            assert_eq!(scanned, pushed + 1);
        }
    }

    #[test]
    fn pushing_without_taking_out_is_bounded() {
        let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
        for _ in 0..10_000 {
            framer.push(BYE.as_bytes());
            assert!(framer.buffered_len() <= 2 * Limits::default().message_len);
        }
        assert_eq!(framer.next_frame(), Err(FramingError::Overrun));
    }
}
