//! What HTTP asks of the core's thread, and what it answers.

use std::time::{Duration, Instant};

use engine::{
    AgentView, CallView, Engine, GaugesView, LineView, SiteView, StatusView,
    acd::{self, PauseReason, Want},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long the core may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A command on its way to the core, with where its answer goes.
#[derive(Debug)]
pub struct Request {
    command: Command,
    reply: oneshot::Sender<Answer>,
}

impl Request {
    /// Runs the command on the core's thread and sends the answer back.
    pub fn run(self, engine: &mut Engine, now: Instant) {
        let answer = self.command.run(engine, now);
        // Whoever asked may have gone.
        let _gone = self.reply.send(answer);
    }
}

/// What can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    Status,
    Gauges,
    Sites,
    Lines,
    Agents,
    Agent(String),
    Calls,
    Call(String),
    SetAgent { agent: String, want: Want },
}

/// What the core answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Status(Box<StatusView>),
    Gauges(Box<GaugesView>),
    Sites(Vec<SiteView>),
    Lines(Vec<LineView>),
    Agents(Vec<AgentView>),
    Agent(Box<AgentView>),
    Calls(Vec<CallView>),
    Call(Box<CallView>),
    Unknown,
}

impl Command {
    fn run(self, engine: &mut Engine, now: Instant) -> Answer {
        match self {
            Self::Status => Answer::Status(Box::new(engine.status(now))),
            Self::Gauges => Answer::Gauges(Box::new(engine.gauges(now))),
            Self::Sites => Answer::Sites(engine.sites()),
            Self::Lines => Answer::Lines(engine.lines(now)),
            Self::Agents => Answer::Agents(engine.agents(now)),
            Self::Agent(id) => agent(engine, now, &id),
            Self::Calls => Answer::Calls(engine.calls(now)),
            Self::Call(id) => engine
                .call(now, &id)
                .map_or(Answer::Unknown, |call| Answer::Call(Box::new(call))),
            Self::SetAgent { agent: id, want } => {
                if let Some(id) = engine.directory().agent(&id) {
                    engine.set_agent(now, id, want);
                }
                agent(engine, now, &id)
            }
        }
    }
}

fn agent(engine: &Engine, now: Instant, id: &str) -> Answer {
    match engine.directory().agent(id) {
        Some(id) => Answer::Agent(Box::new(engine.agent(now, id))),
        None => Answer::Unknown,
    }
}

/// The core does not answer: it is gone, or busy beyond measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// Asks the core.
pub(crate) async fn ask(
    requests: &mpsc::Sender<Request>,
    command: Command,
) -> Result<Answer, NoAnswer> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        requests
            .send(Request { command, reply })
            .await
            .map_err(|_| NoAnswer)?;
        answer.await.map_err(|_| NoAnswer)
    };
    timeout(ANSWER_MAX, asked).await.map_err(|_| NoAnswer)?
}

/// Node, sites and lines at this moment; `None` when the core does not answer.
pub async fn gauges(requests: &mpsc::Sender<Request>) -> Option<GaugesView> {
    match ask(requests, Command::Gauges).await {
        Ok(Answer::Gauges(gauges)) => Some(*gauges),
        _ => None,
    }
}

/// What a person wants, in the words of the API.
pub(crate) fn want(state: &str, reason: Option<&str>) -> Result<Want, String> {
    match (state, reason) {
        ("ready", _) => Ok(acd::Want::Ready),
        ("logged-out", _) => Ok(acd::Want::LoggedOut),
        ("not-ready", reason) => {
            let reason = reason.unwrap_or("pause");
            let reason = PauseReason::new(reason).ok_or_else(|| {
                format!(
                    "reason must be 1 to {} lower-case letters, digits and hyphens",
                    PauseReason::LEN_MAX
                )
            })?;
            Ok(Want::NotReady { reason })
        }
        _ => Err("state must be one of ready, not-ready, logged-out".to_owned()),
    }
}
