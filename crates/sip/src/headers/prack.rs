//! RSeq and RAck: reliable provisional responses (RFC 3262).

use std::fmt;

use crate::{CSeq, lexer};

use super::{HeaderError, number};

/// The number of a reliable provisional response. It prints itself as it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RSeq(
    /// 1 to 2^32 - 1.
    pub u32,
);

impl RSeq {
    /// Reads the value of RSeq.
    ///
    /// # Errors
    /// [`HeaderError`] when it is no number from 1 to 2^32 - 1.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        match number(lexer::trim(value))? {
            0 => Err(HeaderError::Number),
            response => Ok(Self(response)),
        }
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which provisional response a PRACK acknowledges. It prints itself as it is written on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the response.
    pub response: RSeq,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads the value of RAck.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not two numbers and a method.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let value = lexer::trim(value);
        let space = value.iter().copied().position(lexer::is_lws);
        let (response, cseq) = value.split_at(space.ok_or(HeaderError::Missing)?);
        Ok(Self {
            response: RSeq::parse(response)?,
            cseq: CSeq::parse(lexer::trim_start(cseq)).ok_or(HeaderError::Number)?,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CSeq { number, method } = &self.cseq;
        write!(f, "{} {number} {method}", self.response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn what_is_printed_is_read() {
        let rack = RAck {
            response: RSeq(776_656),
            cseq: CSeq {
                number: 1,
                method: Method::Invite,
            },
        };
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        assert_eq!(RAck::parse(b"776656 \t1\r\n INVITE"), Ok(rack));
    }

    #[test]
    fn wrong_values_are_refused() {
        for bad in [
            "",
            "1",
            "1 2",
            "0 1 INVITE",
            "4294967296 1 INVITE",
            "1 x INVITE",
        ] {
            assert!(RAck::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in ["", "0", "-1", "4294967296"] {
            assert!(RSeq::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
