//! What can be wrong with what is configured.

use std::collections::BTreeSet;

use super::{PARALLEL_MAX, STEPS_MAX};
use crate::spec::{DirectorySpec, LastResort, Reach};

/// What is wrong with a directory. Each error names the item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Two items of one kind have one id.
    #[error("{kind} `{id}` is defined twice")]
    Duplicate {
        /// `site`, `line`, `agent`, `overflow` or `crisis`.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// An item names another that is not defined.
    #[error("{by}: {kind} `{id}` is not defined")]
    Unknown {
        /// Who names it.
        by: String,
        /// `site`, `line` or `overflow`.
        kind: &'static str,
        /// What is named.
        id: String,
    },
    /// A plan has more than [`STEPS_MAX`] steps.
    #[error("overflow `{plan}` has {steps} steps; 16 are the most")]
    TooManySteps {
        /// The plan.
        plan: String,
        /// Its steps.
        steps: usize,
    },
    /// A plan turns callers away before its last step.
    #[error("overflow `{plan}`: only the last step may reject")]
    RejectsEarly {
        /// The plan.
        plan: String,
    },
    /// A line rings nobody, or more than [`PARALLEL_MAX`] agents.
    #[error("line `{line}` rings {parallel} agents; 1 to 10 can ring for one call")]
    Parallel {
        /// The line.
        line: String,
        /// The number.
        parallel: u8,
    },
    /// A line that takes calls in a crisis belongs to another site, or sends them on itself.
    #[error("line `{line}`: its crisis line `{crisis_line}` must be another one of its own site")]
    CrisisLine {
        /// The line.
        line: String,
        /// The line that it names.
        crisis_line: String,
    },
    /// More items of one kind than handles can number.
    #[error("too many items of kind {kind}")]
    TooMany {
        /// Which kind.
        kind: &'static str,
    },
}

/// Everything that is wrong, kind by kind.
pub(super) fn check(spec: &DirectorySpec) -> Vec<DirectoryError> {
    let mut errors = Vec::new();
    check_duplicates(spec, &mut errors);
    check_numbers(spec, &mut errors);
    check_names(spec, &mut errors);
    check_plans(spec, &mut errors);
    check_lines(spec, &mut errors);
    errors
}

fn check_duplicates(spec: &DirectorySpec, errors: &mut Vec<DirectoryError>) {
    let mut once = |kind, ids: &mut dyn Iterator<Item = &String>| {
        let mut seen = BTreeSet::new();
        for id in ids {
            if !seen.insert(id) {
                let id = id.clone();
                errors.push(DirectoryError::Duplicate { kind, id });
            }
        }
    };
    once("site", &mut spec.sites.iter().map(|site| &site.id));
    once("line", &mut spec.lines.iter().map(|line| &line.id));
    once("agent", &mut spec.agents.iter().map(|agent| &agent.id));
    once("overflow", &mut spec.plans.iter().map(|plan| &plan.name));
    once("crisis", &mut spec.crises.iter().map(|crisis| &crisis.name));
}

fn check_numbers(spec: &DirectorySpec, errors: &mut Vec<DirectoryError>) {
    let of_lines = spec.lines.iter().flat_map(|line| line.requirement.skills());
    let of_agents = spec.agents.iter().flat_map(|agent| agent.skills.keys());
    let skills: BTreeSet<_> = of_lines.chain(of_agents.map(String::as_str)).collect();
    let limits = [
        ("site", spec.sites.len(), usize::from(u16::MAX)),
        ("overflow", spec.plans.len(), usize::from(u16::MAX)),
        ("crisis", spec.crises.len(), usize::from(u16::MAX)),
        ("skill", skills.len(), usize::from(u16::MAX)),
        ("line", spec.lines.len(), u32::MAX as usize),
        ("agent", spec.agents.len(), u32::MAX as usize),
    ];
    let over = limits.into_iter().filter(|(_, count, limit)| count > limit);
    errors.extend(over.map(|(kind, ..)| DirectoryError::TooMany { kind }));
}

/// Everything that one item says of another by its name.
fn check_names(spec: &DirectorySpec, errors: &mut Vec<DirectoryError>) {
    let sites: BTreeSet<_> = spec.sites.iter().map(|site| &site.id).collect();
    let lines: BTreeSet<_> = spec.lines.iter().map(|line| &line.id).collect();
    let plans: BTreeSet<_> = spec.plans.iter().map(|plan| &plan.name).collect();
    let mut named = |by: String, kind, known: &BTreeSet<&String>, id: &String| {
        if !known.contains(id) {
            let id = id.clone();
            errors.push(DirectoryError::Unknown { by, kind, id });
        }
    };
    for site in &spec.sites {
        let by = || format!("site {}", site.id);
        let neighbours = site.neighbours.iter();
        neighbours.for_each(|one| named(by(), "site", &sites, one));
    }
    for line in &spec.lines {
        let by = || format!("line {}", line.id);
        named(by(), "site", &sites, &line.site);
        let overflow = line.overflow.iter();
        overflow.for_each(|plan| named(by(), "overflow", &plans, plan));
        let crisis_line = line.crisis_line.iter();
        crisis_line.for_each(|line| named(by(), "line", &lines, line));
    }
    for agent in &spec.agents {
        let of_agent = [&agent.site].into_iter().chain(&agent.second_site);
        of_agent.for_each(|site| named(format!("agent {}", agent.id), "site", &sites, site));
    }
    for plan in &spec.plans {
        for reach in plan.steps.iter().flat_map(|step| &step.widen) {
            if let Reach::Site(site) = reach {
                named(format!("overflow {}", plan.name), "site", &sites, site);
            }
        }
    }
    for crisis in &spec.crises {
        let overflow = crisis.overflow.iter();
        overflow
            .for_each(|plan| named(format!("crisis {}", crisis.name), "overflow", &plans, plan));
    }
}

fn check_plans(spec: &DirectorySpec, errors: &mut Vec<DirectoryError>) {
    for plan in &spec.plans {
        let (name, steps) = (&plan.name, plan.steps.len());
        if steps > STEPS_MAX {
            let plan = name.clone();
            errors.push(DirectoryError::TooManySteps { plan, steps });
        }
        let rejects = |step: &crate::spec::StepSpec| step.last_resort == Some(LastResort::Reject);
        let mut before_last = plan.steps.iter().take(steps.saturating_sub(1));
        if before_last.any(rejects) {
            let plan = name.clone();
            errors.push(DirectoryError::RejectsEarly { plan });
        }
    }
}

fn check_lines(spec: &DirectorySpec, errors: &mut Vec<DirectoryError>) {
    for line in &spec.lines {
        if line.parallel == 0 || line.parallel > PARALLEL_MAX {
            errors.push(DirectoryError::Parallel {
                line: line.id.clone(),
                parallel: line.parallel,
            });
        }
        let Some(crisis_line) = &line.crisis_line else {
            continue;
        };
        let named = spec.lines.iter().find(|other| other.id == *crisis_line);
        let is_right = |other: &crate::spec::LineSpec| {
            other.id != line.id && other.site == line.site && other.crisis_line.is_none()
        };
        if named.is_some_and(|other| !is_right(other)) {
            errors.push(DirectoryError::CrisisLine {
                line: line.id.clone(),
                crisis_line: crisis_line.clone(),
            });
        }
    }
}
