//! Dialogs (RFC 3261 §12): what a request inside one needs.

use std::cmp::Ordering;

use bytes::Bytes;
use sip::{
    Builder, HeaderName, Message, Method, NameAddr, Request, Response, Uri, headers::Replaces,
};
use sip_transaction::{Flow, IdSource, Locals};
use smallvec::SmallVec;

use crate::{kept::KeptDialog, reconnected::Phone};

/// Routes that are kept without an allocation.
type RouteSet = SmallVec<[Bytes; 2]>;

/// One confirmed or confirming dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    call_id: Bytes,
    local_tag: Bytes,
    remote_tag: Bytes,
    /// The value of From in our requests.
    local: Bytes,
    /// The value of To in our requests.
    remote: Bytes,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    /// The CSeq number of our last INVITE in it: a 2xx to it may have to be acknowledged once more.
    invited: Option<u32>,
    remote_target: Bytes,
    route_set: RouteSet,
    flow: Flow,
    peer: Peer,
}

/// Where the peer of a dialog can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// At the address that it names in Contact (RFC 3261 §12.2.1.1).
    AtItsContact,
    /// Behind a NAT: only where its messages come from. Its registration has shown that its Contact
    /// names an address of its own network, or it has connected to us from elsewhere.
    BehindNat,
}

/// More requests than go out in a dialog before what is known of it is written down again.
const CSEQ_LEAP: u32 = 1000;

impl Peer {
    pub(crate) const fn of(is_behind_nat: bool) -> Self {
        if is_behind_nat {
            Self::BehindNat
        } else {
            Self::AtItsContact
        }
    }

    /// A caller without a proxy before us whose connection does not come from its Contact.
    fn of_caller(request: &Request, target: &[u8], flow: Flow) -> Self {
        let is_direct = request.elements(HeaderName::Via).nth(1).is_none();
        let is_connected = flow.transport.is_reliable() && is_direct;
        Self::of(is_connected && !is_at(target, flow))
    }
}

/// What a request inside a dialog is, by its CSeq (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    Next,
    /// Lower than one before: answered 500.
    OutOfOrder,
}

impl Dialog {
    /// The dialog of a request that we answer, with the To-tag that we gave (RFC 3261 §12.1.1).
    pub(crate) fn answering(request: &Request, local_tag: Bytes, flow: Flow) -> Self {
        let to = request.header(HeaderName::To).unwrap_or_default();
        let mut local = to.to_vec();
        if request.to_tag().is_none() {
            local.extend_from_slice(b";tag=");
            local.extend_from_slice(&local_tag);
        }
        // A caller without a usable Contact is answered and hung up where the INVITE came from.
        let target = request
            .remote_target()
            .map_or_else(|_| where_it_came_from(flow), <[u8]>::to_vec);
        let peer = Peer::of_caller(request, &target, flow);
        Self {
            call_id: Bytes::copy_from_slice(request.call_id()),
            local_tag,
            remote_tag: Bytes::copy_from_slice(request.from_tag().unwrap_or_default()),
            local: local.into(),
            remote: copied(request, HeaderName::From),
            local_cseq: 0,
            remote_cseq: Some(request.cseq_number()),
            invited: None,
            remote_target: target.into(),
            route_set: record_route(request).collect(),
            flow,
            peer,
        }
    }

    /// The peer is reached only where its messages come from.
    pub(crate) const fn put_behind_nat(&mut self) {
        self.peer = Peer::BehindNat;
    }

    /// The dialog that a 2xx to our INVITE makes (RFC 3261 §12.1.2). `request_uri` stands in for a
    /// Contact that the answer lacks; where that is not known any more, the answer's sender does.
    pub(crate) fn calling(
        response: &Response,
        request_uri: Option<&[u8]>,
        flow: Flow,
        peer: Peer,
    ) -> Self {
        let target = response.remote_target().ok().or(request_uri);
        let target = target.map_or_else(|| where_it_came_from(flow).into(), Bytes::copy_from_slice);
        let mut route_set: RouteSet = record_route(response).collect();
        route_set.reverse();
        Self {
            call_id: Bytes::copy_from_slice(response.call_id()),
            local_tag: Bytes::copy_from_slice(response.from_tag().unwrap_or_default()),
            remote_tag: Bytes::copy_from_slice(response.to_tag().unwrap_or_default()),
            local: copied(response, HeaderName::From),
            remote: copied(response, HeaderName::To),
            local_cseq: response.cseq_number(),
            remote_cseq: None,
            invited: Some(response.cseq_number()),
            remote_target: target,
            route_set,
            flow,
            peer,
        }
    }

    /// The same of which nothing is known any more: requests of ours may have gone out in it, whose numbers
    /// are left out.
    pub(crate) fn of_before(response: &Response, flow: Flow) -> Self {
        let mut dialog = Self::calling(response, None, flow, Peer::BehindNat);
        dialog.leap(1);
        dialog
    }

    /// Requests of so many processes before may have gone out in it: their numbers are left out.
    pub(crate) const fn leap(&mut self, processes: u32) {
        let leap = CSEQ_LEAP.saturating_mul(processes);
        self.local_cseq = self.local_cseq.saturating_add(leap);
    }

    /// What of it outlives a process.
    pub(crate) fn keep(&self) -> KeptDialog {
        KeptDialog {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
            local: self.local.clone(),
            remote: self.remote.clone(),
            local_cseq: self.local_cseq,
            remote_cseq: self.remote_cseq,
            invited: self.invited,
            remote_target: self.remote_target.clone(),
            route_set: self.route_set.to_vec(),
            flow: self.flow,
            is_behind_nat: self.peer == Peer::BehindNat,
        }
    }

    /// A dialog of before. Requests of ours may have gone out after it was written down: their numbers
    /// are left out.
    pub(crate) fn restore(kept: KeptDialog) -> Self {
        Self {
            call_id: kept.call_id,
            local_tag: kept.local_tag,
            remote_tag: kept.remote_tag,
            local: kept.local,
            remote: kept.remote,
            local_cseq: kept.local_cseq.saturating_add(CSEQ_LEAP),
            remote_cseq: kept.remote_cseq,
            invited: kept.invited,
            remote_target: kept.remote_target,
            route_set: kept.route_set.into(),
            flow: kept.flow,
            peer: Peer::of(kept.is_behind_nat),
        }
    }

    /// What it is named by (RFC 3261 §12): the Call-ID, our tag and the other side's.
    pub(crate) fn call_id_and_tags(&self) -> (&[u8], (&[u8], &[u8])) {
        (&self.call_id, (&self.local_tag, &self.remote_tag))
    }

    /// Whether a 2xx to an INVITE of ours is the peer's of this dialog.
    pub(crate) fn answers(&self, response: &Response) -> bool {
        response.to_tag() == Some(&*self.remote_tag)
            && response.from_tag() == Some(&*self.local_tag)
            && *response.call_id() == *self.call_id
    }

    /// Whether a request belongs to this dialog: Call-ID and both tags (RFC 3261 §12.2.2).
    pub(crate) fn owns(&self, request: &Request) -> bool {
        request.to_tag() == Some(&*self.local_tag)
            && request.from_tag().unwrap_or_default() == &*self.remote_tag
            && request.call_id() == &*self.call_id
    }

    /// Whether a Replaces that the peer of this dialog wrote names it (RFC 3891 §3).
    pub(crate) fn is_replaced_by(&self, replaces: &Replaces<'_>) -> bool {
        *self.local_tag == *replaces.to_tag
            && *self.remote_tag == *replaces.from_tag
            && *self.call_id == *replaces.call_id
    }

    /// Goes on after the requests of an early dialog with the same peer.
    pub(crate) fn continue_after(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
    }

    pub(crate) const fn peer(&self) -> Peer {
        self.peer
    }

    pub(crate) const fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether it is with this phone.
    pub(crate) fn is_with(&self, phone: Phone<'_>) -> bool {
        let remote = NameAddr::parse_liberal(&self.remote);
        remote.is_ok_and(|remote| phone.is(remote.uri_bytes(), &self.remote_target))
    }

    /// The peer is reached by another way from now on.
    pub(crate) fn move_to(&mut self, flow: Flow) {
        self.flow = flow;
        if !is_at(&self.remote_target, flow) {
            self.peer = Peer::BehindNat;
        }
    }

    /// Notes a request of the peer.
    pub(crate) fn receive(&mut self, request: &Request) -> Sequence {
        let number = request.cseq_number();
        //= https://www.rfc-editor.org/rfc/rfc3261#section-12.2.2
        //# If the remote sequence number was not empty, but the sequence number
        //# of the request is lower than the remote sequence number, the request
        //# is out of order and MUST be rejected with a 500 (Server Internal
        //# Error) response.
        if self
            .remote_cseq
            .is_some_and(|before| number.cmp(&before) == Ordering::Less)
        {
            return Sequence::OutOfOrder;
        }
        self.remote_cseq = Some(number);
        Sequence::Next
    }

    /// Takes the peer's new Contact from a target refresh (RFC 3261 §12.2): a request or a 2xx.
    pub(crate) fn refresh_target(&mut self, target: &[u8]) {
        if !target.is_empty() && *target != *self.remote_target {
            self.remote_target = Bytes::copy_from_slice(target);
        }
    }

    /// Takes the peer's Contact from a 2xx to a request of ours.
    pub(crate) fn take_answer(&mut self, response: &Response) {
        if let Ok(target) = response.remote_target() {
            self.refresh_target(target);
        }
    }

    /// The CSeq number of our last INVITE in it.
    pub(crate) const fn invited(&self) -> Option<u32> {
        self.invited
    }

    /// Starts the next request of ours inside the dialog.
    pub(crate) fn request(
        &mut self,
        method: &Method,
        ids: &mut IdSource,
        locals: &Locals,
    ) -> (Builder, Flow) {
        self.local_cseq += 1;
        if *method == Method::Invite {
            self.invited = Some(self.local_cseq);
        }
        self.request_with_cseq(method, self.local_cseq, ids, locals)
    }

    /// Starts the ACK of a 2xx. Its CSeq number is the INVITE's (RFC 3261 §13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32, ids: &mut IdSource, locals: &Locals) -> (Builder, Flow) {
        self.request_with_cseq(&Method::Ack, cseq, ids, locals)
    }

    fn request_with_cseq(
        &self,
        method: &Method,
        cseq: u32,
        ids: &mut IdSource,
        locals: &Locals,
    ) -> (Builder, Flow) {
        let flow = self.next_hop(locals);
        let (uri, routes) = self.target_and_routes();
        let mut builder = Builder::request(method, uri)
            .header(HeaderName::Via, locals.via(flow, &ids.branch()))
            .header(HeaderName::MaxForwards, "70");
        for route in routes {
            builder = builder.header(HeaderName::Route, route);
        }
        let builder = builder
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .cseq(cseq, method);
        (builder, flow)
    }

    /// Request-URI and Route by RFC 3261 §12.2.1.1, with its rule for a strict router.
    fn target_and_routes(&self) -> (&[u8], Vec<Bytes>) {
        let Some(first) = self.route_set.first() else {
            return (&self.remote_target, Vec::new());
        };
        if is_loose(first) {
            return (&self.remote_target, self.route_set.to_vec());
        }
        let uri = NameAddr::parse(first).map_or(&**first, |route| route.uri_bytes());
        let mut routes = self.route_set[1..].to_vec();
        routes.push([b"<", &*self.remote_target, b">"].concat().into());
        (uri, routes)
    }

    /// Where a request goes: over the connection that the dialog was made on, unless that is a proxy's
    /// which does not stay in the way; else to the first route or the target where that is an address,
    /// else back where the peer's messages come from.
    fn next_hop(&self, locals: &Locals) -> Flow {
        let is_routed = !self.route_set.is_empty();
        let is_behind_nat = self.peer == Peer::BehindNat && !is_routed;
        let is_connected = self.flow.transport.is_reliable()
            && (is_routed || is_at(&self.remote_target, self.flow));
        if is_connected || is_behind_nat {
            return self.flow;
        }
        let next = match self
            .route_set
            .first()
            .and_then(|route| NameAddr::parse(route).ok())
        {
            Some(route) => route.uri(),
            None => Uri::parse(&self.remote_target),
        };
        next.ok()
            .and_then(|uri| locals.flow_to(&uri))
            .map_or(self.flow, |hop| {
                let listener = if hop.transport == self.flow.transport {
                    self.flow.listener
                } else {
                    hop.listener
                };
                Flow { listener, ..hop }
            })
    }
}

/// Whether a target is where a flow leads, or names no address.
fn is_at(target: &[u8], flow: Flow) -> bool {
    let uri = Uri::parse(target).ok();
    let ip = uri.and_then(|uri| uri.as_sip()?.host.ip());
    ip.is_none_or(|ip| ip == flow.remote.ip())
}

fn is_loose(route: &[u8]) -> bool {
    NameAddr::parse(route)
        .ok()
        .and_then(|route| route.uri().ok()?.as_sip().map(sip::SipUri::is_loose_route))
        .unwrap_or(false)
}

/// The routes of a message. Nothing can be sent by one that is no URI: what is left leads further than that.
fn record_route(message: &Message) -> impl Iterator<Item = Bytes> + '_ {
    let is_usable = |route: &&[u8]| NameAddr::parse(route).is_ok_and(|route| route.uri().is_ok());
    message
        .elements(HeaderName::RecordRoute)
        .filter(is_usable)
        .map(Bytes::copy_from_slice)
}

/// A target that reaches whoever has sent something, when the message names none that does.
fn where_it_came_from(flow: Flow) -> Vec<u8> {
    format!("sip:{}", flow.remote).into_bytes()
}

fn copied(message: &Message, name: HeaderName) -> Bytes {
    Bytes::copy_from_slice(message.header(name).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use sip::{Limits, Transport};
    use sip_transaction::{ListenerId, Local};

    use super::*;

    /// Where the BYE of a caller goes whose INVITE came over a connection with these headers.
    fn hangs_up_at(headers: &str, contact: &str) -> Flow {
        let invite = format!(
            "INVITE sip:15@192.0.2.1 SIP/2.0\r\n{headers}From: <sip:a@b>;tag=f\r\n\
             To: <sip:15@192.0.2.1>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <{contact}>\r\n\r\n"
        );
        let invite = Message::parse(invite.into(), &Limits::default()).unwrap();
        let invite = Request::new(invite).unwrap();
        let local = |listener, transport| Local {
            listener: ListenerId(listener),
            transport,
            advertised: "192.0.2.1:5060".parse().unwrap(),
        };
        let locals = Locals::new(vec![local(0, Transport::Udp), local(1, Transport::Tcp)]);
        let dialog = Dialog::answering(&invite, "ours".into(), connection());
        Dialog::restore(dialog.keep()).next_hop(&locals)
    }

    fn connection() -> Flow {
        Flow {
            transport: Transport::Tcp,
            listener: ListenerId(1),
            remote: "198.51.100.9:40001".parse().unwrap(),
        }
    }

    const ITSELF: &str = "Via: SIP/2.0/TCP 198.51.100.9;branch=z9hG4bK1\r\n";
    const BY_A_PROXY: &str = "Via: SIP/2.0/TCP 198.51.100.9;branch=z9hG4bK1, \
                              SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK2\r\n";

    #[test]
    fn a_proxy_that_does_not_stay_in_the_way_is_not_asked_to() {
        let contact = "sip:a@203.0.113.7:5066";
        let hop = hangs_up_at(BY_A_PROXY, contact);
        let expected = Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: "203.0.113.7:5066".parse().unwrap(),
        };
        assert_eq!(hop, expected);
        let stays = format!("{BY_A_PROXY}Record-Route: <sip:198.51.100.9;transport=tcp;lr>\r\n");
        assert_eq!(hangs_up_at(&stays, contact), connection());
        assert_eq!(
            hangs_up_at(BY_A_PROXY, "sip:a@somewhere.example"),
            connection()
        );
    }

    /// Bits flip: whoever cannot be reached by the routes that are left is reached without them.
    #[test]
    fn a_route_that_is_none_is_not_followed() {
        let contact = "sip:a@203.0.113.7:5066";
        let expected = hangs_up_at(BY_A_PROXY, contact);
        for route in ["<sip:198.51\u{15}1.9;lr>", "<sip:198.51.100.9;lr", "<lr>"] {
            let damaged = format!("{BY_A_PROXY}Record-Route: {route}\r\n");
            assert_eq!(hangs_up_at(&damaged, contact), expected, "{route:?}");
        }
    }

    #[test]
    fn who_connects_to_us_is_hung_up_over_that_connection() {
        for contact in ["sip:a@198.51.100.9:5060", "sip:a@10.0.0.7:5060"] {
            assert_eq!(hangs_up_at(ITSELF, contact), connection(), "{contact}");
        }
    }
}
