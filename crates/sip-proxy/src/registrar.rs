//! The registrar of RFC 3261 §10, from step 6 of §10.3 on.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Request, UriBuf};
use sip_transaction::Flow;

use crate::{
    binding::{Aor, Binding},
    location::Location,
    registration::{Change, ContactChange, Outbound, Registration},
    reply::{Refusal, Reply},
};

/// Limits and times of a [`Registrar`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// How long a contact is bound whose REGISTER does not say.
    pub expires_default: Duration,
    /// The least time that is granted. Less than that, and less than an hour, is refused with 423:
    /// refreshes would be a load.
    pub expires_min: Duration,
    /// The longest time that is granted, whatever is asked for: how long a phone that vanished may
    /// still count as bound.
    pub expires_max: Duration,
    /// Bindings of one address-of-record. Whoever asks for more is refused with 503.
    pub bindings_max_per_aor: usize,
    /// Addresses-of-record that may have bindings at a time. More are refused with 503.
    pub aors_max: usize,
    /// Bytes that one binding may keep: contact, Call-ID, Path and instance. More is refused
    /// with 413.
    pub binding_len_max: usize,
    /// What a 503 says in Retry-After.
    pub retry_after: Duration,
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        Self {
            expires_default: Duration::from_secs(3600),
            expires_min: Duration::from_secs(60),
            expires_max: Duration::from_secs(7200),
            bindings_max_per_aor: 10,
            aors_max: 100_000,
            binding_len_max: 2048,
            retry_after: Duration::from_secs(30),
        }
    }
}

/// What happened to the bindings of an address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It had none, and now it has one or more: it can be reached.
    Bound {
        /// The address-of-record.
        aor: Aor,
    },
    /// A REGISTER refreshed, added or removed bindings, and it had and still has some: a sign of
    /// life of one of its phones.
    Refreshed {
        /// The address-of-record.
        aor: Aor,
    },
    /// A phone is reached by another way than before: it has come back over a new connection or through another port of
    /// its NAT, or it is new. Not where a proxy lies between. Told before [`Event::Bound`] and [`Event::Refreshed`].
    Moved {
        /// The address-of-record.
        aor: Aor,
        /// The contact: that of before, where the device has another now.
        contact: UriBuf,
        /// Where requests to it were sent until now, if it had registered from there; `None` where it was not bound.
        from: Option<Flow>,
        /// Where they are sent from now on.
        to: Flow,
    },
    /// One of several bindings has expired; others are there.
    Fewer {
        /// The address-of-record.
        aor: Aor,
    },
    /// Its last binding is gone: it cannot be reached.
    Unbound {
        /// The address-of-record.
        aor: Aor,
        /// Why.
        reason: UnboundReason,
    },
}

/// Why an address-of-record lost its last binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnboundReason {
    /// It was not refreshed in time: the phone is off, or cut off.
    Expired,
    /// A REGISTER removed it.
    Removed,
}

/// The registrar and its location table.
///
/// [`Registrar::handle_register`] and [`Registrar::handle_timeout`] change it; after each of them
/// drain [`Registrar::poll_output`] to `None` and arm a timer for [`Registrar::poll_timeout`].
#[derive(Debug)]
pub struct Registrar {
    settings: RegistrarSettings,
    location: Location,
    former: Former,
    /// Drained by the owner after each change, so never longer than one change makes it.
    events: VecDeque<Event>,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(settings: RegistrarSettings) -> Self {
        Self {
            settings,
            location: Location::default(),
            former: Former::default(),
            events: VecDeque::new(),
        }
    }

    /// Handles a REGISTER for an address-of-record that came over `source`: does all that it asks
    /// for, or nothing.
    ///
    /// The caller has done steps 1 and 3 to 5 of RFC 3261 §10.3: the request is for our domain, its
    /// sender may register for `aor`, and that is what To names. Repetitions are absorbed by the
    /// transaction layer before.
    pub fn handle_register(
        &mut self,
        now: Instant,
        aor: Aor,
        request: &Request,
        source: Flow,
    ) -> Reply {
        self.handle_timeout(now);
        let path = Registration::read(now, request, source, &self.settings)
            .and_then(|registration| self.register(now, aor, registration));
        match path {
            Ok((path, outbound)) => Reply::Accepted {
                bindings: self.location.bindings(aor).to_vec(),
                path,
                outbound,
            },
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    /// Begins with bindings of before, of an address-of-record that has none. That is no news: nothing is
    /// told. What has expired meanwhile is left out.
    pub fn restore(&mut self, now: Instant, aor: Aor, mut bindings: Vec<Binding>) {
        bindings.retain(|binding| binding.expires_at > now);
        self.location.set(aor, bindings);
    }

    /// Drops the bindings whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((aor, left)) = self.location.expire_next(now) {
            self.events.push_back(match left {
                0 => Event::Unbound {
                    aor,
                    reason: UnboundReason::Expired,
                },
                _ => Event::Fewer { aor },
            });
        }
    }

    /// The next thing that happened.
    pub fn poll_output(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Registrar::handle_timeout`] is due: when the next binding expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.location.next_expiry()
    }

    /// The bindings of an address-of-record in the order in which to try them: by `q`, and among
    /// equals those of the latest REGISTER first, in the order of its Contacts.
    pub fn bindings(&self, aor: Aor) -> impl ExactSizeIterator<Item = &Binding> + Clone {
        self.location.bindings(aor).iter()
    }

    /// Whether a phone that has a binding registered from this address.
    pub fn knows_source(&self, address: IpAddr) -> bool {
        self.location.knows_source(address)
    }

    /// How many addresses-of-record have a binding.
    pub fn bound(&self) -> usize {
        self.location.len()
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# The binding updates MUST be committed (that is, made visible to
    //# the proxy or redirect server) if and only if all binding
    //# updates and additions succeed.
    /// Makes the change as a whole; the Path of the request is given back for the response.
    fn register(
        &mut self,
        now: Instant,
        aor: Aor,
        registration: Registration,
    ) -> Result<(Vec<Bytes>, Outbound), Refusal> {
        let Registration {
            call_id,
            cseq,
            path,
            is_direct,
            outbound,
            change,
        } = registration;
        let bindings = self.location.bindings(aor).to_vec();
        let was_bound = !bindings.is_empty();
        let mut update = Update {
            bindings,
            fresh: 0,
            moved: Vec::new(),
            removed: Vec::new(),
            call_id,
            cseq,
        };
        match change {
            Change::Query => return Ok((path, outbound)),
            Change::RemoveAll => update.remove_all()?,
            Change::Contacts(changes) => {
                for change in changes {
                    update.apply(change)?;
                    // Not only at the end: the work of a request stays bounded too.
                    self.check_bindings_max(update.fresh)?;
                }
            }
        }
        while update.bindings.len() > self.settings.bindings_max_per_aor
            && update.drop_a_connection_of_before()
        {}
        let moved = std::mem::take(&mut update.moved);
        let removed = std::mem::take(&mut update.removed);
        let bindings = update.into_bindings();
        self.check_bindings_max(bindings.len())?;
        let is_bound = !bindings.is_empty();
        if is_bound && !was_bound {
            self.check_aors_max()?;
        }
        self.former.forget_until(now);
        // What a proxy sends on to others, too, goes where it did.
        for mut moved in moved.into_iter().filter(|_| is_direct) {
            let former = || self.former.take(aor, &moved.contact);
            moved.from = moved.from.or_else(former);
            self.events.push_back(moved.event(aor));
        }
        for binding in removed {
            self.former.push(now, aor, binding);
        }
        self.events.extend(event_of(aor, was_bound, is_bound));
        self.location.set(aor, bindings);
        Ok((path, outbound))
    }

    fn check_bindings_max(&self, bindings: usize) -> Result<(), Refusal> {
        if bindings <= self.settings.bindings_max_per_aor {
            return Ok(());
        }
        Err(Refusal::BindingsMax {
            retry_after: self.settings.retry_after,
        })
    }

    fn check_aors_max(&self) -> Result<(), Refusal> {
        if self.location.len() < self.settings.aors_max {
            return Ok(());
        }
        Err(Refusal::AorsMax {
            retry_after: self.settings.retry_after,
        })
    }
}

const fn event_of(aor: Aor, was_bound: bool, is_bound: bool) -> Option<Event> {
    match (was_bound, is_bound) {
        (false, true) => Some(Event::Bound { aor }),
        (true, true) => Some(Event::Refreshed { aor }),
        (true, false) => Some(Event::Unbound {
            aor,
            reason: UnboundReason::Removed,
        }),
        (false, false) => None,
    }
}

/// A contact, and the ways to it before and from now on.
struct Moved {
    contact: UriBuf,
    from: Option<Flow>,
    to: Flow,
}

impl Moved {
    /// `None` where nothing but its time is new, or the contact names where it is. Anybody can name a place: only those are
    /// known to be the phone's from which it has registered. And a proxy's connection is that of others, too.
    fn of(before: Option<Binding>, new: &Binding) -> Option<Self> {
        let (contact, from) = match before {
            Some(before) => {
                let own = before.own_flow();
                (before.contact, own)
            }
            None => (new.contact.clone(), None),
        };
        (new.flow == new.source && from != Some(new.flow)).then_some(Self {
            contact,
            from,
            to: new.flow,
        })
    }

    fn event(self, aor: Aor) -> Event {
        let Self { contact, from, to } = self;
        Event::Moved {
            aor,
            contact,
            from,
            to,
        }
    }
}

/// Where phones were reached that have taken their registration back: one that rings may do so, and be told by another
/// connection that it need not.
#[derive(Debug, Default)]
struct Former {
    /// The oldest first.
    bindings: VecDeque<(Instant, Aor, Binding)>,
}

/// For how long that is of use: while something is said again to them (64·T1, and as long again).
const FORMER_FOR: Duration = Duration::from_secs(64);

/// So many are kept.
const FORMER_MAX: usize = 1_000;

impl Former {
    fn push(&mut self, now: Instant, aor: Aor, binding: Binding) {
        if self.bindings.len() == FORMER_MAX {
            self.bindings.pop_front();
        }
        self.bindings.push_back((now + FORMER_FOR, aor, binding));
    }

    /// Where the phone of a contact was reached, if it had registered from there.
    fn take(&mut self, aor: Aor, contact: &UriBuf) -> Option<Flow> {
        let is_it = |(_, of, binding): &(Instant, Aor, Binding)| {
            *of == aor && binding.contact == *contact && binding.own_flow().is_some()
        };
        let at = self.bindings.iter().rposition(is_it)?;
        let (.., binding) = self.bindings.remove(at)?;
        Some(binding.flow)
    }

    fn forget_until(&mut self, now: Instant) {
        while self
            .bindings
            .pop_front_if(|(until, ..)| *until <= now)
            .is_some()
        {}
    }
}

/// The bindings of one address-of-record while a request changes them. Dropped when a step fails.
struct Update {
    /// Those that the request has made come first, in the order of its Contacts.
    bindings: Vec<Binding>,
    /// How many of them the request has made.
    fresh: usize,
    moved: Vec<Moved>,
    removed: Vec<Binding>,
    call_id: Bytes,
    cseq: u32,
}

impl Update {
    fn remove_all(&mut self) -> Result<(), Refusal> {
        self.bindings
            .iter()
            .try_for_each(|binding| self.check_order(binding))?;
        self.removed.append(&mut self.bindings);
        Ok(())
    }

    /// Makes room by the binding of before that has not been refreshed for longest, if it is of a connection. A phone that
    /// connects anew names another contact each time and leaves the last one behind, which leads nowhere. Whether there was one.
    fn drop_a_connection_of_before(&mut self) -> bool {
        // What a request makes comes before what was there, so the last has not been refreshed for longest, however long
        // each is to last.
        let mut of_before = self.bindings.iter().enumerate().skip(self.fresh).rev();
        let is_connection = |binding: &Binding| {
            let own = binding.own_flow();
            own.is_some_and(|flow| flow.transport.is_reliable())
        };
        let Some((at, _)) = of_before.find(|(_, binding)| is_connection(binding)) else {
            return false;
        };
        self.removed.push(self.bindings.remove(at));
        true
    }

    fn apply(&mut self, change: ContactChange) -> Result<(), Refusal> {
        let contact = match &change {
            ContactChange::Bind(binding) => &binding.contact,
            ContactChange::Remove(contact) => contact,
        };
        let mut before = None;
        if let Some(at) = self.position(contact) {
            // A contact that the request names twice is what it says last.
            if at < self.fresh {
                self.fresh -= 1;
            } else {
                self.check_order(&self.bindings[at])?;
            }
            before = Some(self.bindings.remove(at));
        }
        match change {
            ContactChange::Bind(binding) => {
                self.moved.extend(Moved::of(before, &binding));
                self.replace_flow(&binding);
                self.bindings.insert(self.fresh, binding);
                self.fresh += 1;
            }
            ContactChange::Remove(_) => self.removed.extend(before),
        }
        Ok(())
    }

    /// A flow of a device has one binding, whatever its contact was before (RFC 5626 §6): the phone has
    /// a new connection, or its NAT a new port.
    fn replace_flow(&mut self, new: &Binding) {
        let Some(flow) = new.device_flow() else {
            return;
        };
        let before = self
            .bindings
            .extract_if(self.fresh.., |binding| binding.device_flow() == Some(flow));
        let moved = before.filter_map(|before| Moved::of(Some(before), new));
        self.moved.extend(moved);
    }

    /// The binding of this contact. Equivalence is not transitive (RFC 3261 §19.1.4), so one that
    /// is written alike goes before others that are equivalent.
    fn position(&self, contact: &UriBuf) -> Option<usize> {
        let uri = contact.as_uri();
        let mut bindings = self.bindings.iter();
        let alike = bindings.position(|binding| binding.contact == *contact);
        alike.or_else(|| {
            let mut bindings = self.bindings.iter();
            bindings.position(|binding| binding.contact.as_uri().is_equivalent(&uri))
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# If they are
    //# the same, the registrar compares the CSeq value.  If the value
    //# is higher than that of the existing binding, it MUST update or
    //# remove the binding as above.  If not, the update MUST be
    //# aborted and the request fails.
    /// Call-IDs that differ need no order: the phone started anew.
    fn check_order(&self, binding: &Binding) -> Result<(), Refusal> {
        let is_late = binding.call_id == self.call_id && binding.cseq >= self.cseq;
        if is_late {
            Err(Refusal::OutOfOrder)
        } else {
            Ok(())
        }
    }

    /// The bindings in the order in which to try them. They were in it before, and the sort keeps
    /// the order of equals: the fresh ones go before the older ones of the same preference.
    fn into_bindings(mut self) -> Vec<Binding> {
        self.bindings.sort_by_key(|binding| Reverse(binding.q));
        self.bindings
    }
}
