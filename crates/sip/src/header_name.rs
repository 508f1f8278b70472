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

            /// The name as it is printed, or an empty string for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// The one-letter form, where there is one.
            pub const fn compact(self) -> Option<&'static str> {
                match self {
                    $($(Self::$variant => Some($compact),)?)*
                    _ => None,
                }
            }

            fn from_lower(lower: &[u8]) -> Self {
                LOWER.with_known(lower)
            }
        }

        const SORTED_LEN: usize = HeaderName::KNOWN.len();
        static LOWER: Table = Table::new(&[$(($name, HeaderName::$variant),)*]);
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

/// The longest known name; a longer one is `Other` without a look-up.
const NAME_LEN_MAX: usize = 24;

/// Known names in lower case, sorted by (length, bytes) at compile time for a binary search.
struct Table {
    entries: [(([u8; NAME_LEN_MAX], usize), HeaderName); SORTED_LEN],
}

impl Table {
    const fn new(names: &[(&str, HeaderName)]) -> Self {
        let mut entries = [(([0; NAME_LEN_MAX], 0), HeaderName::Other); SORTED_LEN];
        let mut i = 0;
        while i < names.len() {
            let (name, variant) = names[i];
            let bytes = name.as_bytes();
            let mut lower = [0; NAME_LEN_MAX];
            let mut j = 0;
            while j < bytes.len() {
                lower[j] = bytes[j].to_ascii_lowercase();
                j += 1;
            }
            let mut at = i;
            while at > 0 && less(&lower, bytes.len(), &entries[at - 1].0) {
                entries[at] = entries[at - 1];
                at -= 1;
            }
            entries[at] = ((lower, bytes.len()), variant);
            i += 1;
        }
        Self { entries }
    }

    fn with_known(&self, lower: &[u8]) -> HeaderName {
        self.entries
            .binary_search_by(|((name, len), _)| {
                len.cmp(&lower.len()).then_with(|| name[..*len].cmp(lower))
            })
            .map_or(HeaderName::Other, |at| self.entries[at].1)
    }
}

/// `(len, bytes)` order, usable while the table is built at compile time.
const fn less(a: &[u8; NAME_LEN_MAX], a_len: usize, b: &([u8; NAME_LEN_MAX], usize)) -> bool {
    if a_len != b.1 {
        return a_len < b.1;
    }
    let mut i = 0;
    while i < a_len {
        if a[i] != b.0[i] {
            return a[i] < b.0[i];
        }
        i += 1;
    }
    false
}

impl HeaderName {
    /// The name that these bytes spell, in any case and in long or compact form.
    pub fn of(name: &[u8]) -> Self {
        if let [letter] = name {
            return Self::of_compact(letter.to_ascii_lowercase());
        }
        if name.len() > NAME_LEN_MAX {
            return Self::Other;
        }
        let mut lower = [0; NAME_LEN_MAX];
        let lower = &mut lower[..name.len()];
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Self::from_lower(lower)
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
