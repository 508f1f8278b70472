//! Refer-To (RFC 3515) and Referred-By (RFC 3892): a transfer, and who asked for it.

use crate::{name_addr::NameAddr, uri::Uri};

use super::{HeaderError, replaces::Replaces};

/// Whom to call, and perhaps which call to take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferTo<'a> {
    /// The target. Headers in its URI go into the request that it is called with.
    pub target: NameAddr<'a>,
}

impl<'a> ReferTo<'a> {
    /// Reads the value of Refer-To.
    ///
    /// # Errors
    /// [`HeaderError`] when it is no name-addr or its URI is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let target = NameAddr::parse(value)?;
        target.uri()?;
        Ok(Self { target })
    }

    /// The method to send, as written; `None` means INVITE.
    pub fn method(&self) -> Option<&'a [u8]> {
        match self.target.uri() {
            Ok(Uri::Sip(uri)) => uri.params.value("method"),
            _ => None,
        }
    }

    /// Calls `read` with the Replaces that is escaped in the URI: the call that an attended
    /// transfer takes over (RFC 3891). `None` when there is none.
    pub fn with_replaces<T>(
        &self,
        read: impl FnOnce(Result<Replaces<'_>, HeaderError>) -> T,
    ) -> Option<T> {
        let Ok(Uri::Sip(uri)) = self.target.uri() else {
            return None;
        };
        let value = uri.header("Replaces")?.into_exposed();
        Some(read(Replaces::parse(&value)))
    }
}

/// Who asked for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferredBy<'a> {
    /// The one who transfers.
    pub referrer: NameAddr<'a>,
}

impl<'a> ReferredBy<'a> {
    /// Reads the value of Referred-By.
    ///
    /// # Errors
    /// [`HeaderError::NameAddr`].
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let referrer = NameAddr::parse(value)?;
        Ok(Self { referrer })
    }

    /// The Content-ID, in quotes as written, of the body part that proves it.
    pub fn content_id(&self) -> Option<&'a [u8]> {
        self.referrer.params.value("cid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::EarlyOnly;

    #[test]
    fn an_attended_transfer_names_its_call() {
        let refer = ReferTo::parse(
            b"<sip:bob@biloxi.example.com;method=INVITE?Replaces=12345%40192.168.118.3%3B\
              to-tag%3D12345%3Bfrom-tag%3D5FFE-3994&Require=replaces>;x=1",
        )
        .unwrap();
        assert_eq!(refer.method(), Some(&b"INVITE"[..]));
        refer
            .with_replaces(|replaces| {
                let replaces = replaces.unwrap();
                assert_eq!(replaces.call_id, b"12345@192.168.118.3");
                assert_eq!(replaces.to_tag, b"12345");
                assert_eq!(replaces.from_tag, b"5FFE-3994");
                assert_eq!(replaces.early_only, EarlyOnly::No);
            })
            .expect("there is a Replaces");
    }

    #[test]
    fn a_blind_transfer_names_none() {
        let refer = ReferTo::parse(b"tel:+33369670015").unwrap();
        assert_eq!((refer.method(), refer.with_replaces(|_| ())), (None, None));
        assert!(ReferTo::parse(b"<bob>").is_err());
        let by = ReferredBy::parse(b"<sip:arm@h>;cid=\"2@h\"").unwrap();
        assert_eq!(by.content_id(), Some(&b"\"2@h\""[..]));
    }
}
