//! Session-Expires and Min-SE (RFC 4028).

use std::fmt;

use super::{DeltaSeconds, HeaderError, split_params};

/// How long a session lasts without a refresh, and who refreshes. It prints itself as it is
/// written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval.
    pub interval: DeltaSeconds,
    /// Who sends the refreshes, where that is settled.
    pub refresher: Option<Refresher>,
}

/// The side of the transaction that refreshes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The one who sent the request.
    Uac,
    /// The one who answered it.
    Uas,
}

impl Refresher {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

impl SessionExpires {
    /// Reads the value of Session-Expires. A refresher that is neither side is none.
    ///
    /// # Errors
    /// [`HeaderError`] when the interval is no number.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let (interval, params) = split_params(value);
        let refresher = params.value("refresher").and_then(|value| {
            [Refresher::Uac, Refresher::Uas]
                .into_iter()
                .find(|side| value.eq_ignore_ascii_case(side.as_str().as_bytes()))
        });
        Ok(Self {
            interval: DeltaSeconds::parse(interval)?,
            refresher,
        })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        match self.refresher {
            Some(side) => write!(f, ";refresher={}", side.as_str()),
            None => Ok(()),
        }
    }
}

/// The shortest session interval that is taken; at least 90 s (RFC 4028 §5). It prints itself as
/// it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinSe(
    /// The interval.
    pub DeltaSeconds,
);

impl MinSe {
    /// What holds when nobody says otherwise.
    pub const DEFAULT: Self = Self(DeltaSeconds(90));

    /// Reads the value of Min-SE; parameters are skipped.
    ///
    /// # Errors
    /// [`HeaderError`] when it is no number.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        DeltaSeconds::parse(split_params(value).0).map(Self)
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for refresher in [None, Some(Refresher::Uac), Some(Refresher::Uas)] {
            let timer = SessionExpires {
                interval: DeltaSeconds(1800),
                refresher,
            };
            assert_eq!(
                SessionExpires::parse(timer.to_string().as_bytes()),
                Ok(timer)
            );
        }
        assert_eq!(
            MinSe::parse(MinSe::DEFAULT.to_string().as_bytes()),
            Ok(MinSe::DEFAULT)
        );
    }

    #[test]
    fn odd_values() {
        let timer = SessionExpires::parse(b"1800 ; Refresher=UAS;x").unwrap();
        assert_eq!(timer.refresher, Some(Refresher::Uas));
        assert_eq!(
            SessionExpires::parse(b"90;refresher=me").map(|it| it.refresher),
            Ok(None)
        );
        assert!(SessionExpires::parse(b";refresher=uac").is_err());
        assert_eq!(MinSe::parse(b"60;lr"), Ok(MinSe(DeltaSeconds(60))));
    }
}
