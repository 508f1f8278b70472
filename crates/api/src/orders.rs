//! What may be changed: bodies become orders for the core.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use engine::{
    Order, OrderError, Picked,
    acd::{
        AbandonedId, AbandonedState, CrisisId, Directory, Disposition, PauseReason, Priority,
        SiteId, SiteState, Want,
    },
};
use serde::Deserialize;

use crate::{
    Shared, answer,
    command::{Answer, Command, Query},
    extract::{Body, Segment},
    json,
    problem::Problem,
};

/// The longest name of who gives an order, and reason for it, in characters.
const WORDS_MAX: usize = 200;

/// The longest time that can be asked for: a year.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

async fn obey(shared: &Shared, order: Order, then: Query) -> Result<Response, Problem> {
    let told = shared.send(Command::Obey(order, then)).await?;
    answer(shared, told)
}

/// Why an order was not carried out, with what would be right.
pub(crate) fn problem(directory: &Directory, error: OrderError) -> Problem {
    let list = |words: Vec<&str>| format!("{error}: {}", words.join(", "));
    match error {
        OrderError::UnknownReason => {
            let words = directory.pause_reasons().map(|one| one.as_str());
            Problem::wrong_value(list(words.collect()))
        }
        OrderError::UnknownDisposition => {
            let words = directory.dispositions().map(|one| one.as_str());
            Problem::wrong_value(list(words.collect()))
        }
        OrderError::NoSites => Problem::wrong_value(error.to_string()),
        OrderError::UnknownCall | OrderError::UnknownEntry => Problem::not_found(error.to_string()),
        _ => Problem::conflict(error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewState {
    state: String,
    reason: Option<String>,
}

pub(crate) async fn set_agent(
    State(shared): State<Shared>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let new: NewState = body.read()?;
    let want = want(&new.state, new.reason.as_deref())?;
    let agent = shared.agent(&id)?;
    obey(
        &shared,
        Order::SetAgent { agent, want },
        Query::Agent(agent),
    )
    .await
}

/// What a person wants, in the words of the API.
fn want(state: &str, reason: Option<&str>) -> Result<Want, Problem> {
    match (state, reason) {
        ("ready", _) => Ok(Want::Ready),
        ("logged-out", _) => Ok(Want::LoggedOut),
        ("not-ready", reason) => {
            let reason = PauseReason::new(reason.unwrap_or("pause"));
            let reason = reason.ok_or_else(|| word("reason", PauseReason::LEN_MAX))?;
            Ok(Want::NotReady { reason })
        }
        _ => Err(Problem::wrong_value(
            "state must be one of ready, not-ready, logged-out",
        )),
    }
}

fn word(key: &str, len_max: usize) -> Problem {
    Problem::wrong_value(format!(
        "{key} must be 1 to {len_max} lower-case letters, digits and hyphens"
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrapUp {
    extend_seconds: f64,
}

pub(crate) async fn extend_wrap_up(
    State(shared): State<Shared>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let WrapUp { extend_seconds } = body.read()?;
    let by = duration("extend_seconds", extend_seconds)?;
    let agent = shared.agent(&id)?;
    obey(
        &shared,
        Order::ExtendWrapUp { agent, by },
        Query::Agent(agent),
    )
    .await
}

fn duration(key: &str, seconds: f64) -> Result<Duration, Problem> {
    if seconds > 0.0 && seconds <= SECONDS_MAX {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Problem::wrong_value(format!(
        "{key} must be above 0, and a year at most"
    )))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    code: String,
}

pub(crate) async fn dispose(
    State(shared): State<Shared>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let Closed { code } = body.read()?;
    let code = Disposition::new(&code).ok_or_else(|| word("code", Disposition::LEN_MAX))?;
    let agent = shared.agent(&id)?;
    obey(&shared, Order::Dispose { agent, code }, Query::Agent(agent)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pick {
    call: Option<String>,
    place: Option<usize>,
}

pub(crate) async fn pick(
    State(shared): State<Shared>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let call = match body.read()? {
        Pick {
            call: Some(call),
            place: None,
        } => Picked::Call(call),
        Pick {
            call: None,
            place: Some(place),
        } if place > 0 => Picked::Place(place),
        _ => return Err(Problem::wrong_value("name a call, or a place from 1")),
    };
    let agent = shared.agent(&id)?;
    obey(&shared, Order::Pick { agent, call }, Query::Agent(agent)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPriority {
    priority: u8,
}

pub(crate) async fn set_priority(
    State(shared): State<Shared>,
    Segment(call): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let NewPriority { priority } = body.read()?;
    let priority = Priority::new(priority);
    let priority = priority.ok_or_else(|| Problem::wrong_value("priority must be 0 to 9"))?;
    let then = Query::Call(call.clone());
    obey(&shared, Order::SetPriority { call, priority }, then).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) async fn keep(
    State(shared): State<Shared>,
    Segment(call): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let Nothing {} = body.read()?;
    let then = Query::Call(call.clone());
    obey(&shared, Order::Keep { call }, then).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSiteState {
    state: Option<String>,
}

pub(crate) async fn set_site_state(
    State(shared): State<Shared>,
    Segment(site): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let NewSiteState { state } = body.read()?;
    let state = state.map(|name| {
        let mut known = SiteState::ALL.into_iter();
        known.find(|one| one.name() == name).ok_or_else(|| {
            let names = SiteState::ALL.map(SiteState::name).join(", ");
            Problem::wrong_value(format!("state must be null or one of {names}"))
        })
    });
    let site = shared.directory.site(&site);
    let site = site.ok_or_else(|| Problem::not_found("there is no site of this id"))?;
    let state = state.transpose()?;
    obey(&shared, Order::SetSiteState { site, state }, Query::Sites).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchOn {
    sites: Vec<String>,
    author: String,
    reason: String,
    lasts_seconds: Option<f64>,
}

pub(crate) async fn switch_on(
    State(shared): State<Shared>,
    Segment(name): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let asked: SwitchOn = body.read()?;
    let crisis = crisis(&shared.directory, &name)?;
    let lasts = asked.lasts_seconds;
    let order = Order::SwitchOn {
        crisis,
        sites: sites(&shared.directory, &asked.sites)?,
        lasts: lasts
            .map(|seconds| duration("lasts_seconds", seconds))
            .transpose()?,
        author: words("author", asked.author)?,
        reason: words("reason", asked.reason)?,
    };
    obey(&shared, order, Query::Crises).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchOff {
    #[serde(default)]
    sites: Vec<String>,
    author: String,
}

pub(crate) async fn switch_off(
    State(shared): State<Shared>,
    Segment(name): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let asked: SwitchOff = body.read()?;
    let crisis = crisis(&shared.directory, &name)?;
    let order = Order::SwitchOff {
        crisis,
        sites: sites(&shared.directory, &asked.sites)?,
        author: words("author", asked.author)?,
    };
    obey(&shared, order, Query::Crises).await
}

fn crisis(directory: &Directory, name: &str) -> Result<CrisisId, Problem> {
    directory.crisis(name).ok_or_else(|| {
        let crises = directory.crises();
        let known: Vec<_> = crises
            .map(|id| directory.crisis_profile(id).name.as_str())
            .collect();
        let known = match known.as_slice() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        Problem::not_found(format!(
            "there is no crisis plan of this name; there are: {known}"
        ))
    })
}

/// All of them, or what is unknown.
fn sites(directory: &Directory, ids: &[String]) -> Result<Vec<SiteId>, Problem> {
    let site = |id: &String| {
        let known = directory.site(id);
        known.ok_or_else(|| Problem::wrong_value(format!("there is no site `{id}`")))
    };
    ids.iter().map(site).collect()
}

/// What a person writes for other people: a line of text.
fn words(key: &str, text: String) -> Result<String, Problem> {
    let is_right = !text.trim().is_empty()
        && text.chars().count() <= WORDS_MAX
        && !text.chars().any(char::is_control);
    if is_right {
        return Ok(text);
    }
    Err(Problem::wrong_value(format!(
        "{key} must be 1 to {WORDS_MAX} characters on one line"
    )))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handled {
    state: String,
}

pub(crate) async fn handle_abandoned(
    State(shared): State<Shared>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let Handled { state } = body.read()?;
    let known = AbandonedState::ALL;
    let found = known.into_iter().find(|one| one.name() == state);
    let state = found.ok_or_else(|| {
        let names = known.map(AbandonedState::name).join(", ");
        Problem::wrong_value(format!("state must be one of {names}"))
    })?;
    let entry = entry(&id)?;
    let order = Order::HandleAbandoned { entry, state };
    let command = Command::Obey(order, Query::AbandonedCaller(entry));
    match shared.send(command).await? {
        // The number is for who asks for it alone.
        Answer::AbandonedCaller(view) => {
            Ok(Json(json::Abandoned::new(&shared.directory, &view)).into_response())
        }
        told => answer(&shared, told),
    }
}

/// An entry of the list of abandoned callers, by its number.
pub(crate) fn entry(text: &str) -> Result<AbandonedId, Problem> {
    let number = text.parse::<u64>().ok().map(AbandonedId::new);
    number.ok_or_else(|| Problem::not_found(OrderError::UnknownEntry.to_string()))
}
