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
//! failed offer keeps its arrival, hence its place. A priority changes only by a step that says
//! `raise`, or by a person: so a call of priority *p* that is raised to 0 after *t* waits behind what
//! came before it and what was urgent within *t*, and behind nothing else.
//!
//! # Who is asked
//! An agent is eligible when free, able to do what the call asks for now, and at a site within the
//! call's reach; for a call from elsewhere the site must have more such free agents than its
//! `reserve`. Among them the nearest ring decides, then the line's [`Selection`], then the lowest id.
//!
//! # Cost
//! Calls are matched when something changes, never by polling. Waiting calls are held by line and
//! steps in effect (`classes`), seen from other sites by what they ask for and whom they reach; free
//! agents by site and skill profile (`staff`). A decision costs the logarithm of calls and agents; it
//! is linear in the sites within reach, and in the skill profiles of the free agents there. What
//! concerns all calls of a line is spread over turns (`review`).
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc, time::Instant};
//! use acd::*;
//!
//! let amu = BTreeMap::from([("amu".to_owned(), Level::new(1).unwrap())]);
//! let site = SiteSpec {
//!     id: "FR670".into(), name: "Samu 67".into(), region: "Grand Est".into(), zone: "Est".into(),
//!     neighbours: vec![], reserve: 0,
//! };
//! let line = LineSpec {
//!     requirement: Requirement::all_of(amu.clone()),
//!     ..LineSpec::new("FR670-15", "FR670")
//! };
//! let agent = AgentSpec {
//!     id: "arm-1".into(), site: "FR670".into(), second_site: None, skills: amu,
//!     start: StartState::Ready,
//! };
//! let directory = Directory::build(DirectorySpec {
//!     sites: vec![site], lines: vec![line], agents: vec![agent], ..DirectorySpec::default()
//! }).unwrap();
//! let line = directory.line("FR670-15").unwrap();
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let mut acd = Acd::new(now, Arc::new(directory), Settings::default());
//!
//! acd.handle_input(now, Input::CallArrived { call: CallId::new(1), line, priority: None, caller: None,
//!     arrival: None });
//! let outputs: Vec<_> = std::iter::from_fn(|| acd.poll_output()).collect();
//! assert!(outputs.iter().any(|output| matches!(output, Output::Offer(offer)
//!     if offer.call == CallId::new(1))));
//! ```

mod abandoned;
mod acd;
mod agent;
mod call;
mod callers;
mod candidates;
mod choosing;
mod classes;
mod course;
mod crisis;
mod deadlines;
mod directory;
mod event;
mod ids;
mod input;
#[cfg(debug_assertions)]
mod invariants;
mod kept;
mod last_resort;
mod matching;
mod moving;
mod offers;
mod order;
mod output;
mod overflow;
mod pace;
mod parallel;
mod planted;
mod preferred;
mod presence;
mod requirement;
mod review;
mod settings;
mod spec;
mod staff;
mod table;
mod touched;
mod view;

pub use abandoned::{Abandoned, AbandonedState};
pub use acd::Acd;
pub use agent::{AgentState, AgentStateKind, NotReadyReason, Want};
pub use callers::KeptCaller;
pub use candidates::Candidates;
pub use course::{KeptCrisisPart, KeptPart};
pub use crisis::ActiveCrisis;
pub use directory::{
    Agent, Crisis, Directory, DirectoryError, Line, PARALLEL_MAX, PlanStep, STEPS_MAX, Site,
};
pub use event::{
    CallOutcome, CrisisChange, Event, Ignored, OfferOutcome, RefuseReason, WhileOffered,
};
pub use ids::{
    AbandonedId, AgentId, CallId, CallerKey, CrisisId, Disposition, Level, LineId, OfferId,
    PauseReason, PlanId, Priority, ProfileId, SiteId, SkillId, StepIndex, StepRef,
};
pub use input::{CrisisOrder, Input, OfferFailure};
pub use kept::{KeptAgent, KeptCall, KeptOffer, KeptSeeking, KeptState};
pub use output::{Offer, Output, WithdrawReason};
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use requirement::{Relax, Requirement};
pub use settings::Settings;
pub use spec::{
    Age, AgentSpec, Condition, CrisisFlow, CrisisSpec, DirectorySpec, HandOver, LastResort,
    LineSpec, PlanSpec, Reach, Selection, SiteSpec, SiteState, StartState, StepSpec,
    TransferredPriority,
};
pub use touched::Touched;
pub use view::{CallPhase, CallView};
