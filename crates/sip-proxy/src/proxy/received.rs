//! What a proxy does with a request before it looks for targets: RFC 3261 §16.3 and §16.4.

use std::sync::Arc;

use sip::{Edit, HeaderName, Host, Limits, NameAddr, Request, SipUri, StatusCode, Transport, Uri};
use sip_transaction::{Flow, Locals, Target};

use super::{Proxy, branch::LoopHash, route_token::RouteToken};

/// A request, and which of its routes led to us (RFC 3261 §16.4).
#[derive(Clone, Debug)]
pub struct Received {
    pub(super) request: Arc<Request>,
    /// How many of its first Routes are ours: they are still on it, and none of its copies has them.
    pub(super) own_routes: usize,
    pub(super) way: Way,
    /// Over the request as it came.
    pub(super) hash: LoopHash,
}

/// How a request came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without a Route of ours: its Request-URI decides where it goes.
    ByUri,
    /// By a Route with our address that we did not write: a route that was configured.
    ByRoute,
    /// Inside a dialog that came about through us. The flow is the one to whoever comes next, where they were not
    /// reached at the address that they name.
    InDialog {
        /// The flow to whoever comes next.
        flow: Option<Flow>,
        /// Where neither a Route nor the Request-URI is an address, and nowhere else.
        only_for_names: bool,
    },
}

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// 416: the scheme of the Request-URI is not one that we route by.
    #[error("the scheme of the Request-URI is not supported")]
    UriScheme,
    /// 483: Max-Forwards is 0.
    #[error("the request has had too many hops")]
    TooManyHops,
    /// 482: the request came back to us unchanged (RFC 5393 §4.2).
    #[error("the request has come back to us as it was")]
    Loop,
    /// 420: Proxy-Require asks for what we do not know.
    #[error("an extension is required of proxies that is not supported")]
    ProxyRequire {
        /// The unknown option tags, comma-joined, for Unsupported.
        unsupported: Vec<u8>,
    },
    /// 480: nobody is there to send it to (RFC 3261 §16.5).
    #[error("there is no target")]
    NoTarget,
    /// 500: there is no way to the next hop.
    #[error("the next hop cannot be found")]
    NoWay,
    /// 503: too many transactions.
    #[error("too many transactions")]
    Overloaded,
}

impl Rejection {
    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::UriScheme => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::TooManyHops => StatusCode::TOO_MANY_HOPS,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::ProxyRequire { .. } => StatusCode::BAD_EXTENSION,
            Self::NoTarget => StatusCode::TEMPORARILY_UNAVAILABLE,
            // RFC 3261 §16.7 step 6: a 503 would say that we can serve nobody.
            Self::NoWay => StatusCode::SERVER_INTERNAL_ERROR,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A short name for metric labels.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::UriScheme => "uri-scheme",
            Self::TooManyHops => "too-many-hops",
            Self::Loop => "loop",
            Self::ProxyRequire { .. } => "proxy-require",
            Self::NoTarget => "no-target",
            Self::NoWay => "no-way",
            Self::Overloaded => "transactions-max",
        }
    }
}

impl Received {
    /// The request, the routes that led to us still on it.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The request alone, for whoever serves it.
    pub fn into_request(self) -> Arc<Request> {
        self.request
    }

    /// How it came.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// Whether another element is to be visited before the Request-URI's.
    pub fn has_route(&self) -> bool {
        self.next_route().is_some()
    }

    /// The first Route that is not ours.
    pub(super) fn next_route(&self) -> Option<&[u8]> {
        let mut routes = self.request.elements(HeaderName::Route);
        routes.nth(self.own_routes)
    }

    /// Where the request goes on to when nobody has found another target for it: the next Route,
    /// the flow of the dialog, or the Request-URI. A Route that is a name is whoever the dialog's flow leads to.
    ///
    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.6
    //# If there is no Route header
    //# field present, the proxy will be sending the request to the next
    //# hop in the Request-URI
    pub fn onward(&self, locals: &Locals) -> Option<Target> {
        let uri = self.request.share(self.request.uri_bytes());
        let flow = match (self.next_route(), self.way) {
            (Some(route), way) => {
                let route = NameAddr::parse(route).ok()?;
                way.flow_at(locals.flow_to(&route.uri().ok()?))
            }
            (
                None,
                Way::InDialog {
                    flow: Some(flow),
                    only_for_names: false,
                },
            ) => Some(flow),
            (None, way) => way.flow_at(locals.flow_to(&self.request.uri())),
        };
        Some(Target {
            uri,
            flow: flow?,
            routes: Vec::new(),
        })
    }
}

impl Proxy {
    /// Finds the routes that led to us on a request (RFC 3261 §16.4). What is beyond them says whether it
    /// is for us, or to be forwarded.
    ///
    /// # Errors
    /// [`Rejection::NoWay`]: its routes lead nowhere.
    pub fn receive(&self, request: Arc<Request>) -> Result<Received, Rejection> {
        let hash = LoopHash::of(&request, self.settings.key);
        let (request, strict) = self.after_strict_router(request)?;
        let (own_routes, way) = self.our_routes(&request, strict);
        Ok(Received {
            request,
            own_routes,
            way,
            hash,
        })
    }

    /// Whether a request belongs to a dialog that came about through us: one of our own routes, with
    /// its seal, is on it.
    pub fn owns(&self, request: &Request) -> bool {
        let is_sealed = |uri: Uri<'_>| {
            let own = uri
                .as_sip()
                .and_then(|uri| self.own_route(uri, request.call_id()));
            own.is_some_and(|own| own.token.is_some())
        };
        let mut routes = request.elements(HeaderName::Route);
        is_sealed(request.uri())
            || routes.any(|raw| {
                let route = NameAddr::parse(raw).ok();
                route.is_some_and(|route| route.uri().is_ok_and(is_sealed))
            })
    }

    /// What a request must be to be forwarded (RFC 3261 §16.3).
    pub(super) fn check(&self, received: &Received) -> Result<(), Rejection> {
        let request = &received.request;
        //= https://www.rfc-editor.org/rfc/rfc3261#section-16.3
        //# If the Request-URI has a URI whose scheme is not understood by the
        //# proxy, the proxy SHOULD reject the request with a 416 (Unsupported
        //# URI Scheme) response.
        if matches!(request.uri(), Uri::Other(_)) {
            return Err(Rejection::UriScheme);
        }
        //= https://www.rfc-editor.org/rfc/rfc3261#section-16.3
        //# If the request contains a Max-Forwards header field with a field
        //# value of zero (0), the element MUST NOT forward the request.
        if request.max_forwards() == Some(0) {
            return Err(Rejection::TooManyHops);
        }
        if self.has_looped(received) {
            return Err(Rejection::Loop);
        }
        //= https://www.rfc-editor.org/rfc/rfc3261#section-16.3
        //# If the request contains a Proxy-Require header field (Section
        //# 20.29) with one or more option-tags this element does not
        //# understand, the element MUST return a 420 (Bad Extension)
        //# response.
        let unknown: Vec<_> = request
            .unsupported_options(HeaderName::ProxyRequire, &[])
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unsupported = unknown.join(&b", "[..]);
        Err(Rejection::ProxyRequire { unsupported })
    }

    /// Whether one of the Vias is ours and says that the request was the same when we sent it.
    fn has_looped(&self, received: &Received) -> bool {
        let request = &received.request;
        let others = request.elements(HeaderName::Via).skip(1);
        let others = others.filter_map(|raw| sip::Via::parse(raw).ok());
        let mut vias = std::iter::once(request.top_via()).chain(others);
        vias.any(|via| {
            self.locals.is_ours(&via.host, via.port)
                && via
                    .branch()
                    .is_some_and(|branch| received.hash.is_in(branch))
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.4
    //# If the Request-URI of the request contains a value this
    //# proxy previously placed into a Record-Route header field (see Section
    //# 16.6 item 4), the proxy MUST replace the Request-URI in the request
    //# with the last value from the Route header field, and remove that
    //# value from the Route header field.
    fn after_strict_router(
        &self,
        request: Arc<Request>,
    ) -> Result<(Arc<Request>, Option<RouteToken>), Rejection> {
        let token = request
            .uri()
            .as_sip()
            .and_then(|uri| self.own_route(uri, request.call_id())?.token);
        let Some(token) = token else {
            return Ok((request, None));
        };
        let last = request.elements(HeaderName::Route).last();
        let Some(last) = last.and_then(|last| NameAddr::parse(last).ok()) else {
            return Err(Rejection::NoWay);
        };
        let mut edit = Edit::new(&request);
        edit.request_uri(last.uri_bytes())
            .drop_last(HeaderName::Route, 1);
        Ok((Arc::new(changed(&edit, &request)?), Some(token)))
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.4
    //# If the first value in the Route header field indicates this proxy,
    //# the proxy MUST remove that value from the request.
    /// How many there are, both of ours where we wrote two (RFC 5658 §3); they are removed from the copies.
    fn our_routes(&self, request: &Request, strict: Option<RouteToken>) -> (usize, Way) {
        let mut way = strict.map_or(Way::ByUri, Way::of);
        let mut count = 0;
        for raw in request.elements(HeaderName::Route) {
            let own = NameAddr::parse(raw).ok().and_then(|route| {
                let uri = route.uri().ok()?;
                self.own_route(uri.as_sip()?, request.call_id())
            });
            let Some(own) = own else { break };
            count += 1;
            way = match (own.token, way) {
                // The last of ours is the one on the side that the request goes to.
                (Some(token), _) => Way::of(token),
                (None, Way::ByUri) => Way::ByRoute,
                (None, way) => way,
            };
        }
        (count, way)
    }

    /// A URI that leads to us, and what it tells.
    fn own_route(&self, uri: &SipUri<'_>, call_id: &[u8]) -> Option<OwnRoute> {
        if !self.is_us(uri) {
            return None;
        }
        let token = uri
            .user
            .and_then(|user| RouteToken::open(user.into_exposed(), self.settings.key, call_id));
        Some(OwnRoute { token })
    }

    /// Whether a host and port are ours: a listener, or the domain on a default port.
    pub(super) fn is_us(&self, uri: &SipUri<'_>) -> bool {
        match uri.host {
            Host::Name(name) => {
                name.eq_ignore_ascii_case(self.settings.domain.as_bytes())
                    && uri.port.is_none_or(|port| {
                        [Transport::Udp, Transport::Tls]
                            .iter()
                            .any(|transport| transport.default_port() == port)
                    })
            }
            // A domain that is an address may be that of a proxy before us, whose Routes are not ours.
            host => self.locals.is_ours(&host, uri.port),
        }
    }
}

/// The request as it is after these changes.
pub(super) fn changed(edit: &Edit<'_>, request: &Request) -> Result<Request, Rejection> {
    edit.finish_request(request, &WHAT_WE_CHANGED)
        .map_err(|_| Rejection::NoWay)
}

/// A Route of ours.
struct OwnRoute {
    token: Option<RouteToken>,
}

/// A request was within its limits when it came; what we add is little.
pub(super) const WHAT_WE_CHANGED: Limits = Limits {
    message_len: usize::MAX,
    head_len: usize::MAX,
    header_count: usize::MAX,
    line_len: usize::MAX - 2,
    element_count: usize::MAX,
};
