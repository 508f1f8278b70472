//! HTTP: what people and other systems ask a node, and what they may change.
//!
//! [`router`] is an axum router over the core's request queue; whoever serves it binds the port.
//! Every answer is a snapshot that the core's thread made at one moment; turning it into JSON is
//! done here, elsewhere than where calls are decided. Errors are RFC 9457 problems.
//!
//! | | |
//! |---|---|
//! | `GET /healthz` | 200 while the process answers |
//! | `GET /readyz` | 200 while new calls should come here, 503 while draining or while the journal is late or has failed |
//! | `GET /metrics` | Prometheus |
//! | `GET /v1/status`, `/v1/sites`, `/v1/lines`, `/v1/agents`, `/v1/agents/{id}`, `/v1/calls`, `/v1/calls/{id}` | snapshots |
//! | `GET /v1/calls/{id}/story` | what happened to a call and why, also after its end |
//! | `GET /v1/crises`, `/v1/abandoned`, `/v1/abandoned/{entry}`, `/v1/desk` | crisis plans, callers who gave up, the words of the desk |
//! | `POST /v1/agents/{id}/state` | `{"state":"ready"\|"not-ready"\|"logged-out","reason":"..."}` |
//! | `POST /v1/agents/{id}/wrap-up`, `/disposition`, `/pick` | `{"extend_seconds":30}`, `{"code":"medical"}`, `{"call":"..."}` or `{"place":1}` |
//! | `POST /v1/calls/{id}/priority`, `/keep` | `{"priority":0}`, `{}` |
//! | `POST /v1/sites/{id}/state` | `{"state":"Overloaded"\|null}` |
//! | `POST /v1/crises/{name}/on`, `/off` | `{"sites":["FR670"],"author":"...","reason":"...","lasts_seconds":7200}`, `{"author":"..."}` |
//! | `POST /v1/abandoned/{entry}/state` | `{"state":"to-call-back"\|"called"\|"resolved"}` |
//! | `GET /v1/events` | facts as server-sent events |
//! | `GET /v1/openapi.json` | this API, described |

mod command;
mod events;
mod extract;
mod json;
mod orders;
mod problem;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use engine::{
    Event,
    acd::{AgentId, Directory},
};
use metrics::Metrics;
use tokio::sync::{broadcast, mpsc};

pub use command::{Reply, Request, gauges, node_status};

use crate::{
    command::{Answer, Command, NoAnswer, Query, ask},
    extract::Segment,
    problem::Problem,
};

/// The largest body that is read.
const BODY_MAX: usize = 16 * 1024;

/// The API's description, checked against the routes by a test.
const OPENAPI: &str = include_str!("openapi.json");

/// What every handler shares.
#[derive(Clone)]
struct Shared {
    requests: mpsc::Sender<Request>,
    metrics: Arc<Metrics>,
    events: broadcast::Sender<Arc<Event>>,
    directory: Arc<Directory>,
}

/// The API of a node.
pub fn router(
    requests: mpsc::Sender<Request>,
    metrics: Arc<Metrics>,
    events: broadcast::Sender<Arc<Event>>,
    directory: Arc<Directory>,
) -> Router {
    let shared = Shared {
        requests,
        metrics,
        events,
        directory,
    };
    let mut router = Router::new();
    for (path, route, allow) in routes() {
        let refuse = move || async move { Problem::method_not_allowed(allow) };
        router = router.route(path, route.fallback(refuse));
    }
    router
        .fallback(|| async { Problem::not_found("there is no such resource") })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared)
}

/// Every route, with the methods that it takes.
fn routes() -> Vec<(&'static str, MethodRouter<Shared>, &'static str)> {
    vec![
        ("/healthz", get(|| async { "ok\n" }), "GET"),
        ("/readyz", get(ready), "GET"),
        ("/metrics", get(metrics), "GET"),
        ("/v1/openapi.json", get(openapi), "GET"),
        ("/v1/status", get(status), "GET"),
        ("/v1/sites", get(sites), "GET"),
        ("/v1/sites/{id}/state", post(orders::set_site_state), "POST"),
        ("/v1/lines", get(lines), "GET"),
        ("/v1/agents", get(agents), "GET"),
        ("/v1/agents/{id}", get(agent), "GET"),
        ("/v1/agents/{id}/state", post(orders::set_agent), "POST"),
        (
            "/v1/agents/{id}/wrap-up",
            post(orders::extend_wrap_up),
            "POST",
        ),
        ("/v1/agents/{id}/disposition", post(orders::dispose), "POST"),
        ("/v1/agents/{id}/pick", post(orders::pick), "POST"),
        ("/v1/calls", get(calls), "GET"),
        ("/v1/calls/{id}", get(call), "GET"),
        ("/v1/calls/{id}/story", get(story), "GET"),
        (
            "/v1/calls/{id}/priority",
            post(orders::set_priority),
            "POST",
        ),
        ("/v1/calls/{id}/keep", post(orders::keep), "POST"),
        ("/v1/crises", get(crises), "GET"),
        ("/v1/crises/{name}/on", post(orders::switch_on), "POST"),
        ("/v1/crises/{name}/off", post(orders::switch_off), "POST"),
        ("/v1/abandoned", get(abandoned), "GET"),
        ("/v1/abandoned/{entry}", get(abandoned_entry), "GET"),
        (
            "/v1/abandoned/{entry}/state",
            post(orders::handle_abandoned),
            "POST",
        ),
        ("/v1/desk", get(desk), "GET"),
        ("/v1/events", get(stream), "GET"),
    ]
}

impl Shared {
    async fn ask(&self, query: Query) -> Result<Answer, Problem> {
        self.send(Command::Ask(query)).await
    }

    async fn send(&self, command: Command) -> Result<Answer, Problem> {
        let is_order = matches!(command, Command::Obey(..));
        ask(&self.requests, command)
            .await
            .map_err(|no_answer| match no_answer {
                NoAnswer::Late if is_order => Problem::unconfirmed(),
                NoAnswer::Late | NoAnswer::NotAsked => {
                    Problem::unavailable("the core does not answer; it may have stopped")
                }
            })
    }

    fn agent(&self, id: &str) -> Result<AgentId, Problem> {
        let agent = self.directory.agent(id);
        agent.ok_or_else(|| Problem::not_found("there is no agent of this id"))
    }
}

/// An answer of another kind than was asked for: a defect of this crate, told without a panic.
fn unexpected() -> Problem {
    Problem::unavailable("the core gave another answer than was asked for")
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn ready(State(shared): State<Shared>) -> Result<&'static str, Problem> {
    match shared.ask(Query::Status).await? {
        Answer::Status(status) if status.draining => {
            Err(Problem::unavailable("draining: no new calls are taken"))
        }
        Answer::Status(status) if !status.journal.is_sound() => {
            let state = status.journal.label();
            Err(Problem::unavailable(format!(
                "the journal is {state}: another node should have the calls"
            )))
        }
        Answer::Status(_) => Ok("ready\n"),
        _ => Err(unexpected()),
    }
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Gauges(gauges) = shared.ask(Query::Gauges).await? else {
        return Err(unexpected());
    };
    let text = shared.metrics.render(&gauges);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

async fn status(State(shared): State<Shared>) -> Result<Response, Problem> {
    match shared.ask(Query::Status).await? {
        Answer::Status(status) => Ok(Json(json::Status::new(*status)).into_response()),
        _ => Err(unexpected()),
    }
}

async fn sites(State(shared): State<Shared>) -> Result<Response, Problem> {
    answer(&shared, shared.ask(Query::Sites).await?)
}

async fn lines(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Lines(lines) = shared.ask(Query::Lines).await? else {
        return Err(unexpected());
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| json::Line::new(&shared.directory, line))
        .collect();
    Ok(Json(lines).into_response())
}

async fn agents(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Agents(agents) = shared.ask(Query::Agents).await? else {
        return Err(unexpected());
    };
    let agents = agents
        .into_iter()
        .map(|agent| json::Agent::new(&shared.directory, agent));
    Ok(Json(agents.collect::<Vec<_>>()).into_response())
}

async fn agent(State(shared): State<Shared>, Segment(id): Segment) -> Result<Response, Problem> {
    let id = shared.agent(&id)?;
    answer(&shared, shared.ask(Query::Agent(id)).await?)
}

async fn calls(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Calls(calls) = shared.ask(Query::Calls).await? else {
        return Err(unexpected());
    };
    let calls = calls
        .into_iter()
        .map(|call| json::Call::new(&shared.directory, call));
    Ok(Json(calls.collect::<Vec<_>>()).into_response())
}

async fn call(State(shared): State<Shared>, Segment(id): Segment) -> Result<Response, Problem> {
    match shared.ask(Query::Call(id)).await? {
        Answer::Unknown => Err(Problem::not_found("there is no call of this id now")),
        found => answer(&shared, found),
    }
}

async fn story(State(shared): State<Shared>, Segment(id): Segment) -> Result<Response, Problem> {
    match shared.ask(Query::Story(id)).await? {
        Answer::Unknown => Err(Problem::not_found(
            "there is no call of this id, and none that ended not long ago",
        )),
        found => answer(&shared, found),
    }
}

async fn crises(State(shared): State<Shared>) -> Result<Response, Problem> {
    answer(&shared, shared.ask(Query::Crises).await?)
}

async fn abandoned(State(shared): State<Shared>) -> Result<Response, Problem> {
    answer(&shared, shared.ask(Query::AbandonedCallers).await?)
}

async fn abandoned_entry(
    State(shared): State<Shared>,
    Segment(entry): Segment,
) -> Result<Response, Problem> {
    let entry = orders::entry(&entry)?;
    answer(&shared, shared.ask(Query::AbandonedCaller(entry)).await?)
}

async fn desk(State(shared): State<Shared>) -> Response {
    Json(json::Desk::new(&shared.directory)).into_response()
}

/// One view, or a list of them that may be long no more than a node's people and calls.
fn answer(shared: &Shared, answer: Answer) -> Result<Response, Problem> {
    let directory = &*shared.directory;
    Ok(match answer {
        Answer::Agent(view) => Json(json::Agent::new(directory, *view)).into_response(),
        Answer::Call(view) => Json(json::Call::new(directory, *view)).into_response(),
        Answer::Story(view) => Json(json::Story::new(directory, *view)).into_response(),
        Answer::Sites(views) => {
            let sites = views.iter().map(|view| json::Site::new(directory, view));
            Json(sites.collect::<Vec<_>>()).into_response()
        }
        Answer::Crises(views) => {
            let crises = views.into_iter();
            let crises = crises.map(|view| json::Crisis::new(directory, view));
            Json(crises.collect::<Vec<_>>()).into_response()
        }
        Answer::AbandonedCallers(views) => {
            let entries = views.iter();
            let entries = entries.map(|view| json::Abandoned::new(directory, view));
            Json(entries.collect::<Vec<_>>()).into_response()
        }
        Answer::AbandonedCaller(view) => {
            Json(json::Abandoned::with_number(directory, &view)).into_response()
        }
        Answer::Unknown => return Err(Problem::not_found("there is no such thing now")),
        Answer::Refused(error) => return Err(orders::problem(directory, error)),
        Answer::Status(_)
        | Answer::Gauges(_)
        | Answer::Lines(_)
        | Answer::Agents(_)
        | Answer::Calls(_) => return Err(unexpected()),
    })
}

async fn stream(State(shared): State<Shared>) -> Response {
    (
        StatusCode::OK,
        events::stream(shared.events.subscribe(), shared.directory),
    )
        .into_response()
}
