//! How phones prove who they are: the section `[authentication]` and the credentials that it names.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use acd::{AgentId, Directory};
use sip_proxy::{Algorithm, Ha1};

use crate::{
    report::{Report, Span},
    table::{At, Table},
};

/// For how long a challenge may be answered when the file does not say.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Where a secret is. A configuration names it; whoever loads the configuration reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// In this file. A relative path starts at the folder of the configuration.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
}

/// The section, before agents are known.
#[derive(Debug)]
pub(crate) struct Section {
    realm: Option<String>,
    algorithms: Vec<Algorithm>,
    nonce_lifetime: Duration,
    credentials: Option<At<String>>,
}

impl Section {
    /// Reads the section, and what its `credentials` name. `None` when there is no section.
    pub(crate) fn read(
        root: &Table<'_>,
        path: &Path,
        report: &Report<'_>,
        secrets: &dyn Fn(&Secret) -> Result<String, String>,
    ) -> Option<Self> {
        let table = root.table("authentication", "[authentication]")?;
        let realm = table.string("realm").map(|at| at.value);
        let algorithms = read_algorithms(&table, report);
        let nonce_lifetime = table.positive_duration("nonce_lifetime");
        let credentials = read_credentials(&table, path, report, secrets);
        table.finish();
        Some(Self {
            realm,
            algorithms,
            nonce_lifetime: nonce_lifetime.map_or(NONCE_LIFETIME, |at| at.value),
            credentials,
        })
    }

    /// With the agents whose credentials they are. `domain` is the realm unless there is another.
    pub(crate) fn resolve(
        self,
        domain: &str,
        directory: &Directory,
        report: &Report<'_>,
    ) -> engine::Authentication {
        let realm = self.realm.unwrap_or_else(|| domain.to_owned());
        let secrets = self.credentials.map_or_else(Vec::new, |text| {
            let mut reader = CredentialsReader {
                realm: &realm,
                algorithms: &self.algorithms,
                directory,
                report,
                span: &text.span,
                secrets: BTreeMap::new(),
            };
            reader.read(&text.value);
            reader.warn_of_agents_without();
            reader.secrets.into_iter().collect()
        });
        engine::Authentication {
            realm,
            algorithms: self.algorithms,
            nonce_lifetime: self.nonce_lifetime,
            secrets,
        }
    }
}

fn read_algorithms(table: &Table<'_>, report: &Report<'_>) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for name in table.strings("algorithms") {
        match Algorithm::of(name.value.as_bytes()) {
            Some(algorithm) if !algorithms.contains(&algorithm) => algorithms.push(algorithm),
            Some(_) => {
                let message = format!("`algorithms`: {} is there already", name.value);
                report.error(&name.span, message);
            }
            None => {
                let known = Algorithm::ALL.map(Algorithm::name).join(", ");
                let message = format!("`algorithms`: `{}` is not one of {known}", name.value);
                report.error(&name.span, message);
            }
        }
    }
    if algorithms.is_empty() {
        algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
    }
    algorithms
}

fn read_credentials(
    table: &Table<'_>,
    path: &Path,
    report: &Report<'_>,
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
) -> Option<At<String>> {
    let Some(place) = table.table("credentials", "`credentials` in [authentication]") else {
        table.missing("credentials", "{ file = \"agents.credentials\" }");
        return None;
    };
    let (file, variable) = (place.string("file"), place.string("env"));
    place.finish();
    let (secret, span) = match (file, variable) {
        (Some(file), None) => {
            let folder = path.parent().unwrap_or_else(|| Path::new(""));
            (Secret::File(folder.join(file.value)), file.span)
        }
        (None, Some(variable)) => (Secret::Environment(variable.value), variable.span),
        _ => {
            let message = "`credentials` names either a `file` or a variable by `env`";
            report.error(place.span(), message);
            return None;
        }
    };
    match secrets(&secret) {
        Ok(value) => Some(At { value, span }),
        Err(error) => {
            report.error(&span, format!("`credentials`: {error}"));
            None
        }
    }
}

/// Reads credentials: a line for each secret of an agent. Never prints one.
struct CredentialsReader<'a> {
    realm: &'a str,
    algorithms: &'a [Algorithm],
    directory: &'a Directory,
    report: &'a Report<'a>,
    /// Where the configuration names them.
    span: &'a Span,
    secrets: BTreeMap<AgentId, Vec<Ha1>>,
}

impl CredentialsReader<'_> {
    fn read(&mut self, text: &str) {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(problem) = self.read_line(line) {
                let message = format!("`credentials`, line {number}: {problem}");
                self.report.error(self.span, message);
            }
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), String> {
        let (user, rest) = line.split_once(char::is_whitespace).ok_or(LINE_FORM)?;
        let (kind, secret) = rest
            .trim_start()
            .split_once(char::is_whitespace)
            .ok_or(LINE_FORM)?;
        let agent = self
            .directory
            .agent(user)
            .ok_or_else(|| format!("there is no agent `{user}`"))?;
        let secret = secret.trim_start();
        let added = if kind == "password" {
            let of = |&algorithm| Ha1::of_password(algorithm, user, self.realm, secret);
            self.algorithms.iter().map(of).collect()
        } else {
            let algorithm = Algorithm::of(kind.as_bytes()).ok_or(LINE_FORM)?;
            if !self.algorithms.contains(&algorithm) {
                let offered: Vec<_> = self.algorithms.iter().map(|one| one.name()).collect();
                let message = format!(
                    "agent `{user}`: phones are not asked for {}: `algorithms` are {}",
                    algorithm.name(),
                    offered.join(", ")
                );
                self.report.warn(self.span, message);
                return Ok(());
            }
            vec![Ha1::parse(algorithm, secret).map_err(|error| error.to_string())?]
        };
        let kept = self.secrets.entry(agent).or_default();
        for secret in added {
            let algorithm = secret.algorithm();
            if kept.iter().any(|one| one.algorithm() == algorithm) {
                let name = algorithm.name();
                return Err(format!("agent `{user}` has a secret for {name} already"));
            }
            kept.push(secret);
        }
        Ok(())
    }

    /// A phone that knows several algorithms takes the first that it is offered (RFC 8760 §2.4), and has to prove itself by
    /// that one.
    fn warn_of_agents_without(&self) {
        for agent in self.directory.agents() {
            let id = &self.directory.agent_profile(agent).id;
            let secrets = self.secrets.get(&agent).map_or(&[][..], Vec::as_slice);
            let has = |&&offered: &&Algorithm| secrets.iter().any(|one| one.algorithm() == offered);
            let missing = self.algorithms.iter().filter(|one| !has(one));
            let missing: Vec<_> = missing.map(|one| one.name()).collect();
            let message = match missing.as_slice() {
                [] => continue,
                _ if secrets.is_empty() => {
                    format!("agent `{id}` has no credentials: its phone cannot register")
                }
                _ => format!(
                    "agent `{id}` has no credentials for {}: a phone that answers with that cannot register",
                    missing.join(", ")
                ),
            };
            self.report.warn(self.span, message);
        }
    }
}

const LINE_FORM: &str = "write AGENT password WORDS, or AGENT ALGORITHM HA1";
