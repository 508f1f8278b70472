//! One connection: frames what comes in, writes what is queued, and ends what takes too long.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::{
    Input,
    sip::{Frame, StreamFramer, StreamSide},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Connections, Link};

/// How long one write may take before the peer counts as gone.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// How long the first message or ping of a connection may be awaited, and how long any message may take from
/// its first byte to its last: who sends a byte a second keeps no place for an hour.
const MESSAGE_MAX: Duration = Duration::from_secs(30);

/// How much is read at a time.
const READ_LEN: usize = 16 * 1024;

impl Connections {
    /// Reads and writes until either side ends it.
    pub(super) async fn serve<S>(
        self,
        stream: S,
        side: StreamSide,
        link: Link,
        queue: mpsc::Receiver<Bytes>,
    ) where
        S: AsyncRead + AsyncWrite,
    {
        let (reader, writer) = tokio::io::split(stream);
        let (pongs, pong_queue) = mpsc::channel(1);
        tokio::select! {
            () = self.read(reader, side, link, pongs) => {}
            () = write(writer, queue, pong_queue) => {}
        }
        self.table.leave(link).await;
    }

    async fn read(
        &self,
        mut reader: impl AsyncRead + Unpin,
        side: StreamSide,
        link: Link,
        pongs: mpsc::Sender<Bytes>,
    ) {
        let mut framer = StreamFramer::new(side, self.limits);
        let mut buffer = BytesMut::with_capacity(READ_LEN);
        // By when the message that is awaited or has begun must be whole.
        let mut whole_by = match side {
            StreamSide::Accepted => Some(Instant::now() + MESSAGE_MAX),
            StreamSide::Opened => None,
        };
        let mut first_is_awaited = side == StreamSide::Accepted;
        loop {
            buffer.reserve(READ_LEN);
            let until = whole_by.unwrap_or_else(|| Instant::now() + self.idle_max);
            match timeout_at(until, reader.read_buf(&mut buffer)).await {
                Ok(Ok(len)) if len > 0 => framer.push(&buffer.split()),
                _ => return,
            }
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(bytes))) => {
                        whole_by = None;
                        first_is_awaited = false;
                        let flow = link.flow;
                        let input = Input::StreamMessage { flow, bytes };
                        if !self.table.tell(link, input).await {
                            return;
                        }
                    }
                    // RFC 5626 §4.4.1: a ping (two line breaks) is answered by a pong (one).
                    // A standby connection may have nothing else to say for long.
                    Ok(Some(Frame::Ping)) => {
                        whole_by = None;
                        first_is_awaited = false;
                        let _dropped_when_busy = pongs.try_send(Bytes::from_static(b"\r\n"));
                    }
                    Ok(Some(Frame::Pong)) => {}
                    Ok(None) => break,
                    // The end of this message cannot be found, so no later one can.
                    Err(error) => {
                        let malformed = Input::StreamMalformed { error };
                        let _its_end_is_told = self.table.tell(link, malformed).await;
                        return;
                    }
                }
            }
            if framer.buffered_len() > 0 {
                whole_by.get_or_insert_with(|| Instant::now() + MESSAGE_MAX);
            } else if !first_is_awaited {
                // What had begun was half a keep-alive.
                whole_by = None;
            }
        }
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<Bytes>,
) {
    loop {
        let next = tokio::select! {
            next = queue.recv() => next,
            Some(pong) = pongs.recv() => Some(pong),
        };
        let Some(bytes) = next else { return };
        let written = async {
            writer.write_all(&bytes).await?;
            // TLS keeps what the socket did not take.
            writer.flush().await
        };
        match timeout(WRITE_MAX, written).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
