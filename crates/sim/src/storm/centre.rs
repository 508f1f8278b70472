//! The centres of a storm: three sites that help each other, and what the oracle knows of them by
//! itself.

use std::{
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
    time::Duration,
};

use engine::{Config, sip::Transport};

/// Where the node listens.
pub(super) const NODE: &str = "192.0.2.1:5060";

/// Where callers call from.
pub(super) struct Operator {
    pub(super) address: &'static str,
    pub(super) transport: Transport,
    /// The proxy that stands before the node, if there is one.
    pub(super) proxy: Option<&'static str>,
}

pub(super) static OPERATORS: [Operator; 5] = [
    Operator {
        address: "198.51.100.1:5060",
        transport: Transport::Udp,
        proxy: None,
    },
    Operator {
        address: "198.51.100.2:5060",
        transport: Transport::Tcp,
        proxy: None,
    },
    Operator {
        address: "198.51.100.3:5060",
        transport: Transport::Tcp,
        proxy: None,
    },
    Operator {
        address: "198.51.100.4:5060",
        transport: Transport::Udp,
        proxy: Some("198.51.100.14:5060"),
    },
    Operator {
        address: "198.51.100.5:5060",
        transport: Transport::Udp,
        proxy: Some("198.51.100.15:5060"),
    },
];

/// The domain of phones that register.
pub(super) const DOMAIN: &str = "samu.example";

/// What is dialled, and the site that it leads to.
pub(super) const NUMBERS: [&str; 4] = [
    "+33300000000",
    "+33300000001",
    "+33300000002",
    "+33300000003",
];

/// Where calls are sent on to: physicians who are asked in person, physicians who are not, colleagues, and what
/// is not there.
pub(super) const ONWARD: [&str; 6] = [
    "sip:+33300000010@192.0.2.1:5060",
    "sip:+33300000011@192.0.2.1:5060",
    "sip:a-2@samu.example",
    "sip:b-1@samu.example",
    "sip:c-1@samu.example",
    "sip:nobody@samu.example",
];

/// A site: its id, its lines with their priorities, its agents, and where their phones are.
pub(super) struct Site {
    pub(super) id: &'static str,
    lines: &'static [(&'static str, u8)],
    /// The line of its physicians, if it has some.
    physicians: Option<Physicians>,
    pub(super) agents: &'static [&'static str],
    pub(super) phones: &'static str,
    pub(super) transport: Transport,
    /// Phones have a fixed place; or else they register.
    pub(super) is_fixed: bool,
}

/// A line to which calls are sent on.
struct Physicians {
    number: &'static str,
    /// How a call is handed over, and since when it counts as waiting.
    manner: &'static str,
}

/// What whoever answers callers can, and what physicians can.
pub(super) const SKILLS: [&str; 2] = ["amu", "mu"];

/// What an agent can.
pub(super) fn skill_of(agent: &str) -> &'static str {
    match agent.starts_with('d') {
        true => SKILLS[1],
        false => SKILLS[0],
    }
}

/// What a line asks for.
pub(super) fn skill_for(line: &str) -> &'static str {
    match line.ends_with(PHYSICIANS) {
        true => SKILLS[1],
        false => SKILLS[0],
    }
}

/// The end of the name of a line of physicians.
const PHYSICIANS: &str = "MU";

pub(super) static SITES: [Site; 3] = [
    Site {
        id: "FR670",
        lines: &[("Px", 2), ("UV", 0)],
        physicians: Some(Physicians {
            number: "+33300000010",
            manner: "hand_over = \"attended\"\ntransferred_waits = \"since-arrival\"\n",
        }),
        agents: &["a-1", "a-2", "a-3", "d-1"],
        phones: "203.0.113.1:5060",
        transport: Transport::Udp,
        is_fixed: true,
    },
    Site {
        id: "FR680",
        lines: &[("Px", 2)],
        physicians: Some(Physicians {
            number: "+33300000011",
            manner: "",
        }),
        agents: &["b-1", "b-2", "d-2"],
        phones: "203.0.113.2:5060",
        transport: Transport::Tcp,
        is_fixed: true,
    },
    Site {
        id: "FR570",
        lines: &[("Px", 2)],
        physicians: None,
        agents: &["c-1", "c-2"],
        phones: "203.0.113.3:5060",
        transport: Transport::Tcp,
        is_fixed: false,
    },
];

/// What phones behind a NAT take for their address.
pub(super) const INSIDE: &str = "10.0.0.3:5060";

/// Calls at a time. More are refused.
pub(super) const CALLS_MAX: usize = 30;

/// How long a caller may wait.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(300);

/// The longest ring time of a line.
pub(super) const RING_MAX: Duration = Duration::from_secs(15);

/// Who gave up and calls the same site again within so long has the place of before.
pub(super) const RESUMED_WITHIN: Duration = Duration::from_secs(120);

/// What lines do for callers who call again.
const CALLERS: &str = "preferred_agent = \"2s\"\nresume_within = \"2m\"\n";

/// How often who waits is told so.
pub(super) const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Which of two configurations a process begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    Usual,
    /// Another plan, other times, and an agent less.
    Other,
}

/// An agent that the other configuration does not know.
pub(super) const LEAVES: &str = "a-3";

impl Variant {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Usual => Self::Other,
            Self::Other => Self::Usual,
        }
    }

    fn knows(self, agent: &str) -> bool {
        self == Self::Usual || agent != LEAVES
    }

    /// The configuration, with these random numbers.
    pub(super) fn config(self, seed: u64) -> Config {
        static READ: [OnceLock<Config>; 2] = [OnceLock::new(), OnceLock::new()];
        let read = READ[self as usize].get_or_init(|| self.read());
        let mut config = read.clone();
        config.seed = [0, 1, 2, 3].map(|word| seed.rotate_left(word * 16 + 1) ^ 0x9e37_79b9);
        config
    }

    fn read(self) -> Config {
        let loaded = config::load("storm.toml".as_ref(), &self.text(), [0; 4]);
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        let mut config = loaded.engine;
        let settings = &mut config.settings;
        settings.calls_max = CALLS_MAX;
        settings.wait_max = WAIT_MAX;
        settings.call_max = Duration::from_secs(3600);
        settings.session_interval = Duration::from_secs(600);
        settings.announce_interval = TOLD_EVERY;
        settings.stories_max = 100;
        config
    }

    fn text(self) -> String {
        let mut text = format!(
            "[node]\nname = \"storm-1\"\ndomain = \"{DOMAIN}\"\n\
             default_line = \"FR670-15-Px\"\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"{NODE}\"\n\
             [[listen]]\ntransport = \"tcp\"\naddress = \"{NODE}\"\n\
             [http]\naddress = \"127.0.0.1:8015\"\n\
             [[trunk]]\nname = \"operator\"\nsources = [\"198.51.100.0/24\"]\n\
             [desk]\npause_reasons = [\"lunch\"]\ndispositions = [\"medical\"]\n"
        );
        let mut numbers = NUMBERS.iter();
        for site in &SITES {
            self.write_site(&mut text, site, &mut numbers);
        }
        text += "[[crisis]]\nname = \"plan-blanc\"\noverflow = \"at-once\"\nreserve = 0\n\
                 [[overflow]]\nname = \"at-once\"\n\
                 [[overflow.step]]\nafter = \"0s\"\nwiden = [\"nation\"]\n\
                 [[overflow]]\nname = \"mutual-aid\"\n";
        text += match self {
            Self::Usual => {
                "home_advantage = \"10s\"\n\
                 [[overflow.step]]\nafter = \"20s\"\nwiden = [\"neighbours\"]\n\
                 [[overflow.step]]\nqueue_longer_than = 8\nwiden = [\"region\"]\n\
                 [[overflow.step]]\nafter = \"2m\"\nraise = 1\n"
            }
            Self::Other => {
                "home_advantage = \"5s\"\n\
                 [[overflow.step]]\nafter = \"10s\"\nwiden = [\"nation\"]\n"
            }
        };
        text
    }

    fn write_site<'a>(
        self,
        text: &mut String,
        site: &Site,
        numbers: &mut impl Iterator<Item = &'a &'static str>,
    ) {
        let Site { id, phones, .. } = site;
        let neighbours: Vec<_> = SITES.iter().filter(|other| other.id != *id).collect();
        let neighbours: Vec<_> = neighbours.iter().map(|other| other.id).collect();
        *text += &format!(
            "[[site]]\nid = \"{id}\"\nname = \"{id}\"\nregion = \"Est\"\nzone = \"Est\"\n\
             neighbours = {neighbours:?}\nreserve = 1\n"
        );
        let (ring_time, wrap_up) = match self {
            Self::Usual => ("15s", "5s"),
            Self::Other => ("12s", "8s"),
        };
        let mut add = |line: &str, number: &str, priority: u8, manner: &str| {
            let skill = skill_for(line);
            *text += &format!(
                "[[line]]\nid = \"{id}-15-{line}\"\nsite = \"{id}\"\nnumbers = [\"{number}\"]\n\
                 skills = {{ {skill} = 1 }}\npriority = {priority}\nservice_level = \"30s\"\n\
                 selection = \"longest-idle\"\nring_time = \"{ring_time}\"\n\
                 wrap_up = \"{wrap_up}\"\noverflow = \"mutual-aid\"\n{manner}"
            );
        };
        for (line, priority) in site.lines {
            let number = numbers.next().expect("a number for each line");
            let parallel = match priority {
                0 => "parallel = 2\n",
                _ => "",
            };
            let manner = format!("{CALLERS}{parallel}");
            add(line, number, *priority, &manner);
        }
        if let Some(Physicians { number, manner }) = &site.physicians {
            add(PHYSICIANS, number, 1, manner);
        }
        for agent in site.agents.iter().filter(|agent| self.knows(agent)) {
            *text += &format!(
                "[[agent]]\nid = \"{agent}\"\nsite = \"{id}\"\nskills = {{ {} = 5 }}\n\
                 start = \"ready\"\n",
                skill_of(agent)
            );
            if site.is_fixed {
                let over = match site.transport {
                    Transport::Udp => "",
                    _ => ";transport=tcp",
                };
                *text += &format!("contact = \"sip:{agent}@{phones}{over}\"\n");
            }
        }
    }
}

/// Agents whose phones register, and where these are.
pub(super) fn registered() -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let sites = SITES.iter().filter(|site| !site.is_fixed);
    sites.flat_map(|site| site.agents.iter().map(|agent| (*agent, place(site.phones))))
}

/// All agents, and where their phones are.
pub(super) fn agents() -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let of = |site: &'static Site| site.agents.iter().map(|agent| (*agent, place(site.phones)));
    SITES.iter().flat_map(of)
}

/// Whether calls come from here: the network of the operators.
pub(super) fn is_operator(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[..3] == [198, 51, 100])
}

/// Machines that are reached over connections, but for the node.
pub(super) fn over_connections() -> impl Iterator<Item = &'static str> {
    let operators = OPERATORS.iter().map(|one| (one.address, one.transport));
    let phones = SITES.iter().map(|site| (site.phones, site.transport));
    let all = operators.chain(phones);
    let theirs = all.filter(|(_, transport)| *transport == Transport::Tcp);
    let proxies = OPERATORS.iter().filter_map(|one| one.proxy);
    theirs.map(|(address, _)| address).chain(proxies)
}

/// An address of this file.
pub(super) fn place(text: &str) -> SocketAddr {
    text.parse().expect("it is an address")
}
