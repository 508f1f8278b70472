//! Reading a TOML table key by key: types, ranges, unknown keys, each with its place.

use std::{cell::RefCell, collections::BTreeSet, str::FromStr, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::report::{Report, Span};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A table that is being read. Keys that nobody asked for are errors at the end.
pub(crate) struct Table<'a> {
    table: &'a DeTable<'a>,
    /// How people call it: `[[line]]`.
    name: &'static str,
    span: Span,
    known: RefCell<BTreeSet<&'static str>>,
    report: &'a Report<'a>,
}

impl<'a> Table<'a> {
    pub(crate) const fn new(
        table: &'a DeTable<'a>,
        name: &'static str,
        span: Span,
        report: &'a Report<'a>,
    ) -> Self {
        Self {
            table,
            name,
            span,
            known: RefCell::new(BTreeSet::new()),
            report,
        }
    }

    /// Where the table begins: what is missing is missing there.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().insert(key);
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        let message = format!("`{key}` in {} must be {wanted}, not {found}", self.name);
        self.report.error(&value.span(), message);
    }

    /// A string, if it is there.
    pub(crate) fn string(&self, key: &'static str) -> Option<At<String>> {
        self.quoted(key, "a string in quotes")
    }

    fn quoted(&self, key: &'static str, wanted: &str) -> Option<At<String>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, wanted);
            return None;
        };
        Some(At {
            value: text.to_owned(),
            span: value.span(),
        })
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required(&self, key: &'static str, example: &str) -> Option<At<String>> {
        if !self.table.contains_key(key) {
            self.known.borrow_mut().insert(key);
            self.missing(key, example);
            return None;
        }
        self.string(key).filter(|text| {
            let is_empty = text.value.is_empty();
            if is_empty {
                let message = format!("`{key}` in {} is empty; write {key} = {example}", self.name);
                self.report.error(&text.span, message);
            }
            !is_empty
        })
    }

    /// A table without which nothing works.
    pub(crate) fn missing_table(&self, name: &str, keys: &str) {
        let message = format!("there is no {name}; add one with {keys}");
        self.report.error(&self.span, message);
    }

    pub(crate) fn missing(&self, key: &str, example: &str) {
        let message = format!("{} has no `{key}`; write {key} = {example}", self.name);
        self.report.error(&self.span, message);
    }

    /// A string that is parsed into something. `wanted` says what would be right.
    pub(crate) fn parsed<T>(&self, key: &'static str, wanted: &str) -> Option<At<T>>
    where
        T: FromStr,
    {
        let text = self.string(key)?;
        let Ok(value) = text.value.parse() else {
            let message = format!("`{key}` in {}: `{}` is not {wanted}", self.name, text.value);
            self.report.error(&text.span, message);
            return None;
        };
        Some(At {
            value,
            span: text.span,
        })
    }

    /// One of some words; the first when it is not there.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        let text = self.string(key)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let known: Vec<_> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            let known = known.join(", ");
            let message = format!(
                "`{key}` in {}: `{}` is not one of {known}",
                self.name, text.value
            );
            self.report.error(&text.span, message);
        }
        found.map(|&(_, value)| At {
            value,
            span: text.span,
        })
    }

    /// A whole number within a range.
    pub(crate) fn integer(&self, key: &'static str, low: i64, high: i64) -> Option<At<i64>> {
        let value = self.get(key)?;
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number");
            return None;
        };
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let Some(number) = number.filter(|number| (low..=high).contains(number)) else {
            let message = format!("`{key}` in {} must be {low} to {high}", self.name);
            self.report.error(&value.span(), message);
            return None;
        };
        Some(At {
            value: number,
            span: value.span(),
        })
    }

    /// A number within a range, whole or not.
    pub(crate) fn number(&self, key: &'static str, low: f64, high: f64) -> Option<At<f64>> {
        let value = self.get(key)?;
        let Some(number) = float(value) else {
            self.wrong_type(key, value, "a number");
            return None;
        };
        if !(low..=high).contains(&number) {
            let message = format!("`{key}` in {} must be {low} to {high}", self.name);
            self.report.error(&value.span(), message);
            return None;
        }
        Some(At {
            value: number,
            span: value.span(),
        })
    }

    /// All numbers of a list, or of a list of lists.
    pub(crate) fn numbers(&self, key: &'static str, low: f64, high: f64) -> Option<At<Vec<f64>>> {
        let value = self.get(key)?;
        let mut numbers = Vec::new();
        for item in value.get_ref().as_array().into_iter().flatten() {
            match item.get_ref().as_array() {
                Some(row) => numbers.extend(row.iter().map(float)),
                None => numbers.push(float(item)),
            }
        }
        let within = |number: Option<f64>| number.filter(|number| (low..=high).contains(number));
        let Some(numbers) = numbers.into_iter().map(within).collect() else {
            let message = format!(
                "`{key}` in {} must be numbers of {low} to {high}",
                self.name
            );
            self.report.error(&value.span(), message);
            return None;
        };
        Some(At {
            value: numbers,
            span: value.span(),
        })
    }

    /// A time that is longer than nothing.
    pub(crate) fn positive_duration(&self, key: &'static str) -> Option<At<Duration>> {
        let time = self.duration(key)?;
        if time.value.is_zero() {
            let message = format!("`{key}` in {} must be longer than nothing", self.name);
            self.report.error(&time.span, message);
        }
        Some(time)
    }

    /// A time such as `15s`; `None` when it is not there or wrong.
    pub(crate) fn duration(&self, key: &'static str) -> Option<At<Duration>> {
        let text = self.quoted(key, "a time in quotes, such as \"15s\"")?;
        let Some(value) = duration(&text.value) else {
            let message = format!(
                "`{key}` in {}: `{}` is no time; write a number and ms, s, m or h, such as \"15s\"",
                self.name, text.value
            );
            self.report.error(&text.span, message);
            return None;
        };
        Some(At {
            value,
            span: text.span,
        })
    }

    /// An array of strings; empty when it is not there.
    pub(crate) fn strings(&self, key: &'static str) -> Vec<At<String>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of strings in brackets");
            return Vec::new();
        };
        let mut strings = Vec::new();
        for item in array {
            match item.get_ref().as_str() {
                Some(text) => strings.push(At {
                    value: text.to_owned(),
                    span: item.span(),
                }),
                None => self.wrong_type(key, item, "a list of strings"),
            }
        }
        strings
    }

    /// A string, or an array of strings.
    pub(crate) fn string_or_strings(&self, key: &'static str) -> Vec<At<String>> {
        let is_string = self
            .table
            .get(key)
            .is_some_and(|value| value.get_ref().is_str());
        if is_string {
            self.string(key).into_iter().collect()
        } else {
            self.strings(key)
        }
    }

    /// The entries of a table inside: name, value, place.
    pub(crate) fn entries(&self, key: &'static str) -> Vec<(At<String>, &'a Spanned<DeValue<'a>>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let entries = self.entries_of(value);
        if entries.is_none() {
            self.wrong_type(key, value, "a table such as { amu = 1 }");
        }
        entries.unwrap_or_default()
    }

    /// The entries of a table within this one, in the order of their names; `None` of anything else.
    pub(crate) fn entries_of(
        &self,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Option<Vec<(At<String>, &'a Spanned<DeValue<'a>>)>> {
        let table = value.get_ref().as_table()?;
        let entry = |(name, value): (&Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'_, str> = name.get_ref();
            (
                At {
                    value: name.clone().into_owned(),
                    span: value.span(),
                },
                value,
            )
        };
        Some(table.iter().map(entry).collect())
    }

    /// Whether there is such a key, right or wrong.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// Whether a key holds a table.
    pub(crate) fn is_table(&self, key: &'static str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| value.get_ref().is_table())
    }

    /// A table inside, if it is there.
    pub(crate) fn table(&self, key: &'static str, name: &'static str) -> Option<Self> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        Some(Self::new(table, name, value.span(), self.report))
    }

    /// The tables of an array of tables.
    pub(crate) fn tables(&self, key: &'static str, name: &'static str) -> Vec<Self> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => tables.push(Self::new(table, name, item.span(), self.report)),
                None => self.wrong_type(key, item, "a table"),
            }
        }
        tables
    }

    /// Reports the keys that nobody asked for, with the nearest known one.
    pub(crate) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self
            .table
            .iter()
            .filter(|(key, _)| !known.contains(&**key.get_ref()))
        {
            let name = key.get_ref();
            let nearest = known.iter().min_by_key(|one| distance(one, name));
            let hint = match nearest.filter(|one| distance(one, name) <= 1 + name.len() / 3) {
                Some(one) => format!("did you mean `{one}`?"),
                None => {
                    let known: Vec<_> = known.iter().map(|one| format!("`{one}`")).collect();
                    format!("known are {}", known.join(", "))
                }
            };
            self.report.error(
                &key.span(),
                format!("unknown key `{name}` in {}; {hint}", self.name),
            );
        }
    }
}

/// A time as a configuration writes it: numbers and units, `250ms`, `15s`, `2m`, `1h30m`, the greatest unit first; `None`
/// for anything else.
pub fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut unit_before) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|one: char| !one.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        if millis >= unit_before {
            return None;
        }
        let part = number.parse::<u64>().ok()?.checked_mul(millis)?;
        (total, unit_before) = (total.checked_add(part)?, millis);
        rest = after.trim_start();
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (i, one) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(one != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A number, whole or not.
fn float(value: &Spanned<DeValue<'_>>) -> Option<f64> {
    let value = value.get_ref();
    if let Some(number) = value.as_integer() {
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
        // What is read here is small.
        return i32::try_from(number).ok().map(f64::from);
    }
    let number = value.as_float()?.as_str().parse().ok()?;
    f64::is_finite(number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("15 s"), Some(Duration::from_secs(15)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(
            duration("1h 5s 3ms"),
            Some(Duration::from_millis(3_605_003))
        );
        let many = "99999999999999999999s";
        for wrong in [
            "", "15", "s", "-1s", "1.5s", "1d", many, "1m1h", "1m1m", "1h30",
        ] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn near_words_are_near() {
        assert_eq!(distance("priority", "prio"), 4);
        assert_eq!(distance("wrap_up", "wrapup"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
