//! What a configuration means, for programs.

use config::{AgentFact, Doubt, Explanation, LineFact, NumberFact, Phone, TrunkFact};
use node::engine::{
    acd::{Condition, Relax, Requirement},
    sip_proxy::NumberStyle,
};
use serde_json::{Value, json};

/// All of it, as one object.
pub(super) fn explain(explanation: &Explanation) -> String {
    let value = json!({
        "numbers": explanation.numbers.iter().map(number).collect::<Vec<_>>(),
        "default_line": explanation.default_line,
        "trunks": explanation.trunks.iter().map(trunk).collect::<Vec<_>>(),
        "lines": explanation.lines.iter().map(line).collect::<Vec<_>>(),
        "agents": explanation.agents.iter().map(agent).collect::<Vec<_>>(),
        "doubts": explanation.doubts.iter().map(doubt).collect::<Vec<_>>(),
    });
    format!("{value:#}")
}

fn number(number: &NumberFact) -> Value {
    let by_trunk = number.by_trunk.iter();
    let by_trunk = by_trunk.map(|(trunk, line)| json!({ "trunk": trunk, "line": line }));
    json!({
        "dialled": number.dialled,
        "by_trunk": by_trunk.collect::<Vec<_>>(),
        "otherwise": number.otherwise,
    })
}

fn trunk(trunk: &TrunkFact) -> Value {
    json!({
        "name": trunk.name,
        "sources": trunk.sources,
        "certificates": trunk.certificates,
        "calls_max": trunk.calls_max,
        "calls_per_second": trunk.calls_per_second,
        "prefixes": trunk.prefixes,
        "next_hops": trunk.next_hops,
        "number_form": match trunk.numbers {
            NumberStyle::E164 => "e164",
            NumberStyle::National => "national",
        },
    })
}

fn line(line: &LineFact) -> Value {
    let steps = line.steps.iter().map(|step| {
        let adds = step.adds.iter();
        let adds = adds.map(|(site, agents)| json!({ "site": site, "agents": agents }));
        json!({
            "when": step.when.iter().map(condition).collect::<Vec<_>>(),
            "adds": adds.collect::<Vec<_>>(),
            "relaxes": step.relaxes.as_ref().map(relax),
            "raises": step.raises,
            "announces": step.announces,
            "diverts": step.diverts.as_ref().map(|one| json!({ "to": one.to, "trunk": one.trunk })),
            "rejects": step.rejects,
        })
    });
    json!({
        "id": line.id,
        "site": line.site,
        "priority": line.priority,
        "requires": requirement(&line.requirement),
        "service": if line.is_emergency { "emergency" } else { "partner" },
        "agents": line.home,
        "steps": steps.collect::<Vec<_>>(),
    })
}

/// Levels by skill, with lists of the same under `any` and `all`, as the configuration writes it.
fn requirement(asked: &Requirement) -> Value {
    let list = |parts: &[Requirement]| parts.iter().map(requirement).collect::<Vec<_>>();
    match asked {
        Requirement::Skill { skill, least } => json!({ skill: least.value() }),
        Requirement::Any(parts) => json!({ "any": list(parts) }),
        Requirement::All(parts) => {
            let skill = |part: &Requirement| match part {
                Requirement::Skill { skill, least } => Some((skill.clone(), json!(least.value()))),
                _ => None,
            };
            let skills: Option<serde_json::Map<_, _>> = parts.iter().map(skill).collect();
            skills.map_or_else(|| json!({ "all": list(parts) }), Value::Object)
        }
    }
}

fn relax(relax: &Relax) -> Value {
    let to = relax.to.iter();
    let to = to.map(|(skill, level)| (skill.clone(), json!(level.map_or(0, |it| it.value()))));
    json!({ "to": to.collect::<serde_json::Map<_, _>>(), "by": relax.by })
}

fn condition(condition: &Condition) -> Value {
    match condition {
        Condition::After(wait) => json!({ "after_seconds": wait.as_secs_f64() }),
        Condition::QueueLongerThan(calls) => json!({ "queue_longer_than": calls }),
        Condition::OldestWaitOver(wait) => json!({ "oldest_wait_over": wait.as_secs_f64() }),
        Condition::EstimatedWaitOver(wait) => json!({ "estimated_wait_over": wait.as_secs_f64() }),
        Condition::SiteState(states) => {
            json!({ "site_state": states.iter().map(|state| state.name()).collect::<Vec<_>>() })
        }
        Condition::NoAgentOnDuty => json!("no-agent-on-duty"),
    }
}

fn agent(agent: &AgentFact) -> Value {
    json!({
        "id": agent.id,
        "site": agent.site,
        "phone": match agent.phone {
            Phone::Fixed => "fixed",
            Phone::Registers => "registers",
            Phone::RegistersUnasked => "registers-unasked",
            Phone::CannotRegister => "none",
        },
        "lines": agent.home_lines,
        "helps": agent.helps,
    })
}

fn doubt(doubt: &Doubt) -> Value {
    match doubt {
        Doubt::LineWithoutNumber { line } => {
            json!({ "doubt": "line-without-number", "line": line })
        }
        Doubt::UrgentLineHandedOverBlind { line } => {
            json!({ "doubt": "urgent-line-handed-over-blind", "line": line })
        }
        Doubt::LineWithoutAgents { line } => {
            json!({ "doubt": "line-without-agents", "line": line })
        }
        Doubt::LineWithOneAgent { line, agent } => {
            json!({ "doubt": "line-with-one-agent", "line": line, "agent": agent })
        }
        Doubt::LineWithoutHelp { line } => json!({ "doubt": "line-without-help", "line": line }),
        Doubt::NoTrunkForDiversion { line, step, to } => {
            json!({ "doubt": "no-trunk-for-diversion", "line": line, "step": step, "to": to })
        }
        Doubt::StepAddsNobody { line, step } => {
            json!({ "doubt": "step-adds-nobody", "line": line, "step": step })
        }
        Doubt::AgentServesNothing { agent } => {
            json!({ "doubt": "agent-serves-nothing", "agent": agent })
        }
        Doubt::AgentWithoutPhone { agent } => {
            json!({ "doubt": "agent-without-phone", "agent": agent })
        }
        Doubt::TrunkWithoutNumbers { trunk } => {
            json!({ "doubt": "trunk-without-numbers", "trunk": trunk })
        }
        Doubt::NoEmergencyUrn => json!({ "doubt": "no-emergency-urn" }),
        Doubt::PrefixIsALine {
            trunk,
            prefix,
            line,
        } => json!({ "doubt": "prefix-is-a-line", "trunk": trunk, "prefix": prefix, "line": line }),
    }
}
