//! The oracle is shown good calls and broken ones, and must tell them apart.

use super::*;
use crate::chaos::{
    message::Message,
    trace::Way::{self, Received, Sent},
};

/// A log that is written by hand: each message a millisecond after the one before.
#[derive(Default)]
struct Log(Vec<Logged>);

impl Log {
    fn add(
        &mut self,
        at: u64,
        way: Way,
        start: &str,
        call: &str,
        tags: [&str; 2],
        cseq: &str,
    ) -> &mut Self {
        let [from, to] = tags.map(|tag| match tag {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        });
        // The word of a description is that of the call, `c1`, or of the phone, `a1`.
        let origin = match (
            start.starts_with("INVITE"),
            start.starts_with("SIP/2.0 200"),
        ) {
            (true, _) => format!("o={} 1 1\r\n", &call.replace('p', "c")),
            (_, true) => format!("o={} 1 1\r\n", call.replace(['c', 'p'], "a")),
            _ => String::new(),
        };
        let text = format!(
            "{start}\r\nFrom: <sip:x@y>{from}\r\nTo: <sip:x@y>{to}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\n\r\n{origin}"
        );
        self.0.push(Logged {
            at: Duration::from_millis(at),
            way,
            message: Message::parse(&text).unwrap(),
        });
        self
    }
}

/// What can go wrong in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flaw {
    #[default]
    None,
    PhoneNotAcknowledged,
    PhoneNotHungUp,
    ByeWithoutTag,
    CallerNotAnswered,
    CallerRefused,
    AnotherAnswers,
    HungUpByNobody,
}

/// The caller's log of call 1, from its INVITE at 0 to its BYE at 100.
fn caller(log: &mut Log, flaw: Flaw) {
    let invite = "1 INVITE";
    log.add(0, Sent, "INVITE sip:15@y SIP/2.0", "c1", ["f", ""], invite)
        .add(
            2,
            Received,
            "SIP/2.0 182 Queued; place 4",
            "c1",
            ["f", "t"],
            invite,
        );
    match flaw {
        Flaw::CallerNotAnswered => return,
        Flaw::CallerRefused => {
            log.add(5, Received, "SIP/2.0 500 No", "c1", ["f", "t"], invite);
            log.add(6, Sent, "ACK sip:15@y SIP/2.0", "c1", ["f", "t"], "1 ACK");
            return;
        }
        _ => {}
    }
    let (asks, answers, tags) = match flaw {
        Flaw::HungUpByNobody => (Received, Sent, ["t", "f"]),
        _ => (Sent, Received, ["f", "t"]),
    };
    log.add(20, Received, "SIP/2.0 200 OK", "c1", ["f", "t"], invite)
        .add(21, Sent, "ACK sip:15@y SIP/2.0", "c1", ["f", "t"], "1 ACK")
        .add(100, asks, "BYE sip:x@y SIP/2.0", "c1", tags, "2 BYE")
        .add(101, answers, "SIP/2.0 200 OK", "c1", tags, "2 BYE");
}

/// The log of the phone that rings for it, from 10 to 102.
fn phone(log: &mut Log, flaw: Flaw) {
    let invite = "7 INVITE";
    log.add(
        10,
        Received,
        "INVITE sip:arm-1@y SIP/2.0",
        "p1",
        ["n", ""],
        invite,
    )
    .add(11, Sent, "SIP/2.0 180 Ringing", "p1", ["n", "a"], invite)
    .add(19, Sent, "SIP/2.0 200 OK", "p1", ["n", "a"], invite);
    if flaw == Flaw::AnotherAnswers {
        log.0.pop();
        log.add(19, Sent, "SIP/2.0 486 Busy", "p1", ["n", "a"], invite);
        return;
    }
    if flaw != Flaw::PhoneNotAcknowledged {
        log.add(
            20,
            Received,
            "ACK sip:arm-1@y SIP/2.0",
            "p1",
            ["n", "a"],
            "7 ACK",
        );
    }
    let tags = if flaw == Flaw::ByeWithoutTag {
        ["n", ""]
    } else {
        ["n", "a"]
    };
    if !matches!(flaw, Flaw::PhoneNotHungUp | Flaw::PhoneNotAcknowledged) {
        log.add(
            101,
            Received,
            "BYE sip:arm-1@y SIP/2.0",
            "p1",
            tags,
            "8 BYE",
        )
        .add(102, Sent, "SIP/2.0 200 OK", "p1", tags, "8 BYE");
    }
}

fn tally(flaw: Flaw) -> Tally {
    let (mut callers, mut phones) = (Log::default(), Log::default());
    caller(&mut callers, flaw);
    phone(&mut phones, flaw);
    Ledger::read(&callers.0, &phones.0).tally(Carriage::Sure)
}

#[test]
fn a_good_call_is_answered() {
    let tally = tally(Flaw::None);
    assert!(tally.is_good(), "{tally}");
    assert_eq!(tally.answered, 1);
}

#[test]
fn every_flaw_is_a_loss() {
    for (flaw, loss) in [
        (
            Flaw::PhoneNotAcknowledged,
            Loss::NotAcknowledged(End::Agent),
        ),
        (Flaw::PhoneNotHungUp, Loss::NotHungUp(End::Agent)),
        (
            Flaw::ByeWithoutTag,
            Loss::Fault(
                End::Agent,
                "a BYE of no dialog: BYE sip:arm-1@y SIP/2.0".to_owned(),
            ),
        ),
        (Flaw::CallerNotAnswered, Loss::NoFinalAnswer),
        (Flaw::CallerRefused, Loss::RefusedAfterAll(500)),
        (Flaw::AnotherAnswers, Loss::AnsweredByNobody),
        (Flaw::HungUpByNobody, Loss::HungUpByNobody),
    ] {
        let tally = tally(flaw);
        assert_eq!(tally.lost, [("c1".to_owned(), loss)], "{flaw:?}");
        assert!(!tally.is_good());
    }
}

#[test]
fn who_is_refused_at_once_is_not_lost_and_who_gives_up_is_abandoned() {
    let mut log = Log::default();
    log.add(
        0,
        Sent,
        "INVITE sip:15@y SIP/2.0",
        "c1",
        ["f", ""],
        "1 INVITE",
    )
    .add(1, Received, "SIP/2.0 503 No", "c1", ["f", "t"], "1 INVITE");
    log.add(
        2,
        Sent,
        "INVITE sip:15@y SIP/2.0",
        "c2",
        ["f", ""],
        "1 INVITE",
    )
    .add(
        3,
        Received,
        "SIP/2.0 180 Ringing",
        "c2",
        ["f", "t"],
        "1 INVITE",
    )
    .add(
        4,
        Sent,
        "CANCEL sip:15@y SIP/2.0",
        "c2",
        ["f", ""],
        "1 CANCEL",
    )
    .add(
        5,
        Received,
        "SIP/2.0 487 Over",
        "c2",
        ["f", "t"],
        "1 INVITE",
    );
    let tally = Ledger::read(&log.0, &[]).tally(Carriage::Sure);
    assert_eq!((tally.refused, tally.abandoned), (1, 1));
    assert!(tally.is_good());
}

#[test]
fn a_phone_with_two_calls_at_once_is_seen_and_one_after_the_other_is_not() {
    for (second, doubled) in [(101, 1), (103, 0)] {
        let (mut callers, mut phones) = (Log::default(), Log::default());
        caller(&mut callers, Flaw::None);
        callers.add(
            50,
            Sent,
            "INVITE sip:15@y SIP/2.0",
            "c2",
            ["g", ""],
            "1 INVITE",
        );
        phone(&mut phones, Flaw::None);
        phones.add(
            second,
            Received,
            "INVITE sip:arm-1@y SIP/2.0",
            "p2",
            ["m", ""],
            "1 INVITE",
        );
        let tally = Ledger::read(&callers.0, &phones.0).tally(Carriage::Sure);
        assert_eq!(tally.double_offers(), doubled);
    }
}

#[test]
fn a_phone_that_rings_for_nobody_is_seen() {
    let mut phones = Log::default();
    phone(&mut phones, Flaw::None);
    let tally = Ledger::read(&[], &phones.0).tally(Carriage::Sure);
    let call_id = "p1".to_owned();
    assert_eq!(tally.trouble, [Trouble::RangForNobody { call_id }]);
}
