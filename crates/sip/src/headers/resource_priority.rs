//! Resource-Priority (RFC 4412, RFC 7135 for `esnet`): how urgent a call is to the network.

use std::fmt;

use super::{HeaderError, token, write_text};

/// One `namespace.priority`, such as `esnet.0`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResourcePriority<'a> {
    /// The namespace as written; compare without case.
    pub namespace: &'a [u8],
    /// The priority inside the namespace as written; compare without case.
    pub priority: &'a [u8],
}

impl<'a> ResourcePriority<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not two tokens with a dot between them.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        // Neither part may hold a dot (RFC 4412 §3.1: token-nodot).
        let dot = memchr::memchr(b'.', raw).ok_or(HeaderError::Missing)?;
        let (namespace, priority) = (&raw[..dot], &raw[dot + 1..]);
        if memchr::memchr(b'.', priority).is_some() {
            return Err(HeaderError::Token);
        }
        Ok(Self {
            namespace: token(namespace)?,
            priority: token(priority)?,
        })
    }
}

impl fmt::Display for ResourcePriority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.namespace)?;
        f.write_str(".")?;
        write_text(f, self.priority)
    }
}

impl fmt::Debug for ResourcePriority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tokens_with_a_dot() {
        let esnet = ResourcePriority::parse(b"esnet.0").unwrap();
        assert_eq!(
            (esnet.namespace, esnet.priority),
            (&b"esnet"[..], &b"0"[..])
        );
        assert_eq!(esnet.to_string(), "esnet.0");
        for bad in ["", "esnet", ".0", "esnet.", "a.b.c", "a b.c"] {
            assert!(ResourcePriority::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
