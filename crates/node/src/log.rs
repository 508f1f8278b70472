//! Log lines: a few for each call, none with personal data (the events hold none).

use engine::{
    Event, Transferred,
    acd::{self, AgentId, CrisisChange, Directory},
    call::CallId,
    sip::headers::Attestation,
    sip_proxy::Health,
};
use tracing::{debug, error, info, warn};

/// Writes what an operations team follows at the default level, and the rest below it.
pub(crate) fn event(directory: &Directory, event: &Event) {
    match event {
        Event::CallStarted {
            call,
            line,
            attestation,
            ..
        } => {
            let line = &directory.line_profile(*line).id;
            let attestation = attestation.map(Attestation::letter);
            info!(%call, line, attestation, "call started");
        }
        Event::CallEnded {
            call,
            line,
            outcome,
            cause,
            waited,
            talked,
            agent,
        } => {
            info!(
                %call,
                line = directory.line_profile(*line).id,
                outcome = outcome.label(),
                cause = cause.label(),
                waited_ms = millis(*waited),
                talked_ms = millis(*talked),
                agent = agent.map(|agent| directory.agent_profile(agent).id.as_str()),
                "call ended"
            );
        }
        Event::CallTransferred { call, agent, to } => transferred(directory, call, *agent, *to),
        Event::CallBlocked { line, reason } => {
            let line = &directory.line_profile(*line).id;
            warn!(line, reason = reason.label(), "call blocked");
        }
        Event::LateAnswer { call } => {
            info!(
                call = call.as_ref().map(|call| call.as_str()),
                "late answer hung up"
            );
        }
        _ => node_event(directory, event),
    }
}

/// What is about no call.
fn node_event(directory: &Directory, event: &Event) {
    match event {
        Event::PhoneRegistered { agent } => {
            let agent = &directory.agent_profile(*agent).id;
            info!(agent, "phone registered");
        }
        Event::PhoneUnregistered { agent } => {
            let agent = &directory.agent_profile(*agent).id;
            info!(agent, "phone no longer registered");
        }
        Event::SourceBanned { source, lasts } => {
            warn!(%source, seconds = lasts.as_secs(), "source banned");
        }
        Event::TrunkHealth {
            name,
            remote,
            health: Health::Down,
            ..
        } => warn!(trunk = name, %remote, "next hop does not answer"),
        Event::TrunkHealth { name, remote, .. } => {
            info!(trunk = name, %remote, "next hop answers");
        }
        Event::JournalChanged { state } if state.is_sound() => {
            info!(state = state.label(), "journal");
        }
        Event::JournalChanged { state } => error!(state = state.label(), "journal"),
        Event::Draining => info!("draining: no new calls from now on"),
        Event::Dropped { reason } => debug!(reason = reason.label(), "dropped"),
        Event::Distribution {
            call: Some(call),
            what: acd::Event::Answered { agent, step, .. },
        } => {
            debug!(
                %call,
                agent = directory.agent_profile(*agent).id,
                overflow_step = step.map(|step| step.step.value() + 1),
                "answered"
            );
        }
        Event::Distribution {
            what:
                acd::Event::CrisisChanged {
                    crisis,
                    sites,
                    change,
                },
            ..
        } => crisis_changed(directory, *crisis, sites, change),
        _ => {}
    }
}

/// Who switched what on or off where, and why: the record that outlives the order.
fn crisis_changed(
    directory: &Directory,
    crisis: acd::CrisisId,
    sites: &[acd::SiteId],
    change: &CrisisChange,
) {
    let crisis = &directory.crisis_profile(crisis).name;
    let ids = sites
        .iter()
        .map(|&site| directory.site_profile(site).id.as_str());
    let sites = ids.collect::<Vec<_>>().join(",");
    match change {
        CrisisChange::On {
            author,
            reason,
            lasts,
        } => {
            let seconds = lasts.map(|lasts| lasts.as_secs());
            warn!(crisis, sites, author, reason, seconds, "crisis plan on");
        }
        CrisisChange::Off { author } => warn!(crisis, sites, author, "crisis plan off"),
        CrisisChange::Expired => warn!(crisis, sites, "crisis plan has expired"),
    }
}

fn transferred(directory: &Directory, call: &CallId, by: AgentId, to: Transferred) {
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    let (line, agent) = match to {
        Transferred::Line { to, .. } => (Some(directory.line_profile(to).id.as_str()), None),
        Transferred::Agent(to) => (None, Some(agent_id(to))),
        Transferred::Outside => (None, Some("outside")),
    };
    info!(%call, by = agent_id(by), line, agent, "call transferred");
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
