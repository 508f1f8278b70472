//! Phones that register once, and then refresh evenly for as long as it takes.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use crate::{Figures, Until, packet::kind, say};

/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Phones {
    /// The port of the node.
    #[arg(long)]
    node: u16,
    /// How many phones: of `arm-0` and so on.
    #[arg(long)]
    phones: u32,
    /// How often each refreshes, in seconds.
    #[arg(long)]
    every: u32,
}

impl Phones {
    /// Says `ready` when all are registered.
    pub(crate) fn run(&self, until: &Until) -> anyhow::Result<Figures> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, self.node))?;
        let from = socket.local_addr()?.to_string();
        socket.set_read_timeout(Some(PATIENCE))?;
        for phone in 0..self.phones {
            if until.is_over() {
                break;
            }
            self.register(&socket, &from, (phone, 1))?;
        }
        say("ready")?;
        let between = Duration::from_secs(self.every.into()) / self.phones;
        let began = Instant::now();
        let mut refreshes = 0;
        while !until.is_over() {
            let (round, phone) = (refreshes / self.phones, refreshes % self.phones);
            self.register(&socket, &from, (phone, round + 2))?;
            refreshes += 1;
            idle(&socket, began + between * refreshes)?;
        }
        Ok(json!({ "refreshes": refreshes, "seconds": began.elapsed().as_secs_f64() }))
    }

    fn register(
        &self,
        socket: &UdpSocket,
        from: &str,
        (phone, cseq): (u32, u32),
    ) -> anyhow::Result<()> {
        let expires = 2 * self.every;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(
            format!(
                "REGISTER sip:samu.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {from};branch=z9hG4bKphone{phone}x{cseq};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:arm-{phone}@samu.example>;tag=p{phone}\r\n\
                 To: <sip:arm-{phone}@samu.example>\r\nCall-ID: phone-{phone}\r\n\
                 CSeq: {cseq} REGISTER\r\nContact: <sip:arm-{phone}@{from}>\r\n\
                 Expires: {expires}\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let mut buffer = [0; 4096];
        let len = socket.recv(&mut buffer)?;
        let kind = kind(&buffer[..len]);
        ensure!(kind == "200", "arm-{phone} could not register: {kind}");
        Ok(())
    }
}

/// Waits until a time. Nobody says anything meanwhile.
fn idle(socket: &UdpSocket, until: Instant) -> anyhow::Result<()> {
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut [0; 4096]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) => anyhow::bail!("a phone that is not called hears something"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
