//! The copy of a request that goes to one target (RFC 3261 §16.6).

use bytes::Bytes;
use sip::{Digits, Edit, HeaderName, Method, NameAddr, Request};
use sip_transaction::{Flow, Target};

use super::{
    Proxy, TryNext,
    received::{Received, Rejection, Way, changed},
    route_token::RouteToken,
};

/// What is the same for all targets of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) received: &'a Received,
    /// What these targets are to have of it.
    pub(super) request: &'a Request,
    /// Where the request came from.
    pub(super) source: Flow,
    /// How many branches each target may open in turn (RFC 5393 §5.3.3); `None` where the request
    /// goes to one target and says nothing of it.
    pub(super) breadth: Option<u32>,
    /// What the targets are: phones, or ways to others.
    pub(super) next: TryNext,
}

impl Proxy {
    /// The request as it is sent to a target, in a transaction of its own or, for an ACK, without.
    pub(super) fn copy_for(
        &self,
        outgoing: Outgoing<'_>,
        target: &Target,
        branch: &str,
    ) -> Result<Request, Rejection> {
        let Outgoing {
            received,
            request,
            source,
            breadth,
            ..
        } = outgoing;
        let hop = FirstHop::of(received, target);
        let via = self.locals.via(target.flow, branch);
        let received_via = request.received_via(source.remote);
        let record_routes = self.record_routes(outgoing, target);
        let max_forwards = request
            .max_forwards()
            .map_or(70, |hops| hops.saturating_sub(1));
        let max_forwards = Digits::decimal(max_forwards.into());
        let last_route = hop.is_strict.then(|| [b"<", &*target.uri, b">"].concat());
        let breadth = breadth.map(|breadth| breadth.to_string());

        let mut edit = Edit::new(request);
        edit.request_uri(hop.uri)
            .set(HeaderName::MaxForwards, max_forwards.as_str())
            .replace_first(HeaderName::Via, &*received_via)
            .push_front(HeaderName::Via, &*via);
        for value in &record_routes {
            edit.push_front(HeaderName::RecordRoute, &**value);
        }
        if hop.dropped > 0 {
            edit.drop_first(HeaderName::Route, hop.dropped);
        }
        for route in hop.pushed.iter().rev() {
            edit.push_front(HeaderName::Route, &**route);
        }
        if let Some(last) = &last_route {
            edit.append(HeaderName::Route, &**last);
        }
        if let Some(breadth) = &breadth {
            edit.remove_named(MAX_BREADTH)
                .append_named(MAX_BREADTH, &**breadth);
        }
        if target.flow.transport.is_reliable() {
            edit.with_content_length();
        }
        changed(&edit, request)
    }

    /// What is put before the other Record-Routes, the outer one last. One where both sides use the
    /// same listener and are reached at the addresses that they name; otherwise one for each side
    /// (RFC 5658).
    fn record_routes(&self, outgoing: Outgoing<'_>, target: &Target) -> Vec<String> {
        let Outgoing {
            request,
            source,
            next,
            ..
        } = outgoing;
        let opens_dialog = request.to_tag().is_none()
            && matches!(
                request.method(),
                Method::Invite | Method::Subscribe | Method::Refer
            );
        if !opens_dialog {
            return Vec::new();
        }
        let call_id = request.call_id();
        let upstream = self.token_towards(source, names_itself(request));
        let downstream = match next {
            TryNext::WhenRefused => self.token_towards(target.flow, first_hop(target)),
            // Who stands behind a way to others adds routes of their own, perhaps by names, or stays out of the dialog.
            TryNext::WhenNotServed => RouteToken {
                flow: Some(target.flow),
                only_for_names: !target.flow.transport.is_reliable(),
            },
        };
        if source.listener == target.flow.listener
            && upstream.flow.is_none()
            && downstream.flow.is_none()
        {
            return vec![self.record_route(upstream, source, call_id)];
        }
        vec![
            self.record_route(upstream, source, call_id),
            self.record_route(downstream, target.flow, call_id),
        ]
    }

    /// What must be kept of a side: its flow, unless it is reached where it says that it is, and by the listener that we
    /// would choose for that.
    fn token_towards(&self, flow: Flow, named: Option<&[u8]>) -> RouteToken {
        let named = named
            .and_then(|raw| sip::Uri::parse(raw).ok())
            .and_then(|uri| self.locals.flow_to(&uri));
        let is_there = !flow.transport.is_reliable() && named == Some(flow);
        RouteToken {
            flow: (!is_there).then_some(flow),
            only_for_names: false,
        }
    }

    fn record_route(&self, token: RouteToken, flow: Flow, call_id: &[u8]) -> String {
        let user = token.seal(self.settings.key, call_id);
        self.locals.record_route(flow, &user)
    }
}

/// What a copy has of Routes, and its Request-URI.
struct FirstHop<'a> {
    uri: &'a [u8],
    /// Whether the target's own URI goes to the end of the Routes.
    is_strict: bool,
    /// How many Routes of the request it does not have.
    dropped: usize,
    /// What stands before the others.
    pushed: &'a [Bytes],
}

impl<'a> FirstHop<'a> {
    /// The routes of the target stand before those of the request, for a phone that registered through a
    /// proxy (RFC 3327 §5.3).
    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.6
    //# If the copy contains a Route header field, the proxy MUST
    //# inspect the URI in its first value.  If that URI does not
    //# contain an lr parameter, the proxy MUST modify the copy as
    //# follows:
    fn of(received: &'a Received, target: &'a Target) -> Self {
        let dropped = received.own_routes;
        let first = match target.routes.first() {
            Some(route) => Some(&**route),
            None => received.next_route(),
        };
        let strict = first.and_then(|raw| NameAddr::parse(raw).ok());
        let strict = strict.filter(|route| {
            let uri = route.uri();
            !uri.is_ok_and(|uri| uri.as_sip().is_some_and(sip::SipUri::is_loose_route))
        });
        let (uri, dropped, pushed) = match (&strict, &*target.routes) {
            (None, pushed) => (&*target.uri, dropped, pushed),
            (Some(strict), [_, pushed @ ..]) => (strict.uri_bytes(), dropped, pushed),
            (Some(strict), []) => (strict.uri_bytes(), dropped + 1, &[][..]),
        };
        Self {
            uri,
            is_strict: strict.is_some(),
            dropped,
            pushed,
        }
    }
}

/// Where the sender of a request will be reached inside the dialog: its last Record-Route, or its
/// Contact.
fn names_itself(request: &Request) -> Option<&[u8]> {
    match request.elements(HeaderName::RecordRoute).next() {
        Some(route) => Some(NameAddr::parse(route).ok()?.uri_bytes()),
        None => request.remote_target().ok(),
    }
}

/// Where requests of the dialog would go to on the target's side, as far as its address tells.
fn first_hop(target: &Target) -> Option<&[u8]> {
    match target.routes.first() {
        Some(route) => Some(NameAddr::parse(route).ok()?.uri_bytes()),
        None => Some(&target.uri),
    }
}

/// RFC 5393 §5.
pub(super) const MAX_BREADTH: &str = "Max-Breadth";

impl Way {
    /// Whether the request belongs to a dialog that came about through us.
    pub const fn is_in_dialog(self) -> bool {
        matches!(self, Self::InDialog { .. })
    }

    pub(super) const fn of(token: RouteToken) -> Self {
        let RouteToken {
            flow,
            only_for_names,
        } = token;
        Self::InDialog {
            flow,
            only_for_names,
        }
    }

    /// The flow to where the next hop says that it is: the dialog's, where that leads there by another of our listeners or
    /// it says nothing.
    pub(super) fn flow_at(self, named: Option<Flow>) -> Option<Flow> {
        let Self::InDialog { flow, .. } = self else {
            return named;
        };
        let leads_there = |of_dialog: &Flow| {
            let is_same = |named: Flow| {
                (named.transport, named.remote) == (of_dialog.transport, of_dialog.remote)
            };
            named.is_none_or(is_same)
        };
        flow.filter(leads_there).or(named)
    }
}
