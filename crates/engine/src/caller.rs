//! Who calls, as far as the distributor needs it: the same caller as before, or another.

use std::{collections::BTreeMap, hash::Hasher as _};

use acd::CallerKey;
use journal::{KeptEntry, KeptNode, KeptPlace};
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

    /// Callers that were known by the secret of another process, which is lost where its row was damaged, are known by
    /// ours: all whose number is written down.
    pub(crate) fn know_callers_again(&self, kept: &mut KeptNode) {
        let mut known = BTreeMap::new();
        let mut know_again = |number: Option<&Pii<String>>, caller: &mut Option<CallerKey>| {
            if let (Some(number), Some(caller)) = (number, caller) {
                let before = std::mem::replace(caller, self.caller_key(number));
                known.insert(before, *caller);
            }
        };
        for KeptEntry {
            journey,
            distribution,
            ..
        } in &mut kept.calls
        {
            let Some(journey) = journey else { continue };
            let number = journey.number.as_ref();
            if let Some(call) = distribution {
                know_again(number, &mut call.caller);
            }
            if let KeptPlace::Left(Some((.., caller))) = &mut journey.place {
                know_again(number, caller);
            }
        }
        for (_, entry, number) in &mut kept.abandoned {
            know_again(number.as_ref(), &mut entry.caller);
        }
        for (caller, _) in &mut kept.callers {
            *caller = known.get(caller).copied().unwrap_or(*caller);
        }
    }
}
