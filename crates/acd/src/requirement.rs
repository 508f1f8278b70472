//! What an agent must be able to do to take a call.

use std::collections::BTreeMap;

use crate::ids::{Level, SkillId, StepRef};

/// What an agent must be able to do: levels of skills, all of them or one of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// A skill at this level or a higher one.
    Skill {
        /// The skill's name.
        skill: String,
        /// The least level.
        least: Level,
    },
    /// Everything in the list; nothing is asked by an empty one.
    All(Vec<Self>),
    /// One thing of the list.
    Any(Vec<Self>),
}

/// How a step asks for less. Several steps together ask for the least that one of them asks for of
/// each skill, and less than that by all their levels; in whatever order they took effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relax {
    /// At most this level of each of these skills; `None` no longer asks for the skill.
    pub to: BTreeMap<String, Option<Level>>,
    /// Then every level by so much, down to 1: the skills themselves are still asked for.
    pub by: u8,
}

impl Requirement {
    /// All of these levels.
    pub fn all_of(levels: impl IntoIterator<Item = (String, Level)>) -> Self {
        let skill = |(skill, least)| Self::Skill { skill, least };
        Self::All(levels.into_iter().map(skill).collect())
    }

    /// Whether these levels are enough.
    pub fn is_met_by(&self, levels: &BTreeMap<String, Level>) -> bool {
        match self {
            Self::Skill { skill, least } => levels.get(skill).is_some_and(|level| level >= least),
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(levels)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(levels)),
        }
    }

    /// Every skill that it names, each as often as it is named.
    pub fn skills(&self) -> Vec<&str> {
        match self {
            Self::Skill { skill, .. } => vec![skill],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::skills).collect(),
        }
    }

    /// The same, asking for less.
    #[must_use]
    pub fn relaxed(&self, relax: &Relax) -> Self {
        match self {
            Self::Skill { skill, least } => match relax.level(skill, *least) {
                Some(least) => Self::Skill {
                    skill: skill.clone(),
                    least,
                },
                None => Self::All(Vec::new()),
            },
            Self::All(parts) => Self::All(parts.iter().map(|part| part.relaxed(relax)).collect()),
            Self::Any(parts) => Self::Any(parts.iter().map(|part| part.relaxed(relax)).collect()),
        }
    }
}

impl Relax {
    /// What several steps ask for together; `None` when none of them asks for less.
    pub(crate) fn all<'a>(
        steps: &[StepRef],
        relax_of: impl Fn(StepRef) -> Option<&'a Self>,
    ) -> Option<Self> {
        let mut all: Option<Self> = None;
        for relax in steps.iter().filter_map(|&step| relax_of(step)) {
            let all = all.get_or_insert_default();
            all.by = all.by.saturating_add(relax.by);
            for (skill, &level) in &relax.to {
                // No level at all is less than any.
                let least = all.to.entry(skill.clone()).or_insert(level);
                *least = level.min(*least);
            }
        }
        all
    }

    /// The level that is still asked for; `None` when the skill no longer is.
    fn level(&self, skill: &str, asked: Level) -> Option<Level> {
        let at_most = match self.to.get(skill) {
            Some(at_most) => (*at_most)?.min(asked),
            None => asked,
        };
        let lowest = Level::new(1).expect("levels begin at 1");
        Some(Level::new(at_most.value().saturating_sub(self.by)).unwrap_or(lowest))
    }
}

/// A requirement over handles, for the many agents that it is held against.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    whole: Node,
    /// Each skill that is named, once.
    skills: Vec<SkillId>,
}

#[derive(Clone, Debug)]
enum Node {
    Skill(SkillId, Level),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Test {
    /// Resolves the names. A skill that `skill_of` does not know is one that nobody has.
    pub(crate) fn new(
        requirement: &Requirement,
        skill_of: &impl Fn(&str) -> Option<SkillId>,
    ) -> Self {
        let mut skills: Vec<_> = requirement
            .skills()
            .into_iter()
            .filter_map(skill_of)
            .collect();
        skills.sort_unstable();
        skills.dedup();
        Self {
            whole: Node::new(requirement, skill_of),
            skills,
        }
    }

    /// The sum of an agent's levels over the skills that are named, if the agent meets the whole.
    pub(crate) fn sum_if_met(&self, has: &BTreeMap<SkillId, Level>) -> Option<u32> {
        let level = |skill| has.get(skill).map(|level| u32::from(level.value()));
        self.whole
            .is_met_by(has)
            .then(|| self.skills.iter().filter_map(level).sum())
    }
}

impl Node {
    fn new(requirement: &Requirement, skill_of: &impl Fn(&str) -> Option<SkillId>) -> Self {
        let all =
            |parts: &[Requirement]| parts.iter().map(|part| Self::new(part, skill_of)).collect();
        match requirement {
            Requirement::Skill { skill, least } => match skill_of(skill) {
                Some(skill) => Self::Skill(skill, *least),
                None => Self::Any(Vec::new()),
            },
            Requirement::All(parts) => Self::All(all(parts)),
            Requirement::Any(parts) => Self::Any(all(parts)),
        }
    }

    fn is_met_by(&self, has: &BTreeMap<SkillId, Level>) -> bool {
        match self {
            Self::Skill(skill, least) => has.get(skill).is_some_and(|level| level >= least),
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(has)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(has)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(skill: &str, level: u8) -> Requirement {
        Requirement::Skill {
            skill: skill.to_owned(),
            least: Level::new(level).unwrap(),
        }
    }

    fn levels(of: &[(&str, u8)]) -> BTreeMap<String, Level> {
        let level = |&(skill, level): &(&str, u8)| (skill.to_owned(), Level::new(level).unwrap());
        of.iter().map(level).collect()
    }

    #[test]
    fn groups_are_met_as_they_read() {
        let amu_and_a_language = Requirement::All(vec![
            at("amu", 3),
            Requirement::Any(vec![at("en", 2), at("de", 5)]),
        ]);
        let met = |of: &[(&str, u8)]| amu_and_a_language.is_met_by(&levels(of));
        assert!(met(&[("amu", 3), ("en", 2)]));
        assert!(met(&[("amu", 9), ("de", 5), ("en", 1)]));
        assert!(!met(&[("amu", 2), ("en", 2)]));
        assert!(!met(&[("amu", 3), ("de", 4)]));
        assert!(Requirement::All(vec![]).is_met_by(&levels(&[])));
        assert!(!Requirement::Any(vec![]).is_met_by(&levels(&[])));
    }

    #[test]
    fn relaxing_asks_for_less_and_never_for_more() {
        let asked = Requirement::All(vec![at("amu", 5), at("de", 2)]);
        let by = Relax {
            by: 3,
            ..Relax::default()
        };
        let less = Requirement::All(vec![at("amu", 2), at("de", 1)]);
        assert_eq!(asked.relaxed(&by), less);
        let to = Relax {
            to: BTreeMap::from([("amu".to_owned(), Level::new(7)), ("de".to_owned(), None)]),
            by: 1,
        };
        let less = Requirement::All(vec![at("amu", 4), Requirement::All(vec![])]);
        assert_eq!(asked.relaxed(&to), less);
    }
}
