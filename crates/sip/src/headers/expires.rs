//! Delta-seconds, as in Expires, Min-Expires and parameters (RFC 3261 §20.19).

use std::{fmt, time::Duration};

use crate::lexer;

use super::HeaderError;

/// A number of seconds. One that is larger than 2^32 - 1 is read as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeltaSeconds(
    /// Seconds.
    pub u32,
);

impl DeltaSeconds {
    /// Reads a number of seconds. White space around it does not matter.
    ///
    /// # Errors
    /// [`HeaderError`] when it is no number. RFC 3261 §20.10 and §20.19 take a malformed
    /// expiry for 3600.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let value = lexer::trim(value);
        if value.is_empty() {
            return Err(HeaderError::Missing);
        }
        if !value.iter().all(u8::is_ascii_digit) {
            return Err(HeaderError::Number);
        }
        // Only digits: what does not fit is too large.
        Ok(Self(lexer::number(value).unwrap_or(u32::MAX)))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for DeltaSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_clamped_and_others_refused() {
        assert_eq!(DeltaSeconds::parse(b" 0060 "), Ok(DeltaSeconds(60)));
        assert_eq!(
            DeltaSeconds::parse(b"1000000000000000000000000"),
            Ok(DeltaSeconds(u32::MAX))
        );
        assert_eq!(DeltaSeconds(u32::MAX).duration().as_secs(), 4_294_967_295);
        for bad in ["", "-1", "1h", "1.5"] {
            assert!(DeltaSeconds::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
