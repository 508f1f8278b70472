//! One engine, the script that happens to it, and what must hold after each step.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::{
    Engine, Event, Input, Outcome, Output, TransferOutcome,
    acd::{PauseReason, Want},
    call::CallId,
    sip::{FramingError, Limits, Message, ParseError, Request, Response, Transport},
    sip_transaction::{Attempt, Flow, Transmit},
};

use super::{
    centres::{AGENTS, configuration},
    manners::Manners,
    memory::Memory,
    messages::{self, Writer},
    mutation,
    promises::Promises,
    script::{Action, Script},
    trace::{Shown, shown},
};
use crate::world::epoch;

/// What a script came to: how deep it went, and a digest of all that the engine sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Actions of the script.
    pub actions: u32,
    /// Calls that started.
    pub started: u32,
    /// Calls that a phone answered.
    pub answered: u32,
    /// Calls whose caller gave up.
    pub abandoned: u32,
    /// Calls that the engine ended without an answer.
    pub failed: u32,
    /// Phones that answered when their offer was over.
    pub late_answers: u32,
    /// Calls that were sent on, to a line or to a colleague.
    pub transferred: u32,
    /// Phones that got a first binding.
    pub registered: u32,
    /// Requests that the engine sent inside a dialog, hanging up not counted.
    pub relayed: u32,
    /// Inputs that the engine dropped or refused unseen.
    pub dropped: u32,
    /// Equal for two runs of one script: the engine is deterministic.
    pub digest: u64,
}

/// Drives an engine through a script and then through hours of silence.
///
/// # Panics
/// When anything that must always hold does not: that is what a fuzzer looks for.
pub fn run(script: &[u8]) -> Report {
    run_traced(script, &mut |_, _| {})
}

/// The same, and tells each step with the time that has passed: to see how a script broke a law.
///
/// # Panics
/// As [`run`] does.
pub fn run_traced(script: &[u8], trace: &mut dyn FnMut(Duration, &dyn fmt::Display)) -> Report {
    let mut script = Script::new(script);
    let mut bench = Bench::new(&mut script, trace);
    while let Some((action, is_mutated)) = script.action() {
        bench.report.actions += 1;
        bench.act(action, is_mutated, &mut script);
        bench.check();
    }
    bench.fall_silent();
    bench.report
}

/// Calls of the small engine: some scripts fill it.
const CALLS_MAX: usize = 6;
/// Transactions of the small engine.
const TRANSACTIONS_MAX: usize = 40;
/// Bindings of one agent (`sip_proxy::RegistrarSettings`) are too few to count here: what is
/// counted is agents with one.
const OUTPUTS_MAX: usize = 3_000;
/// Calls of `handle_timeout` that one instant may need.
const TURNS_MAX: usize = 4;
/// Deadlines that may pass in one wait of at most an hour, and in the silence at the end.
const DEADLINES_MAX: u32 = 200_000;

pub(super) const WAIT_MAX: Duration = Duration::from_secs(600);
const CALL_MAX: Duration = Duration::from_secs(1800);

/// Waits of a script, in milliseconds: the timers of RFC 3261 §17 and those of the configuration.
const WAITS_MS: [u64; 14] = [
    1, 500, 501, 2_000, 4_000, 5_000, 15_000, 20_000, 32_000, 33_000, 60_000, 181_000, 600_000,
    3_600_000,
];

pub(super) struct Bench<'a> {
    pub(super) engine: Engine,
    began: Instant,
    pub(super) now: Instant,
    trace: &'a mut dyn FnMut(Duration, &dyn fmt::Display),
    memory: Memory,
    writer: Writer,
    pub(super) manners: Manners,
    pub(super) promises: Promises,
    report: Report,
    pub(super) calls: BTreeMap<CallId, Ends>,
    pub(super) calls_max: usize,
    pub(super) transactions_max: usize,
}

/// Whether a call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    NotYet,
    Once,
}

impl<'a> Bench<'a> {
    fn new(script: &mut Script<'_>, trace: &'a mut dyn FnMut(Duration, &dyn fmt::Display)) -> Self {
        let mut config = configuration().clone();
        if script.byte() & 1 == 1 {
            config.settings.calls_max = CALLS_MAX;
            config.settings.transactions_max = TRANSACTIONS_MAX;
        } else {
            config.settings.calls_max = 200;
            config.settings.transactions_max = 2_000;
        }
        config.settings.wait_max = WAIT_MAX;
        config.settings.call_max = CALL_MAX;
        let now = epoch();
        Self {
            calls_max: config.settings.calls_max,
            transactions_max: config.settings.transactions_max,
            engine: Engine::new(now, config),
            began: now,
            now,
            trace,
            memory: Memory::default(),
            writer: Writer::default(),
            manners: Manners::default(),
            promises: Promises::default(),
            report: Report::default(),
            calls: BTreeMap::new(),
        }
    }

    fn tell(&mut self, what: &dyn fmt::Display) {
        (self.trace)(self.now - self.began, what);
    }

    fn act(&mut self, action: Action, is_mutated: bool, script: &mut Script<'_>) {
        match action {
            Action::Wait => self.wait(script),
            Action::SetAgent => self.set_agent(script),
            Action::Operate => self.operate(script),
            Action::Break => {
                let flow = match self.memory.asked.pick(script.byte()) {
                    Some((flow, _)) => flow,
                    None => messages::source(script),
                };
                self.input(Input::TransportFailed { flow });
            }
            Action::Malformed => {
                let errors = [
                    FramingError::NotSip,
                    FramingError::LengthMalformed,
                    FramingError::Head(ParseError::LineTooLong),
                ];
                let error = script.one_of(&errors);
                self.input(Input::StreamMalformed { error });
            }
            _ => {
                let Some((flow, mut message)) = self.message(action, script) else {
                    return;
                };
                if is_mutated {
                    mutation::mutate(&mut message, script);
                }
                let is_plain = action == Action::Answer && !is_mutated;
                self.send(flow, message.into(), is_plain);
            }
        }
    }

    /// The message of an action; `None` when there is nothing yet that it could be about.
    fn message(&mut self, action: Action, script: &mut Script<'_>) -> Option<(Flow, Vec<u8>)> {
        let Self { memory, writer, .. } = self;
        let (flow, message) = match action {
            Action::Invite => {
                let flow = messages::source(script);
                (flow, writer.invite(flow, script))
            }
            Action::Answer => {
                let (flow, request) = memory.asked.pick(script.byte() % 16)?;
                (flow, writer.answer(&request, flow, script))
            }
            Action::Acknowledge => {
                let is_final = |(_, answer): &(Flow, Response)| answer.status().is_final();
                let (flow, answer) = memory.answered.pick_among(script.byte() % 8, is_final)?;
                (flow, writer.ack(&answer, flow, script))
            }
            Action::CallerAsks => {
                let (flow, answer) = memory.answered.pick(script.byte() % 16)?;
                (flow, writer.caller_asks(&answer, flow, script))
            }
            Action::PhoneAsks => {
                let is_invite = |(_, asked): &(Flow, Request)| messages::is_invite(asked);
                let (flow, invite) = memory.asked.pick_among(script.byte() % 8, is_invite)?;
                (flow, writer.phone_asks(&invite, flow, script))
            }
            Action::Cancel => {
                let (flow, invite) = memory.invites.pick(script.byte() % 8)?;
                (flow, writer.cancel(&invite, script))
            }
            Action::Repeat => {
                let (flow, bytes) = memory.sent.pick(script.byte())?;
                (flow, bytes.to_vec())
            }
            Action::Reflect => {
                let (flow, request) = memory.asked.pick(script.byte())?;
                (flow, request.bytes().to_vec())
            }
            Action::Register => {
                let flow = messages::source(script);
                (flow, writer.register(flow, script))
            }
            Action::Ask => {
                let flow = messages::source(script);
                (flow, writer.ask(flow, script))
            }
            _ => (messages::source(script), script.bytes().to_vec()),
        };
        // Seldom it comes from where it should not.
        let flow = if script.rarely() {
            messages::source(script)
        } else {
            flow
        };
        Some((flow, message))
    }

    fn send(&mut self, flow: Flow, bytes: Bytes, is_plain: bool) {
        let message = Message::parse(bytes.clone(), &Limits::default()).ok();
        if let Some(message) = &message {
            self.manners.see_peer(message);
            self.promises.see_peer(self.now, flow, message, is_plain);
        }
        self.memory.note_sent(flow, &bytes, message);
        self.input(match flow.transport {
            Transport::Udp => Input::Datagram { flow, bytes },
            _ => Input::StreamMessage { flow, bytes },
        });
    }

    fn input(&mut self, input: Input) {
        match &input {
            Input::Datagram { flow, bytes } | Input::StreamMessage { flow, bytes } => {
                self.tell(&Shown("->", *flow, bytes));
            }
            other => self.tell(&format_args!("{other:?}")),
        }
        self.engine.handle_input(self.now, input);
        self.drain();
        self.do_what_is_due();
    }

    fn wait(&mut self, script: &mut Script<'_>) {
        let how = script.byte();
        let next = self.engine.poll_timeout().unwrap_or(self.now);
        let until = match how {
            // To the next deadline: what races with it comes right after.
            0..64 => next.max(self.now),
            _ => self.now + Duration::from_millis(script.one_of(&WAITS_MS)),
        };
        if how >= 240 {
            // The node was stopped for a while: everything is late.
            self.now = until;
            self.do_what_is_due();
        } else {
            self.pass_until(until);
        }
    }

    fn set_agent(&mut self, script: &mut Script<'_>) {
        let name = script.one_of(&AGENTS);
        let agent = self
            .engine
            .directory()
            .agent(name)
            .expect("it is configured");
        let want = match script.byte() % 4 {
            0 | 1 => Want::Ready,
            2 => Want::NotReady {
                reason: PauseReason::new("pause").expect("it is a word"),
            },
            _ => Want::LoggedOut,
        };
        let order = engine::Order::SetAgent { agent, want };
        let obeyed = self.engine.carry_out(self.now, order);
        assert_eq!(obeyed, Ok(()), "any reason may be given");
        self.drain();
        self.do_what_is_due();
    }

    fn operate(&mut self, script: &mut Script<'_>) {
        if script.byte() < 240 {
            let now = self.now;
            // As the API asks: none of it may fail at any moment.
            self.engine.gauges(now);
            self.engine.agents(now);
            for call in self.engine.calls(now) {
                assert!(self.engine.call(now, call.id.as_str()).is_some());
            }
            // A timer that fires too early does nothing.
            self.engine.handle_timeout(now);
        } else {
            let limit = Duration::from_millis(script.one_of(&WAITS_MS));
            self.engine.drain(self.now, self.now + limit);
        }
        self.drain();
        self.do_what_is_due();
    }

    /// Lets time pass from one deadline to the next.
    pub(super) fn pass_until(&mut self, until: Instant) {
        let mut deadlines = 0;
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.do_what_is_due();
            deadlines += 1;
            assert!(deadlines < DEADLINES_MAX, "time does not pass");
        }
        self.now = until;
    }

    pub(super) fn do_what_is_due(&mut self) {
        let is_due = |engine: &Engine, now| engine.poll_timeout().is_some_and(|at| at <= now);
        for _ in 0..TURNS_MAX {
            if !is_due(&self.engine, self.now) {
                return;
            }
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        assert!(
            !is_due(&self.engine, self.now),
            "what is due at one instant never ends: a driver would spin"
        );
    }

    pub(super) fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.engine.poll_output() {
            outputs += 1;
            assert!(outputs < OUTPUTS_MAX, "one input makes outputs without end");
            match output {
                Output::Transmit(transmit) => self.take_transmit(transmit),
                Output::Event(event) => self.take_event(&event),
                Output::Resolve(query) => unreachable!("no trunk has a name: {query:?}"),
                // Nothing is kept here.
                Output::PeerName { .. } | Output::Record { .. } => {}
            }
        }
    }

    fn take_transmit(&mut self, transmit: Transmit) {
        let Transmit {
            flow,
            bytes,
            attempt,
            ..
        } = transmit;
        self.tell(&Shown("<-", flow, &bytes));
        self.digest(flow.remote.to_string().as_bytes());
        self.digest(&bytes);
        let message = Message::parse(bytes.clone(), &WIDE)
            .unwrap_or_else(|error| panic!("the engine sent no SIP: {error}\n{}", shown(&bytes)));
        if message.is_request() {
            let request = Request::new(message)
                .unwrap_or_else(|error| panic!("a wrong request: {error}\n{}", shown(&bytes)));
            let method = request.method().label();
            let is_of_dialog = request.to_tag().is_some();
            if is_of_dialog && !matches!(method, "ACK" | "BYE" | "CANCEL") {
                self.report.relayed += 1;
            }
            self.manners.see_request(&request);
            self.promises.see_request(self.now, flow, &request);
            self.memory.note_asked(flow, request);
            return;
        }
        // What answers a wrong request copies what is wrong with it.
        let answers_wrong = matches!(message.status().map(|it| it.value()), Some(400 | 505));
        match Response::new(message) {
            Ok(response) => {
                if attempt == Attempt::First {
                    self.manners.see_answer(self.now, flow.transport, &response);
                }
                self.memory.note_answered(flow, response);
            }
            Err(error) => assert!(answers_wrong, "a wrong answer: {error}\n{}", shown(&bytes)),
        }
    }

    fn take_event(&mut self, event: &Event) {
        if !matches!(event, Event::Message { .. }) {
            self.tell(&format_args!("   {event:?}"));
        }
        let report = &mut self.report;
        match event {
            Event::CallStarted { call, .. } => {
                report.started += 1;
                let before = self.calls.insert(call.clone(), Ends::NotYet);
                assert_eq!(before, None, "a call starts twice");
            }
            Event::CallEnded { call, outcome, .. } => {
                let before = self.calls.insert(call.clone(), Ends::Once);
                assert_eq!(
                    before,
                    Some(Ends::NotYet),
                    "a call ends that has not started"
                );
                match outcome {
                    Outcome::Answered | Outcome::Diverted => report.answered += 1,
                    Outcome::Abandoned => report.abandoned += 1,
                    Outcome::Failed => report.failed += 1,
                }
            }
            Event::TransferEnded {
                outcome: TransferOutcome::Done,
            } => report.transferred += 1,
            Event::LateAnswer { .. } => report.late_answers += 1,
            Event::PhoneRegistered { .. } => report.registered += 1,
            Event::Dropped { .. } => report.dropped += 1,
            _ => {}
        }
    }

    fn digest(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for &byte in bytes {
            self.report.digest =
                (self.report.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// What the engine may send: more than it accepts, since it adds lines.
const WIDE: Limits = Limits {
    head_len: 1 << 20,
    message_len: 1 << 20,
    header_count: 1024,
    line_len: 1 << 20,
    element_count: 4096,
};
