//! Counters of SIP messages: several for each call, so each is looked up once and kept.

use std::{array, sync::OnceLock};

use engine::{Direction, sip::StatusCode, sip_transaction::MessageKind};
use prometheus::{IntCounter, IntCounterVec};

/// [`engine::sip::Method::label`] has fewer.
const METHODS_MAX: usize = 16;

/// Status codes are from 100 to 699.
const FIRST_STATUS: usize = 100;
const STATUSES: usize = 600;

/// Messages of both directions. A series comes to be with its first message.
#[derive(Debug)]
pub(crate) struct Messages {
    series: IntCounterVec,
    received: Kinds,
    sent: Kinds,
}

/// Those of one direction.
#[derive(Debug)]
struct Kinds {
    requests: [OnceLock<(&'static str, IntCounter)>; METHODS_MAX],
    responses: Box<[OnceLock<IntCounter>]>,
}

impl Messages {
    pub(crate) fn new(series: IntCounterVec) -> Self {
        Self {
            series,
            received: Kinds::new(),
            sent: Kinds::new(),
        }
    }

    pub(crate) fn count(&self, direction: Direction, kind: MessageKind) {
        let kinds = match direction {
            Direction::In => &self.received,
            Direction::Out => &self.sent,
        };
        let counter = |kind: &str| self.series.with_label_values(&[direction.label(), kind]);
        match kind {
            MessageKind::Request(method) => kinds.request(method, counter),
            MessageKind::Response(status) => kinds.response(status, counter),
        }
    }
}

impl Kinds {
    fn new() -> Self {
        Self {
            requests: array::from_fn(|_| OnceLock::new()),
            responses: (0..STATUSES).map(|_| OnceLock::new()).collect(),
        }
    }

    fn request(&self, method: &'static str, counter: impl Fn(&str) -> IntCounter) {
        for slot in &self.requests {
            let (of, kept) = slot.get_or_init(|| (method, counter(method)));
            if *of == method {
                return kept.inc();
            }
        }
        counter(method).inc();
    }

    fn response(&self, status: StatusCode, counter: impl Fn(&str) -> IntCounter) {
        let new = || counter(&status.value().to_string());
        let place = usize::from(status.value()).checked_sub(FIRST_STATUS);
        match place.and_then(|place| self.responses.get(place)) {
            Some(slot) => slot.get_or_init(new).inc(),
            None => new().inc(),
        }
    }
}
