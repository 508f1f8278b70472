//! Locating SIP servers (RFC 3263): from a URI to the addresses to try, in order.
//!
//! The core cannot wait for DNS. [`Locator::locate`] answers from what is known; what is not known
//! yet leaves as a [`Query`] and comes back by [`Locator::handle_answer`], and whoever waits asks
//! again. Answers are kept for their time to live, within limits, and so are failures, for a short
//! while.

mod cache;
mod records;

use std::{
    collections::VecDeque,
    hash::Hasher as _,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use sip::{Host, SipScheme, SipUri, Transport};
use siphasher::sip::SipHasher24;

pub use self::{
    cache::LocatorSettings,
    records::{Answer, DomainName, DomainNameError, Naptr, Query, Srv},
};
use self::{
    cache::{Cache, Known},
    records::in_order,
};

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// By which transport.
    pub transport: Transport,
    /// Where.
    pub remote: SocketAddr,
    /// The name whose certificate a TLS peer must have (RFC 5922 §7): the domain of the URI, not what
    /// DNS made of it. `None` where the URI has an address.
    pub name: Option<DomainName>,
}

/// What is known of where a URI leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// There, the first first. Never empty.
    Hops(Vec<Hop>),
    /// There if it has no servers of its own, which DNS does not say now: what it said before is better. Never empty.
    Perhaps(Vec<Hop>),
    /// Not known yet: answers to queries are under way.
    Pending,
    /// Nowhere: no such name, no usable record, or DNS does not answer.
    Nowhere,
}

/// Finds servers, from what DNS has answered so far.
#[derive(Debug)]
pub struct Locator {
    cache: Cache,
    queries: VecDeque<Query>,
    /// Transports that we have listeners for.
    transports: Vec<Transport>,
    seed: [u64; 2],
    draws: u64,
    /// Whether DNS did not answer something that the present URI needs.
    is_unanswered: bool,
    /// And its own address is taken for want of that.
    is_guess: bool,
}

/// The chain of look-ups stopped: what is missing has been asked for, or there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Pending,
    Nowhere,
}

impl Locator {
    /// A locator that knows nothing. `transports` are those that can be used; `seed` is entropy for
    /// the choice among records of the same priority.
    pub fn new(settings: LocatorSettings, transports: Vec<Transport>, seed: [u64; 2]) -> Self {
        Self {
            cache: Cache::new(settings),
            queries: VecDeque::new(),
            transports,
            seed,
            draws: 0,
            is_unanswered: false,
            is_guess: false,
        }
    }

    /// Where a URI leads, as far as is known now.
    pub fn locate(&mut self, now: Instant, uri: &SipUri<'_>) -> Located {
        (self.is_unanswered, self.is_guess) = (false, false);
        match self.hops(now, uri) {
            Ok(hops) if hops.is_empty() => Located::Nowhere,
            Ok(hops) if self.is_guess => Located::Perhaps(hops),
            Ok(hops) => Located::Hops(hops),
            Err(Stop::Pending) => Located::Pending,
            Err(Stop::Nowhere) => Located::Nowhere,
        }
    }

    /// Takes the answer to a query, and for how long DNS says that it holds.
    pub fn handle_answer(&mut self, now: Instant, query: Query, answer: Answer, ttl: Duration) {
        self.cache.learn(now, query, answer, ttl);
    }

    /// The next thing to ask DNS. Each query leaves once, until it is answered or given up.
    pub fn poll_query(&mut self) -> Option<Query> {
        self.queries.pop_front()
    }

    //= https://www.rfc-editor.org/rfc/rfc3263#section-4
    //# We define TARGET as the value of the maddr parameter of the URI, if
    //# present, otherwise, the host value of the hostport component of the
    //# URI.
    fn hops(&mut self, now: Instant, uri: &SipUri<'_>) -> Result<Vec<Hop>, Stop> {
        let maddr = uri.params.value("maddr");
        let target = match maddr {
            Some(maddr) => Host::parse(maddr).map_err(|_| Stop::Nowhere)?,
            None => uri.host,
        };
        let explicit = match uri.params.value("transport") {
            Some(name) => Some(secured(
                Transport::of(name).ok_or(Stop::Nowhere)?,
                uri.scheme,
            )),
            None => None,
        };
        let Host::Name(name) = target else {
            let ip = target.ip().ok_or(Stop::Nowhere)?;
            let transport = explicit.unwrap_or_else(|| default_transport(uri.scheme));
            let port = uri.port.unwrap_or_else(|| transport.default_port());
            return Ok(self.usable(vec![Hop {
                transport,
                remote: SocketAddr::new(ip, port),
                name: None,
            }]));
        };
        let name = DomainName::new(name).map_err(|_| Stop::Nowhere)?;
        //= https://www.rfc-editor.org/rfc/rfc3263#section-4.2
        //# If the TARGET was not a numeric IP address, but a port is present in
        //# the URI, the client performs an A or AAAA record lookup of the domain
        //# name.
        if let Some(port) = uri.port {
            let transport = explicit.unwrap_or_else(|| default_transport(uri.scheme));
            return self.addresses(now, &name, &name, transport, port);
        }
        let services = match explicit {
            Some(transport) => vec![(transport, service_name(transport, &name))],
            None => self.services(now, &name, uri.scheme)?,
        };
        let mut hops = Vec::new();
        for (transport, service) in services {
            hops.extend(self.by_service(now, &name, transport, &service)?);
        }
        if hops.is_empty() {
            self.is_guess = self.is_unanswered;
            let transport = explicit.unwrap_or_else(|| default_transport(uri.scheme));
            return self.addresses(now, &name, &name, transport, transport.default_port());
        }
        Ok(hops)
    }

    //= https://www.rfc-editor.org/rfc/rfc3263#section-4.1
    //# Otherwise, if no transport protocol or port is specified, and the
    //# target is not a numeric IP address, the client SHOULD perform a NAPTR
    //# query for the domain in the URI.
    /// Which transports to try, each with the name of its SRV records.
    fn services(
        &mut self,
        now: Instant,
        name: &DomainName,
        scheme: SipScheme,
    ) -> Result<Vec<(Transport, DomainName)>, Stop> {
        let query = Query::Naptr(name.clone());
        let mut records = match self.ask(now, query)? {
            Answer::Naptr(records) => records,
            _ => Vec::new(),
        };
        records.sort_by_key(|record| (record.order, record.preference));
        let chosen: Vec<_> = records
            .into_iter()
            .filter_map(|record| Some((record.transport(scheme)?, record.replacement)))
            .filter(|(transport, _)| self.transports.contains(transport))
            .collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        //= https://www.rfc-editor.org/rfc/rfc3263#section-4.1
        //# If no NAPTR records are found, the client constructs SRV queries for
        //# those transport protocols it supports, and does a query for each.
        let order = match scheme {
            SipScheme::Sip => &[Transport::Udp, Transport::Tcp, Transport::Tls][..],
            SipScheme::Sips => &[Transport::Tls],
        };
        let usable = order.iter().filter(|one| self.transports.contains(one));
        Ok(usable
            .map(|&transport| (transport, service_name(transport, name)))
            .collect())
    }

    /// The servers of one SRV name, by priority and weight (RFC 2782).
    fn by_service(
        &mut self,
        now: Instant,
        domain: &DomainName,
        transport: Transport,
        service: &DomainName,
    ) -> Result<Vec<Hop>, Stop> {
        let Answer::Srv(records) = self.ask(now, Query::Srv(service.clone()))? else {
            return Ok(Vec::new());
        };
        let mut hops = Vec::new();
        for Srv { target, port, .. } in in_order(records, |below| self.draw(below)) {
            // A target that cannot be found costs the others nothing.
            match self.addresses(now, domain, &target, transport, port) {
                Ok(found) => hops.extend(found),
                Err(Stop::Nowhere) => {}
                Err(Stop::Pending) => return Err(Stop::Pending),
            }
        }
        Ok(hops)
    }

    /// All addresses of a host, IPv6 and IPv4 as DNS gave them.
    fn addresses(
        &mut self,
        now: Instant,
        domain: &DomainName,
        host: &DomainName,
        transport: Transport,
        port: u16,
    ) -> Result<Vec<Hop>, Stop> {
        let addresses: Vec<IpAddr> = match self.ask(now, Query::Addresses(host.clone()))? {
            Answer::Addresses(addresses) => addresses,
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            return Err(Stop::Nowhere);
        }
        let hops = addresses.into_iter().map(|ip| Hop {
            transport,
            remote: SocketAddr::new(ip, port),
            name: Some(domain.clone()),
        });
        Ok(self.usable(hops.collect()))
    }

    fn usable(&self, mut hops: Vec<Hop>) -> Vec<Hop> {
        hops.retain(|hop| self.transports.contains(&hop.transport));
        hops
    }

    /// What is known, or a query for it.
    fn ask(&mut self, now: Instant, query: Query) -> Result<Answer, Stop> {
        match self.cache.get(now, &query) {
            Known::Yes(answer) => {
                self.is_unanswered |= answer == Answer::Failed;
                Ok(answer)
            }
            Known::Asked => Err(Stop::Pending),
            Known::No => {
                self.cache.note_asked(now, query.clone());
                self.queries.push_back(query);
                Err(Stop::Pending)
            }
        }
    }

    /// A number below `below`, the same in every run from the same seed.
    fn draw(&mut self, below: u32) -> u32 {
        self.draws += 1;
        let mut hasher = SipHasher24::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u64(self.draws);
        let drawn = hasher.finish() % u64::from(below.max(1));
        u32::try_from(drawn).unwrap_or(0)
    }
}

const fn default_transport(scheme: SipScheme) -> Transport {
    match scheme {
        SipScheme::Sip => Transport::Udp,
        SipScheme::Sips => Transport::Tls,
    }
}

/// RFC 3261 §26.2.2: a sips URI with `transport=tcp` means TLS over TCP.
const fn secured(transport: Transport, scheme: SipScheme) -> Transport {
    match scheme {
        SipScheme::Sips => Transport::Tls,
        SipScheme::Sip => transport,
    }
}

fn service_name(transport: Transport, domain: &DomainName) -> DomainName {
    domain.under(match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    })
}
