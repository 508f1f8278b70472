//! User-to-User (RFC 7433): data that a network carries for two users without looking at it.

use std::borrow::Cow;

use crate::{
    lexer::{self, Params},
    pii::Pii,
};

use super::{HeaderError, split_params, token};

/// One value. What it holds is personal data: nobody knows what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserToUser<'a> {
    data: Pii<&'a [u8]>,
    /// `purpose`, `content`, `encoding` and others.
    pub params: Params<'a>,
}

impl<'a> UserToUser<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError`] when the data is neither a token nor a quoted string.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let (data, params) = split_params(raw);
        match data {
            [b'"', ..] if lexer::quoted_end(data) == Some(data.len()) => {}
            [b'"', ..] => return Err(HeaderError::QuotedString),
            _ => {
                token(data)?;
            }
        }
        Ok(Self {
            data: Pii::new(data),
            params,
        })
    }

    /// The data without quotes and escapes, still in its encoding.
    pub fn data(&self) -> Pii<Cow<'a, [u8]>> {
        self.data.map(lexer::unquote)
    }

    /// The encoding as written; `hex` is meant when there is none (RFC 7433 §4).
    pub fn encoding(&self) -> &'a [u8] {
        self.params.value("encoding").unwrap_or(b"hex")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_quoted_strings() {
        let hex = UserToUser::parse(b"56a390f3d2b7310023a2;encoding=hex;purpose=foo").unwrap();
        assert_eq!(hex.data().expose().as_ref(), b"56a390f3d2b7310023a2");
        assert_eq!(hex.params.value("purpose"), Some(&b"foo"[..]));
        let quoted = UserToUser::parse(b"\"a;b\\\"c\" ;content=isdn-uui").unwrap();
        assert_eq!(quoted.data().expose().as_ref(), b"a;b\"c");
        assert_eq!(quoted.encoding(), b"hex");
        assert_eq!(UserToUser::parse(b"\"open"), Err(HeaderError::QuotedString));
        assert_eq!(UserToUser::parse(b";x=1"), Err(HeaderError::Missing));
        assert_eq!(UserToUser::parse(b"a b"), Err(HeaderError::Token));
    }
}
