//! Random REGISTERs against a registrar that is as simple as RFC 3261 §10.3 reads.

use std::{cmp::Reverse, collections::BTreeMap};

use proptest::{collection::vec, option, prelude::*};
use sip_proxy::{Aor, Event, RegistrarSettings, UnboundReason};

use crate::support::{Bench, Register, seconds};

/// Contacts, no two of them equivalent, each written in two ways that are.
const PHONES: [[&str; 2]; 4] = [
    ["sip:a@192.0.2.7", "sip:%61@192.0.2.7;x=1"],
    ["sip:a@phone.example:5070", "sip:a@PHONE.example:5070"],
    ["sip:192.0.2.7;transport=tcp", "sip:192.0.2.7;Transport=TCP"],
    ["sips:a@192.0.2.7;user=ip", "SIPS:a@192.0.2.7;x;user=ip"],
];

const SETTINGS: RegistrarSettings = RegistrarSettings {
    expires_default: seconds(300),
    expires_min: seconds(60),
    expires_max: seconds(400),
    bindings_max_per_aor: 3,
    aors_max: 2,
    binding_len_max: 1024,
    retry_after: seconds(30),
};

#[derive(Clone, Debug)]
enum Step {
    Register {
        aor: u32,
        call_id: u8,
        cseq: u32,
        expires: Option<u64>,
        contacts: Vec<Contact>,
    },
    Star {
        aor: u32,
        call_id: u8,
        cseq: u32,
        expires: Option<u64>,
    },
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Contact {
    phone: usize,
    spelling: usize,
    expires: Option<u64>,
    q: u16,
}

fn any_expires() -> impl Strategy<Value = Option<u64>> {
    option::of(prop_oneof![2 => Just(0_u64), 1 => 1..60_u64, 6 => 60..500_u64])
}

fn any_contact() -> impl Strategy<Value = Contact> {
    let q = prop_oneof![Just(1000_u16), Just(500), 0..=1000_u16];
    (0..PHONES.len(), 0..2_usize, any_expires(), q).prop_map(|(phone, spelling, expires, q)| {
        Contact {
            phone,
            spelling,
            expires,
            q,
        }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let header = || (0..3_u32, 0..2_u8, 1..12_u32, any_expires());
    prop_oneof![
        6 => (header(), vec(any_contact(), 0..5)).prop_map(
            |((aor, call_id, cseq, expires), contacts)| Step::Register {
                aor, call_id, cseq, expires, contacts,
            },
        ),
        1 => header().prop_map(|(aor, call_id, cseq, expires)| Step::Star {
            aor, call_id, cseq, expires,
        }),
        2 => (0..250_u64).prop_map(Step::Wait),
    ]
}

/// What the model knows of one binding.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    spelling: usize,
    ends: u64,
    call_id: u8,
    cseq: u32,
    q: u16,
    /// Which request made it, and by which of its Contacts.
    made_by: (usize, usize),
}

/// Bindings by address-of-record and phone.
type Table = BTreeMap<(u32, usize), Bound>;

#[derive(Debug, Default)]
struct Model {
    table: Table,
    now: u64,
    requests: usize,
    events: Vec<Event>,
}

impl Model {
    fn wait(&mut self, time: u64) {
        for _ in 0..time {
            self.now += 1;
            let before = self.table.clone();
            self.table.retain(|_, bound| bound.ends > self.now);
            for aor in 0..3 {
                let (before, after) = (count(&before, aor), count(&self.table, aor));
                let (aor, reason) = (Aor::new(aor), UnboundReason::Expired);
                match after {
                    _ if after == before => {}
                    0 => self.events.push(Event::Unbound { aor, reason }),
                    _ => self.events.push(Event::Fewer { aor }),
                }
            }
        }
    }

    /// Makes the change of one request, or none; gives the status.
    fn register(&mut self, aor: u32, change: impl FnOnce(&mut Table) -> u16) -> u16 {
        let mut table = self.table.clone();
        let status = change(&mut table);
        if status != 200 {
            return status;
        }
        let (before, after) = (count(&self.table, aor), count(&table, aor));
        let aors = (0..3).filter(|&aor| count(&table, aor) > 0).count();
        if after > SETTINGS.bindings_max_per_aor || (before == 0 && aors > SETTINGS.aors_max) {
            return 503;
        }
        self.table = table;
        let aor = Aor::new(aor);
        self.events.extend(match (before, after) {
            (0, 0) => None,
            (0, _) => Some(Event::Bound { aor }),
            (_, 0) => Some(Event::Unbound {
                aor,
                reason: UnboundReason::Removed,
            }),
            _ => Some(Event::Refreshed { aor }),
        });
        200
    }

    fn contacts(
        &mut self,
        aor: u32,
        call_id: u8,
        cseq: u32,
        header: Option<u64>,
        contacts: &[Contact],
    ) -> u16 {
        if contacts.is_empty() {
            return 200;
        }
        self.requests += 1;
        let (now, request) = (self.now, self.requests);
        let asked = |contact: &Contact| contact.expires.or(header).unwrap_or(300);
        self.register(aor, |table| {
            if contacts
                .iter()
                .any(|contact| (1..60).contains(&asked(contact)))
            {
                return 423;
            }
            for (place, contact) in contacts.iter().enumerate() {
                let key = (aor, contact.phone);
                let is_late = |bound: &Bound| {
                    let is_ours = bound.made_by.0 == request;
                    !is_ours && bound.call_id == call_id && bound.cseq >= cseq
                };
                if table.get(&key).is_some_and(is_late) {
                    return 500;
                }
                let lifetime = asked(contact).min(400);
                if lifetime == 0 {
                    table.remove(&key);
                    continue;
                }
                let bound = Bound {
                    spelling: contact.spelling,
                    ends: now + lifetime,
                    call_id,
                    cseq,
                    q: contact.q,
                    made_by: (request, place),
                };
                table.insert(key, bound);
                // Refused at once, even if the request would remove enough of them again.
                let fresh = table.values().filter(|bound| bound.made_by.0 == request);
                if fresh.count() > SETTINGS.bindings_max_per_aor {
                    return 503;
                }
            }
            200
        })
    }

    fn star(&mut self, aor: u32, call_id: u8, cseq: u32, header: Option<u64>) -> u16 {
        if header != Some(0) {
            return 400;
        }
        self.register(aor, |table| {
            let is_late = |bound: &Bound| bound.call_id == call_id && bound.cseq >= cseq;
            let mut bindings = table.iter().filter(|((owner, _), _)| *owner == aor);
            if bindings.any(|(_, bound)| is_late(bound)) {
                return 500;
            }
            table.retain(|&(owner, _), _| owner != aor);
            200
        })
    }

    /// The contacts of an address-of-record, the best first, with preference and time left.
    fn bindings(&self, aor: u32) -> Vec<(String, u16, u64)> {
        let own = self.table.iter().filter(|((owner, _), _)| *owner == aor);
        let mut own: Vec<_> = own.map(|((_, phone), bound)| (*phone, bound)).collect();
        own.sort_by_key(|(_, bound)| {
            let (request, place) = bound.made_by;
            (Reverse(bound.q), Reverse(request), place)
        });
        let shown = |(phone, bound): (usize, &Bound)| {
            let contact = PHONES[phone][bound.spelling].to_owned();
            (contact, bound.q, bound.ends - self.now)
        };
        own.into_iter().map(shown).collect()
    }
}

fn count(table: &Table, aor: u32) -> usize {
    table.keys().filter(|(owner, _)| *owner == aor).count()
}

fn register(aor: u32, call_id: u8, cseq: u32, expires: Option<u64>) -> Register {
    let register = Register::new(cseq)
        .aor(Aor::new(aor))
        .call_id(&format!("c{call_id}"));
    match expires {
        Some(expires) => register.expires(expires.to_string()),
        None => register,
    }
}

fn written(contact: &Contact) -> String {
    let uri = PHONES[contact.phone][contact.spelling];
    let q = format!("{}.{:03}", contact.q / 1000, contact.q % 1000);
    match contact.expires {
        Some(expires) => format!("<{uri}>;q={q};expires={expires}"),
        None => format!("<{uri}>;q={q}"),
    }
}

fn check(bench: &mut Bench, model: &mut Model) -> Result<(), TestCaseError> {
    // Those that expire at the same moment may be told in any order.
    let mut events = bench.events();
    events.sort_by_key(|event| format!("{event:?}"));
    model.events.sort_by_key(|event| format!("{event:?}"));
    prop_assert_eq!(events, std::mem::take(&mut model.events));
    for aor in 0..3 {
        let bindings = bench.registrar.bindings(Aor::new(aor));
        let bindings: Vec<_> = bindings
            .map(|binding| {
                let contact = String::from_utf8(binding.contact.as_bytes().to_vec()).unwrap();
                let left = (binding.expires_at - bench.now).as_secs();
                (contact, binding.q.thousandths(), left)
            })
            .collect();
        prop_assert_eq!(bindings, model.bindings(aor), "of {}", aor);
    }
    let bound = (0..3).filter(|&aor| count(&model.table, aor) > 0).count();
    prop_assert_eq!(bench.registrar.bound(), bound);
    let next = model
        .table
        .values()
        .map(|bound| bound.ends - model.now)
        .min();
    let next = next.map(|left| bench.now + seconds(left));
    prop_assert_eq!(bench.registrar.poll_timeout(), next);
    Ok(())
}

proptest! {
    #[test]
    fn any_sequence_of_registers_does_what_the_model_does(steps in vec(any_step(), 1..60)) {
        let (mut bench, mut model) = (Bench::with(SETTINGS), Model::default());
        for step in &steps {
            match step {
                Step::Wait(time) => {
                    bench.run_for(seconds(*time));
                    model.wait(*time);
                }
                Step::Star { aor, call_id, cseq, expires } => {
                    let star = register(*aor, *call_id, *cseq, *expires).contact("*");
                    let status = model.star(*aor, *call_id, *cseq, *expires);
                    prop_assert_eq!(bench.send(&star).status(), status);
                }
                Step::Register { aor, call_id, cseq, expires, contacts } => {
                    let request = register(*aor, *call_id, *cseq, *expires);
                    let request = contacts
                        .iter()
                        .fold(request, |request, contact| request.contact(written(contact)));
                    let answer = bench.send(&request);
                    let status = model.contacts(*aor, *call_id, *cseq, *expires, contacts);
                    prop_assert_eq!(answer.status(), status);
                    if status == 200 {
                        prop_assert_eq!(answer.contacts().len(), count(&model.table, *aor));
                    }
                }
            }
            check(&mut bench, &mut model)?;
        }
        bench.run_for(seconds(400));
        prop_assert_eq!((bench.registrar.bound(), bench.registrar.poll_timeout()), (0, None));
    }

    #[test]
    fn no_header_makes_the_registrar_panic(
        contact in "[<>*\"a:@;,=?%0-9 sip\\PC]{0,40}",
        path in "[<>a:@;, sip]{0,20}",
        expires in "[0-9a]{0,12}",
    ) {
        let mut bench = Bench::new();
        bench.accepted(&Register::new(1).contact("<sip:a@192.0.2.7>"));
        let request = Register::new(2).contact(contact).expires(expires);
        let answer = bench.send(&request.with(sip::HeaderName::Path, path));
        // All or nothing, whatever it is.
        let is_kept = bench.contacts() == ["sip:a@192.0.2.7"] && bench.bindings()[0].cseq == 1;
        prop_assert!(answer.status() == 200 || is_kept);
    }
}
