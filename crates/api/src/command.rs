//! What HTTP asks of the core's thread, and what it answers.

use std::time::{Duration, Instant};

use engine::{
    AbandonedView, AgentView, CallView, CrisisView, Engine, GaugesView, LineView, Order,
    OrderError, SiteView, StatusView, StoryView,
    acd::{AbandonedId, AgentId},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout_at,
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
    /// Runs the command on the core's thread. An order that was carried out is answered when what it
    /// changed is durable, by whoever gets the reply; everything else at once. Nothing is done for whoever has given up
    /// meanwhile: they may have ordered something else since.
    #[must_use = "whoever gave an order waits for its answer"]
    pub fn run(self, engine: &mut Engine, now: Instant) -> Option<Reply> {
        if self.reply.is_closed() {
            return None;
        }
        let is_order = matches!(self.command, Command::Obey(..));
        let reply = Reply {
            answer: self.command.run(engine, now),
            to: self.reply,
        };
        if is_order {
            return Some(reply);
        }
        reply.send();
        None
    }
}

/// An answer that waits until what it says is durable.
#[derive(Debug)]
pub struct Reply {
    answer: Answer,
    to: oneshot::Sender<Answer>,
}

impl Reply {
    /// Answers.
    pub fn send(self) {
        // Whoever asked may have gone.
        let _gone = self.to.send(self.answer);
    }
}

/// What can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// A question.
    Ask(Query),
    /// An order, and what is to be answered when it has been carried out.
    Obey(Order, Query),
}

/// What can be known.
#[derive(Debug)]
pub(crate) enum Query {
    Status,
    Gauges,
    Sites,
    Lines,
    Agents,
    Agent(AgentId),
    Calls,
    Call(String),
    Story(String),
    Crises,
    AbandonedCallers,
    AbandonedCaller(AbandonedId),
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
    Story(Box<StoryView>),
    Crises(Vec<CrisisView>),
    AbandonedCallers(Vec<AbandonedView>),
    AbandonedCaller(Box<AbandonedView>),
    Unknown,
    Refused(OrderError),
}

impl Command {
    fn run(self, engine: &mut Engine, now: Instant) -> Answer {
        match self {
            Self::Ask(query) => query.run(engine, now),
            Self::Obey(order, query) => match engine.carry_out(now, order) {
                Ok(()) => query.run(engine, now),
                Err(error) => Answer::Refused(error),
            },
        }
    }
}

impl Query {
    fn run(self, engine: &Engine, now: Instant) -> Answer {
        fn found<T>(view: Option<T>, answer: impl Fn(Box<T>) -> Answer) -> Answer {
            view.map_or(Answer::Unknown, |view| answer(Box::new(view)))
        }
        match self {
            Self::Status => Answer::Status(Box::new(engine.status(now))),
            Self::Gauges => Answer::Gauges(Box::new(engine.gauges(now))),
            Self::Sites => Answer::Sites(engine.sites()),
            Self::Lines => Answer::Lines(engine.lines(now)),
            Self::Agents => Answer::Agents(engine.agents(now)),
            Self::Agent(id) => Answer::Agent(Box::new(engine.agent(now, id))),
            Self::Calls => Answer::Calls(engine.calls(now)),
            Self::Call(id) => found(engine.call(now, &id), Answer::Call),
            Self::Story(id) => found(engine.story(now, &id), Answer::Story),
            Self::Crises => Answer::Crises(engine.crises(now)),
            Self::AbandonedCallers => Answer::AbandonedCallers(engine.abandoned(now)),
            Self::AbandonedCaller(id) => {
                found(engine.abandoned_entry(now, id), Answer::AbandonedCaller)
            }
        }
    }
}

/// The core does not answer: it is gone, or busy beyond measure, or waits for its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It has not been asked, and does nothing.
    NotAsked,
    /// It has been asked: an order may have been carried out, or be carried out yet.
    Late,
}

/// Asks the core.
pub(crate) async fn ask(
    requests: &mpsc::Sender<Request>,
    command: Command,
) -> Result<Answer, NoAnswer> {
    let (reply, answer) = oneshot::channel();
    let until = Instant::now() + ANSWER_MAX;
    let sent = requests.send(Request { command, reply });
    let sent = timeout_at(until.into(), sent).await;
    let Ok(Ok(())) = sent else {
        return Err(NoAnswer::NotAsked);
    };
    let answer = timeout_at(until.into(), answer).await;
    answer.ok().and_then(Result::ok).ok_or(NoAnswer::Late)
}

/// Node, sites and lines at this moment; `None` when the core does not answer.
pub async fn gauges(requests: &mpsc::Sender<Request>) -> Option<GaugesView> {
    match ask(requests, Command::Ask(Query::Gauges)).await {
        Ok(Answer::Gauges(gauges)) => Some(*gauges),
        _ => None,
    }
}

/// The node at this moment; `None` when the core does not answer.
pub async fn node_status(requests: &mpsc::Sender<Request>) -> Option<StatusView> {
    match ask(requests, Command::Ask(Query::Status)).await {
        Ok(Answer::Status(status)) => Some(*status),
        _ => None,
    }
}
