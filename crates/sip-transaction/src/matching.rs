//! Which transaction a message belongs to (RFC 3261 §17.1.3 and §17.2.3).
//!
//! What identifies a transaction is hashed to 128 bits with a key that nobody outside knows. Two
//! transactions share a fingerprint by chance less often than memory fails, and nobody can make
//! them share one; so nothing but the fingerprint is stored, and a look-up allocates nothing.

use std::hash::Hasher as _;

use hashbrown::HashTable;
use sip::{HeaderName, MAGIC_COOKIE, Method, Request, Response};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// The identity of a transaction, or of a request for the search for merged ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    /// For a table's buckets.
    const fn bucket(self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "half of the bits choose the bucket"
        )]
        let low = self.0 as u64;
        low
    }
}

/// Makes fingerprints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matcher {
    seed: [u64; 2],
}

/// What a server transaction is looked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The transaction that this request itself opens or repeats. An ACK looks for its INVITE.
    Own,
    /// The INVITE that this CANCEL cancels.
    CancelledInvite,
}

impl Matcher {
    pub(crate) const fn new(seed: [u64; 2]) -> Self {
        Self { seed }
    }

    /// The server transaction of a request.
    pub(crate) fn server(&self, request: &Request, wanted: Wanted) -> Fingerprint {
        let method = match (wanted, request.method()) {
            (Wanted::CancelledInvite, _) | (_, Method::Ack) => Method::Invite.as_bytes(),
            (Wanted::Own, method) => method.as_bytes(),
        };
        let mut hash = self.hash();
        match request.branch().filter(|branch| has_cookie(branch)) {
            //= https://www.rfc-editor.org/rfc/rfc3261#section-17.2.3
            //# 1. the branch parameter in the request is equal to the one in the
            //#    top Via header field of the request that created the
            //#    transaction, and
            //#
            //# 2. the sent-by value in the top Via of the request is equal to the
            //#    one in the request that created the transaction, and
            //#
            //# 3. the method of the request matches the one that created the
            //#    transaction, except for ACK, where the method of the request
            //#    that created the transaction is INVITE.
            Some(branch) => {
                let via = request.top_via();
                hash.part(branch);
                hash.lower(&via.host);
                hash.number(via.port.map_or(0, |port| u32::from(port) + 1));
            }
            None => self.rfc2543(&mut hash, request, method),
        }
        hash.part(method);
        hash.finish()
    }

    /// The rules for a branch without the cookie, or none: what RFC 2543 elements compare. The To
    /// tag of an INVITE is left out: its ACK has the one that our response gave it.
    fn rfc2543(&self, hash: &mut Hash, request: &Request, method: &[u8]) {
        hash.part(request.uri_bytes());
        hash.part(request.from_tag().unwrap_or_default());
        hash.part(request.call_id());
        hash.number(request.cseq_number());
        hash.part(request.elements(HeaderName::Via).next().unwrap_or_default());
        if method != Method::Invite.as_bytes() {
            hash.part(request.to_tag().unwrap_or_default());
        }
    }

    /// The client transaction of a request of ours.
    pub(crate) fn client(&self, request: &Request) -> Fingerprint {
        self.branch_and_method(
            request.branch().unwrap_or_default(),
            request.method().as_bytes(),
        )
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-17.1.3
    //# 1.  If the response has the same value of the branch parameter in
    //#     the top Via header field as the branch parameter in the top
    //#     Via header field of the request that created the transaction.
    //#
    //# 2.  If the method parameter in the CSeq header field matches the
    //#     method of the request that created the transaction.
    /// The client transaction that a response answers.
    pub(crate) fn client_of(&self, response: &Response) -> Fingerprint {
        self.branch_and_method(
            response.branch().unwrap_or_default(),
            response.cseq_method(),
        )
    }

    fn branch_and_method(&self, branch: &[u8], method: &[u8]) -> Fingerprint {
        let mut hash = self.hash();
        hash.part(branch);
        hash.part(method);
        hash.finish()
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-8.2.2.2
    //# If the request has no tag in the To header field, the UAS core MUST
    //# check the request against ongoing transactions.  If the From tag,
    //# Call-ID, and CSeq exactly match those associated with an ongoing
    //# transaction, but the request does not match that transaction (based
    //# on the matching rules in Section 17.2.3), the UAS core SHOULD
    //# generate a 482 (Loop Detected) response and pass it to the server
    //# transaction.
    /// What a request that took another way would share with this one; `None` inside a dialog.
    pub(crate) fn merged(&self, request: &Request) -> Option<Fingerprint> {
        if request.to_tag().is_some() {
            return None;
        }
        let mut hash = self.hash();
        hash.part(request.from_tag().unwrap_or_default());
        hash.part(request.call_id());
        hash.number(request.cseq_number());
        hash.part(request.cseq_method());
        Some(hash.finish())
    }

    fn hash(&self) -> Hash {
        Hash(SipHasher13::new_with_keys(self.seed[0], self.seed[1]))
    }
}

fn has_cookie(branch: &[u8]) -> bool {
    branch.len() > MAGIC_COOKIE.len() && branch.starts_with(MAGIC_COOKIE)
}

/// A hash over parts that cannot run into each other.
struct Hash(SipHasher13);

impl Hash {
    fn part(&mut self, part: &[u8]) {
        self.0.write(part);
        self.0.write_usize(part.len());
    }

    fn number(&mut self, number: u32) {
        self.0.write_u32(number);
    }

    /// A host: names compare without case.
    fn lower(&mut self, host: &sip::Host<'_>) {
        match host {
            sip::Host::Name(name) => {
                for byte in *name {
                    self.0.write_u8(byte.to_ascii_lowercase());
                }
                self.0.write_usize(name.len());
            }
            sip::Host::V4(address) => self.part(&address.octets()),
            sip::Host::V6(address) => self.part(&address.octets()),
        }
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finish128().as_u128())
    }
}

/// Transactions by fingerprint.
#[derive(Debug)]
pub(crate) struct Index<T> {
    table: HashTable<(Fingerprint, T)>,
}

impl<T: Copy + PartialEq> Index<T> {
    pub(crate) const fn new() -> Self {
        Self {
            table: HashTable::new(),
        }
    }

    pub(crate) fn reserve(&mut self, transactions: usize) {
        self.table.reserve(transactions, |(one, _)| one.bucket());
    }

    pub(crate) fn get(&self, fingerprint: Fingerprint) -> Option<T> {
        self.table
            .find(fingerprint.bucket(), |(one, _)| *one == fingerprint)
            .map(|&(_, transaction)| transaction)
    }

    /// Adds a transaction, unless one has the fingerprint already: that one stays. So no number of
    /// requests that look the same makes a look-up slower.
    pub(crate) fn insert(&mut self, fingerprint: Fingerprint, transaction: T) {
        if self.get(fingerprint).is_some() {
            return;
        }
        self.table.insert_unique(
            fingerprint.bucket(),
            (fingerprint, transaction),
            |(one, _)| one.bucket(),
        );
    }

    pub(crate) fn remove(&mut self, fingerprint: Fingerprint, transaction: T) {
        let entry = self.table.find_entry(fingerprint.bucket(), |(one, of)| {
            *one == fingerprint && *of == transaction
        });
        if let Ok(entry) = entry {
            entry.remove();
        }
    }
}
