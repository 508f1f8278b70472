//! Any stream: frames do not depend on where it is cut, and nothing grows.

use sip::{Frame, FramingError, Limits, StreamFramer, StreamSide};

const LIMITS: Limits = Limits {
    message_len: 4096,
    head_len: 2048,
    header_count: 64,
    line_len: 512,
    element_count: 32,
};

fn frames<'a>(
    side: StreamSide,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<FramingError>) {
    let mut framer = StreamFramer::new(side, LIMITS);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(framer.buffered_len() <= LIMITS.message_len);
    }
    (frames, None)
}

pub(crate) fn run(data: &[u8]) {
    let Some((&how, stream)) = data.split_first() else {
        return;
    };
    let side = if how & 1 == 0 {
        StreamSide::Accepted
    } else {
        StreamSide::Opened
    };
    let piece_len = usize::from(how >> 1) + 1;
    let by_byte = frames(side, stream.chunks(1));
    let by_piece = frames(side, stream.chunks(piece_len));
    assert_eq!(by_byte, by_piece);
}
