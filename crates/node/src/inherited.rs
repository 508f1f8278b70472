//! Sockets that a supervisor such as systemd holds open for this process (`LISTEN_FDS`,
//! sd_listen_fds(3)). What comes while no process runs waits in them for the next one: datagrams, and
//! connections that nobody has taken yet.

use std::{
    env, io,
    net::{SocketAddr, TcpListener, UdpSocket},
    process,
};

use listenfd::ListenFd;
use socket2::SockRef;
use tracing::{info, warn};

use crate::udp::UdpListener;

/// The sockets that this process was started with. Each is taken by the listener of the configuration
/// that has its transport and its address.
#[derive(Debug, Default)]
pub struct Inherited {
    udp: Vec<Held<UdpSocket>>,
    tcp: Vec<Held<TcpListener>>,
}

/// One that nobody has taken yet.
#[derive(Debug)]
struct Held<T> {
    /// What the supervisor calls it.
    name: String,
    address: SocketAddr,
    socket: T,
}

impl Inherited {
    /// Takes what the variables `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` name, and removes the first
    /// two: to be called once, before the process has a second thread. What no node can listen on is told
    /// and left.
    pub fn from_env() -> Self {
        let mut inherited = Self::default();
        // Else they are for another process, such as the one that started us.
        if env::var("LISTEN_PID") != Ok(process::id().to_string()) {
            return inherited;
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        for index in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            if let Err(flaw) = inherited.add(&mut passed, index, name.clone()) {
                warn!(name, index, %flaw, "an inherited socket is left alone");
            }
        }
        inherited
    }

    fn add(&mut self, passed: &mut ListenFd, index: usize, name: String) -> Result<(), Flaw> {
        if let Ok(Some(socket)) = passed.take_udp_socket(index) {
            let address = address_of(&SockRef::from(&socket))?;
            self.udp.push(Held {
                name,
                address,
                socket,
            });
            return Ok(());
        }
        let Ok(Some(socket)) = passed.take_tcp_listener(index) else {
            return Err(Flaw::Kind);
        };
        if !SockRef::from(&socket).is_listener()? {
            return Err(Flaw::Kind);
        }
        let address = address_of(&SockRef::from(&socket))?;
        self.tcp.push(Held {
            name,
            address,
            socket,
        });
        Ok(())
    }

    /// The socket for datagrams to this address, if there is one.
    pub(crate) fn take_udp(&mut self, address: SocketAddr) -> io::Result<Option<UdpSocket>> {
        let Some(socket) = take(&mut self.udp, address) else {
            return Ok(None);
        };
        UdpListener::adopt(&socket)?;
        info!(%address, "listening over UDP on an inherited socket");
        Ok(Some(socket))
    }

    /// The socket for connections to this address, if there is one. How many of them may wait to be
    /// taken is its holder's choice.
    pub(crate) fn take_tcp(&mut self, address: SocketAddr) -> io::Result<Option<TcpListener>> {
        let Some(socket) = take(&mut self.tcp, address) else {
            return Ok(None);
        };
        socket.set_nonblocking(true)?;
        info!(%address, "listening over TCP on an inherited socket");
        Ok(Some(socket))
    }

    /// Leaves those that no listener has taken, and says so: whoever sends there is not heard.
    pub(crate) fn leave(self) {
        let udp = self.udp.iter().map(|one| (&one.name, one.address, "UDP"));
        let tcp = self.tcp.iter().map(|one| (&one.name, one.address, "TCP"));
        for (name, address, over) in udp.chain(tcp) {
            warn!(
                name,
                %address,
                "an inherited socket is left alone: nothing is configured to listen there over {over}"
            );
        }
    }
}

/// Why no node can listen on a socket.
#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error("it is neither a UDP socket nor a TCP socket that listens")]
    Kind,
    /// Whoever comes over IPv4 would seem to have an address of IPv6, and no trunk would know it.
    #[error("it takes IPv4 as well: set BindIPv6Only=ipv6-only")]
    BothFamilies,
    #[error("it cannot be asked what it is: {0}")]
    Io(#[from] io::Error),
}

/// Where it is bound, if a node can listen there.
fn address_of(socket: &SockRef<'_>) -> Result<SocketAddr, Flaw> {
    let address = socket.local_addr()?.as_socket().ok_or(Flaw::Kind)?;
    if address.is_ipv6() && address.ip().is_unspecified() && !socket.only_v6()? {
        return Err(Flaw::BothFamilies);
    }
    Ok(address)
}

fn take<T>(held: &mut Vec<Held<T>>, address: SocketAddr) -> Option<T> {
    let index = held.iter().position(|one| one.address == address)?;
    Some(held.swap_remove(index).socket)
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};

    use super::*;

    fn socket(kind: Type, address: &str, only_v6: bool) -> Socket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(only_v6).unwrap();
        }
        socket.bind(&address.into()).unwrap();
        socket
    }

    fn bound(kind: Type, address: &str, only_v6: bool) -> Result<SocketAddr, Flaw> {
        address_of(&SockRef::from(&socket(kind, address, only_v6)))
    }

    #[test]
    fn a_socket_is_taken_once_and_by_its_address_only() {
        let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let [here, there] = [&one, &other].map(|socket| socket.local_addr().unwrap());
        let mut inherited = Inherited::default();
        inherited.udp.push(Held {
            name: String::new(),
            address: here,
            socket: one,
        });
        assert!(inherited.take_udp(there).unwrap().is_none());
        assert!(inherited.take_tcp(here).unwrap().is_none());
        let taken = inherited.take_udp(here).unwrap().unwrap();
        assert_eq!(taken.local_addr().unwrap(), here);
        let mut buffer = [0; 8];
        let nothing = taken.recv_from(&mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert!(inherited.take_udp(here).unwrap().is_none());
    }

    #[test]
    fn a_socket_of_both_families_is_none_of_ours() {
        for kind in [Type::DGRAM, Type::STREAM] {
            assert!(matches!(
                bound(kind, "[::]:0", false),
                Err(Flaw::BothFamilies)
            ));
            bound(kind, "[::]:0", true).unwrap();
            bound(kind, "[::1]:0", false).unwrap();
            bound(kind, "0.0.0.0:0", false).unwrap();
        }
        let (unix, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert!(matches!(address_of(&SockRef::from(&unix)), Err(Flaw::Kind)));
    }
}
