//! Header field names: the known ones with their compact forms, matched without case.

use std::fmt;

macro_rules! header_names {
    ($($variant:ident, $name:literal $(, $compact:literal)?;)*) => {
        /// A header field's name. Names compare without case and a compact form is the same name
        /// (RFC 3261 §7.3.1 and §7.3.3). A name that is not listed is [`HeaderName::Other`]; its
        /// bytes stay in the message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $name, "`", $(" (compact `", $compact, "`)",)? ".")] $variant,)*
            /// Any name that is not in this list.
            Other,
        }

        impl HeaderName {
            /// Every name in this list.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)*];

            /// How each of them is printed.
            const WRITTEN: &'static [&'static str] = &[$($name,)*];

            /// The name as it is printed, or an empty string for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Other => "",
                    known => Self::WRITTEN[known as usize],
                }
            }

            /// The one-letter form, where there is one.
            pub const fn compact(self) -> Option<&'static str> {
                match self {
                    $($(Self::$variant => Some($compact),)?)*
                    _ => None,
                }
            }
        }
    };
}

header_names! {
    Accept, "Accept";
    AcceptEncoding, "Accept-Encoding";
    AcceptLanguage, "Accept-Language";
    AlertInfo, "Alert-Info";
    Allow, "Allow";
    AllowEvents, "Allow-Events", "u";
    AuthenticationInfo, "Authentication-Info";
    Authorization, "Authorization";
    CallId, "Call-ID", "i";
    CallInfo, "Call-Info";
    Contact, "Contact", "m";
    ContentDisposition, "Content-Disposition";
    ContentEncoding, "Content-Encoding", "e";
    ContentId, "Content-ID";
    ContentLanguage, "Content-Language";
    ContentLength, "Content-Length", "l";
    ContentType, "Content-Type", "c";
    CSeq, "CSeq";
    Date, "Date";
    Diversion, "Diversion";
    ErrorInfo, "Error-Info";
    Event, "Event", "o";
    Expires, "Expires";
    From, "From", "f";
    Geolocation, "Geolocation";
    GeolocationRouting, "Geolocation-Routing";
    HistoryInfo, "History-Info";
    Identity, "Identity", "y";
    InReplyTo, "In-Reply-To";
    MaxForwards, "Max-Forwards";
    MimeVersion, "MIME-Version";
    MinExpires, "Min-Expires";
    MinSe, "Min-SE";
    Organization, "Organization";
    PAssertedIdentity, "P-Asserted-Identity";
    PPreferredIdentity, "P-Preferred-Identity";
    Path, "Path";
    Priority, "Priority";
    Privacy, "Privacy";
    ProxyAuthenticate, "Proxy-Authenticate";
    ProxyAuthorization, "Proxy-Authorization";
    ProxyRequire, "Proxy-Require";
    RAck, "RAck";
    Reason, "Reason";
    RecordRoute, "Record-Route";
    ReferTo, "Refer-To", "r";
    ReferredBy, "Referred-By", "b";
    Replaces, "Replaces";
    ReplyTo, "Reply-To";
    Require, "Require";
    ResourcePriority, "Resource-Priority";
    RetryAfter, "Retry-After";
    Route, "Route";
    RSeq, "RSeq";
    Server, "Server";
    ServiceRoute, "Service-Route";
    SessionExpires, "Session-Expires", "x";
    Subject, "Subject", "s";
    SubscriptionState, "Subscription-State";
    Supported, "Supported", "k";
    Timestamp, "Timestamp";
    To, "To", "t";
    Unsupported, "Unsupported";
    UserAgent, "User-Agent";
    UserToUser, "User-to-User";
    Via, "Via", "v";
    Warning, "Warning";
    WwwAuthenticate, "WWW-Authenticate";
}

/// At the slot of each known name its place in [`HeaderName::KNOWN`].
static SLOTS: [u8; SLOT_COUNT] = {
    let mut slots = [FREE; SLOT_COUNT];
    let mut index: u8 = 0;
    while (index as usize) < HeaderName::KNOWN.len() {
        let name = HeaderName::KNOWN[index as usize].as_str();
        let slot = slot(name.as_bytes());
        assert!(
            slots[slot] == FREE,
            "two names share a slot: try other factors"
        );
        slots[slot] = index;
        index += 1;
    }
    slots
};

const SLOT_COUNT: usize = 256;
const FREE: u8 = u8::MAX;

/// A hash of a name that is not empty, the same in any case. No two known names share one: the factors were
/// found by trying.
const fn slot(name: &[u8]) -> usize {
    let (first, middle, last) = (name[0], name[name.len() / 2], name[name.len() - 1]);
    let parts = [
        183 * name.len(),
        76 * lower(first),
        117 * lower(middle),
        180 * lower(last),
    ];
    (parts[0] + parts[1] + parts[2] + parts[3]) % SLOT_COUNT
}

/// A letter of either case, or a `-`, is one number.
const fn lower(byte: u8) -> usize {
    (byte | 0x20) as usize
}

impl HeaderName {
    /// The name that these bytes spell, in any case and in long or compact form.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        if let [letter] = name {
            return Self::of_compact(letter.to_ascii_lowercase());
        }
        if name.is_empty() {
            return Self::Other;
        }
        let place = usize::from(SLOTS[slot(name)]);
        let Some(known) = Self::KNOWN.get(place) else {
            return Self::Other;
        };
        let usual = Self::WRITTEN[place].as_bytes();
        // Nearly all write it as the RFCs do, and that is seen at once.
        if usual == name || usual.eq_ignore_ascii_case(name) {
            *known
        } else {
            Self::Other
        }
    }

    const fn of_compact(letter: u8) -> Self {
        match letter {
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            b'y' => Self::Identity,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for &name in HeaderName::KNOWN {
            let written = name.as_str();
            assert_eq!(HeaderName::of(written.as_bytes()), name, "{written}");
            assert_eq!(
                HeaderName::of(written.to_uppercase().as_bytes()),
                name,
                "{written}"
            );
            if let Some(compact) = name.compact() {
                assert_eq!(HeaderName::of(compact.as_bytes()), name, "{compact}");
                assert_eq!(
                    HeaderName::of(compact.to_uppercase().as_bytes()),
                    name,
                    "{compact}"
                );
            }
        }
    }

    #[test]
    fn other_names_are_other() {
        for name in [
            "",
            "z",
            "Vias",
            "X-Custom",
            "Via ",
            "A-Name-That-Is-Longer-Than-Any-Known-One",
        ] {
            assert_eq!(HeaderName::of(name.as_bytes()), HeaderName::Other, "{name}");
        }
    }
}
