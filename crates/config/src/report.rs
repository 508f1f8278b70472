//! Errors with their places.

use std::{
    cell::RefCell,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// Everything that is wrong with a configuration, in the order of the file.
///
/// `Display` prints one line for each: `file:line:column: what is wrong, and what would be right`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Errors {
    path: PathBuf,
    problems: Vec<Problem>,
}

/// One thing that is wrong, or that may not be meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What it is, and what would be right.
    pub message: String,
}

impl Errors {
    /// Each of them.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let Problem {
                line,
                column,
                message,
            } = problem;
            write!(f, "{}:{line}:{column}: {message}", self.path.display())?;
        }
        Ok(())
    }
}

/// Where something stands in the text.
pub(crate) type Span = Range<usize>;

/// Collects problems while a configuration is read.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    path: &'a Path,
    text: &'a str,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl<'a> Report<'a> {
    /// Which text it is: the first twelve hexadecimal digits of its SHA-256, so that two people can
    /// tell whether they speak of the same rules.
    pub(crate) fn version(&self) -> String {
        let digest = Sha256::digest(self.text);
        let digits = digest.iter().take(6).map(|byte| format!("{byte:02x}"));
        digits.collect()
    }

    pub(crate) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            text,
            errors: RefCell::new(Vec::new()),
            warnings: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn error(&self, at: &Span, message: impl Into<String>) {
        self.errors
            .borrow_mut()
            .push(self.problem(at, message.into()));
    }

    pub(crate) fn warn(&self, at: &Span, message: impl Into<String>) {
        self.warnings
            .borrow_mut()
            .push(self.problem(at, message.into()));
    }

    /// `line 12` of a place, to point from one place to another.
    pub(crate) fn line_of(&self, at: &Span) -> String {
        format!("line {}", self.problem(at, String::new()).line)
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// All errors, in the order of the file.
    pub(crate) fn into_errors(self) -> Errors {
        let mut problems = self.errors.into_inner();
        problems.sort();
        problems.dedup();
        Errors {
            path: self.path.to_owned(),
            problems,
        }
    }

    /// All warnings, in the order of the file, as they are printed.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        let mut problems = self.warnings.into_inner();
        problems.sort();
        let print = |Problem {
                         line,
                         column,
                         message,
                     }: Problem| {
            format!(
                "{}:{line}:{column}: warning: {message}",
                self.path.display()
            )
        };
        problems.into_iter().map(print).collect()
    }

    fn problem(&self, at: &Span, message: String) -> Problem {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Problem {
            line,
            column,
            message,
        }
    }
}
