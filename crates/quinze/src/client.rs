//! Speaking with a node over HTTP.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;
use ureq::{Agent, Body, http::Response};

/// How long a node may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Which node.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeOptions {
    /// The HTTP address of the node.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8015")]
    node: String,
}

/// A node.
pub(crate) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub(crate) fn new(options: &NodeOptions) -> Self {
        // A node is beside us or near: an HTTP proxy of the environment is for what is outside.
        let config = Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: options.node.trim_end_matches('/').to_owned(),
        }
    }

    /// What is at a path.
    ///
    /// # Errors
    /// When the node does not answer, or answers with a problem: what it says.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url);
        let answer = self.agent.get(&url).call();
        read(answer.with_context(|| format!("no node answers at {}", self.url))?)
    }

    /// Asks for a change.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url);
        let request = self.agent.post(&url).content_type("application/json");
        let answer = request.send(body.to_string());
        read(answer.with_context(|| format!("no node answers at {}", self.url))?)
    }
}

fn read(mut answer: Response<Body>) -> anyhow::Result<Value> {
    let text = answer.body_mut().read_to_string();
    let text = text.context("the answer broke off")?;
    let value: Value = serde_json::from_str(&text).context("this is no answer of a node")?;
    if !answer.status().is_success() {
        let detail = value["detail"].as_str().unwrap_or("no reason given");
        bail!("{detail}");
    }
    Ok(value)
}

/// A segment of a path, whatever is in it.
pub(crate) fn segment(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let bytes = text.bytes();
    bytes
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
