//! TCP and TLS: listeners, and the table that finds a connection by its peer.
//!
//! Each connection is a task ([`connection`]). The core never waits for one: a connection whose
//! queue is full counts as broken.

mod connection;
mod places;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use config::ConnectionLimits;
use dashmap::{DashMap, mapref::entry::Entry};
use engine::{
    Input,
    sip::{Limits, StreamSide, Transport},
    sip_proxy::DomainName,
    sip_transaction::{Flow, ListenerId},
};
use metrics::{ConnectionRefusal, Metrics};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use self::places::{Place, Places};
use crate::tls::Tls;

/// Messages that may wait to be written to one connection: as many as an operator's callers can wait
/// for, since all may be told their place in one turn.
const QUEUE_MAX: usize = 4096;

/// How long a connection attempt may take, the handshake of TLS included. Shorter than Timer B, so
/// that a dead peer is told from a slow one.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long the handshake of TLS may take for who connects to us.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// All connections of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    table: Arc<DashMap<Key, mpsc::Sender<Bytes>>>,
    places: Arc<Places>,
    tls: Option<Arc<Tls>>,
    /// Which name a peer must prove to have that we connect to; its address where none is noted.
    names: Arc<DashMap<SocketAddr, ServerName<'static>>>,
    inbox: mpsc::Sender<Input>,
    metrics: Arc<Metrics>,
    limits: Limits,
    idle_max: Duration,
}

/// What a connection is found by: our side and the peer's.
type Key = (ListenerId, SocketAddr);

const fn key(flow: Flow) -> Key {
    (flow.listener, flow.remote)
}

impl Connections {
    pub(crate) fn new(
        inbox: mpsc::Sender<Input>,
        metrics: Arc<Metrics>,
        tls: Option<Arc<Tls>>,
        connections: ConnectionLimits,
        limits: Limits,
    ) -> Self {
        Self {
            table: Arc::default(),
            places: Arc::new(Places::new(connections)),
            tls,
            names: Arc::default(),
            inbox,
            metrics,
            limits,
            idle_max: connections.idle_max,
        }
    }

    /// From now on whoever is connected to at this address must prove to have this name.
    pub(crate) fn expect(&self, remote: SocketAddr, name: &DomainName) {
        if let Ok(name) = ServerName::try_from(name.as_str().to_owned()) {
            self.names.insert(remote, name);
        }
    }

    /// Takes connections until the runtime stops.
    pub(crate) async fn accept(self, listener: TcpListener, id: ListenerId, transport: Transport) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => match self.places.take(remote.ip()) {
                    Ok(place) => {
                        let flow = Flow {
                            transport,
                            listener: id,
                            remote,
                        };
                        tokio::spawn(self.clone().accepted(stream, flow, place));
                    }
                    Err(refusal) => self.metrics.connection_refused(refusal),
                },
                // Out of file descriptors: the connection stays in the kernel's queue.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Queues a message for a connection, and opens one where there is none: to `fallback`, else to
    /// the flow's peer.
    ///
    /// Must be called inside the runtime that runs the connections.
    pub(crate) fn send(&self, flow: Flow, fallback: Option<SocketAddr>, bytes: Bytes) -> Sent {
        let bytes = match self.send_on(flow, bytes) {
            Ok(sent) => return sent,
            Err(bytes) => bytes,
        };
        let asked = flow;
        let flow = Flow {
            remote: fallback.unwrap_or(flow.remote),
            ..flow
        };
        match self.table.entry(key(flow)) {
            Entry::Occupied(open) => match open.get().try_send(bytes) {
                Ok(()) => Sent::Queued,
                Err(_) => Sent::Failed,
            },
            Entry::Vacant(vacant) => {
                let (sender, queue) = mpsc::channel(QUEUE_MAX);
                if sender.try_send(bytes).is_err() {
                    return Sent::Failed;
                }
                let entry = sender.downgrade();
                vacant.insert(sender);
                tokio::spawn(self.clone().connect(asked, flow, queue, entry));
                Sent::Queued
            }
        }
    }

    /// Queues on an open connection; gives the bytes back when there is none.
    fn send_on(&self, flow: Flow, bytes: Bytes) -> Result<Sent, Bytes> {
        let Some(open) = self.table.get(&key(flow)) else {
            return Err(bytes);
        };
        match open.try_send(bytes) {
            Ok(()) => Ok(Sent::Queued),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(Sent::Failed),
            Err(mpsc::error::TrySendError::Closed(bytes)) => Err(bytes),
        }
    }

    /// A connection that a peer opened. It has its place as long as it lasts.
    async fn accepted(self, stream: TcpStream, flow: Flow, _place: Place) {
        let _best_effort = stream.set_nodelay(true);
        let Some(tls) = self
            .tls
            .clone()
            .filter(|_| flow.transport == Transport::Tls)
        else {
            let (queue, entry) = self.enter(flow);
            return self
                .serve(stream, StreamSide::Accepted, flow, queue, entry)
                .await;
        };
        match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
            Ok(Ok((stream, names))) => {
                let (queue, entry) = self.enter(flow);
                self.prove(flow, names).await;
                self.serve(stream, StreamSide::Accepted, flow, queue, entry)
                    .await;
            }
            Ok(Err(_)) | Err(_) => self
                .metrics
                .connection_refused(ConnectionRefusal::Handshake),
        }
    }

    /// Makes a connection findable.
    fn enter(&self, flow: Flow) -> (mpsc::Receiver<Bytes>, mpsc::WeakSender<Bytes>) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let entry = sender.downgrade();
        self.table.insert(key(flow), sender);
        (queue, entry)
    }

    /// Opens a connection in place of the one that was `asked` for.
    async fn connect(
        self,
        asked: Flow,
        flow: Flow,
        queue: mpsc::Receiver<Bytes>,
        entry: mpsc::WeakSender<Bytes>,
    ) {
        let side = StreamSide::Opened;
        match (flow.transport, self.tls.clone()) {
            (Transport::Tls, Some(tls)) => {
                let opened = async {
                    let stream = connected(flow.remote).await?;
                    let name = self.names.get(&flow.remote).map(|name| name.clone());
                    let name = name.unwrap_or_else(|| ServerName::from(flow.remote.ip()));
                    tls.connect(stream, name).await
                };
                if let Ok(Ok((stream, names))) = timeout(CONNECT_MAX, opened).await {
                    self.prove(flow, names).await;
                    return self.serve(stream, side, flow, queue, entry).await;
                }
            }
            (Transport::Tcp, _) => {
                if let Ok(Ok(stream)) = timeout(CONNECT_MAX, connected(flow.remote)).await {
                    return self.serve(stream, side, flow, queue, entry).await;
                }
            }
            (Transport::Udp | Transport::Tls, _) => {}
        }
        self.leave(flow, &entry).await;
        if asked != flow {
            self.fail(asked).await;
        }
    }

    /// Tells who the peer is, before its first message.
    async fn prove(&self, flow: Flow, names: Vec<String>) {
        if !names.is_empty() {
            let proven = Input::PeerProven { flow, names };
            let _core_is_gone = self.inbox.send(proven).await;
        }
    }

    /// Takes a connection that is over out of the table, and says so.
    async fn leave(&self, flow: Flow, entry: &mpsc::WeakSender<Bytes>) {
        // Another connection may have this peer by now.
        self.table.remove_if(&key(flow), |_, current| {
            entry
                .upgrade()
                .is_some_and(|ours| ours.same_channel(current))
        });
        self.fail(flow).await;
    }

    async fn fail(&self, flow: Flow) {
        let _core_is_gone = self.inbox.send(Input::TransportFailed { flow }).await;
    }
}

async fn connected(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    let _best_effort = stream.set_nodelay(true);
    Ok(stream)
}

/// What became of a message for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A connection has it, or will once it is open.
    Queued,
    /// Its connection does not keep up.
    Failed,
}

#[cfg(test)]
mod tests;
