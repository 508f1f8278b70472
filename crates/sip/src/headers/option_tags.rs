//! Lists of tokens: Require, Supported, Unsupported, Proxy-Require, Allow, Allow-Events,
//! Content-Encoding, Accept-Encoding (RFC 3261 §19.2).

use crate::lexer::{self, Elements};

/// The tokens of a comma-joined value in their order. An element with parameters is its token;
/// what is no token is skipped.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    elements: Elements<'a>,
}

impl<'a> Tokens<'a> {
    /// Splits a raw header value.
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            elements: Elements::new(value),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.elements.find_map(|element| {
            let token = lexer::trim_end(lexer::split_once(element, b';').0);
            lexer::is_token_str(token).then_some(token)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_is_skipped() {
        let tokens: Vec<_> = Tokens::new(b" 100rel,\r\n timer, , a b, gzip;q=0.5,\"x\"").collect();
        assert_eq!(tokens, [&b"100rel"[..], b"timer", b"gzip"]);
    }
}
