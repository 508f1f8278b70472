//! What several runs have measured: medians and ranges.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One figure of each run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    /// What was measured, and of what.
    pub(super) what: String,
    pub(super) unit: String,
    pub(super) values: Vec<f64>,
}

impl Series {
    pub(super) fn new(what: impl Into<String>, unit: &str, values: Vec<f64>) -> Self {
        Self {
            what: what.into(),
            unit: unit.to_owned(),
            values,
        }
    }

    /// The middle one, or the mean of the two in the middle. NaN where there is none: it compares with
    /// no target.
    pub(super) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }
}

/// The median with its range.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", figure(self.median()), self.unit)?;
        match (self.sorted().first(), self.sorted().last()) {
            (Some(least), Some(most)) if self.values.len() > 1 => {
                write!(f, " ({} to {})", figure(*least), figure(*most))
            }
            _ => Ok(()),
        }
    }
}

/// A number with as many digits as are worth reading.
pub(super) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series::new("CPU", "µs", values.to_vec())
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((series(&[3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert!((series(&[4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < 1e-9);
        assert!(series(&[]).median().is_nan());
    }

    #[test]
    fn it_is_shown_with_its_range() {
        assert_eq!(
            series(&[3.0, 150.25, 12.34]).to_string(),
            "12.3 µs (3.00 to 150)"
        );
        assert_eq!(series(&[0.25]).to_string(), "0.250 µs");
        assert_eq!(series(&[]).to_string(), "NaN µs");
    }
}
