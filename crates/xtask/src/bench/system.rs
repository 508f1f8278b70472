//! The systems that are measured: a node, Kamailio, the floor.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::Value;

use super::{
    child::{Child, Core, Part},
    sipp::{Calls, Played, Playing, Shape},
    trained, usage,
};

/// How long a system may take until it takes calls.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Ports of loopback that belong to one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) node: u16,
    pub(super) caller: u16,
    pub(super) phone: u16,
    pub(super) http: u16,
}

impl Ports {
    /// Those of the system of this number: below what the system gives by itself.
    const fn of(number: u16) -> Self {
        let first = 17_000 + 10 * number;
        Self {
            node: first,
            caller: first + 1,
            phone: first + 2,
            http: first + 3,
        }
    }
}

/// Something that is measured.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) ports: Ports,
    pub(super) folder: PathBuf,
    running: Running,
    /// How much longer SIPp makes the messages of callers and phones: nothing but for a floor.
    pads: [usize; 2],
}

#[derive(Debug)]
enum Running {
    Server(Child),
    Floor(Part),
}

impl Running {
    fn id(&self) -> u32 {
        match self {
            Self::Server(child) => child.id(),
            Self::Floor(part) => part.id(),
        }
    }
}

/// A node to be started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) number: u16,
    pub(super) journal: Journal,
    pub(super) agents: Agents,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    On,
    Off,
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agents {
    /// So many who are free, whose phones are SIPp.
    Free(u32),
    /// One who takes no calls of the queue, whose phone is SIPp: the proxy forwards to it.
    Called,
    /// So many whose phones register.
    Register(u32),
    /// Nobody.
    None,
}

impl Node {
    pub(super) fn start(self, folder: &Path) -> anyhow::Result<System> {
        self.start_program(&trained::program()?, folder)
    }

    pub(super) fn start_program(self, program: &Path, folder: &Path) -> anyhow::Result<System> {
        let ports = Ports::of(self.number);
        let folder = fresh(folder, self.name)?;
        let file = folder.join("node.toml").display().to_string();
        fs::write(&file, self.configuration(ports))?;
        let program = program.to_str().context("its path is no UTF-8")?;
        let command = [program, "serve", "--config", &file];
        let mut child = Child::start(Core::Server, &folder, "node", &command)?;
        child.await_level("it takes calls", START_LIMIT, || {
            Ok(get(ports.http, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
        })?;
        Ok(System::new(
            self.name,
            ports,
            folder,
            Running::Server(child),
        ))
    }

    fn configuration(self, ports: Ports) -> String {
        let Ports {
            node, phone, http, ..
        } = ports;
        let journal = match self.journal {
            Journal::On => "on",
            Journal::Off => "off",
        };
        let mut text = format!(
            "[node]\nname = \"bench\"\ndomain = \"samu.example\"\ndefault_line = \"L15\"\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:{node}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n\
             [[trunk]]\nname = \"operator\"\nsources = [\"127.0.0.1\"]\n\
             [limits]\ncalls = 1000000\ntransactions = 10000000\n\
             [journal]\nmode = \"{journal}\"\n[drain]\nlimit = \"1s\"\n\
             [[site]]\nid = \"FR670\"\n\
             [[line]]\nid = \"L15\"\nsite = \"FR670\"\nnumbers = [\"15\"]\nwrap_up = \"0s\"\n"
        );
        let (count, start, has_contact) = match self.agents {
            Agents::Free(count) => (count, "ready", true),
            Agents::Called => (1, "not-ready", true),
            Agents::Register(count) => (count, "ready", false),
            Agents::None => (0, "ready", false),
        };
        for agent in 0..count {
            let contact = if has_contact {
                format!("contact = \"sip:arm-{agent}@127.0.0.1:{phone}\"\n")
            } else {
                String::new()
            };
            let _never_fails = write!(
                text,
                "[[agent]]\nid = \"arm-{agent}\"\nsite = \"FR670\"\n{contact}start = \"{start}\"\n"
            );
        }
        text
    }
}

impl System {
    const fn new(name: &'static str, ports: Ports, folder: PathBuf, running: Running) -> Self {
        Self {
            name,
            ports,
            folder,
            running,
            pads: [0; 2],
        }
    }

    /// A node with its journal or without: one of each can run beside the other, and beside other systems of
    /// numbers below 3 and above 4.
    pub(super) fn quinze(journal: Journal, agents: Agents, folder: &Path) -> anyhow::Result<Self> {
        let (name, number) = match journal {
            Journal::Off => ("Quinze, journal off", 3),
            Journal::On => ("Quinze, journal on", 4),
        };
        Node {
            name,
            number,
            journal,
            agents,
        }
        .start(folder)
    }

    /// Kamailio with four workers and the allocator that is meant for production: its default is one
    /// that looks for faults, and costs several times as much. And with as much room in the kernel as the node asks for:
    /// by default it takes a sixteenth of that, and loses calls whenever the machine stands still for a moment.
    pub(super) fn kamailio(number: u16, folder: &Path) -> anyhow::Result<Self> {
        let name = "kamailio";
        let ports = Ports::of(number);
        let folder = fresh(folder, name)?;
        let template = fs::read_to_string(super::root()?.join("benches/load/peers/kamailio.cfg"))?;
        let text = template
            .replace("{port}", &ports.node.to_string())
            .replace("{phone}", &ports.phone.to_string());
        let file = folder.join("kamailio.cfg").display().to_string();
        fs::write(&file, text)?;
        let run = folder.display().to_string();
        let command = [
            &[
                "kamailio", "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "2048", "-M", "32",
            ][..],
            &["-b", "4194304", "-f", &file, "-Y", &run, "-w", &run],
        ]
        .concat();
        let mut child = Child::start(Core::Server, &folder, name, &command)?;
        // All its workers are there: the main process, four for UDP, and those for its timers.
        let leader = child.id();
        child.await_level("its workers are there", START_LIMIT, || {
            Ok(usage::is_bound(ports.node)? && usage::family(leader)?.len() > 4)
        })?;
        Ok(Self::new(name, ports, folder, Running::Server(child)))
    }

    /// The floor of calls of a shape, whose datagrams are as long as those at a node.
    pub(super) fn floor(
        number: u16,
        folder: &Path,
        shape: Shape,
        node: &Self,
    ) -> anyhow::Result<Self> {
        let name = match shape {
            Shape::Proxied => "floor of a proxied call",
            Shape::Distributed => "floor of a distributed call",
        };
        let at_node = node.look(Calls::new(shape, 100, Duration::from_secs(1)))?.1;
        let folder = fresh(folder, &format!("floor-{}", shape.name()))?;
        fs::write(folder.join("like.json"), at_node.to_string())?;
        let ports = Ports::of(number);
        let [node, caller, phone] =
            [ports.node, ports.caller, ports.phone].map(|port| port.to_string());
        let args = [
            &["floor", "--shape", shape.name(), "--like", "like.json"][..],
            &["--node", &node, "--caller", &caller, "--phone", &phone],
        ]
        .concat();
        let part = Part::start(Core::Server, &folder, &args, START_LIMIT)?;
        let mut floor = Self::new(name, ports, folder, Running::Floor(part));
        let at_floor = floor
            .look(Calls::new(shape, 100, Duration::from_secs(1)))?
            .1;
        floor.pads = pads(&at_node, &at_floor)?;
        Ok(floor)
    }

    /// Plays calls, with all their ends.
    pub(super) fn play(&self, calls: &Calls) -> anyhow::Result<Played> {
        self.begin(*calls)?.end()
    }

    pub(super) fn begin(&self, calls: Calls) -> anyhow::Result<Playing<'_>> {
        let calls = Calls {
            pads: self.pads,
            ..calls
        };
        Playing::start(self.ports, &self.folder, calls)
    }

    /// Plays calls while a tap looks at every datagram.
    pub(super) fn look(&self, calls: Calls) -> anyhow::Result<(Played, Value)> {
        let ports = [self.ports.node, self.ports.caller, self.ports.phone];
        let [node, caller, phone] = ports.map(|port| port.to_string());
        let args = [
            "tap", "--node", &node, "--caller", &caller, "--phone", &phone,
        ];
        let tap = Part::start(Core::Load, &self.folder, &args, START_LIMIT)?;
        let played = self.play(&calls)?;
        Ok((played, tap.end()?))
    }

    /// Of all its processes.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        usage::processor_time(&usage::family(self.running.id())?)
    }

    /// Of all its processes.
    pub(super) fn memory(&self) -> anyhow::Result<u64> {
        usage::memory(&usage::family(self.running.id())?)
    }

    /// Of its first process.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        usage::resident(self.running.id())
    }
}

/// By how much messages of callers and phones would have to be longer to be as long as at a node, where
/// they carry what the node has put into the INVITE.
fn pads(at_node: &Value, at_floor: &Value) -> anyhow::Result<[usize; 2]> {
    let missing = |of: &str| {
        let [at_node, at_floor] = [mean(at_node, of)?, mean(at_floor, of)?];
        Some(at_node.saturating_sub(at_floor))
    };
    let pads = missing("caller>node ACK").zip(missing("phone>node 180"));
    let (caller, phone) = pads.context("a tap has seen no ACK or no 180")?;
    Ok([caller, phone])
}

fn mean(figures: &Value, of: &str) -> Option<usize> {
    let entry = &figures["datagrams"][of];
    let (count, bytes) = (entry[0].as_u64()?, entry[1].as_u64()?);
    usize::try_from(bytes.checked_div(count)?).ok()
}

/// How many datagrams a call took.
pub(super) fn datagrams_per_call(figures: &Value) -> Option<f64> {
    let datagrams = figures["datagrams"].as_object()?;
    let counts = datagrams.values().map(|entry| entry[0].as_u64());
    let count = counts.sum::<Option<u64>>()?;
    #[expect(clippy::cast_precision_loss, reason = "numbers of datagrams")]
    let per_call = count as f64 / figures["invites"].as_u64()? as f64;
    Some(per_call)
}

/// What HTTP answers, head and body.
pub(super) fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A folder without anything that a run before has left: a node would take its journal up.
fn fresh(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = folder.join(name.replace(' ', "-"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pads_are_what_a_node_adds() {
        let at_node = json!({ "datagrams": {
            "caller>node ACK": [2, 900], "phone>node 180": [2, 1200],
        }});
        let at_floor = json!({ "datagrams": {
            "caller>node ACK": [4, 1600], "phone>node 180": [4, 1600],
        }});
        assert_eq!(pads(&at_node, &at_floor).unwrap(), [50, 200]);
        assert!(pads(&at_node, &json!({})).is_err());
    }

    #[test]
    fn datagrams_are_counted_per_call() {
        let figures = json!({ "invites": 2, "datagrams": { "a": [4, 9], "b": [22, 9] } });
        assert_eq!(datagrams_per_call(&figures), Some(13.0));
        assert_eq!(datagrams_per_call(&json!({})), None);
    }

    #[test]
    fn only_agents_with_a_phone_of_sipp_have_a_contact() {
        let node = |agents| Node {
            name: "n",
            number: 0,
            journal: Journal::Off,
            agents,
        };
        let text = |agents| node(agents).configuration(Ports::of(0));
        assert_eq!(text(Agents::Free(3)).matches("contact = ").count(), 3);
        assert_eq!(text(Agents::Register(3)).matches("[[agent]]").count(), 3);
        assert!(!text(Agents::Register(3)).contains("contact"));
        assert!(!text(Agents::None).contains("[[agent]]"));
        assert!(text(Agents::Called).contains("not-ready"));
    }
}
