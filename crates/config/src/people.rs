//! Sites, lines, agents and overflow plans.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use acd::{
    AgentId, AgentSpec, Condition, Directory, Level, LineId, LineSpec, PlanSpec, Priority, Reach,
    Selection, SiteSpec, StartState, StepSpec,
};
use sip::UriBuf;

use crate::{
    report::{Report, Span},
    table::{At, Table},
};

/// The longest id: a flow id of the national form has at most 32 characters.
const ID_LEN_MAX: usize = 32;

/// What the file says of sites and people, before names are resolved.
#[derive(Debug, Default)]
pub(crate) struct People {
    sites: Vec<SiteSpec>,
    lines: Vec<LineEntry>,
    agents: Vec<AgentEntry>,
    plans: Vec<PlanSpec>,
}

/// A line with what the distributor does not need.
#[derive(Debug)]
pub(crate) struct LineEntry {
    pub(crate) spec: LineSpec,
    pub(crate) numbers: Vec<At<String>>,
    pub(crate) trunks: Vec<At<String>>,
    service: Service,
    span: Span,
}

/// Whom a line serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Who needs help: shed last.
    Emergency,
    /// Other services: shed before emergencies.
    Partner,
}

/// What a configuration calls them.
const SERVICES: [(&str, Service); 2] = [
    ("emergency", Service::Emergency),
    ("partner", Service::Partner),
];

#[derive(Debug)]
struct AgentEntry {
    spec: AgentSpec,
    contact: Option<UriBuf>,
}

/// A name that something refers to by another's id.
struct Reference {
    by: String,
    kind: &'static str,
    name: At<String>,
}

/// Reads all of them; resolves nothing but names.
pub(crate) fn read(root: &Table<'_>, report: &Report<'_>) -> People {
    let mut reader = Reader {
        report,
        seen: BTreeMap::new(),
        references: Vec::new(),
    };
    let mut people = People::default();
    let sites = root.tables("site", "[[site]]");
    if sites.is_empty() {
        root.missing_table("[[site]]", "id, name, region and zone");
    }
    people
        .sites
        .extend(sites.iter().filter_map(|table| reader.site(table)));
    let lines = root.tables("line", "[[line]]");
    if lines.is_empty() {
        root.missing_table("[[line]]", "id, site, numbers and skills");
    }
    people
        .lines
        .extend(lines.iter().filter_map(|table| reader.line(table)));
    let agents = root.tables("agent", "[[agent]]");
    people
        .agents
        .extend(agents.iter().filter_map(|table| reader.agent(table)));
    let plans = root.tables("overflow", "[[overflow]]");
    people
        .plans
        .extend(plans.iter().filter_map(|table| reader.plan(table)));
    reader.check_references();
    people
}

impl People {
    pub(crate) fn lines(&self) -> &[LineEntry] {
        &self.lines
    }

    pub(crate) fn has_line(&self, id: &str) -> bool {
        self.lines.iter().any(|line| line.spec.id == id)
    }

    /// Lines of partners.
    pub(crate) fn partner_lines(&self, directory: &Directory) -> BTreeSet<LineId> {
        let lines = self.lines.iter();
        lines
            .filter(|line| line.service == Service::Partner)
            .filter_map(|line| directory.line(&line.spec.id))
            .collect()
    }

    pub(crate) fn line_ids(&self) -> Vec<&str> {
        self.lines
            .iter()
            .map(|line| line.spec.id.as_str())
            .collect()
    }

    /// Resolves everything. `None` where errors have been reported.
    pub(crate) fn build(&self, report: &Report<'_>) -> Option<Directory> {
        if report.has_errors() {
            return None;
        }
        let lines = self.lines.iter().map(|line| line.spec.clone()).collect();
        let agents = self.agents.iter().map(|agent| agent.spec.clone()).collect();
        match Directory::build(self.sites.clone(), lines, agents, self.plans.clone()) {
            Ok(directory) => {
                self.warn_of_lines_nobody_serves(&directory, report);
                Some(directory)
            }
            Err(errors) => {
                errors
                    .iter()
                    .for_each(|error| report.error(&(0..0), error.to_string()));
                None
            }
        }
    }

    fn warn_of_lines_nobody_serves(&self, directory: &Directory, report: &Report<'_>) {
        for line in &self.lines {
            let Some(id) = directory.line(&line.spec.id) else {
                continue;
            };
            let sites = directory.sites_within_reach(id);
            let serves = |&agent: &AgentId| {
                sites.contains(&directory.agent_profile(agent).site)
                    && directory.qualifies(agent, id)
            };
            if !directory.agents().any(|agent| serves(&agent)) {
                let message = format!(
                    "line `{}`: no agent within its reach has the skills that it asks for",
                    line.spec.id
                );
                report.warn(&line.span, message);
            }
        }
    }

    /// The phones with a fixed address.
    pub(crate) fn contacts(&self, directory: &Directory) -> Vec<(AgentId, UriBuf)> {
        let contact =
            |agent: &AgentEntry| Some((directory.agent(&agent.spec.id)?, agent.contact.clone()?));
        self.agents.iter().filter_map(contact).collect()
    }
}

struct Reader<'a> {
    report: &'a Report<'a>,
    /// Ids by kind, with where they are defined.
    seen: BTreeMap<&'static str, BTreeMap<String, Span>>,
    references: Vec<Reference>,
}

impl Reader<'_> {
    /// An id that must be there, be new, and be short and plain: it becomes part of URIs, metric
    /// labels and paths.
    fn id(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        kind: &'static str,
        example: &str,
    ) -> Option<String> {
        let id = table.required(key, example)?;
        let is_plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.');
        if id.value.len() > ID_LEN_MAX || !id.value.chars().all(is_plain) {
            let message = format!(
                "`{}` is no {kind} id: at most {ID_LEN_MAX} letters, digits, `-`, `_` and `.`",
                id.value
            );
            self.report.error(&id.span, message);
        }
        let before = self
            .seen
            .entry(kind)
            .or_default()
            .insert(id.value.clone(), id.span.clone());
        if let Some(before) = before {
            let line = self.report.line_of(&before);
            let message = format!("{kind} `{}` is defined already ({line})", id.value);
            self.report.error(&id.span, message);
        }
        Some(id.value)
    }

    fn refer(&mut self, by: &str, kind: &'static str, name: At<String>) {
        self.references.push(Reference {
            by: by.to_owned(),
            kind,
            name,
        });
    }

    fn check_references(&self) {
        for Reference { by, kind, name } in &self.references {
            let known = self.seen.get(kind);
            if known.is_some_and(|known| known.contains_key(&name.value)) {
                continue;
            }
            let known: Vec<_> = known
                .into_iter()
                .flatten()
                .map(|(id, _)| id.as_str())
                .collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let message = format!(
                "{by}: {kind} `{}` is not defined; there are: {known}",
                name.value
            );
            self.report.error(&name.span, message);
        }
    }

    fn site(&mut self, table: &Table<'_>) -> Option<SiteSpec> {
        let id = self.id(table, "id", "site", "\"FR670\"");
        let by = format!("site {}", id.as_deref().unwrap_or("?"));
        let name = table.string("name").map(|at| at.value);
        let region = table
            .string("region")
            .map(|at| at.value)
            .unwrap_or_default();
        let zone = table.string("zone").map(|at| at.value).unwrap_or_default();
        let neighbours = table.strings("neighbours");
        let reserve = table.integer("reserve", 0, 10_000).map_or(0, |at| at.value);
        table.finish();
        let mut named = BTreeSet::new();
        for neighbour in &neighbours {
            self.refer(&by, "site", neighbour.clone());
            if Some(&neighbour.value) == id.as_ref() {
                let message = format!("{by}: a site is no neighbour of itself");
                self.report.error(&neighbour.span, message);
            } else if !named.insert(&neighbour.value) {
                let message = format!("{by}: neighbour `{}` is named twice", neighbour.value);
                self.report.error(&neighbour.span, message);
            }
        }
        let id = id?;
        Some(SiteSpec {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            region,
            zone,
            neighbours: neighbours.into_iter().map(|at| at.value).collect(),
            reserve: u32::try_from(reserve).unwrap_or(u32::MAX),
        })
    }

    fn line(&mut self, table: &Table<'_>) -> Option<LineEntry> {
        let id = self.id(table, "id", "line", "\"FR670-15-Samu-Px-F01\"");
        let by = format!("line {}", id.as_deref().unwrap_or("?"));
        let site = table.required("site", "the id of a site");
        let numbers = table.strings("numbers");
        let trunks = table.strings("trunks");
        let skills = self.skills(table);
        let priority = table.integer("priority", 0, 9).map_or(2, |at| at.value);
        let service_level = table.duration("service_level").map(|at| at.value);
        let selection = table.word("selection", &SELECTIONS).map(|at| at.value);
        let ring_time = table.positive_duration("ring_time").map(|at| at.value);
        let wrap_up = table.duration("wrap_up").map(|at| at.value);
        let ages = [
            ("since-transfer", acd::Age::New),
            ("since-arrival", acd::Age::Kept),
        ];
        let transferred = table.word("transferred_waits", &ages);
        let overflow = table.string("overflow");
        let service = table.word("service", &SERVICES).map(|at| at.value);
        table.finish();
        for (kind, name) in [("site", &site), ("overflow", &overflow)] {
            if let Some(name) = name {
                self.refer(&by, kind, name.clone());
            }
        }
        Some(LineEntry {
            spec: LineSpec {
                id: id?,
                site: site?.value,
                skills,
                priority: priority_of(priority),
                service_level: service_level.unwrap_or(Duration::from_secs(30)),
                selection: selection.unwrap_or(Selection::LongestIdle),
                ring_time: ring_time.unwrap_or(Duration::from_secs(15)),
                wrap_up: wrap_up.unwrap_or(Duration::from_secs(5)),
                transferred: transferred.map_or(acd::Age::New, |at| at.value),
                overflow: overflow.map(|at| at.value),
            },
            numbers,
            trunks,
            service: service.unwrap_or(Service::Emergency),
            span: table.span().clone(),
        })
    }

    fn agent(&mut self, table: &Table<'_>) -> Option<AgentEntry> {
        let id = self.id(table, "id", "agent", "\"arm-67-1\"");
        let by = format!("agent {}", id.as_deref().unwrap_or("?"));
        let site = table.required("site", "the id of a site");
        let skills = self.skills(table);
        let contact = table.string("contact");
        let start = table.word("start", &STARTS).map(|at| at.value);
        table.finish();
        if let Some(site) = &site {
            self.refer(&by, "site", site.clone());
        }
        let contact = contact.and_then(|contact| self.contact(&contact));
        let start = start.unwrap_or(StartState::LoggedOut);
        let spec = AgentSpec {
            id: id?,
            site: site?.value,
            skills,
            start,
        };
        Some(AgentEntry { spec, contact })
    }

    fn contact(&self, text: &At<String>) -> Option<UriBuf> {
        let problem = match UriBuf::new(text.value.clone()) {
            Ok(uri) => match uri.as_uri().as_sip() {
                Some(sip) if sip.host.ip().is_some() => return Some(uri),
                Some(_) => "its host must be an address; names are not looked up".to_owned(),
                None => "it must be a sip: URI".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        let message = format!(
            "`contact`: `{}`: {problem}; write \"sip:arm-1@192.0.2.10:5060\"",
            text.value
        );
        self.report.error(&text.span, message);
        None
    }

    fn plan(&mut self, table: &Table<'_>) -> Option<PlanSpec> {
        let name = self.id(table, "name", "overflow", "\"mutual-aid\"");
        let by = format!("overflow {}", name.as_deref().unwrap_or("?"));
        let home_advantage = table.duration("home_advantage").map(|at| at.value);
        let tables = table.tables("step", "[[overflow.step]]");
        table.finish();
        if let Some(first_too_many) = tables.get(acd::STEPS_MAX) {
            let message = format!("{by} has more than {} steps", acd::STEPS_MAX);
            self.report.error(first_too_many.span(), message);
        }
        let mut steps: Vec<StepSpec> = Vec::new();
        let mut last_after = Duration::ZERO;
        for table in &tables {
            let step = self.step(table, &by);
            let after = step.when.iter().find_map(|when| match when {
                Condition::After(wait) => Some(*wait),
                _ => None,
            });
            if let Some(after) = after {
                if after < last_after {
                    let message = format!("{by}: this step comes before the one above it");
                    self.report.warn(table.span(), message);
                }
                last_after = after.max(last_after);
            }
            steps.push(step);
        }
        let home_advantage = home_advantage.unwrap_or(Duration::ZERO);
        Some(PlanSpec {
            name: name?,
            home_advantage,
            steps,
        })
    }

    fn step(&mut self, table: &Table<'_>, by: &str) -> StepSpec {
        let mut when = Vec::new();
        when.extend(table.duration("after").map(|at| Condition::After(at.value)));
        let longer = table.integer("queue_longer_than", 0, 1_000_000);
        let longer = longer.and_then(|at| u32::try_from(at.value).ok());
        when.extend(longer.map(Condition::QueueLongerThan));
        for word in table.string_or_strings("when") {
            match word.value.as_str() {
                "no-agent-on-duty" => when.push(Condition::NoAgentOnDuty),
                other => {
                    let message = format!("`when`: `{other}` is not one of \"no-agent-on-duty\"");
                    self.report.error(&word.span, message);
                }
            }
        }
        let widen = table.string_or_strings("widen");
        table.finish();
        if when.is_empty() {
            let message = format!(
                "{by}: this step has no condition; write after = \"20s\", queue_longer_than = 5 or \
                 when = \"no-agent-on-duty\""
            );
            self.report.error(table.span(), message);
        }
        if widen.is_empty() {
            let message = format!("{by}: this step does nothing; write widen = [\"neighbours\"]");
            self.report.error(table.span(), message);
        }
        let widen = widen.into_iter().map(|word| self.reach(by, word)).collect();
        StepSpec { when, widen }
    }

    /// A reach by its word, or a site by its id.
    fn reach(&mut self, by: &str, word: At<String>) -> Reach {
        match word.value.as_str() {
            "neighbours" => Reach::Neighbours,
            "region" => Reach::Region,
            "zone" => Reach::Zone,
            "nation" => Reach::Nation,
            _ => {
                let site = word.value.clone();
                let by = format!("{by}: `widen` takes neighbours, region, zone, nation or a site");
                self.refer(&by, "site", word);
                Reach::Site(site)
            }
        }
    }

    fn skills(&self, table: &Table<'_>) -> BTreeMap<String, Level> {
        let mut skills = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (name, value) in table.entries("skills") {
            let level = value.get_ref().as_integer().and_then(|number| {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
                u8::try_from(number).ok().and_then(Level::new)
            });
            let Some(level) = level else {
                let message = format!("skill `{}`: its level must be 1 to 10", name.value);
                self.report.error(&name.span, message);
                continue;
            };
            if seen.insert(name.value.clone()) {
                skills.insert(name.value, level);
            }
        }
        skills
    }
}

fn priority_of(number: i64) -> Priority {
    let number = u8::try_from(number).ok().and_then(Priority::new);
    number.expect("Table::integer has kept it to 0 to 9")
}

const SELECTIONS: [(&str, Selection); 4] = [
    ("longest-idle", Selection::LongestIdle),
    ("most-skilled", Selection::MostSkilled),
    ("least-skilled", Selection::LeastSkilled),
    ("least-occupied", Selection::LeastOccupied),
];

const STARTS: [(&str, StartState); 3] = [
    ("ready", StartState::Ready),
    ("not-ready", StartState::NotReady),
    ("logged-out", StartState::LoggedOut),
];
