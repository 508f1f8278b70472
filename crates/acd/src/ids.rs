//! Identifiers and units.

use std::fmt;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        ///
        /// A handle that a [`crate::Directory`] gives out, in the order of the written ids: comparing
        /// two handles compares the ids.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            pub(crate) fn new(index: usize) -> Self {
                Self(<$inner>::try_from(index).expect("Directory::build has checked the number"))
            }

            /// The place in the directory, from 0.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

handle! {
    /// A site: a centre that takes calls (CRRA).
    SiteId(u16)
}
handle! {
    /// A line: what is dialled, and how its calls are served.
    LineId(u32)
}
handle! {
    /// An agent.
    AgentId(u32)
}
handle! {
    /// A skill.
    SkillId(u16)
}
handle! {
    /// An overflow plan.
    PlanId(u16)
}
handle! {
    /// A crisis plan.
    CrisisId(u16)
}
handle! {
    /// A set of skills with their levels that one or more agents have.
    ProfileId(u32)
}

/// A call, as its owner names it. Numbers ascend with arrival; they are the last tie-break of the
/// order in which calls are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    /// A call's number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// An offer: one agent being asked to take one call. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(u64);

impl OfferId {
    /// The offer of a number that was kept as [`OfferId::value`].
    pub const fn from_value(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// A caller, as an opaque number: the same for the calls of one caller, and nothing else is known of
/// it here. Whoever owns the calls derives it from the caller's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey(u64);

impl CallerKey {
    /// A caller.
    pub const fn new(key: u64) -> Self {
        Self(key)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// An entry of the list of abandoned callers. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbandonedId(u64);

impl AbandonedId {
    /// The entry of this number, if there is one.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// The place of a step in its plan, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIndex(u8);

impl StepIndex {
    pub(crate) fn new(index: usize) -> Self {
        Self(u8::try_from(index).expect("a plan has at most 16 steps"))
    }

    /// The step at a place that was kept as [`StepIndex::value`]; `None` beyond what a plan may have.
    pub fn from_value(place: u8) -> Option<Self> {
        (usize::from(place) < crate::STEPS_MAX).then_some(Self(place))
    }

    /// The place, from 0.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// A step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepRef {
    /// The plan.
    pub plan: PlanId,
    /// Its step.
    pub step: StepIndex,
}

/// How well an agent has a skill: 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// A level, or `None` outside 1 to 10.
    pub const fn new(level: u8) -> Option<Self> {
        if level >= 1 && level <= 10 {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// How urgent a call is: 0 is served first, 9 last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// A priority, or `None` over 9.
    pub const fn new(priority: u8) -> Option<Self> {
        if priority <= 9 {
            Some(Self(priority))
        } else {
            None
        }
    }

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// More urgent by so much, 0 at most.
    #[must_use]
    pub(crate) const fn raised(self, by: u8) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// At most so many characters.
            pub const LEN_MAX: usize = 32;

            /// 1 to 32 lower-case letters, digits and hyphens; `None` for anything else.
            pub fn new(word: &str) -> Option<Self> {
                let is_plain =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                let fits = !word.is_empty() && word.len() <= Self::LEN_MAX;
                (fits && word.bytes().all(is_plain)).then(|| Self(word.into()))
            }

            /// The word.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word! {
    /// Why a person takes a pause: a short word such as `lunch`.
    PauseReason
}
word! {
    /// How a call was closed by who had it: a short word such as `medical` or `hoax`.
    Disposition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_their_ranges() {
        assert_eq!(Level::new(0), None);
        assert_eq!(Level::new(11), None);
        assert!(Level::new(10) > Level::new(1));
        assert_eq!(Priority::new(10), None);
        assert!(Priority::new(0) < Priority::new(9));
        assert!(PauseReason::new("lunch-2").is_some());
        for wrong in ["", "Lunch", "pause déjeuner", &"x".repeat(33)] {
            assert_eq!(PauseReason::new(wrong), None, "{wrong}");
        }
    }
}
