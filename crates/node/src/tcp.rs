//! TCP: listeners, connections, and the table that finds a connection by its peer.
//!
//! Each connection is a task that frames what comes in and writes what is queued for it. The core
//! never waits for one: a connection whose queue is full counts as broken.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use dashmap::{DashMap, mapref::entry::Entry};
use engine::{
    Input,
    sip::{Frame, Limits, StreamFramer, StreamSide, Transport},
    sip_transaction::{Flow, ListenerId},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// Messages that may wait to be written to one connection.
const QUEUE_MAX: usize = 256;

/// Connections that one listener holds at most. More are closed at once.
const CONNECTIONS_MAX: usize = 10_000;

/// How long a connection attempt may take. Shorter than Timer B, so that a dead peer is told from
/// a slow one.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long one write may take before the peer counts as gone.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// How long a connection may be silent.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// How much is read at a time.
const READ_LEN: usize = 16 * 1024;

/// All connections of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    table: Arc<DashMap<(ListenerId, SocketAddr), mpsc::Sender<Bytes>>>,
    inbox: mpsc::Sender<Input>,
    limits: Limits,
}

impl Connections {
    pub(crate) fn new(inbox: mpsc::Sender<Input>, limits: Limits) -> Self {
        Self {
            table: Arc::default(),
            inbox,
            limits,
        }
    }

    /// Takes connections until the runtime stops.
    pub(crate) async fn accept(self, listener: TcpListener, id: ListenerId) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) if self.table.len() < CONNECTIONS_MAX => {
                    let (sender, queue) = mpsc::channel(QUEUE_MAX);
                    self.table.insert((id, remote), sender);
                    let flow = Flow {
                        transport: Transport::Tcp,
                        listener: id,
                        remote,
                    };
                    tokio::spawn(self.clone().run(stream, StreamSide::Accepted, flow, queue));
                }
                Ok((stream, _)) => drop(stream),
                // Out of file descriptors: the connection stays in the kernel's queue.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Queues a message for a connection, and opens one where there is none: to `fallback` where
    /// the connection that a request came by is gone (RFC 3261 §18.2.2), else to the flow's peer.
    ///
    /// Must be called inside the runtime that runs the connections.
    pub(crate) fn send(&self, flow: Flow, fallback: Option<SocketAddr>, bytes: Bytes) -> Sent {
        let bytes = match self.send_on(flow, bytes) {
            Ok(sent) => return sent,
            Err(bytes) => bytes,
        };
        let flow = Flow {
            remote: fallback.unwrap_or(flow.remote),
            ..flow
        };
        match self.table.entry((flow.listener, flow.remote)) {
            Entry::Occupied(open) => match open.get().try_send(bytes) {
                Ok(()) => Sent::Queued,
                Err(_) => Sent::Failed,
            },
            Entry::Vacant(vacant) => {
                let (sender, queue) = mpsc::channel(QUEUE_MAX);
                if sender.try_send(bytes).is_err() {
                    return Sent::Failed;
                }
                vacant.insert(sender);
                tokio::spawn(self.clone().connect(flow, queue));
                Sent::Queued
            }
        }
    }

    /// Queues on an open connection; gives the bytes back when there is none.
    fn send_on(&self, flow: Flow, bytes: Bytes) -> Result<Sent, Bytes> {
        let Some(open) = self.table.get(&(flow.listener, flow.remote)) else {
            return Err(bytes);
        };
        match open.try_send(bytes) {
            Ok(()) => Ok(Sent::Queued),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(Sent::Failed),
            Err(mpsc::error::TrySendError::Closed(bytes)) => Err(bytes),
        }
    }

    async fn connect(self, flow: Flow, queue: mpsc::Receiver<Bytes>) {
        match timeout(CONNECT_MAX, TcpStream::connect(flow.remote)).await {
            Ok(Ok(stream)) => self.run(stream, StreamSide::Opened, flow, queue).await,
            Ok(Err(_)) | Err(_) => self.close(flow).await,
        }
    }

    /// Reads and writes until either side ends it.
    async fn run(
        self,
        stream: TcpStream,
        side: StreamSide,
        flow: Flow,
        queue: mpsc::Receiver<Bytes>,
    ) {
        let _best_effort = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let (pongs, pong_queue) = mpsc::channel(1);
        let reading = self.read(reader, side, flow, pongs);
        tokio::select! {
            () = reading => {}
            () = write(writer, queue, pong_queue) => {}
        }
        self.close(flow).await;
    }

    async fn read(
        &self,
        mut reader: tokio::net::tcp::OwnedReadHalf,
        side: StreamSide,
        flow: Flow,
        pongs: mpsc::Sender<Bytes>,
    ) {
        let mut framer = StreamFramer::new(side, self.limits);
        let mut buffer = BytesMut::with_capacity(READ_LEN);
        loop {
            buffer.reserve(READ_LEN);
            match timeout(IDLE_MAX, reader.read_buf(&mut buffer)).await {
                Ok(Ok(len)) if len > 0 => framer.push(&buffer.split()),
                _ => return,
            }
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(bytes))) => {
                        let input = Input::StreamMessage { flow, bytes };
                        if self.inbox.send(input).await.is_err() {
                            return;
                        }
                    }
                    // RFC 5626 §4.4.1: a ping (two line breaks) is answered by a pong (one).
                    Ok(Some(Frame::Ping)) => {
                        let _dropped_when_busy = pongs.try_send(Bytes::from_static(b"\r\n"));
                    }
                    Ok(Some(Frame::Pong)) => {}
                    Ok(None) => break,
                    // The end of this message cannot be found, so no later one can.
                    Err(error) => {
                        let malformed = Input::StreamMalformed { error };
                        let _core_is_gone = self.inbox.send(malformed).await;
                        return;
                    }
                }
            }
        }
    }

    async fn close(&self, flow: Flow) {
        self.table.remove(&(flow.listener, flow.remote));
        let _core_is_gone = self.inbox.send(Input::TransportFailed { flow }).await;
    }
}

/// What became of a message for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A connection has it, or will once it is open.
    Queued,
    /// Its connection does not keep up.
    Failed,
}

async fn write(
    mut writer: tokio::net::tcp::OwnedWriteHalf,
    mut queue: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<Bytes>,
) {
    loop {
        let next = tokio::select! {
            next = queue.recv() => next,
            Some(pong) = pongs.recv() => Some(pong),
        };
        let Some(bytes) = next else { return };
        match timeout(WRITE_MAX, writer.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
