//! Configuration: one TOML file becomes validated domain types, or every error at once.
//!
//! [`load`] reads the text and returns a [`Loaded`], from which a node starts, or [`Errors`], which
//! print one line for each: file, line, column, what is wrong, what would be right. Unknown keys are
//! errors. What is legal but probably not meant is a warning.
//!
//! Nothing is read from the disk here and no file is found by itself: the caller reads the text, and
//! the secrets that it names ([`load_with`]).
//!
//! ```
//! let errors = config::load("node.toml".as_ref(), "[node]\nnam = \"x\"\n", [1, 2, 3, 4]);
//! let errors = errors.expect_err("it is not whole").to_string();
//! assert!(errors.starts_with("node.toml:1:1: [node] has no `default_line`"));
//! assert!(errors.contains("node.toml:2:1: unknown key `nam` in [node]; did you mean `name`?"));
//! ```

mod authentication;
mod explanation;
mod numbers;
mod people;
pub mod planning;
mod reach;
mod report;
pub mod scenario;
mod shell;
mod table;
mod tls;
mod trunks;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::DeTable;

pub use authentication::Secret;
pub use explanation::{
    AgentFact, Diversion, Doubt, Explanation, LineFact, NumberFact, Phone, StepFact, TrunkFact,
};
pub use report::{Errors, Problem};
pub use table::duration;
pub use tls::TlsFiles;

use crate::{report::Report, table::Table};

/// A configuration that is right: what a node starts from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the engine decides by.
    pub engine: engine::Config,
    /// Where the API and the metrics are served.
    pub http: SocketAddr,
    /// Where the certificates are; `None` where nothing speaks TLS.
    pub tls: Option<TlsFiles>,
    /// The DNS servers to ask; those of the system when empty.
    pub dns: Vec<SocketAddr>,
    /// What TCP and TLS connections may cost.
    pub connections: ConnectionLimits,
    /// Where the state is written that outlives the process.
    pub journal: Journal,
    /// How long calls may go on when the node is told to stop.
    pub drain_limit: Duration,
    /// How log lines look.
    pub log: LogFormat,
    /// What a simulation needs beside all that.
    pub planning: Option<planning::Planning>,
    /// What is legal but probably not meant, one printed line each.
    pub warnings: Vec<String>,
}

/// Where a journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file does not say: where whoever starts a node has room for it.
    Unsaid,
    /// Nowhere, as the file says.
    Off,
    /// There.
    At(PathBuf),
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Where it is.
    pub place: Place,
    /// How long a journal that was found broken is kept beside it for somebody to look at: there are numbers
    /// of callers in it.
    pub broken_kept: Duration,
}

/// What TCP and TLS connections may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that are taken in at a time, on all listeners. More are closed at once.
    pub connections_max: usize,
    /// Of these, how many may come from one address.
    pub per_source_max: usize,
    /// How long a connection may be silent.
    pub idle_max: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            per_source_max: 1_000,
            idle_max: Duration::from_secs(3600),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    Json,
    /// Text, for people.
    Text,
}

/// Reads a configuration that names no secrets: one that does is wrong here. `path` is only for
/// messages. `seed` is entropy for the engine.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn load(path: &Path, text: &str, seed: [u64; 4]) -> Result<Loaded, Errors> {
    load_with(path, text, seed, &|_| {
        Err("no secrets can be read here".to_owned())
    })
}

/// Reads a configuration and the secrets that it names. `path` is for messages and for the folder of
/// relative paths; `secrets` reads one secret, or says why it cannot be read.
///
/// # Errors
/// Everything that is wrong, in the order of the file. No message shows a secret.
pub fn load_with(
    path: &Path,
    text: &str,
    seed: [u64; 4],
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
) -> Result<Loaded, Errors> {
    let report = Report::new(path, text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let span = error.span().unwrap_or_default();
        report.error(&span, error.message());
    }
    if report.has_errors() {
        return Err(report.into_errors());
    }
    let loaded = {
        let root = Table::new(document.get_ref(), "the file", 0..0, &report);
        let loaded = shell::read(&root, path, &report, seed, secrets);
        root.finish();
        loaded
    };
    match loaded {
        Some(mut loaded) if !report.has_errors() => {
            loaded.warnings = report.into_warnings();
            Ok(loaded)
        }
        _ => Err(report.into_errors()),
    }
}
