//! How phones say where they are.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use engine::sip::{Builder, HeaderName, Method};

use super::{Dialog, Peer};

impl Peer {
    /// Registers a phone at the node: `sip:user@domain` is reached here.
    pub fn register(&mut self, now: Instant, node: SocketAddr, user: &str, domain: &str) {
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
