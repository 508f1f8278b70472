//! Who calls, as far as the distributor needs it: the same caller as before, or another.

use std::hash::Hasher as _;

use acd::CallerKey;
use sip::Request;
use sip_proxy::TrunkId;
use siphasher::sip::SipHasher24;

use crate::engine::Engine;

impl Engine {
    /// A number that is the same for the calls of one caller of a trunk, and says nothing else of the
    /// caller: a keyed hash of what the operator asserts, else of what the caller says (From). `None`
    /// of who hides the number, and of what is no telephone number.
    pub(crate) fn caller_key(&self, invite: &Request, trunk: Option<TrunkId>) -> Option<CallerKey> {
        let trunk = trunk?;
        let asserted = invite.asserted_identities();
        let mut said = asserted.chain([invite.from()]);
        let number = said.find_map(|who| self.dial_plan.telephone(&who.uri().ok()?, trunk))?;
        let [key, other, ..] = self.config.seed;
        let mut hasher = SipHasher24::new_with_keys(key, other);
        hasher.write(number.as_bytes());
        Some(CallerKey::new(hasher.finish()))
    }
}
