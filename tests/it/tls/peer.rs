//! The other end of a connection over TLS, made of text: what a test writes is what the node reads.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use rustls::{
    ClientConfig, ClientConnection, Connection, HandshakeKind, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, ServerName},
};

use crate::support::{
    node::LIMIT,
    poll::{self, Look},
};

pub(super) struct Peer {
    socket: TcpStream,
    tls: Connection,
    /// What was read and is no whole message yet.
    read: Vec<u8>,
    pub(super) address: SocketAddr,
    /// What the top Via of requests says: the address, and parameters.
    pub(super) via: String,
}

impl Peer {
    /// Connects to a node on loopback.
    pub(super) fn connect(port: u16, config: ClientConfig) -> io::Result<Self> {
        let node = (Ipv4Addr::LOCALHOST, port);
        let name = ServerName::IpAddress(node.0.into());
        let tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Self::shake_hands(TcpStream::connect(node)?, tls.into())
    }

    /// Waits until a node connects.
    pub(super) fn accept(listener: &TcpListener, config: ServerConfig) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let socket = poll::until(
            Instant::now() + LIMIT,
            "the node to connect",
            || match listener.accept() {
                Ok((socket, _)) => Ok(Look::Done(socket)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Ok(Look::NotYet("nobody does".to_owned()))
                }
                Err(error) => Err(error.into()),
            },
        );
        let socket = socket.unwrap();
        socket.set_nonblocking(false)?;
        let tls = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        Self::shake_hands(socket, tls.into())
    }

    fn shake_hands(mut socket: TcpStream, mut tls: Connection) -> io::Result<Self> {
        socket.set_read_timeout(Some(LIMIT))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            tls,
            read: Vec::new(),
            address,
            via: address.to_string(),
        })
    }

    /// The certificate of the other end.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.tls.peer_certificates().unwrap()[0]
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn send(&mut self, text: &str) {
        self.write(text).unwrap();
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.tls.writer().write_all(text.as_bytes())?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads more of what comes; an error when nothing more will. Some may have come with the end of
    /// the handshake.
    fn read(&mut self) -> io::Result<()> {
        let mut state = self.tls.process_new_packets().map_err(io::Error::other)?;
        if state.plaintext_bytes_to_read() == 0 {
            if self.tls.read_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            state = self.tls.process_new_packets().map_err(io::Error::other)?;
        }
        let start = self.read.len();
        self.read.resize(start + state.plaintext_bytes_to_read(), 0);
        self.tls.reader().read_exact(&mut self.read[start..])?;
        self.flush()
    }

    /// A keep-alive and its answer (RFC 5626 §4.4.1): the node has this connection.
    pub(super) fn ping(&mut self) -> io::Result<()> {
        self.write("\r\n\r\n")?;
        while self.read.len() < 2 {
            self.read()?;
        }
        assert_eq!(self.read, b"\r\n");
        self.read.clear();
        Ok(())
    }

    /// A call to 15.
    pub(super) fn invite(&mut self, call_id: &str) {
        let (us, via) = (self.address, &self.via);
        let body = description(us);
        let invite = format!(
            "INVITE sip:15@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS {via};branch=z9hG4bK{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+33698765432@{us}>;tag=f\r\n\
             To: <sip:15@127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{us};transport=tls>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&invite);
    }

    /// The next message that begins so; others before it are passed over.
    pub(super) fn expect(&mut self, start: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        let found = poll::until(deadline, start, || {
            let message = self.message().context(start.to_owned())?;
            Ok(if message.starts_with(start) {
                Look::Done(message)
            } else {
                Look::NotYet(message)
            })
        });
        found.unwrap()
    }

    /// The status of the first answer to a call that is not 100.
    pub(super) fn status(&mut self) -> String {
        loop {
            let message = self.message().unwrap();
            match message.split(' ').nth(1) {
                Some("100") => {}
                status => return status.unwrap_or_default().to_owned(),
            }
        }
    }

    fn message(&mut self) -> io::Result<String> {
        loop {
            if let Some(len) = whole(&self.read) {
                let message = self.read.drain(..len).collect();
                return String::from_utf8(message).map_err(io::Error::other);
            }
            self.read()?;
        }
    }
}

/// A session description with one stream of sound.
pub(super) fn description(us: SocketAddr) -> String {
    let ip = us.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
    )
}

/// The length of the message that is at the front, if all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = std::str::from_utf8(&bytes[..head]).unwrap().lines();
    let mut length = lines.filter_map(|line| line.strip_prefix("Content-Length:"));
    let body: usize = length
        .next_back()
        .map_or(0, |len| len.trim().parse().unwrap());
    (bytes.len() >= head + body).then_some(head + body)
}
