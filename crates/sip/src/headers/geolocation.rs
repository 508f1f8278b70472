//! Geolocation and Geolocation-Routing (RFC 6442): where the caller is, by value or by reference.

use std::borrow::Cow;

use crate::{escape, lexer::Params, pii::Pii};

use super::{HeaderError, call_info::bracketed};

/// One location: the URI of a body part that holds it, or of a server that knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geolocation<'a> {
    /// The URI as written: `cid:`, `sips:`, `https:` and others.
    pub uri: Pii<&'a [u8]>,
    /// Parameters of the header.
    pub params: Params<'a>,
}

impl<'a> Geolocation<'a> {
    /// Reads one element of Geolocation.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not `<uri>` and parameters.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let (uri, params) = bracketed(raw)?;
        Ok(Self {
            uri: Pii::new(uri),
            params,
        })
    }

    /// For a location by value, the Content-ID of the body part that holds it, without brackets
    /// (RFC 2392). See [`crate::Message::part_by_content_id`].
    pub fn content_id(&self) -> Option<Cow<'a, [u8]>> {
        let uri: &'a [u8] = self.uri.into_exposed();
        let scheme = uri.get(..4)?;
        scheme
            .eq_ignore_ascii_case(b"cid:")
            .then(|| escape::decode(&uri[4..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_by_value_names_its_body_part() {
        let by_value = Geolocation::parse(b"<cid:target123%40atlanta.example.com>").unwrap();
        assert_eq!(
            by_value.content_id().as_deref(),
            Some(&b"target123@atlanta.example.com"[..])
        );
        let by_reference = Geolocation::parse(b"<sips:3sdefrhy2jj7@lis.example>;x=1").unwrap();
        assert_eq!(by_reference.content_id(), None);
        assert!(by_reference.params.has("x"));
        assert!(Geolocation::parse(b"cid:a@b").is_err());
    }
}
