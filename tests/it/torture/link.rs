//! A peer's way to the node: a datagram socket or a connection, from an address of its own.

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use engine::sip::{Frame, Limits, StreamFramer, StreamSide};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};

/// Longer than an answer takes on a slow machine.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

pub(super) struct Link {
    pub(super) transport: Transport,
    pub(super) us: SocketAddr,
    way: Way,
}

enum Way {
    Datagrams(UdpSocket),
    Stream {
        stream: TcpStream,
        framer: StreamFramer,
        messages: VecDeque<String>,
    },
}

impl Link {
    /// A link from an address of ours. Over UDP, answers without `rport` come to the port that the
    /// Via names (RFC 3261 §18.2.2), so that is where we send from; a connection has any port.
    pub(super) fn open(transport: Transport, us: Ipv4Addr, port: u16, node: SocketAddr) -> Self {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind((us, port))
                    .unwrap_or_else(|error| panic!("udp {us}:{port}: {error}"));
                socket.set_read_timeout(Some(ANSWER_MAX)).unwrap();
                socket.connect(node).unwrap();
                Self {
                    transport,
                    us: socket.local_addr().unwrap(),
                    way: Way::Datagrams(socket),
                }
            }
            Transport::Tcp => {
                let stream = connect_from(us, node).unwrap();
                stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
                stream.set_nodelay(true).unwrap();
                Self {
                    transport,
                    us: stream.local_addr().unwrap(),
                    way: Way::Stream {
                        stream,
                        framer: StreamFramer::new(StreamSide::Opened, Limits::default()),
                        messages: VecDeque::new(),
                    },
                }
            }
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        match &mut self.way {
            Way::Datagrams(socket) => assert_eq!(socket.send(bytes).unwrap(), bytes.len()),
            // The node may close a connection while we still write.
            Way::Stream { stream, .. } => drop(stream.write_all(bytes)),
        }
    }

    /// The next message; `None` when the node has closed the connection.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut buffer = vec![0; 65536];
        match &mut self.way {
            Way::Datagrams(socket) => {
                let len = socket.recv(&mut buffer).expect("an answer in time");
                Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
            }
            Way::Stream {
                stream,
                framer,
                messages,
            } => {
                while messages.is_empty() {
                    let len = match stream.read(&mut buffer) {
                        // A connection that we had still written to is reset.
                        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                        read => read.expect("an answer in time"),
                    };
                    if len == 0 {
                        return None;
                    }
                    framer.push(&buffer[..len]);
                    while let Some(frame) = framer.next_frame().expect("the node speaks SIP") {
                        if let Frame::Message(bytes) = frame {
                            messages.push_back(String::from_utf8_lossy(&bytes).into_owned());
                        }
                    }
                }
                messages.pop_front()
            }
        }
    }
}

/// A connection from this address: the standard library binds none before it connects.
fn connect_from(us: Ipv4Addr, node: SocketAddr) -> io::Result<TcpStream> {
    let SocketAddr::V4(node) = node else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let socket = socket::socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    socket::bind(
        socket.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(us, 0)),
    )?;
    socket::connect(socket.as_raw_fd(), &SockaddrIn::from(node))?;
    Ok(TcpStream::from(socket))
}
