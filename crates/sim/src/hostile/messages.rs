//! The messages of hostile peers: right ones, by the book, and the wrong ones next to them.

use std::net::SocketAddr;

use engine::{
    sip::{HeaderName, Method, Request, Response, Transport},
    sip_transaction::{Flow, ListenerId},
};

use super::script::Script;

/// Where the node listens, by UDP and by TCP.
pub(super) const NODE: &str = "192.0.2.1:5060";

/// Who may send: two trunks, the phones, and somebody whom nobody knows.
const SOURCES: [&str; 6] = [
    "198.51.100.1:5060",
    "203.0.113.1:5060",
    "203.0.113.3:5060",
    "198.51.100.2:5062",
    "192.0.2.99:5060",
    "192.0.2.1:5060",
];

/// What callers dial: a line, a line of another site, a service, and what nobody knows.
const DIALLED: [&str; 7] = [
    "sip:+33300000001@192.0.2.1",
    "sip:+33300000002@192.0.2.1",
    "urn:service:sos.ambulance",
    "sip:15@192.0.2.1;user=phone",
    "tel:+33300000001",
    "sip:%00@example.com?Subject=x",
    "http://example.com",
];

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 8\r\na=sendrecv\r\n";
const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
                    m=audio 40000 RTP/AVP 8\r\na=sendonly\r\n";

/// Bodies with their type.
const BODIES: [(&str, &str); 5] = [
    ("application/sdp", OFFER),
    ("", ""),
    ("application/sdp", HOLD),
    ("application/sdp", "v=0\r\nnonsense"),
    ("multipart/mixed;boundary=b", "--b\r\n\r\nx\r\n--b--\r\n"),
];

/// The statuses of a phone.
const STATUSES: [&str; 24] = [
    "200 OK",
    "180 Ringing",
    "100 Trying",
    "183 Session Progress",
    "486 Busy Here",
    "603 Decline",
    "487 Request Terminated",
    "302 Moved Temporarily",
    "404 Not Found",
    "408 Request Timeout",
    "481 Call/Transaction Does Not Exist",
    "488 Not Acceptable Here",
    "491 Request Pending",
    "500 Server Internal Error",
    "503 Service Unavailable",
    "202 Accepted",
    "401 Unauthorized",
    "420 Bad Extension",
    "199 Early Dialog Terminated",
    "182 Queued",
    "299 Odd",
    "300 Multiple Choices",
    "600 Busy Everywhere",
    "699 Odd",
];

const CALLER_ASKS: [&str; 11] = [
    "BYE", "INVITE", "INFO", "UPDATE", "MESSAGE", "PRACK", "REFER", "OPTIONS", "NOTIFY", "ACK",
    "UNHEARD",
];

/// An agent sends calls on more often than anything else.
const PHONE_ASKS: [&str; 11] = [
    "BYE", "INVITE", "REFER", "UPDATE", "REFER", "PRACK", "REFER", "OPTIONS", "REFER", "ACK",
    "UNHEARD",
];

/// Where a call is sent on to: another line, colleagues, nobody.
const REFERRED: [&str; 5] = [
    "Refer-To: <sip:+33300000002@192.0.2.1>\r\n",
    "Refer-To: <sip:a1@samu.example>\r\nReferred-By: <sip:a2@samu.example>\r\n",
    "Refer-To: <sip:a2@203.0.113.1:5060?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>\r\n",
    "Refer-To: <sip:a1@samu.example>\r\nRefer-Sub: false\r\n",
    "Refer-To: <sip:nobody@samu.example>\r\n",
];

const OUTSIDE: [&str; 12] = [
    "OPTIONS",
    "BYE",
    "CANCEL",
    "ACK",
    "INFO",
    "UPDATE",
    "PRACK",
    "REFER",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "UNHEARD",
];

/// A flow from a source of the script's choice. A phone may speak from any source.
pub(super) fn source(script: &mut Script<'_>) -> Flow {
    let remote = script.usually(&SOURCES).parse().expect("it is an address");
    let transport = script.usually(&[Transport::Udp, Transport::Tcp]);
    flow(remote, transport)
}

pub(super) const fn flow(remote: SocketAddr, transport: Transport) -> Flow {
    let listener = match transport {
        Transport::Udp => ListenerId(0),
        _ => ListenerId(1),
    };
    Flow {
        transport,
        listener,
        remote,
    }
}

/// Writes messages; its numbers never repeat unless the script says so.
#[derive(Debug, Default)]
pub(super) struct Writer {
    next: u32,
}

impl Writer {
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// A number that is fresh, or one of the first eight: then something is asked again.
    fn number(&mut self, script: &mut Script<'_>) -> u32 {
        match script.byte() {
            again @ 240.. => u32::from(again % 8),
            _ => self.fresh(),
        }
    }

    fn via(&mut self, flow: Flow, script: &mut Script<'_>) -> String {
        let transport = match flow.transport {
            Transport::Udp => "UDP",
            _ => "TCP",
        };
        let sent_by = flow.remote;
        let branch = self.number(script);
        let params = script.usually(&[";rport", "", ";maddr=203.0.113.1", ";received=1.2.3.4"]);
        format!("Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bKpeer{branch}{params}\r\n")
    }

    /// A caller's first INVITE.
    pub(super) fn invite(&mut self, flow: Flow, script: &mut Script<'_>) -> Vec<u8> {
        let number = self.number(script);
        let via = self.via(flow, script);
        let dialled = script.usually(&DIALLED);
        let us = flow.remote;
        let from = script.usually(&["+33612345678", "a1", "a4"]);
        let host = if from.starts_with('+') {
            "operator.example"
        } else {
            "samu.example"
        };
        let extra = script.usually(&[
            "",
            "Record-Route: <sip:198.51.100.9;lr>\r\n",
            "Require: 100rel\r\n",
            "Supported: 100rel, timer\r\n",
            "Resource-Priority: esnet.1\r\n",
            "Geolocation: <cid:x@y>\r\n",
        ]);
        let head = format!(
            "INVITE {dialled} SIP/2.0\r\n{via}Max-Forwards: 70\r\n\
             From: <sip:{from}@{host}>;tag=f{number}\r\nTo: <{dialled}>\r\n\
             Call-ID: call{number}@peer\r\nCSeq: 1 INVITE\r\nContact: <sip:c@{us}>\r\n{extra}"
        );
        with_body(&head, script.usually(&BODIES))
    }

    /// An answer to a request of the engine: its headers as RFC 3261 §8.2.6.2 has them.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        flow: Flow,
        script: &mut Script<'_>,
    ) -> Vec<u8> {
        let status = match script.byte() {
            0..80 => "200 OK",
            80..120 => "180 Ringing",
            other => STATUSES[usize::from(other) % STATUSES.len()],
        };
        let tag = script.usually(&["t1", "t2", "t3", ""]);
        let mut head = format!("SIP/2.0 {status}\r\n");
        copy(request, HeaderName::Via, "Via", &mut head);
        copy(request, HeaderName::RecordRoute, "Record-Route", &mut head);
        copy(request, HeaderName::From, "From", &mut head);
        copy(request, HeaderName::CallId, "Call-ID", &mut head);
        copy(request, HeaderName::CSeq, "CSeq", &mut head);
        let to = text(request.header(HeaderName::To));
        let has_tag = request.to_tag().is_some() || tag.is_empty();
        let tag = if has_tag {
            String::new()
        } else {
            format!(";tag={tag}")
        };
        let us = flow.remote;
        let contact = match script.usually(&[0, 1, 2, 3, 4]) {
            1 => String::new(),
            2 => "Contact: <sip:p@203.0.113.200:5090>\r\n".to_owned(),
            3 => "Contact: <sip:p@[not-an-address>\r\n".to_owned(),
            4 => "Contact: <sip:p@phone.example;transport=tcp>\r\n".to_owned(),
            _ => format!("Contact: <sip:p@{us}>\r\n"),
        };
        head += &format!("To: {to}{tag}\r\n{contact}");
        with_body(&head, script.usually(&BODIES))
    }

    /// The ACK of an answer of the engine: of its transaction for a failure, of its own for a 2xx.
    pub(super) fn ack(
        &mut self,
        answer: &Response,
        flow: Flow,
        script: &mut Script<'_>,
    ) -> Vec<u8> {
        let via = if answer.status().is_success() == (script.byte() < 240) {
            self.via(flow, script)
        } else {
            format!("Via: {}\r\n", text(answer.elements(HeaderName::Via).next()))
        };
        let head = format!("ACK sip:node@{NODE} SIP/2.0\r\n{via}Max-Forwards: 70\r\n");
        let cseq = answer.cseq_number() + script.usually(&[0, 1]);
        let head = head + &dialog_of(answer) + &format!("CSeq: {cseq} ACK\r\n");
        with_body(&head, script.usually(&[BODIES[1], BODIES[0], BODIES[3]]))
    }

    /// A caller's request inside the dialog of an answer of the engine.
    pub(super) fn caller_asks(
        &mut self,
        answer: &Response,
        flow: Flow,
        script: &mut Script<'_>,
    ) -> Vec<u8> {
        let dialog = dialog_of(answer);
        self.in_dialog(&dialog, flow, &CALLER_ASKS, script)
    }

    /// A phone's request inside the dialog of an INVITE of the engine.
    pub(super) fn phone_asks(
        &mut self,
        invite: &Request,
        flow: Flow,
        script: &mut Script<'_>,
    ) -> Vec<u8> {
        let tag = script.usually(&[";tag=t1", ";tag=t2", ";tag=t3", ""]);
        let tag = if invite.to_tag().is_some() { "" } else { tag };
        let dialog = format!(
            "From: {}{tag}\r\nTo: {}\r\nCall-ID: {}\r\n",
            text(invite.header(HeaderName::To)),
            text(invite.header(HeaderName::From)),
            text(invite.header(HeaderName::CallId)),
        );
        self.in_dialog(&dialog, flow, &PHONE_ASKS, script)
    }

    fn in_dialog(
        &mut self,
        dialog: &str,
        flow: Flow,
        methods: &[&'static str],
        script: &mut Script<'_>,
    ) -> Vec<u8> {
        let method = script.one_of(methods);
        let via = self.via(flow, script);
        let cseq = match script.byte() {
            odd @ 232.. => [0, 1, 2, 2_147_483_647][usize::from(odd % 4)],
            _ => 1 + self.fresh(),
        };
        let us = flow.remote;
        let extra = match method {
            "REFER" => REFERRED[usize::try_from(cseq).unwrap_or(0) % REFERRED.len()],
            "PRACK" => "RAck: 1 1 INVITE\r\n",
            "NOTIFY" => "Event: refer\r\nSubscription-State: active\r\n",
            _ => "",
        };
        let head = format!(
            "{method} sip:node@{NODE} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{dialog}\
             CSeq: {cseq} {method}\r\nContact: <sip:c@{us}>\r\n{extra}"
        );
        let body = match method {
            "BYE" | "PRACK" | "OPTIONS" | "REFER" => script.usually(&[BODIES[1], BODIES[0]]),
            _ => script.usually(&BODIES),
        };
        with_body(&head, body)
    }

    /// The CANCEL of an INVITE (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, invite: &Request, script: &mut Script<'_>) -> Vec<u8> {
        let uri = text(Some(invite.uri_bytes()));
        let via = text(invite.elements(HeaderName::Via).next());
        let cseq = invite.cseq_number() + script.usually(&[0, 1]);
        let mut head = format!("CANCEL {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n");
        copy(invite, HeaderName::From, "From", &mut head);
        copy(invite, HeaderName::To, "To", &mut head);
        copy(invite, HeaderName::CallId, "Call-ID", &mut head);
        head += &format!("CSeq: {cseq} CANCEL\r\n");
        with_body(&head, BODIES[1])
    }

    pub(super) fn register(&mut self, flow: Flow, script: &mut Script<'_>) -> Vec<u8> {
        let agent = script.one_of(&["a4", "a1", "a2", "a3", "nobody"]);
        let us = flow.remote;
        let number = self.number(script);
        let via = self.via(flow, script);
        let expires = script.usually(&["3600", "0", "60", "1", "4294967295", "x"]);
        let contact = match script.usually(&[0, 1, 2, 3, 4, 5]) {
            1 => "Contact: *\r\n".to_owned(),
            2 => String::new(),
            3 => format!("Contact: <sip:{agent}@{us};transport=tcp>;q=0.5\r\n"),
            4 => format!(
                "Contact: <sip:{agent}@203.0.113.50:5070>, <sip:b@203.0.113.51>;expires=61\r\n"
            ),
            5 => "Contact: <tel:+33112>\r\n".to_owned(),
            _ => format!("Contact: <sip:{agent}@{us}>\r\n"),
        };
        let path = script.usually(&["", "Path: <sip:203.0.113.9;lr>\r\n"]);
        let head = format!(
            "REGISTER sip:samu.example SIP/2.0\r\n{via}Max-Forwards: 70\r\n\
             From: <sip:{agent}@samu.example>;tag=r{number}\r\nTo: <sip:{agent}@samu.example>\r\n\
             Call-ID: reg-{agent}\r\nCSeq: {number} REGISTER\r\n{contact}{path}Expires: {expires}\r\n"
        );
        with_body(&head, BODIES[1])
    }

    /// A request outside any dialog, or inside one that nobody has.
    pub(super) fn ask(&mut self, flow: Flow, script: &mut Script<'_>) -> Vec<u8> {
        let method = script.one_of(&OUTSIDE);
        let number = self.number(script);
        let via = self.via(flow, script);
        let tag = script.usually(&["", ";tag=x-1", ";tag=x-ffffffffffffffff", ";tag="]);
        let dialled = script.usually(&DIALLED);
        let head = format!(
            "{method} {dialled} SIP/2.0\r\n{via}Max-Forwards: 70\r\n\
             From: <sip:q@operator.example>;tag=q{number}\r\nTo: <{dialled}>{tag}\r\n\
             Call-ID: ask{number}@peer\r\nCSeq: {number} {method}\r\n"
        );
        with_body(&head, script.usually(&[BODIES[1], BODIES[0]]))
    }
}

/// From, To and Call-ID of the dialog that an answer of the engine is of, as its caller writes them.
fn dialog_of(answer: &Response) -> String {
    let mut lines = String::new();
    copy(answer, HeaderName::From, "From", &mut lines);
    copy(answer, HeaderName::To, "To", &mut lines);
    copy(answer, HeaderName::CallId, "Call-ID", &mut lines);
    lines
}

fn copy(message: &engine::sip::Message, name: HeaderName, written: &str, to: &mut String) {
    for value in message.header_values(name) {
        *to += &format!("{written}: {}\r\n", text(Some(value)));
    }
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

fn with_body(head: &str, (kind, body): (&str, &str)) -> Vec<u8> {
    let kind = if kind.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\n")
    };
    let len = body.len();
    format!("{head}{kind}Content-Length: {len}\r\n\r\n{body}").into_bytes()
}

/// Whether a request of the engine began a dialog.
pub(super) fn is_invite(request: &Request) -> bool {
    *request.method() == Method::Invite
}
