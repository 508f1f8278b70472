//! Typed headers, asked of a message. What cannot be read is left out: an unreadable optional
//! header never refuses a call. Who must know that it was wrong parses
//! [`Message::header`] himself.

use crate::{
    HeaderName, Limits, Message,
    multipart::{Multipart, MultipartError, Part},
    name_addr::{NameAddr, NameAddrError},
};

use super::{
    CallInfo, Challenge, Contacts, ContentDisposition, ContentType, Credentials, DeltaSeconds,
    Diversion, Event, Geolocation, HeaderError, HistoryEntry, MinSe, Privacy, PrivacyKind, RAck,
    RSeq, Reason, ReferTo, ReferredBy, Replaces, ResourcePriority, RetryAfter, SessionExpires,
    SubscriptionState, Timestamp, Tokens, UserToUser, Warning,
};

/// Headers that have one value.
macro_rules! single {
    ($($(#[$doc:meta])* $accessor:ident: $name:ident => $type:ty;)*) => {
        impl Message {
            $($(#[$doc])*
            ///
            /// `None` when it is not there or cannot be read.
            pub fn $accessor(&self) -> Option<$type> {
                <$type>::parse(self.header(HeaderName::$name)?).ok()
            })*
        }
    };
}

/// Headers that are comma-joined lists.
macro_rules! list {
    ($($(#[$doc:meta])* $accessor:ident: $name:ident => $type:ident;)*) => {
        impl Message {
            $($(#[$doc])*
            ///
            /// In their order; elements that cannot be read are left out.
            pub fn $accessor(&self) -> impl Iterator<Item = $type<'_>> + Clone {
                self.elements(HeaderName::$name).filter_map(|raw| $type::parse(raw).ok())
            })*
        }
    };
}

single! {
    /// Content-Type.
    content_type: ContentType => ContentType<'_>;
    /// Content-Disposition.
    content_disposition: ContentDisposition => ContentDisposition<'_>;
    /// Expires, in seconds.
    expires: Expires => DeltaSeconds;
    /// Min-Expires, in seconds.
    min_expires: MinExpires => DeltaSeconds;
    /// Session-Expires.
    session_expires: SessionExpires => SessionExpires;
    /// Min-SE.
    min_se: MinSe => MinSe;
    /// Refer-To.
    refer_to: ReferTo => ReferTo<'_>;
    /// Referred-By.
    referred_by: ReferredBy => ReferredBy<'_>;
    /// Replaces.
    replaces: Replaces => Replaces<'_>;
    /// Event.
    event: Event => Event<'_>;
    /// Subscription-State.
    subscription_state: SubscriptionState => SubscriptionState<'_>;
    /// Retry-After.
    retry_after: RetryAfter => RetryAfter;
    /// RSeq.
    rseq: RSeq => RSeq;
    /// RAck.
    rack: RAck => RAck;
    /// Timestamp.
    timestamp: Timestamp => Timestamp<'_>;
}

list! {
    /// P-Asserted-Identity: who the trusted network says that the caller is (RFC 3325).
    asserted_identities: PAssertedIdentity => NameAddr;
    /// P-Preferred-Identity: who the caller would like to be (RFC 3325).
    preferred_identities: PPreferredIdentity => NameAddr;
    /// History-Info.
    history: HistoryInfo => HistoryEntry;
    /// Diversion; the latest comes first.
    diversions: Diversion => Diversion;
    /// Reason.
    reasons: Reason => Reason;
    /// Resource-Priority.
    resource_priorities: ResourcePriority => ResourcePriority;
    /// Call-Info.
    call_infos: CallInfo => CallInfo;
    /// Geolocation.
    geolocations: Geolocation => Geolocation;
    /// User-to-User.
    user_to_user: UserToUser => UserToUser;
    /// Warning.
    warnings: Warning => Warning;
}

impl Message {
    /// The Contacts.
    ///
    /// # Errors
    /// [`HeaderError::Token`] when `*` stands beside another Contact.
    pub fn contacts(&self) -> Result<Contacts<'_>, HeaderError> {
        Contacts::of(self)
    }

    /// The Route set, first hop first. A route that cannot be read must not be left out: the
    /// message would go another way than its sender meant.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, NameAddrError>> + Clone {
        self.elements(HeaderName::Route).map(NameAddr::parse)
    }

    /// Record-Route, the last proxy first.
    pub fn record_routes(
        &self,
    ) -> impl Iterator<Item = Result<NameAddr<'_>, NameAddrError>> + Clone {
        self.elements(HeaderName::RecordRoute).map(NameAddr::parse)
    }

    /// Path (RFC 3327), first hop first.
    pub fn path(&self) -> impl Iterator<Item = Result<NameAddr<'_>, NameAddrError>> + Clone {
        self.elements(HeaderName::Path).map(NameAddr::parse)
    }

    /// The tokens of all headers of this name: option tags, methods, codings.
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        self.header_values(name).flat_map(Tokens::new)
    }

    /// Whether Supported or Require names this option: who requires it supports it.
    pub fn supports(&self, option: &str) -> bool {
        self.lists(HeaderName::Supported, option) || self.requires(option)
    }

    /// Whether Require names this option.
    pub fn requires(&self, option: &str) -> bool {
        self.lists(HeaderName::Require, option)
    }

    /// What Require, or Proxy-Require, asks for beyond the options that are known: what a 420
    /// lists as Unsupported (RFC 3261 §8.2.2.3).
    pub fn unsupported_options<'a>(
        &'a self,
        name: HeaderName,
        known: &'a [&str],
    ) -> impl Iterator<Item = &'a [u8]> {
        self.tokens(name).filter(move |option| {
            !known
                .iter()
                .any(|known| option.eq_ignore_ascii_case(known.as_bytes()))
        })
    }

    /// Whether this kind of privacy is asked for (RFC 3323).
    pub fn asks_privacy(&self, kind: PrivacyKind) -> bool {
        self.header_values(HeaderName::Privacy)
            .any(|value| Privacy::parse(value).has(kind))
    }

    /// The challenges in headers of this name: WWW-Authenticate or Proxy-Authenticate.
    pub fn challenges(&self, name: HeaderName) -> impl Iterator<Item = Challenge<'_>> {
        self.header_values(name)
            .filter_map(|value| Challenge::parse(value).ok())
    }

    /// The credentials in headers of this name: Authorization or Proxy-Authorization.
    pub fn credentials(&self, name: HeaderName) -> impl Iterator<Item = Credentials<'_>> {
        self.header_values(name)
            .filter_map(|value| Credentials::parse(value).ok())
    }

    /// The parts of a multipart body.
    ///
    /// # Errors
    /// [`MultipartError`] when the body is not multipart, or has no usable boundary.
    pub fn parts<'a>(&'a self, limits: &'a Limits) -> Result<Multipart<'a>, MultipartError> {
        let content_type = self.content_type().ok_or(MultipartError::NotMultipart)?;
        Multipart::new(&content_type, self.body_bytes(), limits)
    }

    /// The part of a multipart body with this Content-ID, such as the location that a
    /// [`Geolocation::content_id`] names.
    pub fn part_by_content_id<'a>(&'a self, id: &[u8], limits: &'a Limits) -> Option<Part<'a>> {
        self.parts(limits)
            .ok()?
            .map_while(Result::ok)
            .find(|part| part.content_id() == Some(id))
    }

    fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name)
            .any(|one| one.eq_ignore_ascii_case(token.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &str, body: &str) -> Message {
        let text = format!("INVITE sip:15@h SIP/2.0\r\n{head}\r\n{body}");
        Message::parse(text.into(), &Limits::default()).unwrap()
    }

    #[test]
    fn options_are_found_over_lines_forms_and_case() {
        let invite = message(
            "k: timer, 100rel\r\nRequire: Foo\r\nSupported: replaces\r\nRequire: bar, foo\r\n",
            "",
        );
        for option in ["timer", "100REL", "replaces", "foo"] {
            assert!(invite.supports(option), "{option}");
        }
        assert!(invite.requires("bar") && !invite.requires("timer"));
        let unknown: Vec<_> = invite
            .unsupported_options(HeaderName::Require, &["foo"])
            .collect();
        assert_eq!(unknown, [b"bar"]);
    }

    #[test]
    fn a_location_by_value_is_found_in_the_body() {
        let limits = Limits::default();
        let invite = message(
            "Geolocation: <cid:loc%40h>, <https://lis.example/1>\r\n\
             Content-Type: multipart/mixed;boundary=b\r\n",
            "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\n\
             Content-ID: <loc@h>\r\n\r\n<presence/>\r\n--b--\r\n",
        );
        let ids: Vec<_> = invite
            .geolocations()
            .filter_map(|it| it.content_id())
            .collect();
        assert_eq!(ids.len(), 1);
        let part = invite.part_by_content_id(&ids[0], &limits).unwrap();
        assert_eq!(part.body(), b"<presence/>");
        assert!(invite.part_by_content_id(b"other@h", &limits).is_none());
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_routes_are_not() {
        let invite = message(
            "P-Asserted-Identity: <tel:+33369670015>, <broken\r\nSession-Expires: soon\r\n\
             Route: <sip:a;lr>, broken>, <sip:b;lr>\r\nPrivacy: id\r\nPrivacy: user;critical\r\n",
            "",
        );
        assert_eq!(invite.asserted_identities().count(), 1);
        assert_eq!(invite.session_expires(), None);
        assert_eq!(invite.routes().count(), 3);
        assert!(invite.asks_privacy(PrivacyKind::Id) && invite.asks_privacy(PrivacyKind::Critical));
        assert!(!invite.asks_privacy(PrivacyKind::Header));
    }
}
