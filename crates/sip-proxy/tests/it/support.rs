//! A registrar, a clock, and REGISTERs written as a phone writes them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use sip::{Builder, HeaderName, Message, Method, Request, Response, StatusCode, Transport};
use sip_proxy::{Aor, Binding, Event, Refusal, Registrar, RegistrarSettings, Reply};
use sip_transaction::{Flow, ListenerId};

/// The address-of-record of most tests.
pub(crate) const AOR: Aor = Aor::new(7);

/// Where the phone of most tests is.
pub(crate) const PHONE: &str = "192.0.2.7:5060";

/// A REGISTER to be sent. What a test does not set is as a plain phone has it.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    pub(crate) aor: Aor,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) via: String,
    pub(crate) source: Flow,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Register {
    pub(crate) fn new(cseq: u32) -> Self {
        Self {
            aor: AOR,
            call_id: "c1".to_owned(),
            cseq,
            via: "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1;rport".to_owned(),
            source: flow(Transport::Udp, PHONE),
            headers: Vec::new(),
        }
    }

    pub(crate) fn aor(self, aor: Aor) -> Self {
        Self { aor, ..self }
    }

    pub(crate) fn call_id(self, call_id: &str) -> Self {
        Self {
            call_id: call_id.to_owned(),
            ..self
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn contact(self, value: impl Into<String>) -> Self {
        self.with(HeaderName::Contact, value)
    }

    pub(crate) fn expires(self, value: impl Into<String>) -> Self {
        self.with(HeaderName::Expires, value)
    }

    pub(crate) fn request(&self) -> Request {
        let builder = Builder::request(&Method::Register, b"sip:samu67.example")
            .header(HeaderName::Via, &self.via)
            .header(HeaderName::From, "<sip:arm-67-1@samu67.example>;tag=1")
            .header(HeaderName::To, "<sip:arm-67-1@samu67.example>")
            .header(HeaderName::CallId, &self.call_id)
            .header_fmt(HeaderName::CSeq, format_args!("{} REGISTER", self.cseq));
        let headers = self.headers.iter();
        headers
            .fold(builder, |builder, (name, value)| {
                builder.header(*name, value)
            })
            .finish_request()
            .unwrap()
    }
}

/// What came back: the reply, and the response as it goes on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) response: Response,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        assert_eq!(self.response.status(), self.reply.status());
        self.response.status().value()
    }

    pub(crate) fn refusal(&self) -> &Refusal {
        match &self.reply {
            Reply::Refused(refusal) => refusal,
            Reply::Accepted { .. } => panic!("it was accepted"),
        }
    }

    /// The values of a header of the response.
    pub(crate) fn values(&self, name: HeaderName) -> Vec<String> {
        values(&self.response, name)
    }

    pub(crate) fn contacts(&self) -> Vec<String> {
        self.values(HeaderName::Contact)
    }
}

fn values(message: &Message, name: HeaderName) -> Vec<String> {
    let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap();
    message.header_values(name).map(text).collect()
}

/// A registrar and a clock that tests move.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) registrar: Registrar,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(RegistrarSettings::default())
    }

    pub(crate) fn with(settings: RegistrarSettings) -> Self {
        Self {
            registrar: Registrar::new(settings),
            now: start(),
        }
    }

    /// Sends a REGISTER and writes its response.
    pub(crate) fn send(&mut self, register: &Register) -> Answer {
        let request = register.request();
        let source = register.source;
        let reply = self
            .registrar
            .handle_register(self.now, register.aor, &request, source);
        let status = reply.status();
        let response = Builder::response_to(
            &request,
            status,
            status.reason(),
            Some(b"t1"),
            source.remote,
        );
        let response = Response::new(reply.write(self.now, response)).unwrap();
        Answer { reply, response }
    }

    /// Sends a REGISTER that is accepted; its events are not looked at.
    pub(crate) fn accepted(&mut self, register: &Register) -> Answer {
        let answer = self.send(register);
        assert_eq!(answer.reply.status(), StatusCode::OK);
        self.events();
        answer
    }

    /// Lets time pass; the registrar is called exactly when it asked to be.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.registrar.poll_timeout().filter(|&due| due <= end) {
            assert!(due > self.now, "a deadline that is over is no deadline");
            self.now = due;
            self.registrar.handle_timeout(due);
        }
        self.now = end;
    }

    /// What happened, but for the ways by which phones are reached.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut events = self.all_events();
        events.retain(|event| !matches!(event, Event::Moved { .. }));
        events
    }

    pub(crate) fn all_events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.registrar.poll_output()).collect()
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        self.registrar.bindings(AOR).cloned().collect()
    }

    /// Contact and seconds left of each binding.
    pub(crate) fn bound(&self) -> Vec<(String, u64)> {
        let bindings = self.registrar.bindings(AOR);
        bindings
            .map(|binding| {
                let contact = String::from_utf8(binding.contact.as_bytes().to_vec()).unwrap();
                (contact, (binding.expires_at - self.now).as_secs())
            })
            .collect()
    }

    pub(crate) fn contacts(&self) -> Vec<String> {
        self.bound()
            .into_iter()
            .map(|(contact, _)| contact)
            .collect()
    }
}

pub(crate) fn flow(transport: Transport, remote: &str) -> Flow {
    Flow {
        transport,
        listener: ListenerId(0),
        remote: remote.parse::<SocketAddr>().unwrap(),
    }
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Where virtual time begins. The one look at a clock: no test depends on its value.
#[expect(clippy::disallowed_methods, reason = "an Instant has no other origin")]
pub(crate) fn start() -> Instant {
    Instant::now()
}
