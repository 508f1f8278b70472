//! Sites, lines, agents and overflow plans.

mod lines;
mod plans;
mod skills;

use std::collections::{BTreeMap, BTreeSet};

use acd::{
    AgentId, AgentSpec, CrisisSpec, Directory, DirectorySpec, Disposition, LineId, LineSpec,
    PauseReason, PlanSpec, Priority, SiteSpec, StartState,
};
use engine::Listener;
use sip::UriBuf;

use crate::{
    planning::{self, AgentPlanning, LinePlanning, Planning},
    reach,
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
    planning: Option<planning::Section>,
    line_planning: Vec<LinePlanning>,
    agent_planning: Vec<AgentPlanning>,
    positions: Vec<(String, (f64, f64))>,
}

/// A line with what the distributor does not need.
#[derive(Debug)]
pub(crate) struct LineEntry {
    pub(crate) spec: LineSpec,
    /// Each with the priority of its calls, where that is not the line's.
    pub(crate) numbers: Vec<(At<String>, Option<Priority>)>,
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
pub(crate) fn read(
    root: &Table<'_>,
    listeners: &[Listener],
    report: &Report<'_>,
    settings: &mut acd::Settings,
) -> People {
    let mut reader = Reader {
        listeners,
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
        read_desk(&table, settings);
        table.finish();
    }
    reader.check_references();
    people.planning = planning::Section::read(root, report);
    people.line_planning = reader.line_planning;
    people.agent_planning = reader.agent_planning;
    people.positions = reader.positions;
    people
}

/// What holds for all desks.
fn read_desk(table: &Table<'_>, settings: &mut acd::Settings) {
    let limit = |key, low| {
        let limit = table.integer(key, low, 1_000)?;
        u32::try_from(limit.value).ok()
    };
    let no_answers = limit("no_answer_limit", 1);
    settings.no_answer_limit = no_answers.unwrap_or(settings.no_answer_limit);
    let declined = limit("decline_limit", 0);
    settings.decline_limit = declined.unwrap_or(settings.decline_limit);
    let times = [
        ("wrap_up_max", &mut settings.wrap_up_max),
        ("repeat_within", &mut settings.repeat_within),
        ("caller_kept", &mut settings.caller_kept),
        ("abandoned_kept", &mut settings.abandoned_kept),
    ];
    for (key, time) in times {
        *time = table.positive_duration(key).map_or(*time, |at| at.value);
    }
    let abandoned = table.integer("abandoned", 1, 1_000_000);
    let abandoned = abandoned.and_then(|at| usize::try_from(at.value).ok());
    settings.abandoned_max = abandoned.unwrap_or(settings.abandoned_max);
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
            version: report.version(),
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
            let asked = directory.least_asked(id);
            let mut sites = directory.sites_within_reach(id).into_iter();
            if sites.all(|site| directory.agents_of(site, &asked).next().is_none()) {
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
    listeners: &'a [Listener],
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
                Some(sip) if sip.host.ip().is_some() => match reach::problem(sip, self.listeners) {
                    None => return Some(uri),
                    Some(problem) => format!("it {problem}"),
                },
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

const STARTS: [(&str, StartState); 3] = [
    ("ready", StartState::Ready),
    ("not-ready", StartState::NotReady),
    ("logged-out", StartState::LoggedOut),
];
