//! What a configuration means, as facts: which number leads where, who can serve which line and when,
//! and what was probably not meant. Whoever shows them chooses the words.

use std::collections::{BTreeMap, BTreeSet};

use acd::{
    Age, AgentId, Condition, Directory, HandOver, LastResort, LineId, Relax, Requirement, SiteId,
    TransferredPriority,
};
use engine::{Config, Dialled};
use sip_proxy::{NumberStyle, Trunk};

/// What a configuration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where each number leads, in the order of the numbers.
    pub numbers: Vec<NumberFact>,
    /// Where an operator's call goes whose number is nobody's.
    pub default_line: String,
    /// The trunks, in the order of the file.
    pub trunks: Vec<TrunkFact>,
    /// The lines, in the order of their ids.
    pub lines: Vec<LineFact>,
    /// The agents, in the order of their ids.
    pub agents: Vec<AgentFact>,
    /// What is legal and probably not meant.
    pub doubts: Vec<Doubt>,
}

/// Where a number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberFact {
    /// The number or the URN.
    pub dialled: String,
    /// The line of calls from these trunks, by trunk.
    pub by_trunk: Vec<(String, String)>,
    /// The line of all other calls; `None` when those of other trunks go to the default line and an
    /// agent who dials it is answered 404.
    pub otherwise: Option<String>,
}

/// A trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkFact {
    /// Its name.
    pub name: String,
    /// The addresses that its calls come from.
    pub sources: Vec<String>,
    /// The names of its certificates.
    pub certificates: Vec<String>,
    /// Calls at a time; `None` for no limit.
    pub calls_max: Option<usize>,
    /// New calls a second; `None` for no limit.
    pub calls_per_second: Option<u32>,
    /// Which numbers agents call through it: those that begin so.
    pub prefixes: Vec<String>,
    /// Where these calls go.
    pub next_hops: Vec<String>,
    /// How it wants numbers written.
    pub numbers: NumberStyle,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFact {
    /// Its id.
    pub id: String,
    /// Its home site.
    pub site: String,
    /// The priority of its calls, 0 first.
    pub priority: u8,
    /// What it asks of an agent.
    pub requirement: Requirement,
    /// Whether it is shed last under load.
    pub is_emergency: bool,
    /// How an agent who sends a call on to it hands it over.
    pub hand_over: HandOver,
    /// Whether it says anything of calls that are sent on to it: it is meant for them.
    pub takes_transfers: bool,
    /// The lines whose crisis line it is.
    pub crisis_of: Vec<String>,
    /// The agents of the home site who can serve it.
    pub home: Vec<String>,
    /// The steps by which others come within reach.
    pub steps: Vec<StepFact>,
}

/// A step of a line's overflow plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFact {
    /// When it takes effect: any of these.
    pub when: Vec<Condition>,
    /// Whom it brings within reach, of other sites the nearest first; an earlier step may have before. Of sites that were in
    /// reach, those who are asked for less than before.
    pub adds: Vec<(String, Vec<String>)>,
    /// How less it asks of agents.
    pub relaxes: Option<Relax>,
    /// By how much it makes the call more urgent.
    pub raises: u8,
    /// What it lets the caller hear.
    pub announces: Option<String>,
    /// Whom it rings outside.
    pub diverts: Option<Diversion>,
    /// Whether it turns the caller away.
    pub rejects: bool,
}

/// Where a step sends calls outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The SIP URI.
    pub to: String,
    /// The trunk that takes it first; `None`: none does, and nobody will be rung.
    pub trunk: Option<String>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFact {
    /// The agent's id.
    pub id: String,
    /// The home site.
    pub site: String,
    /// How the phone is reached.
    pub phone: Phone,
    /// Lines of the home site.
    pub home_lines: Vec<String>,
    /// Lines of other sites that the agent helps with.
    pub helps: Vec<String>,
}

/// How an agent's phone is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phone {
    /// At the contact of the file.
    Fixed,
    /// Where it registers, with credentials.
    Registers,
    /// Where it registers; nobody asks for credentials.
    RegistersUnasked,
    /// It cannot register: it has no credentials, and they are asked for.
    CannotRegister,
}

/// What is legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// No number leads to a line, so that no caller does.
    LineWithoutNumber {
        /// The line.
        line: String,
    },
    /// Agents who send the most urgent calls on to a line leave the caller alone until somebody answers.
    UrgentLineHandedOverBlind {
        /// The line.
        line: String,
    },
    /// Nobody can ever serve a line.
    LineWithoutAgents {
        /// The line.
        line: String,
    },
    /// One agent alone can serve a line: when she is away or talks, its callers wait.
    LineWithOneAgent {
        /// The line.
        line: String,
        /// The agent.
        agent: String,
    },
    /// Nobody of another site ever helps with an emergency line.
    LineWithoutHelp {
        /// The line.
        line: String,
    },
    /// A step of an overflow plan diverts calls to a number that no trunk takes.
    NoTrunkForDiversion {
        /// The line.
        line: String,
        /// The step of its overflow plan, from 1.
        step: usize,
        /// Where it diverts to.
        to: String,
    },
    /// A step of an overflow plan brings nobody within reach who could serve the line.
    StepAddsNobody {
        /// The line.
        line: String,
        /// The number of the step, from 1.
        step: usize,
    },
    /// An agent's skills serve no line.
    AgentServesNothing {
        /// The agent.
        agent: String,
    },
    /// An agent's phone cannot be reached.
    AgentWithoutPhone {
        /// The agent.
        agent: String,
    },
    /// Every number is for other trunks only: all calls of this one go to the default line.
    TrunkWithoutNumbers {
        /// The trunk.
        trunk: String,
    },
    /// Calls to the emergency service by its URN (RFC 5031) go to the default line.
    NoEmergencyUrn,
    /// A prefix of a trunk is the number of a line: calls to it never leave.
    PrefixIsALine {
        /// The trunk.
        trunk: String,
        /// The prefix.
        prefix: String,
        /// The line.
        line: String,
    },
}

impl Explanation {
    /// What this configuration means.
    pub fn of(config: &Config) -> Self {
        let reader = Reader {
            config,
            directory: &config.directory,
        };
        let mut explanation = Self {
            numbers: reader.numbers(),
            default_line: reader.line_id(config.default_line),
            trunks: config.trunks.iter().map(trunk).collect(),
            lines: reader.each_line(Reader::line),
            agents: reader.agents(),
            doubts: Vec::new(),
        };
        explanation.doubts = explanation.find_doubts();
        explanation
    }

    fn find_doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for line in &self.lines {
            self.doubt_line(line, &mut doubts);
        }
        for agent in &self.agents {
            let id = || agent.id.clone();
            if agent.home_lines.is_empty() && agent.helps.is_empty() {
                doubts.push(Doubt::AgentServesNothing { agent: id() });
            }
            if agent.phone == Phone::CannotRegister {
                doubts.push(Doubt::AgentWithoutPhone { agent: id() });
            }
        }
        for trunk in &self.trunks {
            let is_led = |number: &NumberFact| {
                number.otherwise.is_some()
                    || number.by_trunk.iter().any(|(by, _)| *by == trunk.name)
            };
            if !self.numbers.iter().any(is_led) {
                let trunk = trunk.name.clone();
                doubts.push(Doubt::TrunkWithoutNumbers { trunk });
            }
            for prefix in &trunk.prefixes {
                let is_it = |number: &&NumberFact| number.dialled == *prefix;
                let number = self.numbers.iter().find(is_it);
                if let Some(line) = number.and_then(|number| number.otherwise.clone()) {
                    let (trunk, prefix) = (trunk.name.clone(), prefix.clone());
                    doubts.push(Doubt::PrefixIsALine {
                        trunk,
                        prefix,
                        line,
                    });
                }
            }
        }
        let mut numbers = self.numbers.iter();
        if !numbers.any(|number| number.dialled.starts_with("urn:service:sos")) {
            doubts.push(Doubt::NoEmergencyUrn);
        }
        doubts.sort();
        doubts
    }

    fn doubt_line(&self, line: &LineFact, doubts: &mut Vec<Doubt>) {
        let id = || line.id.clone();
        let leads = |number: &NumberFact| {
            number.otherwise.as_ref() == Some(&line.id)
                || number.by_trunk.iter().any(|(_, to)| *to == line.id)
        };
        let has_number = self.default_line == line.id || self.numbers.iter().any(leads);
        if !has_number && !line.takes_transfers && line.crisis_of.is_empty() {
            doubts.push(Doubt::LineWithoutNumber { line: id() });
        }
        // Life is at risk: who has the caller stays until somebody else does.
        if !has_number && line.priority == 0 && line.hand_over == HandOver::Blind {
            doubts.push(Doubt::UrgentLineHandedOverBlind { line: id() });
        }
        let helpers = line.steps.iter().flat_map(|step| &step.adds);
        let helpers: Vec<_> = helpers.flat_map(|(_, agents)| agents).collect();
        let all: BTreeSet<_> = line.home.iter().chain(helpers.iter().copied()).collect();
        match (all.first(), all.len()) {
            (None, _) => doubts.push(Doubt::LineWithoutAgents { line: id() }),
            (Some(agent), 1) => doubts.push(Doubt::LineWithOneAgent {
                line: id(),
                agent: (*agent).clone(),
            }),
            _ => {}
        }
        let has_others = self.agents.iter().any(|agent| agent.site != line.site);
        // A crisis line has the overflow plan of the crisis.
        let has_own_plan = line.crisis_of.is_empty();
        if line.is_emergency && has_others && has_own_plan && helpers.is_empty() && !all.is_empty()
        {
            doubts.push(Doubt::LineWithoutHelp { line: id() });
        }
        for (index, step) in line.steps.iter().enumerate() {
            if let Some(Diversion { to, trunk: None }) = &step.diverts {
                let (step, to) = (index + 1, to.clone());
                doubts.push(Doubt::NoTrunkForDiversion {
                    line: id(),
                    step,
                    to,
                });
            }
            let widens_only = step.diverts.is_none() && !step.rejects && step.raises == 0;
            let widens_only = widens_only && step.relaxes.is_none() && step.announces.is_none();
            if widens_only && step.adds.iter().all(|(_, agents)| agents.is_empty()) {
                let step = index + 1;
                doubts.push(Doubt::StepAddsNobody { line: id(), step });
            }
        }
    }
}

struct Reader<'a> {
    config: &'a Config,
    directory: &'a Directory,
}

impl Reader<'_> {
    fn numbers(&self) -> Vec<NumberFact> {
        let mut facts: BTreeMap<&Dialled, NumberFact> = BTreeMap::new();
        for route in &self.config.numbers {
            let fact = facts.entry(&route.dialled).or_insert_with(|| NumberFact {
                dialled: route.dialled.to_string(),
                by_trunk: Vec::new(),
                otherwise: None,
            });
            let line = self.line_id(route.line);
            if route.trunks.is_empty() {
                fact.otherwise.get_or_insert(line);
                continue;
            }
            for trunk in &route.trunks {
                let name = self.config.trunks.get(trunk.index()).map(|one| &one.name);
                let name = name.cloned().unwrap_or_default();
                fact.by_trunk.push((name, line.clone()));
            }
        }
        facts.into_values().collect()
    }

    fn each_line<T>(&self, read: impl Fn(&Self, LineId) -> T) -> Vec<T> {
        let lines = self.directory.lines();
        lines.map(|line| read(self, line)).collect()
    }

    fn line(&self, id: LineId) -> LineFact {
        let profile = self.directory.line_profile(id);
        let home = self.who_serves(&profile.requirement, profile.site);
        let crisis_of = |line: &LineId| self.directory.line_profile(*line).crisis_line == Some(id);
        let crisis_of = self.directory.lines().filter(crisis_of);
        LineFact {
            id: profile.id.clone(),
            site: self.site_id(profile.site),
            priority: profile.priority.value(),
            requirement: profile.requirement.clone(),
            is_emergency: !self.config.partner_lines.contains(&id),
            hand_over: profile.hand_over,
            takes_transfers: profile.hand_over != HandOver::Blind
                || profile.transferred_priority != TransferredPriority::Kept
                || profile.transferred != Age::New,
            crisis_of: crisis_of.map(|line| self.line_id(line)).collect(),
            steps: self.steps(profile, id, &home),
            home,
        }
    }

    /// The steps of a line's plan: who is reached that way also depends on how much less has been asked until then.
    fn steps(&self, line: &acd::Line, id: LineId, home: &[String]) -> Vec<StepFact> {
        let mut asked = line.requirement.clone();
        let mut reached = vec![line.site];
        let mut known: BTreeSet<String> = home.iter().cloned().collect();
        let steps = self.directory.steps(id).into_iter().map(|step| {
            let wide = step.sites.into_iter().filter(|&site| site != line.site);
            let mut adds = Vec::new();
            if let Some(relax) = step.relax {
                asked = asked.relaxed(relax);
                // Others at the sites that were in reach before.
                let newly = |&site: &SiteId| {
                    let mut agents = self.who_serves(&asked, site);
                    agents.retain(|agent| !known.contains(agent));
                    (!agents.is_empty()).then_some((site, agents))
                };
                adds.extend(reached.iter().filter_map(newly));
            }
            for site in wide {
                if !adds.iter().any(|(one, _)| *one == site) {
                    adds.push((site, self.who_serves(&asked, site)));
                }
                if !reached.contains(&site) {
                    reached.push(site);
                }
            }
            known.extend(adds.iter().flat_map(|(_, agents)| agents.iter().cloned()));
            StepFact {
                when: step.when.to_vec(),
                relaxes: step.relax.cloned(),
                raises: step.raise,
                announces: step.announce.map(str::to_owned),
                diverts: step.last_resort.and_then(|what| self.diversion(what)),
                rejects: step.last_resort == Some(&LastResort::Reject),
                adds: adds
                    .into_iter()
                    .map(|(site, agents)| (self.site_id(site), agents))
                    .collect(),
            }
        });
        steps.collect()
    }

    fn diversion(&self, what: &LastResort) -> Option<Diversion> {
        let LastResort::Divert(to) = what else {
            return None;
        };
        let uri = sip::UriBuf::new(to.clone()).ok();
        let trunk = uri.and_then(|uri| self.config.trunk_taking(&uri));
        let trunk = trunk.and_then(|trunk| self.config.trunks.get(trunk.index()));
        Some(Diversion {
            to: to.clone(),
            trunk: trunk.map(|trunk| trunk.name.clone()),
        })
    }

    fn who_serves(&self, asked: &Requirement, site: SiteId) -> Vec<String> {
        let agents = self.directory.agents_of(site, asked);
        agents.map(|agent| self.agent_id(agent)).collect()
    }

    fn agents(&self) -> Vec<AgentFact> {
        let reach: Vec<_> = self.each_line(|reader, line| {
            let sites = reader.directory.sites_within_reach(line);
            (line, sites, reader.directory.least_asked(line))
        });
        let agents = self.directory.agents().map(|id| {
            let profile = self.directory.agent_profile(id);
            let serves = reach.iter().filter(|(_, sites, asked)| {
                let is_within = profile.sites().any(|site| sites.contains(&site));
                is_within && asked.is_met_by(&profile.skills)
            });
            let (home, helps): (Vec<_>, Vec<_>) =
                serves.map(|&(line, ..)| line).partition(|&line| {
                    let home = self.directory.line_profile(line).site;
                    profile.sites().any(|site| site == home)
                });
            AgentFact {
                id: profile.id.clone(),
                site: self.site_id(profile.site),
                phone: self.phone(id),
                home_lines: home.into_iter().map(|line| self.line_id(line)).collect(),
                helps: helps.into_iter().map(|line| self.line_id(line)).collect(),
            }
        });
        agents.collect()
    }

    fn phone(&self, agent: AgentId) -> Phone {
        if self.config.contacts.iter().any(|(one, _)| *one == agent) {
            return Phone::Fixed;
        }
        match &self.config.authentication {
            None => Phone::RegistersUnasked,
            Some(asked) if asked.secrets.iter().any(|(one, _)| *one == agent) => Phone::Registers,
            Some(_) => Phone::CannotRegister,
        }
    }

    fn line_id(&self, line: LineId) -> String {
        self.directory.line_profile(line).id.clone()
    }

    fn agent_id(&self, agent: AgentId) -> String {
        self.directory.agent_profile(agent).id.clone()
    }

    fn site_id(&self, site: SiteId) -> String {
        self.directory.site_profile(site).id.clone()
    }
}

fn trunk(trunk: &Trunk) -> TrunkFact {
    let uri = |uri: &sip::UriBuf| String::from_utf8_lossy(uri.as_bytes()).into_owned();
    TrunkFact {
        name: trunk.name.clone(),
        sources: trunk.sources.iter().map(ToString::to_string).collect(),
        certificates: trunk.certificates.clone(),
        calls_max: trunk.limits.calls_max,
        calls_per_second: trunk.limits.calls_per_second,
        prefixes: trunk.prefixes.clone(),
        next_hops: trunk.next_hops.iter().map(uri).collect(),
        numbers: trunk.numbers.style,
    }
}
