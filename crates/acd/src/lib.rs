//! The distributor: who gets the call. Sites, agents with skills, lines, queues, offers, wrap-up,
//! overflow between sites. It has never heard of SIP.
//!
//! # How it is driven
//! [`Acd`] is a sans-IO machine. [`Acd::handle_input`] tells it what happened, and
//! [`Acd::handle_timeout`] that time has passed; after each, [`Acd::poll_output`] is drained to
//! `None` and one timer is armed for [`Acd::poll_timeout`]. Time is an argument; the same inputs
//! give the same outputs.
//!
//! # Who is served first
//! Waiting calls are in one total order: priority, arrival, number. At a site that helps, a call from
//! elsewhere counts as arrived later by its plan's `home_advantage`. A call that returns after a
//! failed offer keeps its arrival, hence its place.
//!
//! # Who is asked
//! An agent is eligible when free, skilled enough, and at a site within the call's reach; for a call
//! from elsewhere the site must have more such free agents than its `reserve`. Among them the
//! nearest ring decides, then the line's [`Selection`], then the lowest id.
//!
//! # Cost
//! Calls are matched when something changes, never by polling. Waiting calls are held by line and
//! overflow steps (`waiting`), free agents by site and skill profile (`ready`); a decision costs
//! the logarithm of calls and agents, and is linear in sites, lines and profiles.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc, time::{Duration, Instant}};
//! use acd::*;
//!
//! let amu = BTreeMap::from([("amu".to_owned(), Level::new(1).unwrap())]);
//! let site = SiteSpec {
//!     id: "FR670".into(), name: "Samu 67".into(), region: "Grand Est".into(), zone: "Est".into(),
//!     neighbours: vec![], reserve: 0,
//! };
//! let line = LineSpec {
//!     id: "FR670-15".into(), site: "FR670".into(), skills: amu.clone(),
//!     priority: Priority::new(2).unwrap(), service_level: Duration::from_secs(30),
//!     selection: Selection::LongestIdle, ring_time: Duration::from_secs(15),
//!     wrap_up: Duration::from_secs(5), transferred: Age::New, overflow: None,
//! };
//! let agent = AgentSpec {
//!     id: "arm-1".into(), site: "FR670".into(), skills: amu, start: StartState::Ready,
//! };
//! let directory = Directory::build(vec![site], vec![line], vec![agent], vec![]).unwrap();
//! let line = directory.line("FR670-15").unwrap();
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let mut acd = Acd::new(now, Arc::new(directory), Settings::default());
//!
//! acd.handle_input(now, Input::CallArrived { call: CallId::new(1), line, priority: None });
//! let outputs: Vec<_> = std::iter::from_fn(|| acd.poll_output()).collect();
//! assert!(outputs.iter().any(|output| matches!(output, Output::Offer(offer)
//!     if offer.call == CallId::new(1))));
//! ```

mod acd;
mod agent;
mod directory;
mod event;
mod ids;
#[cfg(debug_assertions)]
mod invariants;
mod matching;
mod moving;
mod offers;
mod order;
mod overflow;
mod presence;
mod ready;
mod spec;
mod waiting;

pub use acd::{Acd, CallPhase, CallView, Settings};
pub use agent::{AgentState, AgentStateKind, NotReadyReason, Want};
pub use directory::{Agent, Directory, DirectoryError, Line, PlanStep, STEPS_MAX, Site};
pub use event::{
    CallOutcome, Event, Ignored, Input, Offer, OfferFailure, OfferOutcome, Output, RefuseReason,
    WhileOffered, WithdrawReason,
};
pub use ids::{
    AgentId, CallId, Level, LineId, OfferId, PauseReason, PlanId, Priority, ProfileId, SiteId,
    SkillId, StepIndex,
};
pub use spec::{
    Age, AgentSpec, Condition, LineSpec, PlanSpec, Reach, Selection, SiteSpec, StartState, StepSpec,
};
