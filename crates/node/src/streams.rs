//! TCP and TLS: listeners, and the table that finds a connection by its peer ([`table`]).
//!
//! Each connection is a task ([`connection`]). The core never waits for one: a connection whose
//! queue is full counts as broken.

mod connection;
mod places;
mod table;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use config::ConnectionLimits;
use dashmap::DashMap;
use engine::{
    Input,
    sip::{Limits, StreamSide, Transport},
    sip_proxy::DomainName,
    sip_transaction::{Flow, ListenerId},
};
use metrics::{ConnectionRefusal, Metrics};
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use self::{
    places::{Place, Places},
    table::{Given, Link, Table},
};
use crate::{sync, tls::Tls};

/// Messages that may wait to be written to one connection: as many as an operator's callers can wait
/// for, since all may be told their place in one turn.
const QUEUE_MAX: usize = 4096;

/// How long a connection attempt may take, the handshake of TLS included. Shorter than Timer B, so
/// that a dead peer is told from a slow one.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long the handshake of TLS may take for who connects to us.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// For how long the peer's kernel may leave what we sent without an acknowledgement: shorter than Timer F, so that there is
/// time to say it again by another connection.
const UNHEARD_MAX: Duration = Duration::from_secs(15);

/// All connections of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    table: Arc<Table>,
    places: Arc<Places>,
    tls: Option<Arc<Tls>>,
    /// Which name a peer must prove to have that we connect to; its address where none is noted.
    names: Arc<DashMap<SocketAddr, ServerName<'static>>>,
    metrics: Arc<Metrics>,
    limits: Limits,
    idle_max: Duration,
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
            table: Arc::new(Table::new(inbox, QUEUE_MAX)),
            places: Arc::new(Places::new(connections)),
            tls,
            names: Arc::default(),
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
        let given = self.table.send(flow, bytes).unwrap_or_else(|bytes| {
            let remote = fallback.unwrap_or(flow.remote);
            self.table.send_or_open(flow, remote, bytes)
        });
        match given {
            Given::Queued => Sent::Queued,
            Given::Failed => Sent::Failed,
            Given::Opened(link, queue) => {
                tokio::spawn(self.clone().connect(link, queue));
                Sent::Queued
            }
        }
    }

    /// The core has heard of an [`Input::TransportFailed`]: what it sends from now on may go over a new
    /// connection.
    pub(crate) fn heard(&self, flow: Flow) {
        self.table.heard(flow);
    }

    /// A connection that a peer opened. It has its place as long as it lasts.
    async fn accepted(self, stream: TcpStream, flow: Flow, _place: Place) {
        prepare(&stream);
        let Some(tls) = self
            .tls
            .clone()
            .filter(|_| flow.transport == Transport::Tls)
        else {
            let (link, queue) = self.table.enter(flow).await;
            return self.serve(stream, StreamSide::Accepted, link, queue).await;
        };
        match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
            Ok(Ok((stream, names))) => {
                let (link, queue) = self.table.enter(flow).await;
                self.prove(link, names).await;
                self.serve(stream, StreamSide::Accepted, link, queue).await;
            }
            Ok(Err(_)) | Err(_) => self
                .metrics
                .connection_refused(ConnectionRefusal::Handshake),
        }
    }

    /// Makes a connection that the table has already.
    async fn connect(self, link: Link, queue: mpsc::Receiver<Bytes>) {
        let (flow, side) = (link.flow, StreamSide::Opened);
        match (flow.transport, self.tls.clone()) {
            (Transport::Tls, Some(tls)) => {
                let opened = async {
                    let stream = connected(flow.remote).await?;
                    let name = self.names.get(&flow.remote).map(|name| name.clone());
                    let name = name.unwrap_or_else(|| ServerName::from(flow.remote.ip()));
                    tls.connect(stream, name).await
                };
                if let Ok(Ok((stream, names))) = timeout(CONNECT_MAX, opened).await {
                    self.prove(link, names).await;
                    return self.serve(stream, side, link, queue).await;
                }
            }
            (Transport::Tcp, _) => {
                if let Ok(Ok(stream)) = timeout(CONNECT_MAX, connected(flow.remote)).await {
                    return self.serve(stream, side, link, queue).await;
                }
            }
            (Transport::Udp | Transport::Tls, _) => {}
        }
        drop(queue);
        self.table.leave(link).await;
    }

    /// Tells who the peer is, before its first message.
    async fn prove(&self, link: Link, names: Vec<String>) {
        if !names.is_empty() {
            let flow = link.flow;
            let _its_end_is_told = self
                .table
                .tell(link, Input::PeerProven { flow, names })
                .await;
        }
    }
}

async fn connected(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    prepare(&stream);
    Ok(stream)
}

/// A connection that leads nowhere any more, and whose end nobody tells (a firewall or a NAT has forgotten it), ends by
/// itself: what is said over it could be said by another.
fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let _best_effort = socket.set_tcp_nodelay(true);
    // Without the kernel's keep-alives: with this time one that is lost would end the connection.
    let _best_effort = socket.set_tcp_user_timeout(Some(UNHEARD_MAX));
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
