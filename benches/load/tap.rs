//! A look at all datagrams of a system under load, as the loopback device delivers them, with the
//! kernel's times.

use std::{
    collections::{BTreeMap, HashMap},
    io::IoSliceMut,
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    cmsg_space,
    errno::Errno,
    libc::PACKET_HOST,
    sys::{
        socket::{
            AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, SockFlag,
            SockProtocol, SockType, recvmmsg, setsockopt, socket, sockopt,
        },
        time::{TimeSpec, TimeVal, TimeValLike as _},
    },
};
use quinze_benches::live::Waits;
use serde_json::json;

use crate::{
    Figures, Until,
    packet::{Packet, kind, session},
    say,
};

/// Packets that one system call takes at most.
const BATCH: usize = 64;

/// No SIP message of a load is longer.
const PACKET_MAX: usize = 4096;

/// What the kernel may hold for us. Whoever has the right to tap may have so much.
const KERNEL_BUFFER: usize = 256 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Tap {
    /// The port of the system that is looked at.
    #[arg(long)]
    node: u16,
    /// The port of those who call.
    #[arg(long)]
    caller: u16,
    /// The port of those who are called.
    #[arg(long)]
    phone: u16,
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    /// How many datagrams of each way and kind, and their bytes.
    datagrams: BTreeMap<(&'static str, String), (u64, u64)>,
    /// When the INVITE of each session came.
    came: HashMap<Vec<u8>, Duration>,
    /// How long each took through the system.
    through: Waits,
}

impl Tap {
    pub(crate) fn run(&self, until: &Until) -> anyhow::Result<Figures> {
        let tap = open().context("a tap needs the right to capture (CAP_NET_RAW)")?;
        say("ready")?;
        let mut seen = Seen::default();
        // What is there when the input ends is still taken: a batch that is not full ends it.
        loop {
            let is_over = until.is_over();
            let count = take(&tap, |at, packet| self.note(&mut seen, at, &packet))?;
            if is_over && count < BATCH {
                break;
            }
        }
        Ok(seen.figures())
    }

    fn note(&self, seen: &mut Seen, at: Duration, packet: &Packet<'_>) {
        let ways = [
            ("caller>node", self.caller, self.node),
            ("node>caller", self.node, self.caller),
            ("phone>node", self.phone, self.node),
            ("node>phone", self.node, self.phone),
        ];
        let (from, to) = (packet.from.port(), packet.to.port());
        let Some((way, ..)) = ways.iter().find(|way| (way.1, way.2) == (from, to)) else {
            return;
        };
        let kind = kind(packet.payload);
        let (count, bytes) = seen.datagrams.entry((way, kind.to_owned())).or_default();
        *count += 1;
        *bytes += packet.payload.len() as u64;
        if kind != "INVITE" {
            return;
        }
        let Some(session) = session(packet.payload) else {
            return;
        };
        match *way {
            "caller>node" => {
                // One that is sent again has come already.
                seen.came.entry(session.to_vec()).or_insert(at);
                seen.through.made = seen.came.len();
            }
            "node>phone" => {
                // Only the first of a session: one that is sent again finds a time of zero length.
                if let Some(came) = seen.came.insert(session.to_vec(), Duration::MAX)
                    && came != Duration::MAX
                {
                    seen.through.waits.push(at.saturating_sub(came));
                }
            }
            _ => {}
        }
    }
}

impl Seen {
    fn figures(mut self) -> Figures {
        self.through.waits.sort_unstable();
        let micros = |share| self.through.at(share).as_secs_f64() * 1e6;
        let datagrams: BTreeMap<_, _> = self
            .datagrams
            .iter()
            .map(|((way, kind), (count, bytes))| (format!("{way} {kind}"), [*count, *bytes]))
            .collect();
        json!({
            "datagrams": datagrams,
            "invites": self.through.made,
            "through": self.through.waits.len(),
            "p50_us": micros(0.5),
            "p99_us": micros(0.99),
            "longest_us": micros(1.0),
        })
    }
}

/// A socket that is given every packet of this machine, with the time at which it came.
fn open() -> anyhow::Result<OwnedFd> {
    let tap = socket(
        AddressFamily::Packet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    setsockopt(&tap, sockopt::RcvBufForce, &KERNEL_BUFFER)?;
    setsockopt(&tap, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&tap, sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
    Ok(tap)
}

/// Waits a little for packets and takes one batch of them. How many there were.
fn take(tap: &OwnedFd, mut note: impl FnMut(Duration, Packet<'_>)) -> anyhow::Result<usize> {
    let mut buffers = vec![[0; PACKET_MAX]; BATCH];
    let mut slices: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| [IoSliceMut::new(buffer)])
        .collect();
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
    let flags = MsgFlags::MSG_WAITFORONE;
    let received = match recvmmsg(
        tap.as_raw_fd(),
        &mut headers,
        slices.iter_mut(),
        flags,
        None,
    ) {
        Ok(received) => received,
        Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut count = 0;
    for message in received {
        count += 1;
        // Loopback shows each packet when it leaves and when it comes: once is enough.
        let is_coming = message
            .address
            .is_some_and(|from| from.pkttype() == PACKET_HOST);
        let time = message.cmsgs()?.find_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        let packet = message.iovs().next().and_then(Packet::parse);
        if let (true, Some(time), Some(packet)) = (is_coming, time, packet) {
            note(time, packet);
        }
    }
    Ok(count)
}
