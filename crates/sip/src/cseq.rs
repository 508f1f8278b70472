//! CSeq: the order of requests inside a dialog (RFC 3261 §20.16).

use bytes::Bytes;

use crate::{Method, lexer};

/// A sequence number and the method that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Less than 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads a CSeq value.
    ///
    /// Returns `None` when it is not a number under 2^31 and a method.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (number, method) = split(value)?;
        let method =
            Method::known(method).unwrap_or_else(|| Method::Other(Bytes::copy_from_slice(method)));
        Some(Self { number, method })
    }
}

/// Number and method name of a CSeq value.
pub(crate) fn split(value: &[u8]) -> Option<(u32, &[u8])> {
    let space = value.iter().copied().position(lexer::is_lws)?;
    let number = lexer::number::<u32>(&value[..space]).filter(|&number| number < 1 << 31)?;
    let method = lexer::trim(&value[space..]);
    lexer::is_token_str(method).then_some((number, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_folds_and_leading_zeros() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
        assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        for bad in [
            "2147483648 INVITE",
            "36893488147419103232 REGISTER",
            "1",
            "INVITE 1",
            "-1 ACK",
            "1 IN VITE",
        ] {
            assert_eq!(CSeq::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
