//! The languages in which people are spoken to.

use std::env;

use clap::ValueEnum;

/// A language for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// Français.
    Fr,
}

impl Language {
    /// That of the environment (POSIX), else English.
    pub(crate) fn of_environment() -> Self {
        let mut names = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter();
        let named = names.find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
        if named.is_some_and(|value| value.starts_with("fr")) {
            Self::Fr
        } else {
            Self::En
        }
    }

    /// The words in this language.
    pub(crate) const fn of(self, en: &'static str, fr: &'static str) -> &'static str {
        match self {
            Self::En => en,
            Self::Fr => fr,
        }
    }
}
