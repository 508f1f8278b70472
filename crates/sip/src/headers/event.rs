//! Event and Subscription-State (RFC 6665).

use std::fmt;

use crate::lexer::Params;

use super::{DeltaSeconds, HeaderError, split_params, token, write_text};

/// What a subscription is about: `refer;id=2`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates, such as `presence.winfo`, as written. Case matters
    /// (RFC 6665 §8.2.1).
    pub package: &'a [u8],
    /// `id` and others.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads the value of Event.
    ///
    /// # Errors
    /// [`HeaderError`] when the package is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (package, params) = split_params(value);
        Ok(Self {
            package: token(package)?,
            params,
        })
    }

    /// What tells this subscription from others in the same dialog.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.params.value("id")
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.package)?;
        fmt::Debug::fmt(&self.params, f)
    }
}

/// How a subscription stands. It prints itself as it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// The state.
    pub status: SubscriptionStatus<'a>,
    /// How long the subscription lasts.
    pub expires: Option<DeltaSeconds>,
    /// Why it was terminated: `timeout`, `noresource` and others, as written.
    pub reason: Option<&'a [u8]>,
    /// When to subscribe again.
    pub retry_after: Option<DeltaSeconds>,
}

/// The state in a [`SubscriptionState`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionStatus<'a> {
    /// The subscription is there.
    Active,
    /// Nobody has allowed it yet.
    Pending,
    /// It is over.
    Terminated,
    /// Another token, as written: to be taken for none of these.
    Other(&'a [u8]),
}

impl<'a> SubscriptionStatus<'a> {
    const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Active => b"active",
            Self::Pending => b"pending",
            Self::Terminated => b"terminated",
            Self::Other(other) => other,
        }
    }
}

impl fmt::Debug for SubscriptionStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.as_bytes())
    }
}

impl<'a> SubscriptionState<'a> {
    /// Reads the value of Subscription-State. A parameter that is no number is none.
    ///
    /// # Errors
    /// [`HeaderError`] when the state is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (status, params) = split_params(value);
        let status = token(status)?;
        let seconds = |name| {
            params
                .value(name)
                .and_then(|it| DeltaSeconds::parse(it).ok())
        };
        Ok(Self {
            status: [
                SubscriptionStatus::Active,
                SubscriptionStatus::Pending,
                SubscriptionStatus::Terminated,
            ]
            .into_iter()
            .find(|known| status.eq_ignore_ascii_case(known.as_bytes()))
            .unwrap_or(SubscriptionStatus::Other(status)),
            expires: seconds("expires"),
            reason: params.value("reason").filter(|it| token(it).is_ok()),
            retry_after: seconds("retry-after"),
        })
    }
}

impl fmt::Display for SubscriptionState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.status.as_bytes())?;
        if let Some(expires) = self.expires {
            write!(f, ";expires={expires}")?;
        }
        if let Some(reason) = self.reason {
            f.write_str(";reason=")?;
            write_text(f, reason)?;
        }
        match self.retry_after {
            Some(retry_after) => write!(f, ";retry-after={retry_after}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let ended = SubscriptionState {
            status: SubscriptionStatus::Terminated,
            expires: None,
            reason: Some(b"noresource"),
            retry_after: Some(DeltaSeconds(5)),
        };
        assert_eq!(
            ended.to_string(),
            "terminated;reason=noresource;retry-after=5"
        );
        assert_eq!(
            SubscriptionState::parse(ended.to_string().as_bytes()),
            Ok(ended)
        );
    }

    #[test]
    fn states_and_packages() {
        let active = SubscriptionState::parse(b"ACTIVE ; Expires=60").unwrap();
        assert_eq!(active.status, SubscriptionStatus::Active);
        assert_eq!(active.expires, Some(DeltaSeconds(60)));
        let other = SubscriptionState::parse(b"waiting;expires=soon").unwrap();
        assert_eq!(other.status, SubscriptionStatus::Other(b"waiting"));
        assert_eq!(other.expires, None);
        assert!(SubscriptionState::parse(b"").is_err());
        let event = Event::parse(b"presence.winfo;id=2").unwrap();
        assert_eq!(
            (event.package, event.id()),
            (&b"presence.winfo"[..], Some(&b"2"[..]))
        );
        assert!(Event::parse(b"two words").is_err());
    }
}
