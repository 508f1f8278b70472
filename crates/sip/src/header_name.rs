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

/// The longest known name; a longer one is `Other` without a look-up.
const NAME_LEN_MAX: usize = 24;

/// Places of the table: four times as many as there are names, so that most are found at the first.
const PLACES: usize = 256;

/// Known names by what [`place`] makes of them; a name whose place is taken has the next that is free.
static TABLE: [HeaderName; PLACES] = {
    let mut table = [HeaderName::Other; PLACES];
    let mut i = 0;
    while i < HeaderName::KNOWN.len() {
        let name = HeaderName::KNOWN[i];
        let mut at = place(name.as_str().as_bytes());
        while !matches!(table[at], HeaderName::Other) {
            at = (at + 1) % PLACES;
        }
        table[at] = name;
        i += 1;
    }
    table
};

/// Where to look for a name that is not empty. Letters count without their case.
const fn place(name: &[u8]) -> usize {
    let len = name.len();
    let first = (name[0] | 0x20) as usize;
    let middle = (name[len / 2] | 0x20) as usize;
    let last = (name[len - 1] | 0x20) as usize;
    (len * 7 + first * 13 + middle * 31 + last * 3) % PLACES
}

impl HeaderName {
    /// The name that these bytes spell, in any case and in long or compact form.
    pub fn of(name: &[u8]) -> Self {
        match name {
            [] => return Self::Other,
            [letter] => return Self::of_compact(letter.to_ascii_lowercase()),
            _ if name.len() > NAME_LEN_MAX => return Self::Other,
            _ => {}
        }
        let mut at = place(name);
        loop {
            let known = TABLE[at];
            if known == Self::Other || known.as_str().as_bytes().eq_ignore_ascii_case(name) {
                return known;
            }
            at = (at + 1) % PLACES;
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
