//! The centres of a storm: three sites that help each other, and what the oracle knows of them by
//! itself.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use engine::Config;

/// Where the node listens.
pub(super) const NODE: &str = "192.0.2.1:5060";

/// Where callers call from.
pub(super) const OPERATORS: [&str; 2] = ["198.51.100.1:5060", "198.51.100.2:5060"];

/// The domain of phones that register.
pub(super) const DOMAIN: &str = "samu.example";

/// What is dialled, and the site that it leads to.
pub(super) const NUMBERS: [&str; 4] = [
    "+33300000000",
    "+33300000001",
    "+33300000002",
    "+33300000003",
];

/// A site: its id, its lines with their priorities, its agents, and where their phones are.
pub(super) struct Site {
    pub(super) id: &'static str,
    lines: &'static [(&'static str, u8)],
    pub(super) agents: &'static [&'static str],
    pub(super) phones: &'static str,
    /// Phones have a fixed place; or else they register.
    is_fixed: bool,
}

pub(super) static SITES: [Site; 3] = [
    Site {
        id: "FR670",
        lines: &[("Px", 2), ("UV", 0)],
        agents: &["a-1", "a-2", "a-3"],
        phones: "203.0.113.1:5060",
        is_fixed: true,
    },
    Site {
        id: "FR680",
        lines: &[("Px", 2)],
        agents: &["b-1", "b-2"],
        phones: "203.0.113.2:5060",
        is_fixed: true,
    },
    Site {
        id: "FR570",
        lines: &[("Px", 2)],
        agents: &["c-1", "c-2"],
        phones: "203.0.113.3:5060",
        is_fixed: false,
    },
];

/// Calls at a time. More are refused.
pub(super) const CALLS_MAX: usize = 30;

/// How long a caller may wait.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(300);

/// The longest ring time of a line.
pub(super) const RING_MAX: Duration = Duration::from_secs(15);

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
        for (line, priority) in site.lines {
            let number = numbers.next().expect("a number for each line");
            *text += &format!(
                "[[line]]\nid = \"{id}-15-{line}\"\nsite = \"{id}\"\nnumbers = [\"{number}\"]\n\
                 skills = {{ amu = 1 }}\npriority = {priority}\nservice_level = \"30s\"\n\
                 selection = \"longest-idle\"\nring_time = \"{ring_time}\"\n\
                 wrap_up = \"{wrap_up}\"\noverflow = \"mutual-aid\"\n"
            );
        }
        for agent in site.agents.iter().filter(|agent| self.knows(agent)) {
            *text += &format!(
                "[[agent]]\nid = \"{agent}\"\nsite = \"{id}\"\nskills = {{ amu = 5 }}\n\
                 start = \"ready\"\n"
            );
            if site.is_fixed {
                *text += &format!("contact = \"sip:{agent}@{phones}\"\n");
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

/// An address of this file.
pub(super) fn place(text: &str) -> SocketAddr {
    text.parse().expect("it is an address")
}
