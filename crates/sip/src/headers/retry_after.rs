//! Retry-After (RFC 3261 §20.33).

use std::fmt;

use crate::lexer;

use super::{DeltaSeconds, HeaderError};

/// When to try again. It prints itself as it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Not before this time from now.
    pub delay: DeltaSeconds,
    /// How long the peer will be there from then on.
    pub duration: Option<DeltaSeconds>,
}

impl RetryAfter {
    /// After this many seconds.
    pub const fn seconds(delay: u32) -> Self {
        Self {
            delay: DeltaSeconds(delay),
            duration: None,
        }
    }

    /// Reads the value of Retry-After; a comment in it is skipped.
    ///
    /// # Errors
    /// [`HeaderError`] when it does not start with a number.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let digits = value
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let delay = DeltaSeconds::parse(&value[..digits])?;
        let mut rest = lexer::trim_start(&value[digits..]);
        if rest.first() == Some(&b'(') {
            rest = lexer::trim_start(&rest[comment_len(rest)..]);
        }
        match rest {
            [] | [b';', ..] => {}
            _ => return Err(HeaderError::Number),
        }
        let duration = lexer::Params::new(rest).value("duration");
        Ok(Self {
            delay,
            duration: duration.map(DeltaSeconds::parse).transpose()?,
        })
    }
}

/// The length of the comment, with those inside it, that the value starts with.
fn comment_len(value: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    value.len()
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.delay)?;
        self.duration
            .map_or(Ok(()), |duration| write!(f, ";duration={duration}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_durations() {
        let retry =
            RetryAfter::parse(b"120 (in a (very; \\) long) meeting) ;duration=3600").unwrap();
        assert_eq!(retry.delay, DeltaSeconds(120));
        assert_eq!(retry.duration, Some(DeltaSeconds(3600)));
        assert_eq!(retry.to_string(), "120;duration=3600");
        assert_eq!(RetryAfter::parse(b"5"), Ok(RetryAfter::seconds(5)));
        assert_eq!(RetryAfter::parse(b"5 (open"), Ok(RetryAfter::seconds(5)));
        for bad in ["", "soon", "5 minutes", "(x) 5", "5;duration=x"] {
            assert!(RetryAfter::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
