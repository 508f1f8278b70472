//! Sites, lines, agents and overflow plans.

mod plans;
mod skills;

use std::collections::{BTreeMap, BTreeSet};

use acd::{
    AgentId, AgentSpec, CrisisSpec, Directory, DirectorySpec, Disposition, HandOver, LineId,
    LineSpec, PARALLEL_MAX, PauseReason, PlanSpec, Priority, Selection, SiteSpec, StartState,
    TransferredPriority,
};
use sip::UriBuf;

use crate::{
    planning::{self, AgentPlanning, LinePlanning, Planning},
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
    crises: Vec<CrisisSpec>,
    pause_reasons: Vec<PauseReason>,
    dispositions: Vec<Disposition>,
    version: String,
    planning: Option<planning::Section>,
    line_planning: Vec<LinePlanning>,
    agent_planning: Vec<AgentPlanning>,
    positions: Vec<(String, (f64, f64))>,
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
        line_planning: Vec::new(),
        agent_planning: Vec::new(),
        positions: Vec::new(),
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
    let crises = root.tables("crisis", "[[crisis]]");
    people
        .crises
        .extend(crises.iter().filter_map(|table| reader.crisis(table)));
    if let Some(table) = root.table("desk", "[desk]") {
        let words = table.strings("pause_reasons");
        people.pause_reasons = reader.words(&words, PauseReason::new);
        let words = table.strings("dispositions");
        people.dispositions = reader.words(&words, Disposition::new);
        table.finish();
    }
    reader.check_references();
    people.planning = planning::Section::read(root, report);
    people.line_planning = reader.line_planning;
    people.agent_planning = reader.agent_planning;
    people.positions = reader.positions;
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
        let spec = DirectorySpec {
            sites: self.sites.clone(),
            lines: self.lines.iter().map(|line| line.spec.clone()).collect(),
            agents: self.agents.iter().map(|agent| agent.spec.clone()).collect(),
            plans: self.plans.clone(),
            crises: self.crises.clone(),
            pause_reasons: self.pause_reasons.clone(),
            dispositions: self.dispositions.clone(),
            version: self.version.clone(),
        };
        match Directory::build(spec) {
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

    /// What a simulation needs. `None` where the file does not say.
    pub(crate) fn planning(&self, directory: &Directory, report: &Report<'_>) -> Option<Planning> {
        let section = self.planning.clone()?;
        let (lines, agents) = (&self.line_planning, &self.agent_planning);
        Some(section.resolve(directory, lines, agents, &self.positions, report))
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
    line_planning: Vec<LinePlanning>,
    agent_planning: Vec<AgentPlanning>,
    positions: Vec<(String, (f64, f64))>,
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
        self.read_position(table, id.as_deref());
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

    /// Latitude and longitude, for a map.
    fn read_position(&mut self, table: &Table<'_>, site: Option<&str>) {
        let Some(position) = table.numbers("position", -180.0, 180.0) else {
            return;
        };
        match (position.value.as_slice(), site) {
            (&[latitude, longitude], Some(site)) if latitude.abs() <= 90.0 => {
                self.positions
                    .push((site.to_owned(), (latitude, longitude)));
            }
            _ => {
                let message = "`position` in [[site]]: write [latitude, longitude] in degrees";
                self.report.error(&position.span, message);
            }
        }
    }

    fn line(&mut self, table: &Table<'_>) -> Option<LineEntry> {
        let id = self.id(table, "id", "line", "\"FR670-15-Samu-Px-F01\"");
        let by = format!("line {}", id.as_deref().unwrap_or("?"));
        let site = table.required("site", "the id of a site");
        let numbers = table.strings("numbers");
        let trunks = table.strings("trunks");
        let overflow = table.string("overflow");
        let crisis_line = table.string("crisis_line");
        let service = table.word("service", &SERVICES).map(|at| at.value);
        let mut spec = LineSpec::new(
            id.as_deref().unwrap_or_default(),
            site.as_ref().map_or("", |at| &at.value),
        );
        self.read_service(table, &mut spec);
        self.read_transfer(table, &mut spec);
        self.line_planning
            .extend(LinePlanning::read(table, &spec.id));
        table.finish();
        let named = [
            ("site", &site),
            ("overflow", &overflow),
            ("line", &crisis_line),
        ];
        for (kind, name) in named {
            if let Some(name) = name {
                self.refer(&by, kind, name.clone());
            }
        }
        spec.overflow = overflow.map(|at| at.value);
        spec.crisis_line = crisis_line.map(|at| at.value);
        id.and(site).map(|_| LineEntry {
            spec,
            numbers,
            trunks,
            service: service.unwrap_or(Service::Emergency),
            span: table.span().clone(),
        })
    }

    /// How a line's calls are served.
    fn read_service(&self, table: &Table<'_>, spec: &mut LineSpec) {
        spec.requirement = self.requirement(table);
        let priority = table.integer("priority", 0, 9).map_or(2, |at| at.value);
        spec.priority = priority_of(priority);
        let selection = table.word("selection", &SELECTIONS).map(|at| at.value);
        spec.selection = selection.unwrap_or(spec.selection);
        let parallel = table.integer("parallel", 1, i64::from(PARALLEL_MAX));
        let parallel = parallel.and_then(|at| u8::try_from(at.value).ok());
        spec.parallel = parallel.unwrap_or(spec.parallel);
        let times = [
            ("service_level", &mut spec.service_level),
            ("wrap_up", &mut spec.wrap_up),
            ("preferred_agent", &mut spec.preferred),
            ("resume_within", &mut spec.resume_within),
        ];
        for (key, time) in times {
            *time = table.duration(key).map_or(*time, |at| at.value);
        }
        let ring_time = table.positive_duration("ring_time").map(|at| at.value);
        spec.ring_time = ring_time.unwrap_or(spec.ring_time);
    }

    /// How calls are sent on to a line.
    fn read_transfer(&self, table: &Table<'_>, spec: &mut LineSpec) {
        let ages = [
            ("since-transfer", acd::Age::New),
            ("since-arrival", acd::Age::Kept),
        ];
        let transferred = table.word("transferred_waits", &ages);
        spec.transferred = transferred.map_or(spec.transferred, |at| at.value);
        let priorities = [
            ("kept", TransferredPriority::Kept),
            ("of-the-line", TransferredPriority::Line),
        ];
        let priority = table.word("transferred_priority", &priorities);
        spec.transferred_priority = priority.map_or(spec.transferred_priority, |at| at.value);
        let ways = [("blind", HandOver::Blind), ("attended", HandOver::Attended)];
        let hand_over = table.word("hand_over", &ways);
        spec.hand_over = hand_over.map_or(spec.hand_over, |at| at.value);
    }

    /// Words of a list; what is no such word is told.
    fn words<T>(&self, words: &[At<String>], new: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let word = |at: &At<String>| {
            let word = new(&at.value);
            if word.is_none() {
                let message = format!(
                    "`{}`: 1 to 32 lower-case letters, digits and hyphens",
                    at.value
                );
                self.report.error(&at.span, message);
            }
            word
        };
        words.iter().filter_map(word).collect()
    }

    fn agent(&mut self, table: &Table<'_>) -> Option<AgentEntry> {
        let id = self.id(table, "id", "agent", "\"arm-67-1\"");
        let by = format!("agent {}", id.as_deref().unwrap_or("?"));
        let site = table.required("site", "the id of a site");
        let second_site = table.string("second_site");
        let skills = self.skills(table);
        let contact = table.string("contact");
        let start = table.word("start", &STARTS).map(|at| at.value);
        let roster = table.string("roster");
        table.finish();
        if let (Some(id), Some(roster)) = (&id, roster) {
            self.agent_planning.push(AgentPlanning {
                agent: id.clone(),
                roster,
            });
        }
        for site in site.iter().chain(&second_site) {
            self.refer(&by, "site", site.clone());
        }
        let contact = contact.and_then(|contact| self.contact(&contact));
        let start = start.unwrap_or(StartState::LoggedOut);
        let spec = AgentSpec {
            id: id?,
            site: site?.value,
            second_site: second_site.map(|at| at.value),
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
}

fn priority_of(number: i64) -> Priority {
    let number = u8::try_from(number).ok().and_then(Priority::new);
    number.expect("Table::integer has kept it to 0 to 9")
}

const SELECTIONS: [(&str, Selection); 5] = [
    ("longest-idle", Selection::LongestIdle),
    ("most-skilled", Selection::MostSkilled),
    ("least-skilled", Selection::LeastSkilled),
    ("least-occupied", Selection::LeastOccupied),
    ("round-robin", Selection::RoundRobin),
];

const STARTS: [(&str, StartState); 3] = [
    ("ready", StartState::Ready),
    ("not-ready", StartState::NotReady),
    ("logged-out", StartState::LoggedOut),
];
