//! A layer, a peer's address and a virtual clock.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use sip::{HeaderName, Limits, Message, Method, Request, Response, StatusCode, Transport};
use sip_transaction::{
    ClientTx, Event, Flow, ListenerId, MessageKind, Output, ServerTx, Settings, StreamListener,
    Timers, TransactionLayer, Transmit,
};

pub(crate) struct Bench {
    pub(crate) layer: TransactionLayer,
    began: Instant,
    pub(crate) now: Instant,
    pub(crate) flow: Flow,
    sent: Vec<(Duration, Transmit)>,
    events: Vec<(Duration, Event)>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::build(Transport::Udp, "192.0.2.9:5060", 1_000_000, Vec::new())
    }

    /// A layer that may send large requests over TCP.
    pub(crate) fn with_tcp() -> Self {
        let stream = StreamListener {
            listener: ListenerId(4),
            sent_by: "192.0.2.1:5062".parse().unwrap(),
        };
        Self::build(Transport::Udp, "192.0.2.9:5060", 1_000_000, vec![stream])
    }

    pub(crate) fn over_tcp() -> Self {
        Self::build(Transport::Tcp, "192.0.2.9:40001", 1_000_000, Vec::new())
    }

    pub(crate) fn from_source(source: &str) -> Self {
        Self::build(Transport::Udp, source, 1_000_000, Vec::new())
    }

    pub(crate) fn with_limit(transactions_max: usize) -> Self {
        Self::build(
            Transport::Udp,
            "192.0.2.9:5060",
            transactions_max,
            Vec::new(),
        )
    }

    fn build(
        transport: Transport,
        remote: &str,
        transactions_max: usize,
        streams: Vec<StreamListener>,
    ) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant has no other constructor"
        )]
        let now = Instant::now();
        let remote: SocketAddr = remote.parse().unwrap();
        let settings = Settings {
            timers: Timers::default(),
            transactions_max,
            hash_seed: [11, 12],
            streams,
        };
        Self {
            layer: TransactionLayer::new(settings),
            began: now,
            now,
            flow: Flow {
                transport,
                listener: ListenerId(3),
                remote,
            },
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn request(&mut self, request: Request) -> ClientTx {
        let tx = self.layer.request(self.now, request, self.flow).unwrap();
        self.drain();
        tx
    }

    /// Sends a request while what happened before has not been looked at.
    pub(crate) fn request_without_listening(&mut self, request: Request) -> ClientTx {
        self.layer.request(self.now, request, self.flow).unwrap()
    }

    /// Time passes, and nobody looks at what happens.
    pub(crate) fn wait_without_listening(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.layer.poll_timeout().filter(|&due| due <= until) {
            self.now = due;
            self.layer.handle_timeout(due);
        }
        self.now = until;
    }

    /// The next event, whatever was sent before it.
    pub(crate) fn listen_once(&mut self) -> Option<Event> {
        loop {
            match self.layer.poll_output()? {
                Output::Event(event) => return Some(event),
                Output::Transmit(_) => {}
            }
        }
    }

    /// Sends a message outside any transaction.
    pub(crate) fn send(&mut self, message: &Message) {
        self.layer.send(message, self.flow);
        self.drain();
    }

    /// A BYE is to leave by another flow.
    pub(crate) fn redirect_bye(&mut self, tx: ClientTx, to: Flow) {
        self.layer.redirect_bye(tx, to);
        self.drain();
    }

    /// The peer has come back by another connection; until now it was reached by that of the bench.
    pub(crate) fn come_back(&mut self, to: Flow) {
        self.layer.flow_moved(self.now, self.flow, to);
        self.drain();
    }

    pub(crate) fn cancel(&mut self, tx: ClientTx) {
        self.layer.cancel(self.now, tx, Some(b"Q.850;cause=16"));
        self.drain();
    }

    /// Receives a request that opens a transaction.
    pub(crate) fn receive(&mut self, request: Request) -> ServerTx {
        self.receive_again(request);
        let opened = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Request { tx, .. } => Some(*tx),
            _ => None,
        });
        opened.unwrap()
    }

    pub(crate) fn resume(&mut self, invite: Request) -> Option<ServerTx> {
        let flow = self.flow;
        let tx = self.layer.resume_invite(Arc::new(invite), flow);
        self.drain();
        tx
    }

    pub(crate) fn receive_again(&mut self, request: Request) {
        self.layer.handle_request(self.now, request, self.flow);
        self.drain();
    }

    pub(crate) fn receive_response(&mut self, response: Response) {
        self.layer.handle_response(self.now, response, self.flow);
        self.drain();
    }

    pub(crate) fn respond(&mut self, tx: ServerTx, status: StatusCode) {
        let builder = self
            .layer
            .response_builder(tx, status, status.reason(), Some(b"ours"));
        if let Some(builder) = builder {
            self.layer.respond(self.now, tx, builder.finish());
        }
        self.drain();
    }

    pub(crate) fn respond_with(&mut self, tx: ServerTx, response: &Response) {
        self.layer.respond(self.now, tx, Message::clone(response));
        self.drain();
    }

    /// The connection that a large request went over is lost.
    pub(crate) fn refuse_tcp(&mut self) {
        let flow = Flow {
            transport: Transport::Tcp,
            listener: ListenerId(4),
            remote: self.flow.remote,
        };
        self.layer.handle_transport_error(self.now, flow);
        self.drain();
    }

    pub(crate) fn lose_connection(&mut self) {
        self.layer.handle_transport_error(self.now, self.flow);
        self.drain();
    }

    pub(crate) fn lose_connection_to(&mut self, remote: SocketAddr) {
        let flow = Flow {
            remote,
            ..self.flow
        };
        self.layer.handle_transport_error(self.now, flow);
        self.drain();
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.layer.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            let at = self.now - self.began;
            match output {
                Output::Transmit(transmit) => self.sent.push((at, transmit)),
                Output::Event(event) => self.events.push((at, event)),
            }
        }
    }

    /// Makes room for outputs, so that the bench itself allocates nothing.
    pub(crate) fn reserve(&mut self, outputs: usize) {
        self.sent.reserve(outputs);
        self.events.reserve(outputs);
    }

    pub(crate) fn forget_outputs(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    pub(crate) fn sent_at(&self) -> Vec<Duration> {
        self.sent.iter().map(|(at, _)| *at).collect()
    }

    pub(crate) fn sent(&self, kind: MessageKind) -> Vec<Transmit> {
        let of_kind = self.sent.iter().filter(|(_, one)| one.kind == kind);
        of_kind.map(|(_, one)| one.clone()).collect()
    }

    pub(crate) fn events(&self) -> Vec<(Duration, Event)> {
        self.events.clone()
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| is_it(event)).count()
    }
}

pub(crate) fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

const VIA: &str = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKone;rport";

pub(crate) fn request(method: Method) -> Request {
    request_with(method, "")
}

/// A request larger than 1300 octets.
pub(crate) fn large_request(method: Method) -> Request {
    let line = format!("Call-Info: <https://example.com/{}>\r\n", "x".repeat(1300));
    request_with(method, &line)
}

/// A request with more header lines.
pub(crate) fn request_with(method: Method, lines: &str) -> Request {
    let contact = "Contact: <sip:192.0.2.9>\r\n";
    parse(&format!(
        "{method} sip:15@192.0.2.1 SIP/2.0\r\nVia: {VIA}\r\n{lines}Max-Forwards: 70\r\n\
         From: <sip:a@192.0.2.9>;tag=f\r\nTo: <sip:15@192.0.2.1>\r\nCall-ID: c1\r\n\
         CSeq: 7 {method}\r\n{contact}\r\n"
    ))
}

fn parse(text: &str) -> Request {
    let message = Message::parse(text.to_owned().into(), &Limits::OURS).unwrap();
    Request::new(message).unwrap()
}

fn changed(request: &Request, from: &str, to: &str) -> Request {
    let text = String::from_utf8(request.bytes().to_vec()).unwrap();
    assert!(text.contains(from));
    parse(&text.replace(from, to))
}

pub(crate) fn with_branch(request: Request, branch: &str) -> Request {
    changed(&request, "z9hG4bKone", branch)
}

pub(crate) fn with_via(request: Request, sent_by: &str) -> Request {
    changed(
        &request,
        "192.0.2.9:5060;branch=z9hG4bKone;rport",
        &format!("{sent_by};branch=z9hG4bKone"),
    )
}

pub(crate) fn with_via_params(request: Request, params: &str) -> Request {
    changed(&request, ";branch=z9hG4bKone;rport", params)
}

pub(crate) fn with_to_tag(request: Request, tag: &str) -> Request {
    changed(
        &request,
        "To: <sip:15@192.0.2.1>",
        &format!("To: <sip:15@192.0.2.1>;tag={tag}"),
    )
}

/// The ACK of a failure: same branch, tag of the response.
pub(crate) fn ack(invite: &Request) -> Request {
    let text = String::from_utf8(invite.bytes().to_vec()).unwrap();
    let text = text
        .replace("INVITE", "ACK")
        .replace("To: <sip:15@192.0.2.1>", "To: <sip:15@192.0.2.1>;tag=ours");
    parse(&text)
}

pub(crate) fn response(request: &Request, status: StatusCode, tag: Option<&str>) -> Response {
    let to = String::from_utf8_lossy(request.header(HeaderName::To).unwrap()).into_owned();
    let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let text = format!(
        "SIP/2.0 {status} {}\r\nVia: {}\r\nFrom: <sip:a@192.0.2.9>;tag=f\r\nTo: {to}{tag}\r\n\
         Call-ID: c1\r\nCSeq: 7 {}\r\nContact: <sip:192.0.2.1>\r\n\r\n",
        status.reason(),
        String::from_utf8_lossy(request.elements(HeaderName::Via).next().unwrap()),
        request.method()
    );
    Response::new(Message::parse(text.into(), &Limits::default()).unwrap()).unwrap()
}
