//! UDP sockets in batches: one system call receives or sends many datagrams.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    net::{SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::AsRawFd as _,
    task::{Context, Poll},
};

use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{Interest, unix::AsyncFd};

/// Datagrams that one system call moves at most.
const BATCH: usize = 32;

/// The longest datagram that UDP can carry.
const DATAGRAM_MAX: usize = 65_535;

/// What the kernel may hold for us while the core is busy with a batch.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// One bound UDP socket with its batches. Owned by the core's thread alone.
pub(crate) struct UdpListener {
    /// The event loop tells only when there is something to receive: that there is room to send, after each
    /// datagram again, would wake the core for nothing.
    socket: AsyncFd<std::net::UdpSocket>,
    headers: MultiHeaders<SockaddrStorage>,
    outgoing_headers: MultiHeaders<SockaddrStorage>,
    buffers: [Vec<u8>; BATCH],
    /// What was received and not taken.
    incoming: VecDeque<(SocketAddr, Bytes)>,
    outgoing: Vec<(SocketAddr, Bytes)>,
}

impl UdpListener {
    /// Binds a socket.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        prepare(&socket)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    }

    /// Makes a socket that somebody else has bound like one of ours.
    pub(crate) fn adopt(socket: &std::net::UdpSocket) -> io::Result<()> {
        prepare(&SockRef::from(socket))
    }

    /// Takes a bound socket. Must be called on the runtime that will drive it.
    #[expect(
        deprecated,
        reason = "its replacement is unsafe for what may not own its descriptor; a socket of std does"
    )]
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            socket: AsyncFd::with_interest(socket, Interest::READABLE)?,
            headers: MultiHeaders::preallocate(BATCH, None),
            outgoing_headers: MultiHeaders::preallocate(BATCH, None),
            buffers: std::array::from_fn(|_| vec![0; DATAGRAM_MAX]),
            incoming: VecDeque::with_capacity(BATCH),
            outgoing: Vec::with_capacity(BATCH),
        })
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(cx).map_ok(drop)
    }

    /// Receives one batch, to be taken one by one. How many there were; fewer than a full batch means
    /// that none is left for now.
    pub(crate) fn receive(&mut self) -> usize {
        let Self {
            socket,
            headers,
            buffers,
            incoming,
            ..
        } = self;
        let fd = socket.as_raw_fd();
        let mut count = 0;
        // An error here is a wake-up for nothing, or an ICMP message about an earlier datagram:
        // timers see to what was lost.
        let _nothing_for_now = socket.try_io(Interest::READABLE, |_| {
            let mut slices: [_; BATCH] = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let received = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
            for one in received {
                count += 1;
                let bytes = one.iovs().next().unwrap_or_default();
                if let Some(source) = one.address.and_then(to_std) {
                    incoming.push_back((source, Bytes::copy_from_slice(bytes)));
                }
            }
            if Self::is_full_batch(count) {
                return Ok(());
            }
            // None is left: the event loop need not ask for another to find that out. What comes from now
            // on wakes it.
            Err(io::ErrorKind::WouldBlock.into())
        });
        count
    }

    /// The next datagram that was received, and where it came from.
    pub(crate) fn take(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.incoming.pop_front()
    }

    /// Whether one receive call fills up.
    pub(crate) const fn is_full_batch(count: usize) -> bool {
        count == BATCH
    }

    /// Queues a datagram; [`UdpListener::flush`] sends it.
    pub(crate) fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        self.outgoing.push((to, bytes));
    }

    /// Sends what is queued. How many datagrams the kernel did not take: they count as lost on the
    /// way, and are sent again by their transactions' timers.
    pub(crate) fn flush(&mut self) -> usize {
        let mut lost = 0;
        let mut outgoing = std::mem::take(&mut self.outgoing);
        for batch in outgoing.chunks(BATCH) {
            let mut sent = 0;
            while sent < batch.len() {
                match self.send_batch(&batch[sent..]) {
                    Ok(count) if count > 0 => sent += count,
                    // The first datagram of the rest cannot be sent (no route, or no room).
                    Ok(_) | Err(_) => {
                        lost += 1;
                        sent += 1;
                    }
                }
            }
        }
        outgoing.clear();
        self.outgoing = outgoing;
        lost
    }

    fn send_batch(&mut self, batch: &[(SocketAddr, Bytes)]) -> io::Result<usize> {
        if let [(to, bytes)] = batch {
            return self.socket.get_ref().send_to(bytes, *to).map(|_| 1);
        }
        let slices: Vec<_> = batch
            .iter()
            .map(|(_, bytes)| [IoSlice::new(bytes)])
            .collect();
        let addresses: Vec<_> = batch.iter().map(|(to, _)| Some(to_nix(*to))).collect();
        let headers = &mut self.outgoing_headers;
        let fd = self.socket.as_raw_fd();
        let sent = sendmmsg(fd, headers, &slices, addresses, [], MsgFlags::MSG_DONTWAIT)?;
        Ok(sent.count())
    }
}

fn prepare(socket: &Socket) -> io::Result<()> {
    // The kernel grants what its own limit allows; less only means less room for bursts. Whoever bound
    // the socket may have had the right to more: that is kept.
    if socket.recv_buffer_size()? < KERNEL_BUFFER {
        let _granted = socket.set_recv_buffer_size(KERNEL_BUFFER);
    }
    if socket.send_buffer_size()? < KERNEL_BUFFER {
        let _granted = socket.set_send_buffer_size(KERNEL_BUFFER);
    }
    socket.set_nonblocking(true)
}

fn to_std(address: SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), v6.port(), 0, v6.scope_id()).into())
}

fn to_nix(address: SocketAddr) -> SockaddrStorage {
    SockaddrStorage::from(address)
}
