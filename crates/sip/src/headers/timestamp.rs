//! Timestamp (RFC 3261 §20.38): a client measures the round trip.

use crate::lexer;

use super::HeaderError;

/// When a request was sent, by its sender's clock. A 100 gives it back (RFC 3261 §8.2.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp<'a> {
    /// The sender's time as written, to be given back as it is.
    pub sent: &'a [u8],
    /// How long the server took, in seconds with decimals, as written.
    pub delay: Option<&'a [u8]>,
}

impl<'a> Timestamp<'a> {
    /// Reads the value of Timestamp.
    ///
    /// # Errors
    /// [`HeaderError`] when either part is no decimal number.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let value = lexer::trim(value);
        let space = value.iter().copied().position(lexer::is_lws);
        let (sent, delay) = value.split_at(space.unwrap_or(value.len()));
        let delay = Some(lexer::trim(delay)).filter(|delay| !delay.is_empty());
        let decimal = |value: &'a [u8]| {
            is_decimal(value)
                .then_some(value)
                .ok_or(HeaderError::Number)
        };
        Ok(Self {
            sent: decimal(sent)?,
            delay: delay.map(decimal).transpose()?,
        })
    }
}

/// Digits, and perhaps a dot and digits.
fn is_decimal(value: &[u8]) -> bool {
    let (whole, decimals) = lexer::split_once(value, b'.');
    let is_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    is_digits(whole)
        && is_digits(decimals.unwrap_or_default())
        && value.iter().any(|it| *it != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_with_and_without_a_delay() {
        let both = Timestamp::parse(b"54.21  0.003").unwrap();
        assert_eq!(
            (both.sent, both.delay),
            (&b"54.21"[..], Some(&b"0.003"[..]))
        );
        assert_eq!(Timestamp::parse(b"54").map(|it| it.delay), Ok(None));
        for bad in ["", ".", "x", "5.4.3", "5 x", "-1"] {
            assert!(Timestamp::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
