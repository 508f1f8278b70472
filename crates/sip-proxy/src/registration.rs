//! What a REGISTER asks for, read and checked as far as that takes no look at the bindings.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{
    HeaderName, NameAddr, Request, UriBuf,
    headers::{Contact, ContactList, Contacts, DeltaSeconds, QValue},
};
use sip_transaction::Flow;

use crate::{
    binding::Binding,
    next_hop,
    registrar::RegistrarSettings,
    reply::{OPTION_OUTBOUND, OPTIONS, Refusal},
};

/// A REGISTER that makes sense by itself.
pub(crate) struct Registration {
    pub(crate) call_id: Bytes,
    pub(crate) cseq: u32,
    pub(crate) path: Vec<Bytes>,
    /// Whether it came from the phone itself, and no proxy lies between.
    pub(crate) is_direct: bool,
    pub(crate) outbound: Outbound,
    pub(crate) change: Change,
}

/// Whether a phone is reached over the flow that it registered by, and no other way (RFC 5626).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// It is: the phone supports it, and has named itself and its flow.
    Used,
    /// The phone is reached where its contact or its Path says.
    No,
}

/// The change that is asked for.
pub(crate) enum Change {
    /// None: the sender wants to know the bindings.
    Query,
    /// `Contact: *`: all bindings go.
    RemoveAll,
    /// These contacts, in their order.
    Contacts(Vec<ContactChange>),
}

/// The change of one contact.
pub(crate) enum ContactChange {
    /// To be bound from now on, in place of what it was bound to before.
    Bind(Binding),
    /// To be no longer bound.
    Remove(UriBuf),
}

impl Registration {
    /// Reads a REGISTER that came from `source`.
    pub(crate) fn read(
        now: Instant,
        request: &Request,
        source: Flow,
        settings: &RegistrarSettings,
    ) -> Result<Self, Refusal> {
        check_required(request)?;
        let path = read_path(request)?;
        let call_id = Bytes::copy_from_slice(request.call_id());
        let reader = ContactReader {
            now,
            request,
            source,
            settings,
            call_id: &call_id,
            path: &path,
            supports_outbound: request.supports(OPTION_OUTBOUND),
        };
        let change = match request.contacts() {
            Ok(Contacts::Star) => reader.read_star()?,
            Ok(Contacts::List(contacts)) => reader.read_list(&contacts)?,
            Err(_) => return Err(Refusal::StarNotAlone),
        };
        let outbound = match &change {
            Change::Contacts(changes) if reader.supports_outbound => Outbound::of(changes),
            _ => Outbound::No,
        };
        Ok(Self {
            cseq: request.cseq_number(),
            call_id,
            is_direct: is_direct(request, &path),
            path,
            outbound,
            change,
        })
    }
}

/// Whether a REGISTER came from the phone itself.
fn is_direct(request: &Request, path: &[Bytes]) -> bool {
    path.is_empty() && request.elements(HeaderName::Via).nth(1).is_none()
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
//# To guarantee that the registrar supports any necessary
//# extensions, the registrar MUST process the Require header field
//# values as described for UASs in Section 8.2.2.
fn check_required(request: &Request) -> Result<(), Refusal> {
    let unknown = request.unsupported_options(HeaderName::Require, &OPTIONS);
    let unknown: Vec<_> = unknown.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::BadExtension {
        unsupported: unknown.join(&b", "[..]),
    })
}

//= https://www.rfc-editor.org/rfc/rfc3327#section-5.3
//# However, the Path
//# mechanism should technically work in the absence of UA support (at
//# some compromise to security), so some registrars MAY choose to
//# support the extension in the absence of a Supported header field
//# value in the request.
/// The values of Path in their order. We are one of those registrars: a phone that is refused
/// rings for nobody, and without the Path it could not be reached either.
fn read_path(request: &Request) -> Result<Vec<Bytes>, Refusal> {
    let read = |raw: &[u8]| {
        let hop = NameAddr::parse(raw).ok()?;
        hop.uri().ok()?;
        Some(Bytes::copy_from_slice(raw))
    };
    let values = request.elements(HeaderName::Path);
    values.map(|raw| read(raw).ok_or(Refusal::Path)).collect()
}

/// Reads the Contacts of one request.
struct ContactReader<'a> {
    now: Instant,
    request: &'a Request,
    source: Flow,
    settings: &'a RegistrarSettings,
    call_id: &'a Bytes,
    path: &'a [Bytes],
    supports_outbound: bool,
}

impl Outbound {
    fn of(changes: &[ContactChange]) -> Self {
        let uses = |change: &ContactChange| match change {
            ContactChange::Bind(binding) => binding.device_flow().is_some(),
            ContactChange::Remove(_) => false,
        };
        if changes.iter().any(uses) {
            Self::Used
        } else {
            Self::No
        }
    }
}

impl ContactReader<'_> {
    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# If the request has additional Contact
    //# fields or an expiration time other than zero, the request is
    //# invalid, and the server MUST return a 400 (Invalid Request) and
    //# skip the remaining steps.
    fn read_star(&self) -> Result<Change, Refusal> {
        let is_zero = self.expires_header() == Some(DeltaSeconds(0));
        is_zero
            .then_some(Change::RemoveAll)
            .ok_or(Refusal::StarWithoutZero)
    }

    fn read_list(&self, contacts: &ContactList<'_>) -> Result<Change, Refusal> {
        let read = |contact: Result<Contact<'_>, _>| {
            self.read_contact(&contact.map_err(|_| Refusal::Contact)?)
        };
        let changes: Vec<_> = contacts.iter().map(read).collect::<Result<_, _>>()?;
        Ok(if changes.is_empty() {
            Change::Query
        } else {
            Change::Contacts(changes)
        })
    }

    fn read_contact(&self, contact: &Contact<'_>) -> Result<ContactChange, Refusal> {
        let raw = Bytes::copy_from_slice(contact.address.uri_bytes());
        let uri = UriBuf::new(raw).map_err(|_| Refusal::Contact)?;
        let lifetime = self.lifetime(self.requested_expires(contact))?;
        if lifetime.is_zero() {
            return Ok(ContactChange::Remove(uri));
        }
        if uri.as_uri().as_sip().is_none() {
            return Err(Refusal::ContactScheme);
        }
        let binding = self.bind(contact, uri, lifetime);
        if binding.kept_len() > self.settings.binding_len_max {
            return Err(Refusal::BindingLen);
        }
        Ok(ContactChange::Bind(binding))
    }

    fn bind(&self, contact: &Contact<'_>, uri: UriBuf, lifetime: Duration) -> Binding {
        let params = &contact.address.params;
        let reg_id = params.value("reg-id").and_then(sip::number);
        let instance = params.value("+sip.instance").map(Bytes::copy_from_slice);
        // RFC 5626 §5.3: what is for the contact goes over this flow, unless a proxy lies between.
        let is_outbound = self.supports_outbound && instance.is_some() && reg_id.is_some();
        let flow = if is_outbound && self.path.is_empty() {
            self.source
        } else {
            self.flow_to(&uri)
        };
        Binding {
            flow,
            contact: uri,
            q: contact.q().unwrap_or(QValue::MAX),
            expires_at: self.now + lifetime,
            call_id: self.call_id.clone(),
            cseq: self.request.cseq_number(),
            source: self.source,
            is_direct: is_direct(self.request, self.path),
            path: self.path.to_vec(),
            instance,
            reg_id,
        }
    }

    /// The first hop is the first proxy of Path, or else the phone itself.
    fn flow_to(&self, contact: &UriBuf) -> Flow {
        let via = self.request.top_via();
        let first = self.path.first();
        let proxy = first.and_then(|raw| NameAddr::parse(raw).ok()?.uri().ok());
        let hop = proxy.unwrap_or_else(|| contact.as_uri());
        next_hop::flow_to(&hop, &via, self.source)
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# If the field value has an "expires" parameter, that value
    //# MUST be taken as the requested expiration.
    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# If there is no such parameter, but the request has an
    //# Expires header field, that value MUST be taken as the
    //# requested expiration.
    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# If there is neither, a locally-configured default value MUST
    //# be taken as the requested expiration.
    fn requested_expires(&self, contact: &Contact<'_>) -> Duration {
        let asked = contact.expires().or_else(|| self.expires_header());
        asked.map_or(self.settings.expires_default, DeltaSeconds::duration)
    }

    /// The Expires header; a malformed one is an hour (RFC 3261 §20.19).
    fn expires_header(&self) -> Option<DeltaSeconds> {
        let value = self.request.header(HeaderName::Expires)?;
        Some(DeltaSeconds::parse(value).unwrap_or(EXPIRES_MALFORMED))
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
    //# The registrar MAY choose an expiration less than the requested
    //# expiration interval.  If and only if the requested expiration
    //# interval is greater than zero AND smaller than one hour AND
    //# less than a registrar-configured minimum, the registrar MAY
    //# reject the registration with a response of 423 (Interval Too
    //# Brief).
    fn lifetime(&self, requested: Duration) -> Result<Duration, Refusal> {
        let expires_min = self.settings.expires_min;
        if !requested.is_zero() && requested < expires_min && requested < NEVER_TOO_BRIEF {
            return Err(Refusal::IntervalTooBrief { expires_min });
        }
        Ok(requested.min(self.settings.expires_max))
    }
}

const EXPIRES_MALFORMED: DeltaSeconds = DeltaSeconds(3600);
const NEVER_TOO_BRIEF: Duration = Duration::from_secs(3600);
