//! History-Info (RFC 7044): which targets a request has had before this one.

use crate::{name_addr::NameAddr, uri::Uri};

use super::{HeaderError, reason::Reason};

/// One entry: a target that the request was sent to, and why it went on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryEntry<'a> {
    /// The target. Its URI may hold a Reason and a Privacy header of its own.
    pub target: NameAddr<'a>,
    /// The place in the tree of targets, such as `1.2.1`, as written.
    pub index: Option<&'a [u8]>,
}

/// How the target came to be, with the index of the entry that it was derived from
/// (RFC 7044 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryCause<'a> {
    /// `rc`: a change of the Request-URI for the same user.
    Recursed(&'a [u8]),
    /// `mp`: the target was mapped to another user: the call was diverted.
    Mapped(&'a [u8]),
    /// `np`: no change of the Request-URI.
    Unchanged(&'a [u8]),
}

impl<'a> HistoryEntry<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError::NameAddr`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let target = NameAddr::parse(raw)?;
        let index = target.params.value("index").filter(|value| is_index(value));
        Ok(Self { target, index })
    }

    /// Why the target came to be; `None` when the entry does not say.
    pub fn cause(&self) -> Option<HistoryCause<'a>> {
        self.target.params.iter().find_map(|param| {
            let index = param.value.filter(|value| is_index(value))?;
            match param.name {
                [b'r' | b'R', b'c' | b'C'] => Some(HistoryCause::Recursed(index)),
                [b'm' | b'M', b'p' | b'P'] => Some(HistoryCause::Mapped(index)),
                [b'n' | b'N', b'p' | b'P'] => Some(HistoryCause::Unchanged(index)),
                _ => None,
            }
        })
    }

    /// Calls `read` with the Reason that is escaped in the URI: why the request went on.
    pub fn with_reason<T>(&self, read: impl FnOnce(&Reason<'_>) -> T) -> Option<T> {
        let Ok(Uri::Sip(uri)) = self.target.uri() else {
            return None;
        };
        let header = uri.header("Reason")?;
        let value = header.into_exposed();
        Reason::parse(&value).ok().map(|reason| read(&reason))
    }
}

/// `1*DIGIT *("." 1*DIGIT)`
fn is_index(value: &[u8]) -> bool {
    value
        .split(|&byte| byte == b'.')
        .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_tells_index_cause_and_reason() {
        let entry = HistoryEntry::parse(
            b"<sip:+33369670015@h?Reason=SIP%3Bcause%3D302%3Btext%3D%22moved%22&Privacy=history>\
              ;index=1.2 ;MP=1",
        )
        .unwrap();
        assert_eq!(entry.index, Some(&b"1.2"[..]));
        assert_eq!(entry.cause(), Some(HistoryCause::Mapped(b"1")));
        assert_eq!(entry.with_reason(|reason| reason.cause), Some(Some(302)));
    }

    #[test]
    fn a_wrong_index_is_no_index() {
        for raw in [
            "<sip:a>;index=",
            "<sip:a>;index=1..2",
            "<sip:a>;index=a",
            "<sip:a>",
        ] {
            let entry = HistoryEntry::parse(raw.as_bytes()).unwrap();
            assert_eq!((entry.index, entry.cause()), (None, None), "{raw}");
            assert_eq!(entry.with_reason(|_| ()), None);
        }
        assert!(HistoryEntry::parse(b"<>;index=1").is_err());
    }
}
