//! The stateful proxy, through its boundary: messages in, messages out.

mod forking;
mod forwarding;
mod rejected;
mod routes;
mod storm;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sip::{HeaderName, Limits, Message, Request, Response, StatusCode, Transport};
use sip_proxy::{Proxy, ProxySettings, TargetSet, TryNext};
use sip_transaction::{
    Event, Flow, ListenerId, Local, Locals, Output, Settings, Target, Timers, TransactionLayer,
};

use crate::support::{flow, start};

/// Our UDP listener.
pub(crate) const US: &str = "192.0.2.1:5060";
/// Our other one.
pub(crate) const LAN: &str = "192.0.2.2:5060";
/// Who calls in most tests.
pub(crate) const CALLER: &str = "192.0.2.10:5060";
/// A phone.
pub(crate) const ANNE: &str = "192.0.2.20:5060";
/// Another phone.
pub(crate) const BRUNO: &str = "192.0.2.30:5060";

/// A message that left.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) flow: Flow,
    pub(crate) message: Message,
}

impl Sent {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.message.bytes()).into_owned()
    }

    /// `INVITE`, or `180`.
    pub(crate) fn kind(&self) -> String {
        match (self.message.method(), self.message.status()) {
            (Some(method), _) => method.to_string(),
            (None, status) => status.map_or_else(String::new, |one| one.value().to_string()),
        }
    }

    pub(crate) fn values(&self, name: HeaderName) -> Vec<String> {
        let values = self.message.elements(name);
        values
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// A response of whoever got this request.
    pub(crate) fn answer(&self, status: u16, more: &str) -> String {
        let reason = StatusCode::new(status).unwrap().reason();
        let mut text = format!("SIP/2.0 {status} {reason}\r\n");
        for name in [HeaderName::Via, HeaderName::RecordRoute, HeaderName::From] {
            for value in self.values(name) {
                text += &format!("{}: {value}\r\n", name.as_str());
            }
        }
        let to = &self.values(HeaderName::To)[0];
        let tag = if to.contains(";tag=") || status == 100 {
            String::new()
        } else {
            format!(
                ";tag={}",
                self.flow.remote.ip().to_string().replace('.', "-")
            )
        };
        text += &format!("To: {to}{tag}\r\n");
        for name in [HeaderName::CallId, HeaderName::CSeq] {
            text += &format!("{}: {}\r\n", name.as_str(), self.values(name)[0]);
        }
        text + more + "\r\n"
    }
}

/// A proxy with its transactions, a clock, and a table of targets.
pub(crate) struct Bench {
    pub(crate) now: Instant,
    pub(crate) layer: TransactionLayer,
    pub(crate) proxy: Proxy,
    pub(crate) locals: Locals,
    /// Groups of targets by Request-URI; any other goes where it says.
    pub(crate) targets: BTreeMap<String, Vec<Vec<Target>>>,
    /// What they are.
    pub(crate) next: TryNext,
    sent: Vec<Sent>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let local = |listener, transport, address: &str| Local {
            listener: ListenerId(listener),
            transport,
            advertised: address.parse().unwrap(),
        };
        let locals = Locals::new(vec![
            local(0, Transport::Udp, US),
            local(1, Transport::Tcp, US),
            local(2, Transport::Udp, LAN),
        ]);
        let layer = TransactionLayer::new(Settings {
            timers: Timers::default(),
            transactions_max: 100,
            hash_seed: [1, 2],
            streams: Vec::new(),
        });
        let settings = ProxySettings::new("samu67.example", [3, 4]);
        Self {
            now: start(),
            layer,
            proxy: Proxy::new(settings, locals.clone(), [5, 6]),
            locals,
            targets: BTreeMap::new(),
            next: TryNext::WhenRefused,
            sent: Vec::new(),
        }
    }

    pub(crate) fn with_targets(mut self, uri: &str, groups: Vec<Vec<Target>>) -> Self {
        self.targets.insert(uri.to_owned(), groups);
        self
    }

    /// A message comes in over UDP; what leaves because of it.
    pub(crate) fn receive(&mut self, from: &str, text: &str) -> Vec<Sent> {
        self.receive_over(flow(Transport::Udp, from), text)
    }

    pub(crate) fn receive_over(&mut self, flow: Flow, text: &str) -> Vec<Sent> {
        let message = Message::parse(text.to_owned().into(), &Limits::default()).unwrap();
        if message.is_request() {
            let request = Request::new(message).unwrap();
            self.layer.handle_request(self.now, request, flow);
        } else {
            let response = Response::new(message).unwrap();
            self.layer.handle_response(self.now, response, flow);
        }
        self.pump();
        std::mem::take(&mut self.sent)
    }

    /// Time passes; what leaves meanwhile.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Sent> {
        let until = self.now + time;
        while let Some(at) = [self.layer.poll_timeout(), self.proxy.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
            .filter(|&at| at <= until)
        {
            self.now = self.now.max(at);
            self.layer.handle_timeout(self.now);
            self.pump();
            self.proxy.handle_timeout(self.now, &mut self.layer);
            self.pump();
        }
        self.now = until;
        std::mem::take(&mut self.sent)
    }

    /// Nothing is left of anything, once all timers have run.
    pub(crate) fn assert_drains(&mut self) {
        self.pass(Duration::from_secs(600));
        let live = self.layer.live();
        assert_eq!((live.server, live.client, self.proxy.len()), (0, 0, 0));
        assert_eq!(self.proxy.poll_timeout(), None);
    }

    fn pump(&mut self) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit(transmit) => self.sent.push(Sent {
                    flow: transmit.flow,
                    message: Message::parse(transmit.bytes, &Limits::default()).unwrap(),
                }),
                Output::Event(event) => self.take(event),
            }
        }
    }

    fn take(&mut self, event: Event) {
        let (now, layer) = (self.now, &mut self.layer);
        match event {
            Event::Request {
                tx, request, flow, ..
            } => {
                let groups = self.targets.get(&uri_of(&request)).cloned();
                let result = self.proxy.receive(request).and_then(|received| {
                    let onward = received.onward(&self.locals).into_iter();
                    let groups = match groups {
                        Some(groups) if !received.has_route() => groups,
                        _ => onward.map(|target| vec![target]).collect(),
                    };
                    let next = self.next;
                    let groups = groups.into_iter().map(Into::into).collect();
                    let targets = TargetSet { groups, next };
                    self.proxy.forward(now, layer, tx, received, flow, targets)
                });
                if let Err(rejection) = result {
                    let status = rejection.status();
                    let answer = layer.response_builder(tx, status, status.reason(), Some(b"us"));
                    layer.respond(now, tx, answer.unwrap().finish());
                }
            }
            Event::Ack { request, flow } => {
                let received = self.proxy.receive(request).unwrap();
                let target = received.onward(&self.locals).unwrap();
                self.proxy
                    .forward_ack(layer, &received, flow, &target)
                    .unwrap();
            }
            Event::Cancelled { tx, cancel } => {
                let reason = cancel.header(HeaderName::Reason);
                assert!(self.proxy.handle_cancelled(now, layer, tx, reason));
            }
            Event::Response { tx, response } => {
                assert!(self.proxy.handle_response(now, layer, tx, &response));
            }
            Event::ClientFailed { tx, cause } => {
                assert!(self.proxy.handle_client_failed(now, layer, tx, cause));
            }
            Event::ClientEnded { tx } => self.proxy.handle_client_ended(now, layer, tx),
            Event::ServerEnded { tx } => self.proxy.handle_server_ended(tx),
            _ => {}
        }
    }
}

pub(crate) fn uri_of(request: &Request) -> String {
    String::from_utf8_lossy(request.uri_bytes()).into_owned()
}

/// A request of the caller.
pub(crate) fn request(method: &str, uri: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{method};rport\r\n\
         From: <sip:caller@192.0.2.10>;tag=c\r\nTo: <{uri}>\r\nCall-ID: call-1\r\n\
         CSeq: 1 {method}\r\nContact: <sip:caller@{CALLER}>\r\n{more}\r\n"
    )
}

pub(crate) fn invite(uri: &str) -> String {
    request("INVITE", uri, "Max-Forwards: 70\r\n")
}

/// A phone at an address.
pub(crate) fn phone(name: &str, address: &str) -> Target {
    Target {
        uri: format!("sip:{name}@{address}").into(),
        flow: flow(Transport::Udp, address),
        routes: Vec::new(),
    }
}

/// Which messages went where: `INVITE 192.0.2.20:5060`.
pub(crate) fn lines(sent: &[Sent]) -> Vec<String> {
    sent.iter()
        .map(|one| format!("{} {}", one.kind(), one.flow.remote))
        .collect()
}

/// The first message of this kind.
pub(crate) fn find<'a>(sent: &'a [Sent], kind: &str) -> &'a Sent {
    sent.iter()
        .find(|one| one.kind() == kind)
        .unwrap_or_else(|| panic!("no {kind} in {:?}", lines(sent)))
}
