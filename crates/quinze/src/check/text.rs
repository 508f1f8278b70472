//! What a configuration means, for people, in English and in French.

use std::fmt::Write as _;

use config::{
    AgentFact, Diversion, Doubt, Explanation, LineFact, NumberFact, Phone, StepFact, TrunkFact,
};
use node::engine::{
    acd::{Condition, Relax, Requirement},
    sip_proxy::NumberStyle,
};

use crate::language::Language;

/// How many names are listed before the rest is only counted.
const NAMES_MAX: usize = 8;

/// The first line.
pub(super) fn head(language: Language, file: &str, [sites, lines, agents]: [usize; 3]) -> String {
    let many = |count: usize, word: &str| {
        let ending = if count == 1 { "" } else { "s" };
        format!("{count} {word}{ending}")
    };
    let (colon, line) = match language {
        Language::En => (":", "line"),
        Language::Fr => (" :", "ligne"),
    };
    format!(
        "{file}{colon} {}, {}, {}",
        many(sites, "site"),
        many(lines, line),
        many(agents, "agent")
    )
}

/// All of it.
pub(super) fn explain(language: Language, explanation: &Explanation) -> String {
    let words = Words(language);
    let mut text = String::new();
    words.section(
        &mut text,
        words.of("Numbers", "Numéros"),
        words.numbers(explanation),
    );
    let trunks = explanation
        .trunks
        .iter()
        .flat_map(|trunk| words.trunk(trunk));
    words.section(&mut text, words.of("Trunks", "Faisceaux"), trunks.collect());
    let lines = explanation.lines.iter().flat_map(|line| words.line(line));
    words.section(&mut text, words.of("Lines", "Lignes"), lines.collect());
    let agents = explanation.agents.iter().map(|agent| words.agent(agent));
    words.section(&mut text, "Agents", agents.collect());
    let doubts = explanation.doubts.iter().map(|doubt| words.doubt(doubt));
    let doubts: Vec<_> = doubts.collect();
    if doubts.is_empty() {
        text += words.of("Nothing looks wrong.", "Rien ne semble anormal.");
    } else {
        words.section(
            &mut text,
            words.of("Is this meant?", "Est-ce voulu ?"),
            doubts,
        );
    }
    text.trim_end().to_owned()
}

/// One language's words.
#[derive(Clone, Copy)]
struct Words(Language);

impl Words {
    const fn of(self, en: &'static str, fr: &'static str) -> &'static str {
        self.0.of(en, fr)
    }

    fn section(self, text: &mut String, title: &str, rows: Vec<String>) {
        if rows.is_empty() {
            return;
        }
        *text += title;
        for row in rows {
            let _to_a_string = write!(text, "\n  {row}");
        }
        *text += "\n\n";
    }

    fn numbers(self, explanation: &Explanation) -> Vec<String> {
        let width = explanation
            .numbers
            .iter()
            .map(|number| number.dialled.chars().count())
            .max()
            .unwrap_or(0);
        let default = &explanation.default_line;
        let mut rows: Vec<_> = explanation
            .numbers
            .iter()
            .flat_map(|number| self.number(number, width, default))
            .collect();
        rows.push(match self.0 {
            Language::En => format!(
                "any other number of an operator → {default} (the default line); of an agent → a \
                 colleague's phone, a trunk by its prefix, or 404"
            ),
            Language::Fr => format!(
                "tout autre numéro venant d'un opérateur → {default} (la ligne par défaut) ; venant \
                 d'un agent → le poste d'un collègue, un faisceau selon son préfixe, sinon 404"
            ),
        });
        rows
    }

    fn number(self, number: &NumberFact, width: usize, default: &str) -> Vec<String> {
        let dialled = &number.dialled;
        let from = self.of("from", "depuis");
        let mut rows: Vec<_> = number
            .by_trunk
            .iter()
            .map(|(trunk, line)| format!("{dialled:<width$} {from} {trunk} → {line}"))
            .collect();
        let other = match (rows.is_empty(), self.0) {
            (true, _) => "",
            (false, Language::En) => " from elsewhere",
            (false, Language::Fr) => " depuis ailleurs",
        };
        rows.push(match (&number.otherwise, self.0) {
            (Some(line), _) => format!("{dialled:<width$}{other} → {line}"),
            (None, Language::En) => format!(
                "{dialled:<width$} from other trunks → {default} (the default line); from an agent as any \
                 other"
            ),
            (None, Language::Fr) => format!(
                "{dialled:<width$} depuis les autres faisceaux → {default} (la ligne par défaut) ; \
                 depuis un agent comme tout autre"
            ),
        });
        rows
    }

    fn trunk(self, trunk: &TrunkFact) -> Vec<String> {
        let mut known: Vec<_> = trunk.sources.clone();
        let certificate = self.of("certificate", "certificat");
        known.extend(
            trunk
                .certificates
                .iter()
                .map(|name| format!("{certificate} {name}")),
        );
        let mut limits = Vec::new();
        if let Some(max) = trunk.calls_max {
            limits.push(format!(
                "{max} {}",
                self.of("calls at a time", "appels à la fois")
            ));
        }
        if let Some(rate) = trunk.calls_per_second {
            limits.push(format!(
                "{rate} {}",
                self.of("new calls a second", "nouveaux appels par seconde")
            ));
        }
        if limits.is_empty() {
            limits.push(self.of("no limit", "sans limite").to_owned());
        }
        let comes = self.of("in, from", "entrant, depuis");
        let mut rows = vec![format!(
            "{} {comes} {}{} {}",
            trunk.name,
            known.join(", "),
            self.of(";", " ;"),
            limits.join(", ")
        )];
        if !trunk.next_hops.is_empty() {
            let form = match trunk.numbers {
                NumberStyle::E164 => "+33…",
                NumberStyle::National => "0…",
            };
            let (goes, written) = (
                self.of("out, numbers beginning", "sortant, numéros commençant par"),
                self.of("written", "écrits"),
            );
            rows.push(format!(
                "{} {goes} {} → {} ({written} {form})",
                trunk.name,
                trunk.prefixes.join(", "),
                trunk.next_hops.join(self.of(", else ", ", sinon ")),
            ));
        }
        rows
    }

    fn line(self, line: &LineFact) -> Vec<String> {
        let asks = match &line.requirement {
            Requirement::All(parts) if parts.is_empty() => self
                .of("no skill asked", "aucune compétence exigée")
                .to_owned(),
            asked => self.requirement(asked),
        };
        let service = match line.is_emergency {
            true => self.of("emergency", "urgence"),
            false => self.of("partner", "partenaire"),
        };
        let mut rows = vec![format!(
            "{} ({}, P{}, {service}, {asks})",
            line.id, line.site, line.priority
        )];
        rows.push(format!(
            "    {} {}",
            self.of("at once:", "d'emblée :"),
            self.names(&line.home)
        ));
        rows.extend(line.steps.iter().map(|step| self.step(step)));
        rows
    }

    fn step(self, step: &StepFact) -> String {
        let when: Vec<_> = step.when.iter().map(|when| self.condition(when)).collect();
        // A country's worth of names helps nobody: beyond a few they are counted.
        let all: usize = step.adds.iter().map(|(_, agents)| agents.len()).sum();
        let adds: Vec<_> = step
            .adds
            .iter()
            .map(|(site, agents)| match all {
                0..=NAMES_MAX => format!("{site} ({})", self.names(agents)),
                _ => format!("{site} ({})", agents.len()),
            })
            .collect();
        let mut does = Vec::new();
        if !adds.is_empty() {
            does.push(self.names(&adds));
        }
        does.extend(step.relaxes.as_ref().map(|relax| self.relax(relax)));
        if step.raises > 0 {
            let word = self.of("more urgent by", "plus urgent de");
            does.push(format!("{word} {}", step.raises));
        }
        if let Some(announcement) = &step.announces {
            let word = self.of("the caller hears", "l'appelant entend");
            does.push(format!("{word} {announcement}"));
        }
        if let Some(Diversion { to, trunk }) = &step.diverts {
            let word = self.of("rings", "fait sonner");
            let by = self.of("by", "par");
            let trunk = trunk.as_deref().unwrap_or("?");
            does.push(format!("{word} {to} {by} {trunk}"));
        }
        if step.rejects {
            let word = self.of("the caller is turned away", "l'appelant est refusé");
            does.push(word.to_owned());
        }
        if does.is_empty() {
            does.push(self.of("nobody more", "personne de plus").to_owned());
        }
        let or = self.of(" or ", " ou ");
        let colon = self.of(":", " :");
        format!("    {}{colon} + {}", when.join(or), does.join(" ; "))
    }

    fn requirement(self, asked: &Requirement) -> String {
        let join = |parts: &[Requirement], between: &str| {
            let part = |part: &Requirement| match part {
                Requirement::Any(parts) if parts.len() > 1 => {
                    format!("({})", self.requirement(part))
                }
                _ => self.requirement(part),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(between)
        };
        match asked {
            Requirement::Skill { skill, least } => format!("{skill} ≥ {}", least.value()),
            Requirement::All(parts) => join(parts, ", "),
            Requirement::Any(parts) => join(parts, self.of(" or ", " ou ")),
        }
    }

    fn relax(self, relax: &Relax) -> String {
        let mut less: Vec<_> = relax
            .to
            .iter()
            .map(|(skill, level)| match level {
                Some(level) => format!("{skill} ≥ {}", level.value()),
                None => format!("{} {skill}", self.of("without", "sans")),
            })
            .collect();
        if relax.by > 0 {
            let word = self.of("levels lower by", "niveaux abaissés de");
            less.push(format!("{word} {}", relax.by));
        }
        less.join(", ")
    }

    fn condition(self, condition: &Condition) -> String {
        match (condition, self.0) {
            (Condition::After(wait), Language::En) => format!("after {} s", wait.as_secs_f64()),
            (Condition::After(wait), Language::Fr) => format!("après {} s", wait.as_secs_f64()),
            (Condition::QueueLongerThan(calls), Language::En) => {
                format!("when more than {calls} calls wait")
            }
            (Condition::QueueLongerThan(calls), Language::Fr) => {
                format!("dès que plus de {calls} appels attendent")
            }
            (Condition::OldestWaitOver(wait), Language::En) => {
                format!("when the first has waited {} s", wait.as_secs_f64())
            }
            (Condition::OldestWaitOver(wait), Language::Fr) => {
                format!("dès que le premier attend depuis {} s", wait.as_secs_f64())
            }
            (Condition::EstimatedWaitOver(wait), Language::En) => {
                format!("when {} s or more are expected", wait.as_secs_f64())
            }
            (Condition::EstimatedWaitOver(wait), Language::Fr) => {
                format!("dès que l'attente prévue passe {} s", wait.as_secs_f64())
            }
            (Condition::SiteState(states), _) => {
                let names: Vec<_> = states.iter().map(|state| state.name()).collect();
                let word = self.of("when the site is", "si le centre est");
                format!("{word} {}", names.join(" / "))
            }
            (Condition::NoAgentOnDuty, Language::En) => "when nobody is on duty".to_owned(),
            (Condition::NoAgentOnDuty, Language::Fr) => "si personne n'est en poste".to_owned(),
        }
    }

    fn names(self, names: &[String]) -> String {
        match names {
            [] => self.of("nobody", "personne").to_owned(),
            few if few.len() <= NAMES_MAX => few.join(", "),
            many => {
                let more = many.len() - NAMES_MAX;
                let others = self.of("more", "autres");
                format!("{} + {more} {others}", many[..NAMES_MAX].join(", "))
            }
        }
    }

    fn agent(self, agent: &AgentFact) -> String {
        let phone = match agent.phone {
            Phone::Fixed => self.of("fixed phone", "poste fixe"),
            Phone::Registers => self.of(
                "registers with a password",
                "s'enregistre avec mot de passe",
            ),
            Phone::RegistersUnasked => self.of(
                "registers without a password",
                "s'enregistre sans mot de passe",
            ),
            Phone::CannotRegister => self.of("no phone", "sans poste"),
        };
        let helps = match (agent.helps.is_empty(), self.0) {
            (true, _) => String::new(),
            (false, Language::En) => format!("; helps {}", self.names(&agent.helps)),
            (false, Language::Fr) => format!(" ; aide {}", self.names(&agent.helps)),
        };
        let serves = self.of("serves", "sert");
        format!(
            "{} ({}, {phone}) {serves} {}{helps}",
            agent.id,
            agent.site,
            match agent.home_lines.as_slice() {
                [] => self.of("no line", "aucune ligne").to_owned(),
                lines => self.names(lines),
            }
        )
    }

    fn doubt(self, doubt: &Doubt) -> String {
        match self.0 {
            Language::En => doubt_in_english(doubt),
            Language::Fr => doubt_in_french(doubt),
        }
    }
}

fn doubt_in_english(doubt: &Doubt) -> String {
    match doubt {
        Doubt::LineWithoutNumber { line } => {
            format!("no number leads to line {line}: it is reached by no caller")
        }
        Doubt::UrgentLineHandedOverBlind { line } => format!(
            "line {line} has priority 0, and agents who send a call on to it leave the caller alone; write \
             hand_over = \"attended\""
        ),
        Doubt::LineWithoutAgents { line } => {
            format!("nobody can ever serve line {line}: its callers wait in vain")
        }
        Doubt::LineWithOneAgent { line, agent } => {
            format!("{agent} alone can serve line {line}")
        }
        Doubt::LineWithoutHelp { line } => {
            format!("no other site ever helps with emergency line {line}")
        }
        Doubt::NoTrunkForDiversion { line, step, to } => {
            format!(
                "step {step} of the overflow of line {line} diverts to {to}, which no trunk takes"
            )
        }
        Doubt::StepAddsNobody { line, step } => {
            format!("step {step} of the overflow of line {line} brings nobody more")
        }
        Doubt::AgentServesNothing { agent } => format!("agent {agent} can serve no line"),
        Doubt::AgentWithoutPhone { agent } => {
            format!("agent {agent} has neither a contact nor credentials: no phone can be reached")
        }
        Doubt::TrunkWithoutNumbers { trunk } => format!(
            "every number is for other trunks than {trunk}: all its calls go to the default line"
        ),
        Doubt::NoEmergencyUrn => {
            "no line has urn:service:sos or a service below it (RFC 5031): such \
                                  calls go to the default line"
                .to_owned()
        }
        Doubt::PrefixIsALine {
            trunk,
            prefix,
            line,
        } => {
            format!("prefix {prefix} of trunk {trunk} is a number of line {line}: it never leaves")
        }
    }
}

fn doubt_in_french(doubt: &Doubt) -> String {
    match doubt {
        Doubt::LineWithoutNumber { line } => {
            format!("aucun numéro ne mène à la ligne {line} : aucun appelant ne l'atteint")
        }
        Doubt::UrgentLineHandedOverBlind { line } => format!(
            "la ligne {line} a la priorité 0, et l'agent qui y transfère un appel laisse l'appelant seul ; \
             écrire hand_over = \"attended\""
        ),
        Doubt::LineWithoutAgents { line } => {
            format!("personne ne peut servir la ligne {line} : ses appelants attendent en vain")
        }
        Doubt::LineWithOneAgent { line, agent } => {
            format!("{agent} est seul à pouvoir servir la ligne {line}")
        }
        Doubt::LineWithoutHelp { line } => {
            format!("aucun autre site n'aide jamais la ligne d'urgence {line}")
        }
        Doubt::NoTrunkForDiversion { line, step, to } => format!(
            "l'étape {step} du débordement de la ligne {line} dévie vers {to}, qu'aucun faisceau ne prend"
        ),
        Doubt::StepAddsNobody { line, step } => {
            format!("l'étape {step} du débordement de la ligne {line} n'ajoute personne")
        }
        Doubt::AgentServesNothing { agent } => {
            format!("l'agent {agent} ne peut servir aucune ligne")
        }
        Doubt::AgentWithoutPhone { agent } => format!(
            "l'agent {agent} n'a ni contact ni mot de passe : aucun poste ne peut être joint"
        ),
        Doubt::TrunkWithoutNumbers { trunk } => format!(
            "tous les numéros sont réservés à d'autres faisceaux que {trunk} : ses appels vont tous à \
             la ligne par défaut"
        ),
        Doubt::NoEmergencyUrn => "aucune ligne n'a urn:service:sos ni un service en dessous \
                                  (RFC 5031) : ces appels vont à la ligne par défaut"
            .to_owned(),
        Doubt::PrefixIsALine {
            trunk,
            prefix,
            line,
        } => format!(
            "le préfixe {prefix} du faisceau {trunk} est un numéro de la ligne {line} : il ne sort \
             jamais"
        ),
    }
}
