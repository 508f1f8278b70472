//! What is not for a line: requests to agents' phones, and what belongs to a dialog that came about
//! through us. The proxy forwards them; here is decided where to.

use std::{sync::Arc, time::Instant};

use acd::AgentId;
use sip::{HeaderName, Method, Request, StatusCode, Uri, UriBuf};
use sip_proxy::{Group, Received, Rejection, TargetSet, TrunkId};
use sip_transaction::{Flow, Locals, ServerTx, Target};

use crate::{
    codes::Code, engine::Engine, event::DropReason, identity::Source, receive::aor_of,
    routing::LineRoute,
};

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Destination {
    /// A caller's INVITE, to the queue of a line.
    Line(LineRoute),
    /// What an agent has dialled on the phone.
    Code(AgentId, Code),
    /// The node itself answers it.
    Here,
    /// On, to these targets.
    Onward(TargetSet),
    /// Out, through the trunks that take its number.
    Out,
    /// A trunk's call to these phones, of which it is to see nothing.
    Inward(TrunkId, Vec<Target>),
    /// Nowhere: so it is answered.
    Nowhere(StatusCode),
}

/// A phone that does not register: the configuration says where it is.
#[derive(Clone, Debug)]
pub(crate) struct FixedPhone {
    pub(crate) contact: UriBuf,
    /// `None` where the host is a name, or no listener reaches it.
    flow: Option<Flow>,
}

impl FixedPhone {
    pub(crate) fn new(contact: UriBuf, locals: &Locals) -> Self {
        let flow = locals.flow_to(&contact.as_uri());
        Self { contact, flow }
    }
}

impl Engine {
    /// Where a request goes that belongs to no call of ours.
    ///
    /// A caller's INVITE goes to its line whatever Route it has: an operator's idea of our name must
    /// not cost a call. Nobody else's Route is followed outside a dialog that came about through us,
    /// so the node relays for nobody.
    pub(crate) fn destination(&self, received: &Received, source: Source) -> Destination {
        let request = received.request();
        if received.way().is_in_dialog() {
            return received
                .onward(&self.locals)
                .map_or(Destination::Nowhere(Rejection::NoWay.status()), |target| {
                    Destination::Onward(target.into())
                });
        }
        if request.to_tag().is_some() {
            return Destination::Nowhere(StatusCode::CALL_DOES_NOT_EXIST);
        }
        let uri = request.uri();
        let is_invite = *request.method() == Method::Invite;
        if is_invite && let Some(line) = self.line_of(&uri, source) {
            return Destination::Line(line);
        }
        if is_invite
            && let Source::Agent(agent) = source
            && let Some(code) = self.dial_plan.code(&uri)
        {
            return Destination::Code(agent, code);
        }
        if *request.method() != Method::Register
            && let Some(agent) = self.agent_of_aor(&uri)
        {
            let phones = self.phones(agent);
            return match source {
                Source::Trunk(trunk) if is_invite && self.is_hidden_from(trunk) => {
                    Destination::Inward(trunk, phones.into_iter().flatten().collect())
                }
                _ => Destination::Onward(phones.into()),
            };
        }
        // An agent calls somebody outside. Nobody else calls through us.
        if is_invite && matches!(source, Source::Agent(_)) {
            return Destination::Out;
        }
        if is_invite {
            Destination::Nowhere(StatusCode::NOT_FOUND)
        } else {
            Destination::Here
        }
    }

    /// The line of a new call: that of its number, for an agent's call also that of this id, and for an operator's call that
    /// no phone can take either, the default line. A call that matches nothing is not lost.
    pub(crate) fn line_of(&self, uri: &Uri<'_>, source: Source) -> Option<LineRoute> {
        let trunk = source.trunk();
        self.dial_plan.line(uri, trunk).or_else(|| {
            if let Source::Agent(_) = source {
                return self.line_of_aor(uri);
            }
            let rings = |agent| self.has_phone(agent);
            let is_default = trunk.is_some() && !self.agent_of_aor(uri).is_some_and(rings);
            is_default.then_some(LineRoute {
                line: self.config.default_line,
                priority: None,
            })
        })
    }

    /// An agent's phones in groups of equal preference, the best first: the bindings in the
    /// registrar, else the fixed contact.
    pub(crate) fn phones(&self, agent: AgentId) -> Vec<Group> {
        let bindings: Vec<_> = self.registrar.bindings(aor_of(agent)).collect();
        let groups: Vec<Group> = bindings
            .chunk_by(|one, next| one.q == next.q)
            .map(|group| {
                let target = |binding: &&sip_proxy::Binding| Target {
                    uri: binding.contact.as_bytes().clone(),
                    flow: binding.flow,
                    routes: binding.path.clone(),
                };
                group.iter().map(target).collect::<Vec<_>>().into()
            })
            .collect();
        if groups.is_empty()
            && let Some(FixedPhone { contact, flow }) = self.fixed_phones.get(&agent)
            && let Some(flow) = *flow
        {
            let target = Target {
                uri: contact.as_bytes().clone(),
                flow,
                routes: Vec::new(),
            };
            return vec![vec![target].into()];
        }
        groups
    }

    /// Whether there is an address at all to reach an agent at.
    fn has_phone(&self, agent: AgentId) -> bool {
        let fixed = self.fixed_phones.get(&agent);
        fixed.is_some_and(|phone| phone.flow.is_some())
            || self.registrar.bindings(aor_of(agent)).next().is_some()
    }

    pub(crate) fn forward(
        &mut self,
        now: Instant,
        tx: ServerTx,
        received: Received,
        flow: Flow,
        targets: impl Into<TargetSet>,
    ) {
        let opens_call =
            *received.request().method() == Method::Invite && !received.way().is_in_dialog();
        if opens_call && self.refuses_calls() {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        let forwarded = self
            .proxy
            .forward(now, &mut self.layer, tx, received, flow, targets);
        if let Err(rejection) = forwarded {
            self.reject(now, tx, &rejection);
        }
    }

    /// The ACK of a 2xx that went through us. Any other that belongs to no call is dropped.
    pub(crate) fn forward_ack(&mut self, ack: Arc<Request>, flow: Flow) {
        let forwarded = self
            .proxy
            .receive(ack)
            .ok()
            .filter(|received| received.way().is_in_dialog())
            .and_then(|received| {
                let target = received.onward(&self.locals)?;
                self.proxy
                    .forward_ack(&mut self.layer, &received, flow, &target)
                    .ok()
            });
        if forwarded.is_none() {
            self.dropped(DropReason::StrayAck);
        }
    }

    /// Answers what the proxy will not forward.
    pub(crate) fn reject(&mut self, now: Instant, tx: ServerTx, rejection: &Rejection) {
        // That nobody is there is no fault of anybody's.
        if *rejection != Rejection::NoTarget {
            self.dropped(DropReason::NotForwarded(rejection.label()));
        }
        self.answer_with(now, tx, rejection.status(), |builder| match rejection {
            Rejection::ProxyRequire { unsupported } => {
                builder.header(HeaderName::Unsupported, unsupported)
            }
            _ => builder,
        });
    }
}
