//! How phones say where they are.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::sip::{Builder, HeaderName, Method};

use super::{Dialog, Peer};

/// Phones that register anew whenever their connection is gone: they are reached by no other.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// Those that ever did: one that is logged out connects as well, and is in again.
    users: BTreeSet<(SocketAddr, String, String)>,
    /// When they do so again.
    due: Option<Instant>,
    /// How often they did.
    times: u64,
}

/// How long a phone waits that has lost its connection, or could not connect.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

impl Registered {
    pub(super) fn handle_lost(&mut self, now: Instant, remote: SocketAddr) {
        if self.users.iter().any(|(node, ..)| *node == remote) {
            self.due = self.due.or(Some(now + AGAIN_AFTER));
        }
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

impl Peer {
    /// Registers again who has lost the connection.
    pub(super) fn register_again(&mut self, now: Instant) {
        let registered = self.registered.as_mut();
        let Some(registered) = registered.filter(|one| one.due.is_some_and(|due| due <= now))
        else {
            return;
        };
        registered.due = None;
        registered.times += 1;
        for (node, user, domain) in registered.users.clone() {
            self.bind(now, node, &user, &domain, 3600);
        }
    }

    /// How often its phones have registered again by themselves.
    pub(crate) fn times_come_back(&self) -> u64 {
        self.registered.as_ref().map_or(0, |one| one.times)
    }

    /// Registers a phone at the node: `sip:user@domain` is reached here.
    pub fn register(&mut self, now: Instant, node: SocketAddr, user: &str, domain: &str) {
        if let Some(registered) = &mut self.registered {
            let user = (node, user.to_owned(), domain.to_owned());
            registered.users.insert(user);
        }
        self.bind(now, node, user, domain, 3600);
    }

    /// Takes the registration of a phone back.
    pub fn unregister(&mut self, now: Instant, node: SocketAddr, user: &str, domain: &str) {
        self.bind(now, node, user, domain, 0);
    }

    fn bind(&mut self, now: Instant, node: SocketAddr, user: &str, domain: &str, expires: u32) {
        let flow = self.flow(node);
        let dialog = Dialog {
            call_id: self.ids.token(),
            local: format!("<sip:{user}@{domain}>;tag={}", self.ids.token()),
            remote: format!("<sip:{user}@{domain}>"),
            target: Bytes::from(format!("sip:{domain}")),
            routes: String::new(),
            flow: Some(flow),
            cseq: 1,
        };
        let register = Builder::request(&Method::Register, &dialog.target)
            .header(HeaderName::Via, self.via())
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, &dialog.local)
            .header(HeaderName::To, &dialog.remote)
            .header(HeaderName::CallId, &dialog.call_id)
            .header(HeaderName::CSeq, "1 REGISTER")
            .header(HeaderName::Contact, self.contact(Some(user)))
            .header(HeaderName::Expires, expires.to_string())
            .finish_request();
        if let Ok(register) = register {
            let _overloaded = self.layer.request(now, register, flow);
        }
        self.drain_layer(now);
    }
}
