//! HTTP: what people and other systems ask a node, and what they may change.
//!
//! [`router`] is an axum router over the core's request queue; whoever serves it binds the port.
//! Every answer is a snapshot that the core's thread made at one moment; turning it into JSON is
//! done here, elsewhere than where calls are decided. Errors are RFC 9457 problems.
//!
//! | | |
//! |---|---|
//! | `GET /healthz` | 200 while the process answers |
//! | `GET /readyz` | 200 while new calls are taken, 503 while draining |
//! | `GET /metrics` | Prometheus |
//! | `GET /v1/status`, `/v1/sites`, `/v1/lines`, `/v1/agents`, `/v1/agents/{id}`, `/v1/calls`, `/v1/calls/{id}` | snapshots |
//! | `POST /v1/agents/{id}/state` | `{"state":"ready"\|"not-ready"\|"logged-out","reason":"..."}` |
//! | `GET /v1/events` | facts as server-sent events |
//! | `GET /v1/openapi.json` | this API, described |

mod command;
mod events;
mod json;
mod problem;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use engine::{Event, acd::Directory};
use metrics::Metrics;
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc};

pub use command::{Request, gauges};

use crate::{
    command::{Answer, Command, ask},
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
        ("/v1/lines", get(lines), "GET"),
        ("/v1/agents", get(agents), "GET"),
        ("/v1/agents/{id}", get(agent), "GET"),
        ("/v1/agents/{id}/state", post(set_agent), "POST"),
        ("/v1/calls", get(calls), "GET"),
        ("/v1/calls/{id}", get(call), "GET"),
        ("/v1/events", get(stream), "GET"),
    ]
}

impl Shared {
    async fn ask(&self, command: Command) -> Result<Answer, Problem> {
        ask(&self.requests, command)
            .await
            .map_err(|_| Problem::unavailable("the core does not answer; it may have stopped"))
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
    match shared.ask(Command::Status).await? {
        Answer::Status(status) if status.draining => {
            Err(Problem::unavailable("draining: no new calls are taken"))
        }
        Answer::Status(_) => Ok("ready\n"),
        _ => Err(unexpected()),
    }
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Gauges(gauges) = shared.ask(Command::Gauges).await? else {
        return Err(unexpected());
    };
    let text = shared.metrics.render(&gauges);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

async fn status(State(shared): State<Shared>) -> Result<Response, Problem> {
    match shared.ask(Command::Status).await? {
        Answer::Status(status) => Ok(Json(json::Status::new(*status)).into_response()),
        _ => Err(unexpected()),
    }
}

async fn sites(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Sites(sites) = shared.ask(Command::Sites).await? else {
        return Err(unexpected());
    };
    let sites: Vec<_> = sites
        .iter()
        .map(|site| json::Site::new(&shared.directory, site))
        .collect();
    Ok(Json(sites).into_response())
}

async fn lines(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Lines(lines) = shared.ask(Command::Lines).await? else {
        return Err(unexpected());
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| json::Line::new(&shared.directory, line))
        .collect();
    Ok(Json(lines).into_response())
}

async fn agents(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Agents(agents) = shared.ask(Command::Agents).await? else {
        return Err(unexpected());
    };
    let agents = agents
        .into_iter()
        .map(|agent| json::Agent::new(&shared.directory, agent));
    Ok(Json(agents.collect::<Vec<_>>()).into_response())
}

async fn agent(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    let answer = shared.ask(Command::Agent(id)).await?;
    agent_answer(&shared, answer)
}

fn agent_answer(shared: &Shared, answer: Answer) -> Result<Response, Problem> {
    match answer {
        Answer::Agent(agent) => {
            Ok(Json(json::Agent::new(&shared.directory, *agent)).into_response())
        }
        Answer::Unknown => Err(Problem::not_found("there is no agent of this id")),
        _ => Err(unexpected()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewState {
    state: String,
    reason: Option<String>,
}

async fn set_agent(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|_| Problem::too_large())?;
    let new: NewState =
        serde_json::from_slice(&body).map_err(|error| Problem::malformed(error.to_string()))?;
    let want = command::want(&new.state, new.reason.as_deref()).map_err(Problem::wrong_value)?;
    let answer = shared.ask(Command::SetAgent { agent: id, want }).await?;
    agent_answer(&shared, answer)
}

async fn calls(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Answer::Calls(calls) = shared.ask(Command::Calls).await? else {
        return Err(unexpected());
    };
    let calls = calls
        .into_iter()
        .map(|call| json::Call::new(&shared.directory, call));
    Ok(Json(calls.collect::<Vec<_>>()).into_response())
}

async fn call(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    match shared.ask(Command::Call(id)).await? {
        Answer::Call(call) => Ok(Json(json::Call::new(&shared.directory, *call)).into_response()),
        Answer::Unknown => Err(Problem::not_found("there is no call of this id now")),
        _ => Err(unexpected()),
    }
}

async fn stream(State(shared): State<Shared>) -> Response {
    (
        StatusCode::OK,
        events::stream(shared.events.subscribe(), shared.directory),
    )
        .into_response()
}
