//! Calls that leave through trunks, and OPTIONS by which it is known whether a trunk answers.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use sip::{
    Builder, HeaderName, Method, Request, Response, StatusCode, Transport, Uri,
    headers::PrivacyKind,
};
use sip_proxy::{
    Answer, Group, Health, Hop, NextHop, Query, Received, TargetSet, TrunkId, Trust, TryNext,
};
use sip_transaction::{ClientTx, Flow, ServerTx, Target};

use crate::{engine::Engine, event::Event, input_output::Output};

impl Engine {
    /// Where a number that an agent dials goes: through each trunk that takes it, the one with the
    /// longest prefix first, by each of its next hops. Empty when no trunk takes it.
    pub(crate) fn ways_out(&mut self, now: Instant, dialled: &Uri<'_>) -> Vec<(TrunkId, Target)> {
        let Some(number) = self.dial_plan.number(dialled) else {
            return Vec::new();
        };
        let mut trunks = self.trunks.taking(&number);
        // A trunk that is out comes after those that are not.
        trunks.sort_by_key(|&trunk| !self.hops.is_usable(trunk));
        let mut ways = Vec::new();
        for trunk in trunks {
            for next in self.hops.targets(now, &mut self.locator, trunk) {
                ways.extend(self.way(&next, &number).map(|target| (trunk, target)));
            }
        }
        self.ask_dns();
        ways
    }

    fn way(&self, next: &NextHop, number: &str) -> Option<Target> {
        let trunk = self.trunks.get(next.trunk)?;
        let written = trunk.numbers.write(number);
        Some(Target {
            uri: with_user(&next.uri.as_uri(), &written)?.into(),
            flow: self.flow_of(&next.hop)?,
            routes: Vec::new(),
        })
    }

    fn flow_of(&self, hop: &Hop) -> Option<Flow> {
        let local = self.locals.reaching(hop.transport, hop.remote.ip())?;
        Some(Flow {
            transport: hop.transport,
            listener: local.listener,
            remote: hop.remote,
        })
    }

    /// An agent's call goes out through trunks: as it is, or as one of ours where one of the trunks is to
    /// see nothing of our network.
    pub(crate) fn call_out(&mut self, now: Instant, tx: ServerTx, received: Received, flow: Flow) {
        let uri = received.request().uri();
        let ways = self.ways_out(now, &uri);
        if ways.is_empty() {
            return self.answer(now, tx, StatusCode::NOT_FOUND);
        }
        // Also where it is the last of them: what the first was sent goes to all.
        if ways.iter().any(|&(trunk, _)| self.is_hidden_from(trunk)) {
            return self.call_hidden(now, tx, received.into_request(), flow, ways);
        }
        match self.as_trunks_see_it(now, received.request(), ways) {
            Ok(targets) => self.forward(now, tx, received, flow, targets),
            Err(status) => self.answer(now, tx, status),
        }
    }

    /// Trunks as targets of a request, each with what it may see of it. What a trunk may not take at its rate is
    /// passed over.
    fn as_trunks_see_it(
        &mut self,
        now: Instant,
        request: &Request,
        ways: Vec<(TrunkId, Target)>,
    ) -> Result<TargetSet, StatusCode> {
        let mut chosen: Vec<TrunkId> = ways.iter().map(|&(trunk, _)| trunk).collect();
        chosen.dedup();
        chosen.retain(|&trunk| self.trunk_loads.has_room(now, trunk));
        let first = *chosen.first().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        // The proxy does not know when a call ends, nor is it known which of the others it tries: only the rate of the
        // first is counted. Calls that come from the others are not to be refused for it.
        if self.trunk_loads.begin(now, first).is_ok() {
            self.trunk_loads.end(first);
        }
        let shown: BTreeMap<_, _> = chosen
            .into_iter()
            .map(|trunk| (trunk, self.presented_to(trunk, request).map(Arc::new)))
            .collect();
        let groups = ways.into_iter().filter_map(|(trunk, target)| {
            Some(Group {
                targets: vec![target],
                shown: shown.get(&trunk)?.clone(),
            })
        });
        Ok(TargetSet {
            groups: groups.collect(),
            next: TryNext::WhenNotServed,
        })
    }

    /// The request as a trunk may see it: with the number that our calls show there, and without an
    /// identity that is to be private. `None` where it is that already.
    fn presented_to(&self, trunk: TrunkId, request: &Request) -> Option<Request> {
        let trunk = self.trunks.get(trunk)?;
        // RFC 3325 §7: an identity that is to be private does not leave the Trust Domain.
        let is_private = trunk.trust == Trust::Untrusted && asks_for_privacy(request);
        let identity = trunk
            .presented
            .as_ref()
            .filter(|_| !is_private)
            .map(|number| format!("<sip:{number}@{};user=phone>", self.config.domain));
        let mut edit = sip::Edit::new(request);
        match (&identity, is_private) {
            (Some(identity), _) => edit.set(HeaderName::PAssertedIdentity, &**identity),
            (None, true) => edit.remove(HeaderName::PAssertedIdentity),
            (None, false) => return None,
        };
        edit.finish_request(request, &self.config.settings.message)
            .ok()
    }

    /// DNS has answered a query, or has not: then with [`Answer::Failed`].
    pub(crate) fn take_answer(
        &mut self,
        now: Instant,
        query: Query,
        answer: Answer,
        ttl: std::time::Duration,
    ) {
        self.locator.handle_answer(now, query, answer, ttl);
        let found = self.hops.handle_located(now, &mut self.locator);
        self.ask_hops(now, found);
    }

    /// Asks the next hops of trunks for a sign of life, when that is due.
    pub(crate) fn ask_trunks(&mut self, now: Instant) {
        if !self.is_draining() {
            let due = self.hops.handle_timeout(now, &mut self.locator);
            self.ask_hops(now, due);
        }
    }

    fn ask_hops(&mut self, now: Instant, hops: Vec<NextHop>) {
        for next in hops {
            if let (Transport::Tls, Some(name)) = (next.hop.transport, &next.hop.name) {
                self.output(Output::PeerName {
                    remote: next.hop.remote,
                    name: name.clone(),
                });
            }
            let is_open = self.hop_probes.values().any(|asked| *asked == next);
            if !is_open && let Some(tx) = self.send_options(now, &next) {
                self.hop_probes.insert(tx, next);
            }
        }
        self.ask_dns();
    }

    fn send_options(&mut self, now: Instant, next: &NextHop) -> Option<ClientTx> {
        let flow = self.flow_of(&next.hop)?;
        let uri = next.uri.as_bytes();
        let branch = self.ids.branch();
        let from = format!("<sip:{}>;tag={}", self.config.domain, self.ids.token());
        let options = Builder::request(&Method::Options, uri)
            .header(HeaderName::Via, self.locals.via(flow, &branch))
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, from)
            .header(HeaderName::To, [b"<", &**uri, b">"].concat())
            .header(HeaderName::CallId, self.ids.token())
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::Contact, self.locals.contact(flow))
            .header(HeaderName::Accept, "application/sdp");
        let options = options.finish_request().ok()?;
        self.layer.request(now, options, flow).ok()
    }

    /// The answer of a next hop to OPTIONS. Whatever it says it is there, unless it says that it
    /// cannot serve. Whether the transaction was one of these.
    pub(crate) fn take_hop_answer(&mut self, tx: ClientTx, response: &Response) -> bool {
        let Some(next) = self.hop_probes.get(tx).cloned() else {
            return false;
        };
        if response.status().is_final() {
            self.hop_probes.remove(tx);
            let health = match response.status() {
                StatusCode::SERVICE_UNAVAILABLE => Health::Down,
                _ => Health::Up,
            };
            self.note_health(&next, health);
        }
        true
    }

    /// A next hop did not answer OPTIONS. Whether the transaction was one of these.
    pub(crate) fn take_hop_silence(&mut self, tx: ClientTx) -> bool {
        let Some(next) = self.hop_probes.remove(tx) else {
            return false;
        };
        self.note_health(&next, Health::Down);
        true
    }

    fn note_health(&mut self, next: &NextHop, health: Health) {
        if self.hops.note(next, health) {
            let trunk = self.trunks.get(next.trunk);
            self.emit(Event::TrunkHealth {
                trunk: next.trunk,
                name: trunk.map_or_else(String::new, |trunk| trunk.name.clone()),
                remote: next.hop.remote,
                health,
            });
        }
    }

    /// Passes on what the locator wants to know.
    fn ask_dns(&mut self) {
        while let Some(query) = self.locator.poll_query() {
            self.output(Output::Resolve(query));
        }
    }
}

/// A URI of the configuration, which has no user, with this one.
fn with_user(uri: &Uri<'_>, user: &str) -> Option<String> {
    let uri = uri.as_sip()?;
    let scheme = match uri.scheme {
        sip::SipScheme::Sip => "sip",
        sip::SipScheme::Sips => "sips",
    };
    let port = uri.port.map_or_else(String::new, |port| format!(":{port}"));
    let params = String::from_utf8_lossy(uri.params.as_bytes());
    Some(format!(
        "{scheme}:{user}@{}{port}{params};user=phone",
        uri.host
    ))
}

/// RFC 3323 §4.2, RFC 3325 §9.3.
pub(crate) fn asks_for_privacy(request: &Request) -> bool {
    let mut kinds = [PrivacyKind::Id, PrivacyKind::User].into_iter();
    kinds.any(|kind| request.asks_privacy(kind))
}
