//! The stateful proxy of RFC 3261 §16.

mod branch;
mod context;
mod forward;
mod received;
mod responses;
mod route_token;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use sip::{Method, Request, Response, StatusCode};
use sip_transaction::{
    ClientTx, Failure, Flow, IdSource, Locals, ServerTx, Target, TransactionLayer,
};
use slotmap::{SecondaryMap, SlotMap, new_key_type};

pub use self::received::{Received, Rejection, Way};
use self::{
    context::{Answer, Branch, BranchState, Context, Open},
    forward::{MAX_BREADTH, Outgoing},
};

/// How a [`Proxy`] is set up.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// The domain that we are responsible for.
    pub domain: String,
    /// Timer C: how long a branch of an INVITE may go on after its last provisional response. More
    /// than three minutes (RFC 3261 §16.6 step 11).
    pub timer_c: Duration,
    /// How many branches a request may have at a time that says nothing of it (RFC 5393 §5.3.1).
    pub breadth_max: u32,
    /// A secret that seals our Record-Route and marks our Vias. Nodes that share it can serve each
    /// other's dialogs.
    pub key: [u64; 2],
}

impl ProxySettings {
    /// Usual values for a node of this domain.
    pub fn new(domain: impl Into<String>, key: [u64; 2]) -> Self {
        Self {
            domain: domain.into(),
            timer_c: Duration::from_secs(181),
            breadth_max: 60,
            key,
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct TargetSet {
    /// One group after the other, those of a group at once.
    pub groups: Vec<Group>,
    /// When the next group is tried.
    pub next: TryNext,
}

/// Targets that are tried at once.
#[derive(Clone, Debug)]
pub struct Group {
    /// Who they are.
    pub targets: Vec<Target>,
    /// What they are sent, where it is not the request as it is: what the owner has changed for them. Its Routes, and who
    /// sent it, are to be as they were.
    pub shown: Option<Arc<Request>>,
}

impl From<Vec<Target>> for Group {
    fn from(targets: Vec<Target>) -> Self {
        Self {
            targets,
            shown: None,
        }
    }
}

/// When the next group of targets is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryNext {
    /// When all of the group have refused, whatever they said: they are places where a person may be
    /// (RFC 3261 §16.6, serial forking).
    WhenRefused,
    /// When none of the group could serve: 503, no answer, no transport. They are ways to one and the
    /// same place, and what it says counts (RFC 3263 §4.3).
    WhenNotServed,
}

impl IntoIterator for Group {
    type Item = Target;
    type IntoIter = std::vec::IntoIter<Target>;

    fn into_iter(self) -> Self::IntoIter {
        self.targets.into_iter()
    }
}

impl From<Vec<Group>> for TargetSet {
    fn from(groups: Vec<Group>) -> Self {
        Self {
            groups,
            next: TryNext::WhenRefused,
        }
    }
}

impl From<Target> for TargetSet {
    fn from(target: Target) -> Self {
        vec![Group::from(vec![target])].into()
    }
}

new_key_type! {
    /// A response context.
    struct ContextId;
}

/// A transaction-stateful proxy. A sans-IO machine over a [`TransactionLayer`] that its owner keeps.
///
/// The owner shows it each request by [`Proxy::receive`], chooses targets (RFC 3261 §16.5), and has it
/// forwarded by [`Proxy::forward`], or by [`Proxy::forward_ack`]. What the transactions report goes
/// to the `handle_*` of the same name, which say whether it was the proxy's. After each of them arm
/// a timer for [`Proxy::poll_timeout`].
///
/// Deadlines: a branch of an INVITE has a Timer C and then the guard of its CANCEL; any other has the
/// Timer F of its transaction. One that was accepted and not heard has the Timer M of its INVITE. So every context ends.
#[derive(Debug)]
pub struct Proxy {
    settings: ProxySettings,
    locals: Locals,
    ids: IdSource,
    contexts: SlotMap<ContextId, Context>,
    by_server: SecondaryMap<ServerTx, ContextId>,
    by_client: SecondaryMap<ClientTx, ContextId>,
    /// Every armed Timer C.
    deadlines: BTreeSet<(Instant, ClientTx)>,
}

impl Proxy {
    /// A proxy with nothing to do. `seed` is entropy for branches.
    pub fn new(settings: ProxySettings, locals: Locals, seed: [u64; 2]) -> Self {
        Self {
            settings,
            locals,
            ids: IdSource::new(seed),
            contexts: SlotMap::with_key(),
            by_server: SecondaryMap::new(),
            by_client: SecondaryMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Makes room for so many requests at a time, as [`TransactionLayer::reserve`] does.
    pub fn reserve(&mut self, requests: usize) {
        self.contexts.reserve(requests);
        self.by_server.set_capacity(requests);
        self.by_client.set_capacity(requests);
    }

    /// Forwards a request to the first group of targets, those of the group at once, and to the next
    /// group as [`TargetSet::next`] says. An INVITE is answered 100.
    ///
    /// # Errors
    /// The request may not be forwarded (RFC 3261 §16.3), or could not be sent to anybody: nothing was
    /// kept, and it is the owner's to answer.
    pub fn forward(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        server: ServerTx,
        received: Received,
        source: Flow,
        targets: impl Into<TargetSet>,
    ) -> Result<(), Rejection> {
        self.check(&received)?;
        let targets = targets.into();
        if targets.groups.is_empty() {
            return Err(Rejection::NoTarget);
        }
        let is_invite = *received.request.method() == Method::Invite;
        let context = Context::new(server, received, source, targets);
        let id = self.contexts.insert(context);
        if let Err(rejection) = self.try_next_group(now, layer, id) {
            self.contexts.remove(id);
            return Err(rejection);
        }
        self.by_server.insert(server, id);
        if is_invite
            && let Some(trying) = layer.response_builder(server, StatusCode::TRYING, "Trying", None)
        {
            layer.respond(now, server, trying.finish());
        }
        Ok(())
    }

    /// Forwards the ACK of a 2xx. It has no transaction; an ACK that comes again gets the same branch.
    ///
    /// # Errors
    /// It may not be forwarded; there is nothing to answer an ACK.
    pub fn forward_ack(
        &self,
        layer: &mut TransactionLayer,
        received: &Received,
        source: Flow,
        target: &Target,
    ) -> Result<(), Rejection> {
        self.check(received)?;
        let branch = received.hash.stateless_branch(&received.request);
        let outgoing = Outgoing {
            received,
            request: &received.request,
            source,
            breadth: None,
            next: TryNext::WhenRefused,
        };
        let ack = self.copy_for(outgoing, target, &branch)?;
        layer.send(&ack, target.flow);
        Ok(())
    }

    /// A response to a request of ours. Whether it was the proxy's.
    pub fn handle_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Arc<Response>,
    ) -> bool {
        let Some(&id) = self.by_client.get(tx) else {
            return false;
        };
        if response.status().is_provisional() {
            self.handle_provisional(now, layer, id, tx, response);
        } else if response.status().is_success() {
            self.handle_success(now, layer, id, tx, response);
        } else {
            let answer = Answer::Received(Arc::clone(response));
            self.handle_failure(now, layer, id, tx, answer);
        }
        true
    }

    /// A request of ours got no answer. Whether it was the proxy's.
    pub fn handle_client_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        cause: Failure,
    ) -> bool {
        let Some(&id) = self.by_client.get(tx) else {
            return false;
        };
        let status = match cause {
            Failure::Timeout => StatusCode::REQUEST_TIMEOUT,
            // RFC 3261 §16.9: as if it had answered 503.
            Failure::Transport => StatusCode::SERVICE_UNAVAILABLE,
        };
        self.handle_failure(now, layer, id, tx, Answer::Missing(status));
        true
    }

    /// The sender took an INVITE back (RFC 3261 §16.10). Whether it was the proxy's.
    pub fn handle_cancelled(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        server: ServerTx,
        reason: Option<&[u8]>,
    ) -> bool {
        let Some(&id) = self.by_server.get(server) else {
            return false;
        };
        if let Some(open) = self.contexts.get_mut(id).and_then(Context::open_mut) {
            open.is_cancelled = true;
        }
        self.cancel_pending(now, layer, id, reason);
        true
    }

    /// A client transaction is gone.
    pub fn handle_client_ended(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
    ) {
        let Some(&id) = self.by_client.get(tx) else {
            return;
        };
        let context = self.contexts.get(id);
        let is_pending = context.is_some_and(|context| context.pending().any(|one| one == tx));
        if is_pending {
            // It was answered, and no answer had a way back.
            self.accepted_unheard(now, layer, id, tx);
        }
        self.by_client.remove(tx);
        self.disarm(id, tx);
        if let Some(context) = self.contexts.get_mut(id) {
            context.branches.retain(|branch| branch.tx != tx);
        }
        self.forget_if_over(id);
    }

    /// A server transaction is gone.
    pub fn handle_server_ended(&mut self, server: ServerTx) {
        if let Some(id) = self.by_server.remove(server) {
            self.forget_if_over(id);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.8
    //# If timer C should fire, the proxy MUST either reset the timer with
    //# any value it chooses, or terminate the client transaction.  If the
    //# client transaction has received a provisional response, the proxy
    //# MUST generate a CANCEL request matching that transaction.
    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, layer: &mut TransactionLayer) {
        while let Some(&(at, tx)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(context) = self
                .by_client
                .get(tx)
                .and_then(|&id| self.contexts.get_mut(id))
                && let Some(branch) = context.branch_mut(tx)
            {
                branch.state = BranchState::Pending { timer_c: None };
            }
            layer.cancel(now, tx, None);
        }
    }

    /// When [`Proxy::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Requests that are being forwarded, or whose transactions linger.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// Sends the request to the next targets.
    fn try_next_group(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
    ) -> Result<(), Rejection> {
        let mut last = Rejection::NoWay;
        while let Some(group) = self.next_group(id) {
            let sent = self.send_to_all(now, layer, id, &group);
            match sent {
                Ok(()) => return Ok(()),
                Err(rejection) => last = rejection,
            }
        }
        Err(last)
    }

    /// The next group, and no more of it than RFC 5393 §5.3.3 lets branch at once.
    fn next_group(&mut self, id: ContextId) -> Option<Group> {
        let breadth = self.breadth_of(id);
        let open = self.contexts.get_mut(id)?.open_mut()?;
        let mut group = open.groups.pop_front()?;
        let at_once = usize::try_from(breadth.max(1)).unwrap_or(usize::MAX);
        if group.targets.len() > at_once {
            let targets = group.targets.split_off(at_once);
            let shown = group.shown.clone();
            open.groups.push_front(Group { targets, shown });
        }
        Some(group)
    }

    fn breadth_of(&self, id: ContextId) -> u32 {
        let open = self.contexts.get(id).and_then(Context::open);
        let said = open.and_then(|open| {
            let request = open.received.request();
            sip::number(request.header_named(MAX_BREADTH)?)
        });
        said.unwrap_or(self.settings.breadth_max)
    }

    fn send_to_all(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        Group { targets, shown }: &Group,
    ) -> Result<(), Rejection> {
        let breadth = self.breadth_of(id);
        let mut result = Err(Rejection::NoWay);
        for target in targets {
            let Some(Open {
                received,
                source,
                next,
                ..
            }) = self.contexts.get(id).and_then(Context::open)
            else {
                return result;
            };
            let says_breadth = received.request.header_named(MAX_BREADTH).is_some();
            let share = breadth / u32::try_from(targets.len()).unwrap_or(u32::MAX);
            let outgoing = Outgoing {
                received,
                request: shown.as_ref().unwrap_or(&received.request),
                source: *source,
                breadth: (targets.len() > 1 || says_breadth).then_some(share.max(1)),
                next: *next,
            };
            let branch = received.hash.branch(&self.ids.branch());
            let sent = self.copy_for(outgoing, target, &branch).and_then(|copy| {
                layer
                    .request(now, copy, target.flow)
                    .map_err(|_| Rejection::Overloaded)
            });
            match sent {
                Ok(tx) => {
                    self.open_branch(now, id, tx);
                    result = Ok(());
                }
                Err(rejection) if result.is_err() => result = Err(rejection),
                Err(_) => {}
            }
        }
        result
    }

    fn open_branch(&mut self, now: Instant, id: ContextId, tx: ClientTx) {
        self.by_client.insert(tx, id);
        if let Some(context) = self.contexts.get_mut(id) {
            context.branches.push(Branch {
                tx,
                state: BranchState::Pending { timer_c: None },
            });
        }
        self.arm(now, id, tx);
    }

    /// Takes back what is pending (RFC 3261 §16.7 step 10). Only an INVITE can be taken back; another
    /// request ends by itself.
    fn cancel_pending(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        reason: Option<&[u8]>,
    ) {
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if let Some(open) = context.open_mut() {
            open.groups.clear();
        }
        let pending: Vec<_> = context.pending().collect();
        for tx in pending {
            self.disarm(id, tx);
            layer.cancel(now, tx, reason);
        }
    }

    fn answered(&mut self, id: ContextId, tx: ClientTx) {
        self.disarm(id, tx);
        if let Some(branch) = self
            .contexts
            .get_mut(id)
            .and_then(|context| context.branch_mut(tx))
        {
            branch.state = BranchState::Answered;
        }
    }

    fn arm(&mut self, now: Instant, id: ContextId, tx: ClientTx) {
        self.disarm(id, tx);
        let at = now + self.settings.timer_c;
        if let Some(context) = self.contexts.get_mut(id)
            && context.is_invite
            && let Some(branch) = context.branch_mut(tx)
        {
            branch.state = BranchState::Pending { timer_c: Some(at) };
            self.deadlines.insert((at, tx));
        }
    }

    fn disarm(&mut self, id: ContextId, tx: ClientTx) {
        let branch = self
            .contexts
            .get_mut(id)
            .and_then(|context| context.branch_mut(tx));
        if let Some(Branch {
            state: BranchState::Pending { timer_c },
            ..
        }) = branch
            && let Some(at) = timer_c.take()
        {
            self.deadlines.remove(&(at, tx));
        }
    }

    fn forget_if_over(&mut self, id: ContextId) {
        let is_over = self.contexts.get(id).is_some_and(|context| {
            context.branches.is_empty() && !self.by_server.contains_key(context.server)
        });
        if is_over {
            self.contexts.remove(id);
        }
    }
}
