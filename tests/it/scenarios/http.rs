//! The node's API, as an operator's tools see it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use ureq::Agent;

use super::spec::Condition;

/// How long the node may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Api {
    agent: Agent,
    base: String,
}

impl Api {
    pub(crate) fn new(port: u16) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self {
            agent,
            base: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Whether the node says that it takes calls.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").is_ok_and(|(status, _)| status == 200)
    }

    /// Posts JSON, which must be accepted.
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {path}"))?;
        let answer = response.body_mut().read_to_string().unwrap_or_default();
        let status = response.status();
        ensure!(status.is_success(), "POST {path} {body}: {status} {answer}");
        Ok(())
    }

    fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut response = self
            .agent
            .get(format!("{}{path}", self.base))
            .call()
            .with_context(|| format!("GET {path}"))?;
        let body = response
            .body_mut()
            .read_to_string()
            .with_context(|| format!("GET {path}"))?;
        Ok((response.status().as_u16(), body))
    }

    /// One value of an answer.
    pub(crate) fn value(&self, path: &str, pointer: &str) -> anyhow::Result<Value> {
        let (_, body) = self.get(path)?;
        let answer: Value = serde_json::from_str(&body).with_context(|| format!("GET {path}"))?;
        let value = answer.pointer(pointer).cloned();
        value.with_context(|| format!("GET {path} has no {pointer}: {answer}"))
    }

    /// What does not hold, in words; empty when everything does.
    pub(crate) fn unmet(&self, conditions: &[Condition]) -> anyhow::Result<Vec<String>> {
        let mut answers = BTreeMap::new();
        let mut unmet = Vec::new();
        for condition in conditions {
            let path = condition.path();
            if !answers.contains_key(path) {
                answers.insert(path, self.get(path)?);
            }
            let (status, body) = &answers[path];
            unmet.extend(condition.unmet(*status, body));
        }
        Ok(unmet)
    }
}

impl Condition {
    fn path(&self) -> &str {
        match self {
            Self::Api { get, .. } => get,
            Self::Metric { .. } => "/metrics",
        }
    }

    fn unmet(&self, status: u16, body: &str) -> Option<String> {
        if status != 200 {
            return Some(format!("GET {}: {status} {body}", self.path()));
        }
        match self {
            Self::Api { get, pointer, is } => {
                let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
                let value = answer.pointer(pointer);
                (!is.holds(value)).then(|| match value {
                    Some(value) => format!("GET {get} {pointer} is {value}, should be {is}"),
                    None => format!("GET {get} has no {pointer}: {answer}"),
                })
            }
            Self::Metric { metric, is } => {
                let series = Series::parse(metric);
                let lines = || body.lines().filter(|line| !line.starts_with('#'));
                let found = lines().find_map(|line| {
                    let (name, value) = line.rsplit_once(' ')?;
                    series
                        .is(&Series::parse(name))
                        .then(|| value.parse::<f64>().ok())?
                });
                let value = Value::from(found.unwrap_or(0.0));
                (!is.holds(Some(&value))).then(|| {
                    let near: Vec<_> = lines()
                        .filter(|line| line.starts_with(series.name))
                        .collect();
                    format!("{metric} is {value}, should be {is}; there are {near:?}")
                })
            }
        }
    }
}

/// A series of the Prometheus text format; the order of its labels means nothing.
#[derive(Debug)]
struct Series<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> Series<'a> {
    fn parse(text: &'a str) -> Self {
        let (name, labels) = text.split_once('{').unwrap_or((text, ""));
        let labels = labels
            .trim_end_matches('}')
            .split("\",")
            .filter_map(|label| label.split_once("=\""))
            .map(|(label, value)| (label.trim(), value.trim_end_matches('"')))
            .collect();
        Self { name, labels }
    }

    /// Whether this is meant by the other one, which may name the node besides.
    fn is(&self, other: &Self) -> bool {
        let mut labels = other.labels.clone();
        labels.remove("node");
        self.name == other.name && self.labels == labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_same_whatever_the_order_of_its_labels() {
        let wanted = Series::parse(r#"quinze_calls_total{site="A",line="A-15"}"#);
        let is = |text| wanted.is(&Series::parse(text));
        assert!(is(r#"quinze_calls_total{line="A-15",node="n",site="A"}"#));
        assert!(!is(r#"quinze_calls_total{line="A-15",site="B"}"#));
        assert!(!is(
            r#"quinze_calls_total{line="A-15",outcome="answered",site="A"}"#
        ));
        assert!(!is(r#"quinze_calls{line="A-15",site="A"}"#));
    }

    #[test]
    fn a_metric_that_is_absent_counts_as_zero() {
        let is = super::super::spec::Bound::Exactly(Value::from(0));
        let condition = Condition::Metric {
            metric: "absent_total".to_owned(),
            is,
        };
        assert_eq!(condition.unmet(200, "other_total 3\n"), None);
    }
}
