//! A router with a core behind it: an engine that a task owns, on a clock that stands still.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use engine::{
    Engine, Event, Input, Output,
    sip::Transport,
    sip_transaction::{Flow, ListenerId},
};
use http_body_util::BodyExt as _;
use metrics::Metrics;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};
use tower::ServiceExt as _;

pub(crate) const CONFIGURATION: &str = r#"
[node]
name = "test-1"
domain = "samu.example"
default_line = "FR670-15"

[[listen]]
transport = "udp"
address = "192.0.2.1:5060"

[[trunk]]
name = "operator"
sources = ["198.51.100.0/24"]

[[site]]
id = "FR670"
name = "Samu 67"
region = "Grand Est"
zone = "Est"
neighbours = ["FR680"]
reserve = 1

[[site]]
id = "FR680"

[[line]]
id = "FR670-15"
site = "FR670"
numbers = ["15"]
skills = { amu = 1 }

[[crisis]]
name = "plan-blanc"
reserve = 0

[desk]
pause_reasons = ["pause", "lunch"]
dispositions = ["medical", "hoax"]

[[agent]]
id = "arm-67-1"
site = "FR670"
skills = { amu = 5 }
contact = "sip:arm-67-1@203.0.113.1:5060"
start = "ready"

[[agent]]
id = "arm-68-1"
site = "FR680"
skills = { amu = 4, de = 2 }
"#;

/// What no answer may hold.
pub(crate) const NUMBER: &str = "33698765432";

pub(crate) struct Desk {
    router: Router,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
}

impl Desk {
    /// Two calls: the first talks with `arm-67-1` for 5 s, the second waits.
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub(crate) fn with(prepare: impl FnOnce(&mut Engine, Instant)) -> Self {
        let loaded = config::load("test.toml".as_ref(), CONFIGURATION, [1, 2, 3, 4]).unwrap();
        let directory = loaded.engine.directory.clone();
        let metrics = Arc::new(Metrics::new(&directory, "test-1"));
        let began = Instant::now();
        let mut engine = Engine::new(began, loaded.engine);
        receive(&mut engine, began, OPERATOR, &invite("one"));
        answer(&mut engine, began + Duration::from_secs(2));
        receive(
            &mut engine,
            began + Duration::from_secs(2),
            OPERATOR,
            &invite("two"),
        );
        let now = began + Duration::from_secs(7);
        prepare(&mut engine, now);
        while engine.poll_output().is_some() {}
        let (requests, mut queue) = mpsc::channel::<api::Request>(16);
        let (events, _) = broadcast::channel(16);
        let router = api::router(requests, metrics, events.clone(), directory);
        let told = events.clone();
        tokio::spawn(async move {
            while let Some(request) = queue.recv().await {
                if let Some(reply) = request.run(&mut engine, now) {
                    reply.send();
                }
                while let Some(output) = engine.poll_output() {
                    if let Output::Event(event) = output {
                        let _nobody_listens = told.send(Arc::new(event));
                    }
                }
            }
        });
        Self { router, events }
    }

    /// The same, and the caller who waits gives up.
    pub(crate) fn with_an_abandoned_caller() -> Self {
        Self::with(|engine, now| {
            let cancel = invite("two").replace("INVITE sip", "CANCEL sip");
            let cancel = cancel.replace("1 INVITE", "1 CANCEL");
            let later = now + Duration::from_secs(20);
            receive(engine, later, OPERATOR, &cancel);
        })
    }

    /// A router whose core is gone.
    pub(crate) fn without_core() -> Self {
        let loaded = config::load("test.toml".as_ref(), CONFIGURATION, [1, 2, 3, 4]).unwrap();
        let directory = loaded.engine.directory;
        let metrics = Arc::new(Metrics::new(&directory, "test-1"));
        let (requests, _) = mpsc::channel(1);
        let (events, _) = broadcast::channel(1);
        Self {
            router: api::router(requests, metrics, events.clone(), directory),
            events,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(
            self.send(Request::get(path).body(Body::empty()).unwrap())
                .await,
        )
        .await
    }

    /// The ids of the call that talks and of the one that waits.
    pub(crate) async fn calls(&self) -> [String; 2] {
        let calls = self.get("/v1/calls").await.json();
        [0, 1].map(|index| calls[index]["id"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        Answer::of(self.send(request.body(body.into()).unwrap()).await).await
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response<Body>) -> Self {
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Self {
            status,
            content_type,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// That this is a problem (RFC 9457) of this status; what it says.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["type"].is_string() && problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

const OPERATOR: &str = "198.51.100.1:5060";
const PHONE: &str = "203.0.113.1:5060";

fn invite(call_id: &str) -> String {
    format!(
        "INVITE sip:15@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {OPERATOR};branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: \"Jeanne\" <sip:+{NUMBER}@{OPERATOR}>;tag=f\r\n\
         To: <sip:15@192.0.2.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{OPERATOR}>\r\nP-Asserted-Identity: <tel:+{NUMBER}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    )
}

fn receive(engine: &mut Engine, now: Instant, from: &str, text: &str) {
    let flow = Flow {
        transport: Transport::Udp,
        listener: ListenerId(0),
        remote: from.parse().unwrap(),
    };
    let bytes = bytes::Bytes::from(text.to_owned());
    engine.handle_input(now, Input::Datagram { flow, bytes });
}

/// The phone answers the INVITE that the engine has just sent.
fn answer(engine: &mut Engine, now: Instant) {
    let mut sent = None;
    while let Some(output) = engine.poll_output() {
        if let Output::Transmit(transmit) = output
            && transmit.flow.remote.to_string() == PHONE
        {
            sent = Some(String::from_utf8(transmit.bytes.to_vec()).unwrap());
        }
    }
    let invite = sent.expect("the phone is rung");
    let copied: String = invite
        .lines()
        .filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(|line| match line.strip_prefix("To:") {
            Some(_) => format!("{line};tag=phone\r\n"),
            None => format!("{line}\r\n"),
        })
        .collect();
    let ok = format!("SIP/2.0 200 OK\r\n{copied}Contact: <sip:{PHONE}>\r\n\r\n");
    receive(engine, now, PHONE, &ok);
}
