//! RFC 3261 §10.3, rule by rule, and RFC 3327.

use sip::{HeaderName, Transport, UriBuf};
use sip_proxy::{Aor, Event, Refusal, RegistrarSettings, UnboundReason};

use crate::support::{AOR, Bench, Register, flow, seconds};

const A: &str = "sip:a@192.0.2.7";
const B: &str = "sip:b@192.0.2.7";

/// A bench where A (600 s) and B (1200 s) are bound by CSeq 1 of Call-ID c1.
fn with_two() -> Bench {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(1).contact(format!("<{A}>;expires=600, <{B}>;expires=1200")));
    bench
}

fn two() -> Vec<(String, u64)> {
    vec![(A.to_owned(), 600), (B.to_owned(), 1200)]
}

#[test]
fn step_2_an_unknown_extension_is_refused_and_named() {
    let mut bench = with_two();
    let register = Register::new(2)
        .contact(format!("<{A}>;expires=0"))
        .with(HeaderName::Require, "path, gruu")
        .with(HeaderName::Require, "Sec-Agree");
    let answer = bench.send(&register);
    assert_eq!(answer.status(), 420);
    assert_eq!(answer.values(HeaderName::Unsupported), ["gruu, Sec-Agree"]);
    assert_eq!(bench.bound(), two());
}

#[test]
fn step_6_without_contact_the_bindings_are_told_and_kept() {
    let mut bench = with_two();
    bench.run_for(seconds(100));
    // A query is no update: neither its CSeq nor its Expires matters.
    let answer = bench.send(&Register::new(1).expires("0"));
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.contacts(),
        [format!("<{A}>;expires=500"), format!("<{B}>;expires=1100")]
    );
    assert_eq!(bench.events(), []);
    let nobody = bench.send(&Register::new(1).aor(Aor::new(8)));
    assert_eq!((nobody.status(), nobody.contacts()), (200, vec![]));
}

#[test]
fn step_6_a_star_with_expires_0_removes_all() {
    let mut bench = with_two();
    let answer = bench.send(&Register::new(2).contact("*").expires("0"));
    assert_eq!((answer.status(), answer.contacts()), (200, vec![]));
    let reason = UnboundReason::Removed;
    assert_eq!(bench.events(), [Event::Unbound { aor: AOR, reason }]);
    assert_eq!(
        (bench.registrar.bound(), bench.registrar.poll_timeout()),
        (0, None)
    );
    let again = bench.send(&Register::new(3).contact("*").expires("0"));
    assert_eq!((again.status(), bench.events()), (200, vec![]));
}

#[test]
fn step_6_a_star_beside_another_contact_is_invalid() {
    let mut bench = with_two();
    for contacts in [
        format!("*, <{A}>"),
        format!("<{A}>;expires=0, *"),
        "*, *".to_owned(),
    ] {
        let answer = bench.send(&Register::new(2).contact(&contacts).expires("0"));
        assert_eq!(answer.status(), 400, "{contacts}");
        assert_eq!(*answer.refusal(), Refusal::StarNotAlone, "{contacts}");
    }
    assert_eq!(bench.bound(), two());
}

#[test]
fn step_6_a_star_without_expires_0_is_invalid() {
    let mut bench = with_two();
    let star = Register::new(2).contact("*");
    // A malformed Expires counts as 3600 (RFC 3261 §20.19).
    for register in [
        star.clone(),
        star.clone().expires("60"),
        star.expires("none"),
    ] {
        let answer = bench.send(&register);
        assert_eq!(answer.status(), 400, "{register:?}");
        assert_eq!(*answer.refusal(), Refusal::StarWithoutZero, "{register:?}");
    }
    assert_eq!(bench.bound(), two());
}

#[test]
fn step_6_a_star_out_of_order_removes_nothing() {
    let mut bench = with_two();
    bench.accepted(
        &Register::new(9)
            .call_id("c2")
            .contact(format!("<{B}>;expires=1200")),
    );
    // Fits for B, which c2 refreshed last, but not for A.
    let answer = bench.send(&Register::new(1).contact("*").expires("0"));
    assert_eq!(answer.status(), 500);
    assert_eq!(*answer.refusal(), Refusal::OutOfOrder);
    assert_eq!((bench.contacts().len(), bench.events()), (2, vec![]));
    // Of another Call-ID no order is asked.
    let answer = bench.send(&Register::new(1).call_id("c3").contact("*").expires("0"));
    assert_eq!((answer.status(), bench.contacts().len()), (200, 0));
}

#[test]
fn step_7_the_expiry_is_the_parameters_then_the_headers_then_the_default() {
    let settings = RegistrarSettings {
        expires_default: seconds(900),
        ..RegistrarSettings::default()
    };
    for (contact, header, expected) in [
        (";expires=100", Some("200"), 100),
        ("", Some("200"), 200),
        ("", None, 900),
        // Malformed values are an hour (RFC 3261 §20.10, §20.19).
        (";expires=soon", Some("200"), 3600),
        (";expires", Some("200"), 3600),
        ("", Some("soon"), 3600),
        // Less than what is asked for may be granted.
        (";expires=100000", None, 7200),
        ("", Some("99999999999999999999"), 7200),
    ] {
        let mut bench = Bench::with(settings.clone());
        let register = Register::new(1).contact(format!("<{A}>{contact}"));
        let register = match header {
            Some(header) => register.expires(header),
            None => register,
        };
        let answer = bench.accepted(&register);
        assert_eq!(bench.bound(), [(A.to_owned(), expected)], "{register:?}");
        assert_eq!(answer.contacts(), [format!("<{A}>;expires={expected}")]);
    }
}

#[test]
fn step_7_an_interval_below_the_minimum_is_too_brief() {
    let mut bench = with_two();
    let register = Register::new(2).contact(format!("<{A}>, <sip:c@192.0.2.7>;expires=59"));
    let answer = bench.send(&register);
    assert_eq!(answer.status(), 423);
    assert_eq!(answer.values(HeaderName::MinExpires), ["60"]);
    assert_eq!(bench.bound(), two());
    let register = Register::new(2).contact(format!("<{A}>;expires=60"));
    assert_eq!(bench.send(&register).status(), 200);
}

#[test]
fn step_7_an_hour_is_never_too_brief_and_neither_is_a_removal() {
    let mut bench = Bench::with(RegistrarSettings {
        expires_min: seconds(5400),
        ..RegistrarSettings::default()
    });
    for (cseq, expires, status) in [(1, 3599, 423), (2, 3600, 200), (3, 0, 200)] {
        let register = Register::new(cseq).contact(format!("<{A}>;expires={expires}"));
        assert_eq!(bench.send(&register).status(), status, "{expires}");
    }
}

#[test]
fn step_7_contacts_are_compared_as_uris() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(1).contact("<sip:%61@Phone.Example;transport=UDP>"));
    bench.accepted(&Register::new(2).contact("<sip:a@phone.example;Transport=udp>"));
    assert_eq!(bench.contacts(), ["sip:a@phone.example;Transport=udp"]);
    // Not equivalent: the port and the transport are written in one only.
    bench.accepted(&Register::new(3).contact("<sip:a@phone.example:5060;transport=udp>"));
    bench.accepted(&Register::new(4).contact("<sip:a@phone.example>"));
    assert_eq!(bench.contacts().len(), 3);
    bench.accepted(&Register::new(5).contact("<sip:a@PHONE.example>;expires=0"));
    assert_eq!(bench.contacts().len(), 2);
}

#[test]
fn step_7_what_is_written_alike_goes_before_what_is_equivalent() {
    let mut bench = Bench::new();
    let (on, off) = ("sip:a@h;security=on", "sip:a@h;security=off");
    bench.accepted(&Register::new(1).contact(format!("<{on}>, <{off}>")));
    // Equivalent to both, so it takes the place of the first; `off` is still itself.
    bench.accepted(&Register::new(2).contact(format!("<sip:a@h>, <{off}>")));
    assert_eq!(bench.contacts(), ["sip:a@h", off]);
    bench.accepted(&Register::new(3).contact(format!("<{off}>;expires=0")));
    assert_eq!(bench.contacts(), ["sip:a@h"]);
}

#[test]
fn step_7_of_the_same_call_id_only_a_higher_cseq_updates() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(5).contact(format!("<{A}>;expires=600")));
    for (cseq, status, left) in [(4, 500, 600), (5, 500, 600), (6, 200, 300)] {
        let answer = bench.send(&Register::new(cseq).contact(format!("<{A}>;expires=300")));
        assert_eq!(answer.status(), status, "{cseq}");
        assert_eq!(bench.bound(), [(A.to_owned(), left)], "{cseq}");
    }
    let late = bench.send(&Register::new(6).contact(format!("<{A}>;expires=0")));
    assert_eq!((late.status(), bench.contacts().len()), (500, 1));
    // A contact that is new may have any CSeq.
    assert_eq!(
        bench
            .send(&Register::new(1).contact(format!("<{B}>")))
            .status(),
        200
    );
}

#[test]
fn step_7_another_call_id_updates_whatever_its_cseq() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(500).contact(format!("<{A}>;expires=600")));
    bench.accepted(
        &Register::new(1)
            .call_id("c2")
            .contact(format!("<{A}>;expires=300")),
    );
    assert_eq!(bench.bound(), [(A.to_owned(), 300)]);
    let binding = &bench.bindings()[0];
    assert_eq!((&binding.call_id[..], binding.cseq), (&b"c2"[..], 1));
    // Call-IDs compare with their case.
    bench.accepted(
        &Register::new(1)
            .call_id("C2")
            .contact(format!("<{A}>;expires=0")),
    );
    assert_eq!(bench.contacts().len(), 0);
}

#[test]
fn step_7_an_expiry_of_0_removes_that_binding_only() {
    let mut bench = with_two();
    let answer = bench.send(&Register::new(2).contact(format!("<{A}>")).expires("0"));
    assert_eq!(answer.contacts(), [format!("<{B}>;expires=1200")]);
    assert_eq!(bench.events(), [Event::Refreshed { aor: AOR }]);
    // What is not bound needs no removal.
    let answer = bench.send(&Register::new(3).contact(format!("<{A}>;expires=0")));
    assert_eq!((answer.status(), bench.contacts().len()), (200, 1));
}

#[test]
fn step_7_all_updates_are_made_or_none() {
    let fresh = "<sip:c@192.0.2.7>;expires=900";
    let removed = format!("<{B}>;expires=0");
    for (cseq, failing, status) in [
        (1, format!("<{A}>;expires=900"), 500),
        (2, "<sip:d@192.0.2.7>;expires=1".to_owned(), 423),
        (2, "<sip:d@@192.0.2.7>".to_owned(), 400),
        (2, "<tel:+33369670015>".to_owned(), 400),
        (2, format!("<sip:d@192.0.2.7;x={}>", "y".repeat(4000)), 413),
    ] {
        let mut bench = with_two();
        let register = Register::new(cseq).call_id("c1");
        let register = register.contact(fresh).contact(&failing);
        let answer = bench.send(&register.contact(&removed));
        assert_eq!(answer.status(), status, "{failing}");
        assert_eq!(
            (bench.bound(), bench.events()),
            (two(), vec![]),
            "{failing}"
        );
        assert_eq!(answer.contacts(), Vec::<String>::new());
    }
}

#[test]
fn step_7_a_contact_named_twice_is_what_is_said_last() {
    let mut bench = with_two();
    let contacts =
        format!("<{A}>;expires=0, <{A}>;expires=700, <{B}>;expires=700, <{B}>;expires=0");
    bench.accepted(&Register::new(2).contact(contacts));
    assert_eq!(bench.bound(), [(A.to_owned(), 700)]);
}

#[test]
fn step_8_all_current_bindings_are_enumerated_with_what_they_were_given() {
    let mut bench = Bench::new();
    let instance = "\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\"";
    let device = format!("+sip.instance={instance};reg-id=1");
    bench.accepted(&Register::new(1).contact(format!("\"Poste 1\" <{A}>;q=0.7;{device};x=1")));
    bench.run_for(std::time::Duration::from_millis(600_500));
    let answer = bench.send(&Register::new(2).contact(format!("{B};expires=60")));
    assert_eq!(
        answer.contacts(),
        [
            format!("<{B}>;expires=60"),
            // Half a second less than what is left would be none at the end.
            format!("<{A}>;expires=3000;q=0.700;{device}"),
        ]
    );
    assert_eq!(answer.values(HeaderName::Supported), ["path, outbound"]);
    assert_eq!(answer.values(HeaderName::Date), Vec::<String>::new());
    let binding = &bench.bindings()[1];
    assert_eq!(binding.instance.as_deref(), Some(instance.as_bytes()));
    assert_eq!(binding.reg_id, Some(1));
}

#[test]
fn a_flow_of_a_device_has_one_binding_whatever_its_contact() {
    let mut bench = Bench::new();
    let device = |number: u32| format!("+sip.instance=\"<urn:uuid:1>\";reg-id={number}");
    let supported = "outbound, path";
    let register = |cseq: u32, contact: &str, flow: u32| {
        let contact = format!("<{contact}>;expires=600;{}", device(flow));
        Register::new(cseq)
            .contact(contact)
            .with(HeaderName::Supported, supported)
    };
    let answer = bench.accepted(&register(1, A, 1));
    assert_eq!(answer.values(HeaderName::Require), ["outbound"]);
    bench.accepted(&register(2, "sip:jeanne@192.0.2.9:40001", 2));
    // The phone has come back from another port: its first flow moves, the second stays.
    bench.accepted(&register(3, B, 1));
    let bound = [
        (B.to_owned(), 600),
        ("sip:jeanne@192.0.2.9:40001".to_owned(), 600),
    ];
    assert_eq!(bench.bound(), bound);
    let source = bench.bindings()[0].source;
    assert_eq!(
        bench.bindings()[0].flow,
        source,
        "it is reached where it is"
    );
    // Without saying that it supports this, a phone is reached at its contact, and told nothing.
    let plain = Register::new(4).contact(format!("<{A}>;{}", device(3)));
    assert_eq!(
        bench.accepted(&plain).values(HeaderName::Require),
        Vec::<String>::new()
    );
}

#[test]
fn who_has_come_back_by_another_way_is_told_of_with_the_contact_of_before() {
    let from = |cseq: u32, contact: &str, port: u16| Register {
        source: flow(Transport::Tcp, &format!("192.0.2.7:{port}")),
        ..Register::new(cseq)
            .contact(contact)
            .with(HeaderName::Supported, "outbound, path")
    };
    let way = |port: u16| flow(Transport::Tcp, &format!("192.0.2.7:{port}"));
    let moved = |contact: &str, before: Option<u16>, now: u16| Event::Moved {
        aor: AOR,
        contact: UriBuf::new(contact.to_owned()).unwrap(),
        from: before.map(way),
        to: way(now),
    };
    let device = |contact: &str| format!("<{contact}>;+sip.instance=\"<urn:uuid:1>\";reg-id=1");
    let mut bench = Bench::new();
    let mut told = |register: &Register| {
        bench.send(register);
        bench.all_events()
    };
    let a = format!("<{A}>");
    let (bound, refreshed) = (Event::Bound { aor: AOR }, [Event::Refreshed { aor: AOR }]);
    let new = told(&from(1, &a, 40_001));
    assert_eq!(new, [moved(A, None, 40_001), bound]);
    // The same contact over the same connection, and over another.
    assert_eq!(told(&from(2, &a, 40_001)), refreshed);
    let back = moved(A, Some(40_001), 40_002);
    assert_eq!(told(&from(3, &a, 40_002))[..1], [back]);
    // A device whose contact is another each time.
    told(&from(4, &device(B), 40_003));
    let (c, of_c) = ("sip:c@192.0.2.7", device("sip:c@192.0.2.7"));
    let both = [moved(c, None, 40_004), moved(B, Some(40_003), 40_004)];
    assert_eq!(told(&from(5, &of_c, 40_004))[..2], both);
    // What is refused moves nothing.
    assert_eq!(told(&from(2, &a, 40_005)), []);
    // What comes through a proxy goes where it did; others are behind it, too.
    let through = from(6, &a, 40_006).with(HeaderName::Via, "SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKp");
    assert_eq!(told(&through), refreshed);
    let by_path = from(7, &a, 40_007).with(HeaderName::Path, "<sip:192.0.2.7;lr>");
    assert_eq!(told(&by_path), refreshed);
    // Nor has it gone with the phone that comes by itself again.
    assert_eq!(told(&from(8, &a, 40_008))[..1], [moved(A, None, 40_008)]);
}

/// It may still ring, and is to be told that it need not.
#[test]
fn where_a_phone_was_that_has_taken_its_registration_back_is_known_for_a_minute() {
    for (after, is_known) in [(3, true), (64, false)] {
        let over = |port: u16| flow(Transport::Tcp, &format!("192.0.2.7:{port}"));
        let mut bench = Bench::new();
        let from = |cseq: u32, contact: &str, port: u16| Register {
            source: over(port),
            ..Register::new(cseq).contact(contact)
        };
        bench.accepted(&from(1, &format!("<{A}>"), 40_001));
        bench.accepted(&from(2, &format!("<{A}>;expires=0"), 40_001));
        bench.run_for(seconds(after));
        bench.send(&from(3, &format!("<{A}>"), 40_002));
        let moved = |event: &Event| match event {
            Event::Moved { from, to, .. } => Some((*from, *to)),
            _ => None,
        };
        let moved: Vec<_> = bench.all_events().iter().filter_map(moved).collect();
        assert_eq!(moved, [(is_known.then_some(over(40_001)), over(40_002))]);
    }
}

/// Anybody can say to be where somebody else is.
#[test]
fn where_a_contact_says_that_it_is_is_not_where_its_phone_was() {
    let mut bench = Bench::new();
    let at_another = "<sip:a@198.51.100.1:5060>";
    bench.send(&Register::new(1).contact(at_another));
    assert_eq!(
        bench.bindings()[0].flow,
        flow(Transport::Udp, "198.51.100.1:5060")
    );
    assert_eq!(bench.all_events(), [Event::Bound { aor: AOR }]);
    let behind_nat = Register {
        source: flow(Transport::Udp, "203.0.113.7:40001"),
        ..Register::new(2).contact(at_another)
    };
    bench.send(&behind_nat);
    let source = behind_nat.source;
    let moved = |event: &Event| match event {
        Event::Moved { from, to, .. } => Some((*from, *to)),
        _ => None,
    };
    let moved: Vec<_> = bench.all_events().iter().filter_map(moved).collect();
    assert_eq!(moved, [(None, source)]);
}

#[test]
fn bindings_are_tried_by_preference_and_then_the_latest_first() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(1).contact("<sip:1@h>;q=0.5, <sip:2@h>, <sip:3@h>;q=0.5"));
    bench.accepted(&Register::new(2).contact("<sip:4@h>;q=0.5, <sip:5@h>;q=1.0, <sip:6@h>;q=0"));
    let contacts = ["5", "2", "4", "1", "3", "6"].map(|user| format!("sip:{user}@h"));
    assert_eq!(bench.contacts(), contacts);
    bench.accepted(&Register::new(3).contact("<sip:3@h>;q=0.5, <sip:2@h>;q=wrong"));
    let contacts = ["2", "5", "3", "4", "1", "6"].map(|user| format!("sip:{user}@h"));
    assert_eq!(bench.contacts(), contacts);
}

#[test]
fn path_is_kept_with_the_binding_and_told() {
    let mut bench = Bench::new();
    let register = Register::new(1)
        .contact(format!("<{A}>"))
        .with(HeaderName::Require, "path")
        .with(
            HeaderName::Path,
            "<sip:p2@198.51.100.2;lr>, <sip:p1.example;lr>;x=1",
        )
        .with(HeaderName::Path, "<sip:p0.example;lr>");
    let answer = bench.accepted(&register);
    let path = [
        "<sip:p2@198.51.100.2;lr>",
        "<sip:p1.example;lr>;x=1",
        "<sip:p0.example;lr>",
    ];
    assert_eq!(answer.values(HeaderName::Path), path);
    assert_eq!(bench.bindings()[0].path, path);
    // A refresh without Path comes another way.
    let answer = bench.accepted(&Register::new(2).contact(format!("<{A}>")));
    assert_eq!(answer.values(HeaderName::Path), Vec::<String>::new());
    assert!(bench.bindings()[0].path.is_empty());
    let register = Register::new(3).contact(format!("<{A}>"));
    let answer = bench.send(&register.with(HeaderName::Path, "<sip:a b@c>"));
    assert_eq!((answer.status(), answer.refusal()), (400, &Refusal::Path));
}

#[test]
fn one_address_of_record_has_no_more_bindings_than_the_limit() {
    let mut bench = Bench::with(RegistrarSettings {
        bindings_max_per_aor: 2,
        retry_after: seconds(12),
        ..RegistrarSettings::default()
    });
    bench.accepted(&Register::new(1).contact("<sip:1@h>, <sip:2@h>"));
    let answer = bench.send(&Register::new(2).contact("<sip:3@h>"));
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.values(HeaderName::RetryAfter), ["12"]);
    assert_eq!(bench.contacts(), ["sip:1@h", "sip:2@h"]);
    // What counts is how many there would be in the end.
    bench.accepted(&Register::new(3).contact("<sip:3@h>, <sip:1@h>;expires=0"));
    assert_eq!(bench.contacts(), ["sip:3@h", "sip:2@h"]);
    bench.accepted(&Register::new(4).contact("<sip:3@h>, <sip:2@h>"));
}

/// Each of its connections is another contact, and those before lead nowhere.
#[test]
fn a_phone_that_connects_anew_again_and_again_is_not_refused_for_it() {
    let mut bench = Bench::with(RegistrarSettings {
        bindings_max_per_aor: 2,
        ..RegistrarSettings::default()
    });
    let over = |cseq: u32, port: u16| Register {
        source: flow(Transport::Tcp, &format!("192.0.2.7:{port}")),
        ..Register::new(cseq).contact(format!("<sip:a@192.0.2.7:{port};transport=tcp>"))
    };
    for cseq in 1..5 {
        bench.accepted(&over(cseq, 40_000 + u16::try_from(cseq).unwrap()));
    }
    let contact = |port: u16| format!("sip:a@192.0.2.7:{port};transport=tcp");
    assert_eq!(bench.contacts(), [contact(40_004), contact(40_003)]);
    // Nor is another phone's, which is refreshed and each time for a shorter while.
    bench.accepted(&over(5, 40_010).expires("120"));
    bench.accepted(&over(6, 40_005));
    assert_eq!(bench.contacts(), [contact(40_005), contact(40_010)]);
    // What is no connection stays, and so is the limit.
    bench.accepted(&Register::new(7).contact("<sip:1@h>, <sip:2@h>"));
    assert_eq!(bench.contacts(), ["sip:1@h", "sip:2@h"]);
    assert_eq!(bench.send(&over(8, 40_006)).status(), 503);
}

#[test]
fn no_more_addresses_of_record_have_bindings_than_the_limit() {
    let mut bench = Bench::with(RegistrarSettings {
        aors_max: 1,
        ..RegistrarSettings::default()
    });
    let other = Register::new(1).aor(Aor::new(8)).contact(format!("<{A}>"));
    bench.accepted(&Register::new(1).contact(format!("<{A}>")));
    let answer = bench.send(&other);
    assert_eq!(answer.status(), 503);
    assert!(matches!(answer.refusal(), Refusal::AorsMax { .. }));
    // Who is in can go on; who leaves makes room.
    bench.accepted(&Register::new(2).contact(format!("<{A}>, <{B}>")));
    bench.accepted(&Register::new(3).contact("*").expires("0"));
    bench.accepted(&other);
    assert_eq!(bench.registrar.bound(), 1);
}

#[test]
fn one_event_for_each_change_of_an_address_of_record() {
    let mut bench = Bench::new();
    let aor = AOR;
    let reason = UnboundReason::Removed;
    for (register, expected) in [
        (
            Register::new(1).contact(format!("<{A}>, <{B}>")),
            Some(Event::Bound { aor }),
        ),
        (
            Register::new(2).contact(format!("<{A}>")),
            Some(Event::Refreshed { aor }),
        ),
        (Register::new(2).contact(format!("<{A}>")), None),
        (
            Register::new(3).contact(format!("<{A}>;expires=0")),
            Some(Event::Refreshed { aor }),
        ),
        (
            Register::new(4).contact(format!("<{B}>;expires=0")),
            Some(Event::Unbound { aor, reason }),
        ),
        (Register::new(5).contact(format!("<{B}>;expires=0")), None),
    ] {
        bench.send(&register);
        assert_eq!(bench.events(), Vec::from_iter(expected), "{register:?}");
    }
}

#[test]
fn debug_shows_no_personal_data() {
    let mut bench = Bench::new();
    let contact = "<sip:jeanne@192.0.2.7>;+sip.instance=\"<urn:x:jeanne>\"";
    let register = Register::new(1).contact(contact).call_id("jeanne@h");
    let register = register.with(HeaderName::Path, "<sip:jeanne@192.0.2.1;lr>");
    let answer = bench.accepted(&register);
    for shown in [
        format!("{:?}", answer.reply),
        format!("{:?}", bench.registrar),
    ] {
        assert!(!shown.contains("jeanne"), "{shown}");
    }
}
