//! Contacts of agents that gave no sign of life when they were rung: another contact of the same agent is rung and asked
//! before them, until they register again. A telephone that has lost its power is registered for hours.

use std::{collections::BTreeMap, time::Instant};

use acd::AgentId;
use bytes::Bytes;
use sip_transaction::Target;

use crate::{engine::Engine, receive::aor_of};

/// Which contacts of whom, as they were registered. No agent has more than the registrar has bindings of them.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    contacts: BTreeMap<AgentId, Vec<Contact>>,
}

/// A contact, and until when it is registered: it ends later once the phone has registered again.
type Contact = (Bytes, Instant);

impl Silent {
    /// Nothing is registered any more.
    pub(crate) fn forget(&mut self, agent: AgentId) {
        self.contacts.remove(&agent);
    }
}

impl Engine {
    /// Where an agent can be rung, the best first.
    pub(crate) fn targets(&self, agent: AgentId) -> Vec<Target> {
        let mut targets: Vec<_> = self.phones(agent).into_iter().flatten().collect();
        if let Some(silent) = self.silent.contacts.get(&agent) {
            let registered = self.registered(agent);
            let is_silent = |uri: &Bytes| {
                let mut as_registered = registered.iter().filter(|(contact, _)| contact == uri);
                as_registered.any(|contact| silent.contains(contact))
            };
            targets.sort_by_key(|target| is_silent(&target.uri));
        }
        targets
    }

    /// A contact gave no sign of life.
    pub(crate) fn note_silent(&mut self, agent: AgentId, contact: &Bytes) {
        let registered = self.registered(agent);
        if registered.len() < 2 {
            return;
        }
        let silent = self.silent.contacts.entry(agent).or_default();
        silent.retain(|one| one.0 != contact && registered.contains(one));
        let noted = registered.into_iter().find(|(uri, _)| uri == contact);
        silent.extend(noted);
    }

    fn registered(&self, agent: AgentId) -> Vec<Contact> {
        let bindings = self.registrar.bindings(aor_of(agent));
        let contact = |binding: &sip_proxy::Binding| {
            let uri = binding.contact.as_bytes().clone();
            (uri, binding.expires_at)
        };
        bindings.map(contact).collect()
    }
}
