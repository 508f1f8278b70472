//! Who calls, as far as the distributor needs it: the same caller as before, or another.

use std::hash::Hasher as _;

use acd::CallerKey;
use sip::{Pii, Request};
use sip_proxy::TrunkId;
use siphasher::sip::SipHasher24;

use crate::engine::Engine;

impl Engine {
    /// The telephone number of a caller of a trunk: what the operator asserts, else what the caller says
    /// (From). `None` of who hides the number, and of what is no telephone number.
    pub(crate) fn caller_number(
        &self,
        invite: &Request,
        trunk: Option<TrunkId>,
    ) -> Option<Pii<String>> {
        let trunk = trunk?;
        let asserted = invite.asserted_identities();
        let mut said = asserted.chain([invite.from()]);
        let number = said.find_map(|who| self.dial_plan.telephone(&who.uri().ok()?, trunk))?;
        Some(Pii::new(number))
    }

    /// What is the same for the calls of one number, and says nothing else of it: a keyed hash.
    pub(crate) fn caller_key(&self, number: &Pii<String>) -> CallerKey {
        let [.., key, other] = self.secrets;
        let mut hasher = SipHasher24::new_with_keys(key, other);
        hasher.write(number.expose().as_bytes());
        CallerKey::new(hasher.finish())
    }
}
