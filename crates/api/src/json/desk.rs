//! What desks and operations teams work with: crisis plans, callers who gave up, the story of a call.

use std::time::Duration;

use engine::{AbandonedView, CrisisOrderView, CrisisView, StoryView, acd::Directory};
use serde::Serialize;
use serde_json::{Value, json};

use super::{events, seconds};

/// The words that may be said at a desk.
#[derive(Serialize)]
pub(crate) struct Desk<'a> {
    /// Any word where the list is empty.
    pause_reasons: Vec<&'a str>,
    dispositions: Vec<&'a str>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(directory: &'a Directory) -> Self {
        Self {
            pause_reasons: directory.pause_reasons().map(|one| one.as_str()).collect(),
            dispositions: directory.dispositions().map(|one| one.as_str()).collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Crisis<'a> {
    name: &'a str,
    on: bool,
    orders: Vec<CrisisOrder<'a>>,
}

#[derive(Serialize)]
struct CrisisOrder<'a> {
    sites: Vec<&'a str>,
    since_seconds: f64,
    until_seconds: Option<f64>,
    author: String,
    reason: String,
}

impl<'a> Crisis<'a> {
    pub(crate) fn new(directory: &'a Directory, view: CrisisView) -> Self {
        let order = |order: CrisisOrderView| {
            let sites = order.sites.iter();
            let sites = sites.map(|&site| directory.site_profile(site).id.as_str());
            CrisisOrder {
                sites: sites.collect(),
                since_seconds: order.since.as_secs_f64(),
                until_seconds: seconds(order.until),
                author: order.author,
                reason: order.reason,
            }
        };
        Self {
            name: &directory.crisis_profile(view.id).name,
            on: !view.orders.is_empty(),
            orders: view.orders.into_iter().map(order).collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Abandoned<'a> {
    entry: u64,
    site: &'a str,
    line: &'a str,
    state: &'static str,
    attempts: u32,
    first_seconds_ago: f64,
    last_seconds_ago: f64,
    longest_wait_seconds: f64,
    /// Whether none of the calls lasted 15 seconds: pocket calls, and who hangs up on the announcement.
    early: bool,
    calls: Vec<String>,
    came_back: Option<String>,
    /// Whether there is a number to call back. The number itself is in the answer to a question about
    /// this entry alone.
    has_number: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
}

/// Abandons under this are counted apart.
const EARLY: Duration = Duration::from_secs(15);

impl<'a> Abandoned<'a> {
    /// An entry without the caller's number.
    pub(crate) fn new(directory: &'a Directory, view: &AbandonedView) -> Self {
        Self {
            entry: view.id.value(),
            site: &directory.site_profile(view.entry.site).id,
            line: &directory.line_profile(view.entry.line).id,
            state: view.entry.state.name(),
            attempts: view.entry.attempts,
            first_seconds_ago: view.first.as_secs_f64(),
            last_seconds_ago: view.last.as_secs_f64(),
            longest_wait_seconds: view.entry.longest_wait.as_secs_f64(),
            early: view.entry.longest_wait < EARLY,
            calls: view.calls.iter().map(ToString::to_string).collect(),
            came_back: view.came_back.as_ref().map(ToString::to_string),
            has_number: view.number.is_some(),
            number: None,
        }
    }

    /// An entry with the number, for who calls back.
    pub(crate) fn with_number(directory: &'a Directory, view: &AbandonedView) -> Self {
        Self {
            number: view.number.clone().map(|number| number.into_exposed()),
            ..Self::new(directory, view)
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Story {
    call: String,
    rules: String,
    age_seconds: f64,
    entries: Vec<Value>,
    left_out: usize,
}

impl Story {
    pub(crate) fn new(directory: &Directory, view: StoryView) -> Self {
        let entries = view.entries.iter().filter_map(|(at, event)| {
            let (name, mut data) = events::event(directory, event)?;
            let entry = data.as_object_mut()?;
            entry.remove("call");
            entry.insert("what".to_owned(), json!(name));
            entry.insert("at_seconds".to_owned(), json!(at.as_secs_f64()));
            Some(data)
        });
        Self {
            call: view.id.to_string(),
            rules: view.rules,
            age_seconds: view.age.as_secs_f64(),
            entries: entries.collect(),
            left_out: view.left_out,
        }
    }
}
