//! The life of many transactions at a time, one step of all of them after the other.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{HeaderName, Limits, Message, Method, Request, Response, StatusCode, Transport};
use sip_transaction::{
    Event, Flow, ListenerId, Output, ServerTx, Settings, Timers, TransactionLayer,
};

/// Messages that are made at a time, outside of what is watched.
const CHUNK: usize = 1_000;

/// Longer than the RFC's: a million transactions are to be spread over time as under load, where not all do
/// the same in the same millisecond.
const TIMERS: Timers = Timers {
    t1: Duration::from_secs(16),
    t2: Duration::from_secs(64),
    t4: Duration::from_secs(40),
    d: Duration::from_secs(32),
};

/// Over this time each step is spread. Shorter than T1: all have begun before any of them is repeated.
const STEP: Duration = Duration::from_secs(12);

/// Which transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OPTIONS of ours, repeated (timer E) before the 200 comes.
    Client,
    /// INVITEs of others that are refused; the refusal is repeated (timer G) before the ACK comes.
    Server,
}

/// What is done to each of them, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It begins.
    Create,
    /// Its timer fires: the message goes out again.
    Retransmit,
    /// A message comes that belongs to it: the answer, or the INVITE once more.
    Match,
    /// Its last timer fires, and it is gone.
    Expire,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Retransmit, Self::Match, Self::Expire];
}

/// Runs a part of a step, and says what it has to say of it.
pub trait Watch {
    /// Runs `work`, which belongs to `step`.
    fn run(&mut self, step: Step, work: &mut dyn FnMut());
}

/// Lets so many transactions live, all at a time.
///
/// # Panics
/// When they do not do what they should.
pub fn live(kind: Kind, count: usize, watch: &mut impl Watch) {
    let mut bench = Bench::new(count);
    bench.create(kind, count, watch);
    bench.run_out(Step::Retransmit, count, watch);
    bench.matching(kind, count, watch);
    bench.acknowledge(kind, count);
    bench.run_out(Step::Expire, count, watch);
    let live = bench.layer.live();
    assert_eq!(live.client + live.server, 0, "all have ended");
}

struct Bench {
    layer: TransactionLayer,
    now: Instant,
    /// Between two transactions.
    gap: Duration,
    flow: Flow,
    opened: Vec<ServerTx>,
}

impl Bench {
    fn new(count: usize) -> Self {
        let remote = "192.0.2.9:5060".parse().expect("it is an address");
        let settings = Settings {
            timers: TIMERS,
            transactions_max: usize::MAX,
            hash_seed: [11, 12],
            streams: Vec::new(),
        };
        Self {
            layer: TransactionLayer::new(settings),
            now: Instant::now(),
            gap: STEP / u32::try_from(count).expect("so many fit in memory"),
            flow: Flow {
                transport: Transport::Udp,
                listener: ListenerId(0),
                remote,
            },
            opened: Vec::new(),
        }
    }

    fn create(&mut self, kind: Kind, count: usize, watch: &mut impl Watch) {
        for chunk in chunks(count) {
            let method = match kind {
                Kind::Client => Method::Options,
                Kind::Server => Method::Invite,
            };
            let mut requests: Vec<_> = chunk.map(|number| request(&method, number)).collect();
            watch.run(Step::Create, &mut || {
                for request in requests.drain(..) {
                    match kind {
                        Kind::Client => {
                            let sent = self.layer.request(self.now, request, self.flow);
                            black_box(sent.is_ok());
                        }
                        Kind::Server => self.layer.handle_request(self.now, request, self.flow),
                    }
                    self.now += self.gap;
                    self.drain();
                }
            });
            self.refuse();
        }
    }

    /// Refuses the INVITEs that came in.
    fn refuse(&mut self) {
        for tx in std::mem::take(&mut self.opened) {
            let (status, tag) = (StatusCode::BUSY_HERE, Some(&b"t"[..]));
            let builder = self
                .layer
                .response_builder(tx, status, status.reason(), tag)
                .expect("it is open");
            self.layer.respond(self.now, tx, builder.finish());
            self.drain();
        }
    }

    fn matching(&mut self, kind: Kind, count: usize, watch: &mut impl Watch) {
        for chunk in chunks(count) {
            match kind {
                Kind::Client => {
                    let answer =
                        |number| answer(&request(&Method::Options, shuffled(number, count)));
                    let mut answers: Vec<_> = chunk.map(answer).collect();
                    watch.run(Step::Match, &mut || {
                        for answer in answers.drain(..) {
                            self.layer.handle_response(self.now, answer, self.flow);
                            self.now += self.gap;
                            self.drain();
                        }
                    });
                }
                Kind::Server => {
                    let again = |number| request(&Method::Invite, shuffled(number, count));
                    let mut invites: Vec<_> = chunk.map(again).collect();
                    watch.run(Step::Match, &mut || {
                        for invite in invites.drain(..) {
                            self.layer.handle_request(self.now, invite, self.flow);
                            self.now += self.gap;
                            self.drain();
                        }
                    });
                }
            }
        }
    }

    /// The refusals are acknowledged.
    fn acknowledge(&mut self, kind: Kind, count: usize) {
        if kind == Kind::Client {
            return;
        }
        for number in 0..count {
            let ack = request(&Method::Ack, number);
            self.layer.handle_request(self.now, ack, self.flow);
            self.now += self.gap;
            self.drain();
        }
    }

    /// Lets time pass until as many timers have fired as there are transactions.
    fn run_out(&mut self, step: Step, count: usize, watch: &mut impl Watch) {
        let mut fired = 0;
        watch.run(step, &mut || {
            while fired < count {
                let Some(at) = self.layer.poll_timeout() else {
                    return;
                };
                self.now = self.now.max(at);
                self.layer.handle_timeout(self.now);
                fired += self.drain();
            }
        });
        assert_eq!(fired, count, "{step:?}: each fires once");
    }

    /// Does what is to be done; how many transactions sent something or ended.
    fn drain(&mut self) -> usize {
        let mut done = 0;
        while let Some(output) = self.layer.poll_output() {
            match &output {
                Output::Event(Event::Request { tx, .. }) => self.opened.push(*tx),
                Output::Event(Event::ClientEnded { .. } | Event::ServerEnded { .. })
                | Output::Transmit(_) => done += 1,
                Output::Event(_) => {}
            }
            black_box(&output);
        }
        done
    }
}

/// Numbers up to `count`, some at a time.
fn chunks(count: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..count)
        .step_by(CHUNK)
        .map(move |from| from..count.min(from + CHUNK))
}

/// All numbers below `count` in an order that no cache foresees.
const fn shuffled(number: usize, count: usize) -> usize {
    // Prime, and greater than any count: each number comes once.
    (number * 2_147_483_647) % count
}

fn request(method: &Method, number: usize) -> Request {
    let text = format!(
        "{method} sip:15@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{number:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:+33612345678@192.0.2.9>;tag={number:x}\r\n\
         To: <sip:15@192.0.2.1>{}\r\n\
         Call-ID: {number:x}@192.0.2.9\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:192.0.2.9:5060>\r\n\
         Content-Length: 0\r\n\r\n",
        if *method == Method::Ack { ";tag=t" } else { "" }
    );
    Request::new(parse(text)).expect("it has what a request needs")
}

fn answer(request: &Request) -> Response {
    let mut text = String::from("SIP/2.0 200 OK\r\n");
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        let value = request.header(name).unwrap_or_default();
        text += &format!("{name}: {}\r\n", String::from_utf8_lossy(value));
    }
    Response::new(parse(text + "Content-Length: 0\r\n\r\n")).expect("it is a response")
}

fn parse(text: String) -> Message {
    Message::parse(Bytes::from(text), &Limits::default()).expect("it is a message")
}
