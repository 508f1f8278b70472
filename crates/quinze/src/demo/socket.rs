//! A [`sim::Peer`] on a real UDP socket.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use sim::{CallPlan, Manner, Peer, PeerEvent, PeerOutput};
use tokio::{net::UdpSocket, time::sleep_until};

/// How long a phone of the demo rings.
const RING: Duration = Duration::from_millis(800);

/// Callers or phones on one socket.
pub(super) struct PeerSocket {
    peer: Peer,
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl PeerSocket {
    /// Binds a free port on loopback.
    pub(super) fn bind(seed: u64) -> anyhow::Result<Self> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").context("no port on loopback")?;
        socket.set_nonblocking(true)?;
        let peer = Peer::new(socket.local_addr()?, seed, Manner::answers_after(RING));
        Ok(Self {
            peer,
            socket: UdpSocket::from_std(socket)?,
            buffer: vec![0; 65_535],
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.peer.address()
    }

    pub(super) fn sessions(&self) -> usize {
        self.peer.sessions()
    }

    /// Makes a caller call.
    pub(super) async fn call(&mut self, node: SocketAddr, plan: CallPlan) {
        self.peer.call(Instant::now(), node, plan);
    }

    /// Drives the peer until it notices something. Cancel-safe: what was taken in stays in.
    pub(super) async fn next(&mut self) -> io::Result<PeerEvent> {
        loop {
            while let Some(output) = self.peer.poll_output() {
                match output {
                    PeerOutput::Event(event) => return Ok(event),
                    PeerOutput::Transmit(transmit) => {
                        // A full socket buffer loses it like a network: it is sent again.
                        let _lost = self
                            .socket
                            .try_send_to(&transmit.bytes, transmit.flow.remote);
                    }
                }
            }
            let deadline = self.peer.poll_timeout();
            let timer = async {
                match deadline {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ready = self.socket.readable() => {
                    ready?;
                    if let Ok((len, from)) = self.socket.try_recv_from(&mut self.buffer) {
                        let bytes = Bytes::copy_from_slice(&self.buffer[..len]);
                        self.peer.handle_message(Instant::now(), from, bytes);
                    }
                }
                () = timer => self.peer.handle_timeout(Instant::now()),
            }
        }
    }
}
