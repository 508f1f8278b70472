//! `scenario.toml`: what a scenario is made of. `sip-scenarios/README.md` explains it to its authors.

use std::{collections::BTreeMap, fmt, fs, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How long a scenario may take unless it says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// One scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What is shown, in one sentence.
    pub(crate) what: String,
    /// How long the whole may take.
    #[serde(default = "time_limit", deserialize_with = "duration")]
    pub(crate) time_limit: Duration,
    /// Whether other scenarios may run at the same time.
    #[serde(default)]
    pub(crate) company: Company,
    /// Phones that agents have and that nothing listens for.
    #[serde(default)]
    pub(crate) dead_phones: Vec<String>,
    /// What must be true when all processes have ended.
    pub(crate) expect: Vec<Condition>,
    pub(crate) node: NodeSpec,
    #[serde(default, rename = "agent")]
    pub(crate) agents: Vec<AgentSpec>,
    #[serde(rename = "sipp")]
    pub(crate) sipps: Vec<SippSpec>,
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// Who else may use the machine meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Company {
    /// Other scenarios.
    #[default]
    Others,
    /// Nobody: the scenario measures.
    Alone,
}

/// The node's configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSpec {
    /// A template, relative to `sip-scenarios/`.
    pub(crate) config: String,
    /// What its placeholders stand for, ports apart.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, String>,
}

/// One agent, or `count` of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentSpec {
    /// The agent's id; `{n}` in it is 1, 2, ... up to `count`.
    pub(crate) id: String,
    pub(crate) site: String,
    /// The SIPp that is the agent's phone, or a name from `dead_phones`; left out where the phone
    /// registers.
    pub(crate) phone: Option<String>,
    /// The transport that the agent's contact names, where it is not the phone's.
    pub(crate) contact_transport: Option<Transport>,
    /// The skills, as the node's configuration writes them.
    #[serde(default = "skills")]
    pub(crate) skills: String,
    #[serde(default = "ready")]
    pub(crate) start: String,
    #[serde(default = "one")]
    pub(crate) count: u32,
}

/// One SIPp process. One that dials is a caller, and is started by a step; one that does not is a
/// phone, and listens before the node starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SippSpec {
    pub(crate) name: String,
    pub(crate) play: Play,
    #[serde(default)]
    pub(crate) transport: Transport,
    /// What the caller dials.
    pub(crate) dials: Option<String>,
    /// How many calls it makes or takes: exactly so many must succeed, and none may fail.
    pub(crate) calls: u64,
    /// More arguments of SIPp's command line; `{NAME_port}` in one is the port of another SIPp.
    #[serde(default)]
    pub(crate) args: Vec<String>,
}

/// Over what a SIPp speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    #[default]
    Udp,
    /// One connection for all calls.
    Tcp,
}

/// What a SIPp process plays.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Play {
    /// One of SIPp's own scenarios.
    Builtin {
        /// `uac`, `uas`, ...
        builtin: String,
    },
    /// An XML file in the scenario's folder or, when it begins with `peers/`, among those that
    /// several scenarios share.
    File(String),
}

/// What the runner does, one after the other.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Step {
    /// Starts a caller.
    Start {
        /// Which.
        sipp: String,
    },
    /// Waits until all of this is true at once.
    Wait {
        /// What.
        until: Vec<Condition>,
        /// It must not become true before so much time has gone by since a caller was started.
        not_before: Option<NotBefore>,
    },
    /// Posts to the API, which must accept it.
    Post {
        /// The path.
        path: String,
        /// The JSON body.
        body: Value,
    },
    /// Gives a SIPp the cue that its scenario waits for: an INFO on its first call.
    Cue {
        /// Which.
        sipp: String,
    },
    /// Waits until a SIPp has ended, and well.
    End {
        /// Which.
        sipp: String,
    },
}

/// A time before which something must not happen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotBefore {
    /// The caller from whose start the time counts.
    pub(crate) since: String,
    #[serde(deserialize_with = "duration")]
    pub(crate) after: Duration,
}

/// Something that the node's API or metrics can be asked.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Condition {
    /// A value in a JSON answer of the API.
    Api {
        /// The path.
        get: String,
        /// Where in the answer (RFC 6901).
        pointer: String,
        is: Bound,
    },
    /// A series of `/metrics`. One that is absent counts as 0.
    Metric {
        /// Its name and all its labels, in any order.
        metric: String,
        is: Bound,
    },
}

/// What a value must be.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Bound {
    /// At least this number.
    AtLeast {
        /// The number.
        at_least: f64,
    },
    /// At most this number.
    AtMost {
        /// The number.
        at_most: f64,
    },
    /// Exactly this.
    Exactly(Value),
}

impl Scenario {
    /// What a phone speaks; a dead one, UDP.
    pub(crate) fn transport_of(&self, phone: &str) -> Transport {
        let phone = self.sipps.iter().find(|sipp| sipp.name == phone);
        phone.map_or(Transport::Udp, |sipp| sipp.transport)
    }

    /// Reads `scenario.toml` of a folder.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("scenario.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let scenario: Self =
            toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        scenario
            .check_names()
            .with_context(|| format!("{}", path.display()))?;
        Ok(scenario)
    }

    /// Every name that is used must be defined once.
    fn check_names(&self) -> anyhow::Result<()> {
        ensure!(!self.what.is_empty(), "`what` says nothing");
        let mut defined = BTreeMap::new();
        let sipps = self
            .sipps
            .iter()
            .map(|sipp| (&sipp.name, sipp.dials.is_some()));
        for (name, calls) in sipps.chain(self.dead_phones.iter().map(|name| (name, false))) {
            ensure!(
                defined.insert(name, calls).is_none(),
                "`{name}` is defined twice"
            );
        }
        for (agent, phone) in self
            .agents
            .iter()
            .filter_map(|one| Some((&one.id, one.phone.as_ref()?)))
        {
            match defined.get(phone) {
                Some(false) => {}
                Some(true) => bail!("the phone of {agent} is a caller"),
                None => bail!("the phone of {agent} is not defined: `{phone}`"),
            }
        }
        let mut started = Vec::new();
        for step in &self.steps {
            match step {
                Step::Start { sipp } => {
                    ensure!(defined.get(sipp) == Some(&true), "`{sipp}` is not a caller");
                    ensure!(!started.contains(&sipp), "`{sipp}` is started twice");
                    started.push(sipp);
                }
                Step::Cue { sipp } | Step::End { sipp } => {
                    ensure!(defined.contains_key(sipp), "`{sipp}` is not defined");
                }
                Step::Wait {
                    not_before: Some(NotBefore { since, .. }),
                    ..
                } => {
                    ensure!(started.contains(&since), "`{since}` is not started by then");
                }
                Step::Wait { .. } | Step::Post { .. } => {}
            }
        }
        let callers = self.sipps.iter().filter(|sipp| sipp.dials.is_some());
        for caller in callers {
            ensure!(
                started.contains(&&caller.name),
                "`{}` is never started",
                caller.name
            );
        }
        Ok(())
    }
}

impl Bound {
    /// Whether a value, where there is one, is as it must be.
    pub(crate) fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (_, None) => false,
            (Self::Exactly(wanted), Some(value)) => match (wanted.as_f64(), value.as_f64()) {
                (Some(wanted), Some(value)) => wanted.total_cmp(&value).is_eq(),
                _ => wanted == value,
            },
            (Self::AtLeast { at_least }, Some(value)) => {
                value.as_f64().is_some_and(|value| value >= *at_least)
            }
            (Self::AtMost { at_most }, Some(value)) => {
                value.as_f64().is_some_and(|value| value <= *at_most)
            }
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { at_least } => write!(f, "at least {at_least}"),
            Self::AtMost { at_most } => write!(f, "at most {at_most}"),
            Self::Exactly(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { sipp } => write!(f, "start {sipp}"),
            Self::Wait { .. } => write!(f, "wait"),
            Self::Post { path, body } => write!(f, "post {path} {body}"),
            Self::Cue { sipp } => write!(f, "cue {sipp}"),
            Self::End { sipp } => write!(f, "end of {sipp}"),
        }
    }
}

fn time_limit() -> Duration {
    TIME_LIMIT
}

fn skills() -> String {
    "{ amu = 5 }".to_owned()
}

fn ready() -> String {
    "ready".to_owned()
}

const fn one() -> u32 {
    1
}

/// `1.5s`, `250ms`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => return Err(serde::de::Error::custom("a time ends in s or ms")),
    };
    let number: f64 = number.parse().map_err(serde::de::Error::custom)?;
    Duration::try_from_secs_f64(number * unit).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(text: &str) -> Result<Condition, toml::de::Error> {
        #[derive(Deserialize)]
        struct Holder {
            only: Condition,
        }
        toml::from_str::<Holder>(&format!("only = {text}")).map(|holder| holder.only)
    }

    #[test]
    fn a_bound_compares_numbers_by_value_and_text_as_it_is() {
        let Condition::Api { is, .. } = condition("{ get = '/', pointer = '/a', is = 1 }").unwrap()
        else {
            panic!("an API condition")
        };
        assert!(is.holds(Some(&json!(1.0))));
        assert!(!is.holds(Some(&json!("1"))));
        assert!(!is.holds(None));
        let Condition::Metric { is, .. } =
            condition("{ metric = 'm', is = { at_least = 3.0 } }").unwrap()
        else {
            panic!("a condition on a metric")
        };
        assert!(is.holds(Some(&json!(3))));
        assert!(!is.holds(Some(&json!(2.9))));
    }

    #[test]
    fn a_condition_with_an_unknown_key_is_an_error() {
        assert!(condition("{ metric = 'm', is = 1, equals = 2 }").is_err());
    }
}
