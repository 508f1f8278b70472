//! A binding: one place where an address-of-record can be reached, for a time.

use std::{fmt, time::Instant};

use bytes::Bytes;
use sip::{UriBuf, headers::QValue};
use sip_transaction::Flow;

/// An address-of-record, as a handle that the registrar's owner chose for it. The owner has found
/// the To of a REGISTER to be one that it knows (RFC 3261 §10.3, step 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aor(u32);

impl Aor {
    /// The address-of-record that the owner calls by this number.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The owner's number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// One contact of an address-of-record, and what it takes to reach it. `Debug` shows no user part
/// and no identifier of a device.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// The contact: the Request-URI of what is sent there.
    pub contact: UriBuf,
    /// The phone's preference among its contacts; 1 where it gave none.
    pub q: QValue,
    /// When the binding ends unless it is refreshed.
    pub expires_at: Instant,
    /// Call-ID of the REGISTER that made or last refreshed it.
    pub call_id: Bytes,
    /// CSeq number of that REGISTER.
    pub cseq: u32,
    /// Where requests to the contact are sent: the contact's own address, or, where a NAT or a
    /// connection lies between, where the REGISTER came from.
    pub flow: Flow,
    /// Where the REGISTER came from (the `received` of other registrars).
    pub source: Flow,
    /// Whether the REGISTER came from the phone itself, and no proxy lies between. Not written down: of a process before this
    /// one it is known by Path alone.
    pub is_direct: bool,
    /// The values of Path, to be sent as Route in this order (RFC 3327 §5.3); often empty.
    pub path: Vec<Bytes>,
    /// The `+sip.instance` parameter as written, quotes included: which device it is
    /// (RFC 5626 §4.1).
    pub instance: Option<Bytes>,
    /// The `reg-id` parameter: which of the device's flows it is (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
}

impl Binding {
    /// The flow that leads to it and nobody else, if it has registered from there.
    pub(crate) fn own_flow(&self) -> Option<Flow> {
        (self.is_direct && self.flow == self.source).then_some(self.flow)
    }

    /// Which flow of which device it is (RFC 5626 §6), where the phone has said both.
    pub(crate) fn device_flow(&self) -> Option<(&[u8], u32)> {
        Some((self.instance.as_deref()?, self.reg_id?))
    }

    /// Bytes that the network chose and that are kept with the binding.
    pub(crate) fn kept_len(&self) -> usize {
        let path_len: usize = self.path.iter().map(Bytes::len).sum();
        let instance_len = self.instance.as_ref().map_or(0, Bytes::len);
        self.contact.as_bytes().len() + self.call_id.len() + path_len + instance_len
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("contact", &self.contact)
            .field("q", &self.q)
            .field("expires_at", &self.expires_at)
            .field("cseq", &self.cseq)
            .field("flow", &self.flow)
            .field("source", &self.source)
            .field("path_len", &self.path.len())
            .finish_non_exhaustive()
    }
}
