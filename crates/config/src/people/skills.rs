//! What agents are able to do, and what lines ask of them.

use std::collections::{BTreeMap, BTreeSet};

use acd::{Level, Requirement};
use toml::{Spanned, de::DeValue};

use super::Reader;
use crate::table::{At, Table};

/// An entry of a table of skills.
type Entry<'a> = (At<String>, &'a Spanned<DeValue<'a>>);

impl Reader<'_> {
    /// The skills of an agent.
    pub(super) fn skills(&self, table: &Table<'_>) -> BTreeMap<String, Level> {
        let mut skills = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (name, value) in table.entries("skills") {
            if let Some(level) = self.level(&name, value)
                && seen.insert(name.value.clone())
            {
                skills.insert(name.value, level);
            }
        }
        skills
    }

    /// What a line asks for: levels of skills, and lists of such tables under `any` and `all`.
    pub(super) fn requirement(&self, table: &Table<'_>) -> Requirement {
        self.all_of(table.entries("skills"), table)
    }

    fn all_of(&self, entries: Vec<Entry<'_>>, table: &Table<'_>) -> Requirement {
        let part = |(name, value): Entry<'_>| match name.value.as_str() {
            "any" => self.group(&name, value, table).map(Requirement::Any),
            "all" => self.group(&name, value, table).map(Requirement::All),
            _ => self.level(&name, value).map(|least| Requirement::Skill {
                skill: name.value,
                least,
            }),
        };
        Requirement::All(entries.into_iter().filter_map(part).collect())
    }

    fn group(
        &self,
        name: &At<String>,
        value: &Spanned<DeValue<'_>>,
        table: &Table<'_>,
    ) -> Option<Vec<Requirement>> {
        let list = value.get_ref().as_array().filter(|list| !list.is_empty());
        let parts: Option<Vec<_>> = list.and_then(|list| {
            let part = |item| Some(self.all_of(table.entries_of(item)?, table));
            list.iter().map(part).collect()
        });
        if parts.is_none() {
            let message = format!(
                "`{0}` of skills: write {0} = [{{ en = 3 }}, {{ de = 3 }}]",
                name.value
            );
            self.report.error(&name.span, message);
        }
        parts
    }

    fn level(&self, name: &At<String>, value: &Spanned<DeValue<'_>>) -> Option<Level> {
        let level = self.whole_number(value).and_then(Level::new);
        if level.is_none() {
            let message = format!("skill `{}`: its level must be 1 to 10", name.value);
            self.report.error(&name.span, message);
        }
        level
    }

    pub(super) fn whole_number(&self, value: &Spanned<DeValue<'_>>) -> Option<u8> {
        let number = value.get_ref().as_integer()?;
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
        u8::try_from(number).ok()
    }
}
