//! The door: who may come in, and what is answered before anything is kept of it.
//!
//! A request that nobody knows costs an answer and no state: challenges, refusals of strangers, and
//! what is shed under load. Shed first is who is nobody, then registrations, subscriptions, agents'
//! own calls, partners' lines; calls of emergency lines last of all, at the limits themselves.

use std::time::{Duration, Instant};

use sip::{Builder, Method, OverloadControl, Request, StatusCode};
use sip_proxy::Offence;
use sip_transaction::Flow;

use crate::{
    engine::Engine,
    event::{BlockReason, DropReason, Event},
    identity::Source,
};

/// For how long what a neighbour is told holds (RFC 7339 §4.3 has half a second where nothing is said).
const LOAD_HOLDS: Duration = Duration::from_secs(1);

/// What a new request is for, the first to be shed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// REGISTER.
    Registration,
    /// SUBSCRIBE, PUBLISH, and whatever else is no call.
    Subscription,
    /// A call that an agent makes, and whatever is forwarded.
    Outgoing,
    /// A call to a partner's line.
    PartnerLine,
    /// A call to an emergency line.
    EmergencyLine,
}

impl Class {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Registration => "shed-registration",
            Self::Subscription => "shed-subscription",
            Self::Outgoing => "shed-outgoing",
            Self::PartnerLine => "shed-partner-line",
            Self::EmergencyLine => "shed-emergency-line",
        }
    }

    /// Up to how many hundredths of a limit requests of this class may use.
    const fn share(self) -> usize {
        match self {
            Self::Registration => 60,
            Self::Subscription => 70,
            Self::Outgoing => 80,
            Self::PartnerLine => 90,
            Self::EmergencyLine => 100,
        }
    }
}

/// Namespaces of Resource-Priority for emergencies and for those who deal with them: RFC 7135, and
/// RFC 4412 §10.
const PRIVILEGED: [&[u8]; 3] = [b"esnet", b"ets", b"wps"];

/// Whether an operator says that a call is for an emergency, whatever its number (RFC 4412 §3.1).
fn is_privileged(request: &Request) -> bool {
    request.resource_priorities().any(|priority| {
        let is_it = |namespace: &&[u8]| priority.namespace.eq_ignore_ascii_case(namespace);
        PRIVILEGED.iter().any(is_it)
    })
}

impl Engine {
    /// Whether what comes from here is dropped unread.
    pub(crate) fn is_shut_out(&self, now: Instant, flow: Flow) -> bool {
        self.guard.is_banned(now, flow.remote.ip()) && self.is_stranger(flow)
    }

    /// Neither an operator nor where a phone is.
    fn is_stranger(&self, flow: Flow) -> bool {
        let from = flow.remote.ip();
        self.trunk_of(flow).is_none()
            && !self.registrar.knows_source(from)
            && !self.contact_addresses.contains(&from.to_canonical())
    }

    /// Somebody has sent what only costs. Operators and phones may.
    pub(crate) fn offend(&mut self, now: Instant, flow: Flow) {
        if self.is_stranger(flow) {
            let offence = self.guard.offend(now, flow.remote.ip());
            self.note_offence(flow, offence);
        }
    }

    /// Notes that a source had to be asked for its credentials for the first time.
    pub(crate) fn note_asked(&mut self, now: Instant, flow: Flow) {
        if self.is_stranger(flow) {
            let offence = self.guard.ask(now, flow.remote.ip());
            self.note_offence(flow, offence);
        }
    }

    fn note_offence(&mut self, flow: Flow, offence: Offence) {
        if let Offence::Banned { lasts } = offence {
            let source = flow.remote.ip();
            self.emit(Event::SourceBanned { source, lasts });
        }
    }

    /// Whether a request goes on to the transactions. What does not has been answered, and nothing is
    /// kept of it.
    pub(crate) fn admits(&mut self, now: Instant, request: &Request, flow: Flow) -> bool {
        self.arriving = None;
        let is_ack = *request.method() == Method::Ack;
        if is_ack || self.layer.knows(request) {
            return true;
        }
        // Before it is answered at the door.
        self.layer.flow_lives(flow);
        let is_inside = request.to_tag().is_some() || *request.method() == Method::Cancel;
        if is_inside {
            let admits =
                self.calls.owns(request) || self.proxy.owns(request) || !self.is_stranger(flow);
            if !admits {
                self.turn_away(now, request, flow, StatusCode::CALL_DOES_NOT_EXIST);
            }
            return admits;
        }
        let Some(source) = self.identify(now, request, flow) else {
            return false;
        };
        if source == Source::Unknown {
            // Without authentication whoever knows an agent's name may register a phone for it.
            let refusal = match request.method() {
                Method::Register if self.registered_agent(request).is_some() => None,
                Method::Register => Some(StatusCode::NOT_FOUND),
                _ => Some(StatusCode::FORBIDDEN),
            };
            if let Some(status) = refusal {
                self.turn_away(now, request, flow, status);
                return false;
            }
        }
        if self.sheds(request, source, flow) {
            return false;
        }
        self.arriving = Some(source);
        true
    }

    /// What neighbours that offer overload control are told: nothing below four fifths of a limit, and to
    /// send nothing at the limit itself. They leave out emergencies last (RFC 7339 §5.10.1).
    pub(crate) fn tell_load(&mut self, now: Instant) {
        let live = self.layer.live();
        let settings = &self.config.settings;
        let used = |used: usize, max: usize| used.saturating_mul(100) / max.max(1);
        let used = used(live.server + live.client, settings.transactions_max)
            .max(used(self.calls.len(), settings.calls_max));
        let loss = used.saturating_sub(80).saturating_mul(5).min(100);
        self.layer.set_overload(Some(OverloadControl {
            loss: u8::try_from(loss).unwrap_or(100),
            validity: LOAD_HOLDS,
            sequence: now - self.started_at,
        }));
    }

    /// Refuses a stranger.
    fn turn_away(&mut self, now: Instant, request: &Request, flow: Flow, status: StatusCode) {
        self.dropped(DropReason::UnknownSource);
        self.offend(now, flow);
        self.answer_at_the_door(request, flow, status, |builder| builder);
    }

    /// Refuses a new request for which there is no room.
    fn sheds(&mut self, request: &Request, source: Source, flow: Flow) -> bool {
        let is_invite = *request.method() == Method::Invite;
        let line = is_invite
            .then(|| self.line_of(&request.uri(), source))
            .flatten()
            .map(|route| route.line);
        let class = match (request.method(), line) {
            (_, Some(_)) if source.trunk().is_some() && is_privileged(request) => {
                Class::EmergencyLine
            }
            (_, Some(line)) if self.config.partner_lines.contains(&line) => Class::PartnerLine,
            (_, Some(_)) => Class::EmergencyLine,
            // At a refusal the operator would send its calls elsewhere, all of them.
            (Method::Options, None) if source.trunk().is_some() => Class::EmergencyLine,
            (Method::Register, None) => Class::Registration,
            (Method::Invite | Method::Message, None) => Class::Outgoing,
            _ => Class::Subscription,
        };
        let live = self.layer.live();
        let settings = &self.config.settings;
        let is_within =
            |used: usize, max: usize| used.saturating_mul(100) < max.saturating_mul(class.share());
        let has_room = is_within(live.server + live.client, settings.transactions_max)
            && (!is_invite || is_within(self.calls.len(), settings.calls_max));
        // At the limits themselves the transactions and the calls refuse by themselves, and say so.
        if has_room || class == Class::EmergencyLine {
            return false;
        }
        match line {
            Some(line) => self.emit(Event::CallBlocked {
                line,
                reason: BlockReason::Shed,
            }),
            None => self.dropped(DropReason::Shed(class)),
        }
        self.answer_at_the_door(request, flow, StatusCode::SERVICE_UNAVAILABLE, |builder| {
            builder
        });
        true
    }

    /// Answers without a transaction: the request may come again, and is answered again.
    pub(crate) fn answer_at_the_door(
        &mut self,
        request: &Request,
        flow: Flow,
        status: StatusCode,
        add: impl FnOnce(Builder) -> Builder,
    ) {
        let tag = self.ids.token();
        let tag = Some(tag.as_bytes());
        let (reason, overload) = (status.reason(), self.layer.overload());
        let response =
            Builder::response_under_load(request, status, reason, tag, flow.remote, overload);
        let response = self.with_advice(response, status);
        self.layer.send(&add(response).finish(), flow);
    }
}
