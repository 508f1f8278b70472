//! The small scanners that every header is read with: white space, tokens, quoted strings,
//! comma-joined elements and parameters (RFC 3261 §25.1).
//!
//! A header's value is looked at as it was received, folds included: a line break inside a value
//! is white space (RFC 3261 §7.3.1), so all scanners treat CR and LF as such. Nothing here
//! allocates but [`unquote`] and [`unfold`], and only where there is something to take out.

use std::{borrow::Cow, fmt};

use memchr::{memchr, memchr2};

use crate::{
    byte_set::{ByteSet, byte_set},
    words,
};

/// Linear white space, folds included.
pub(crate) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A character of a `token` (RFC 3261 §25.1).
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN.has(byte)
}

static TOKEN: ByteSet = byte_set!(is_token_char);

const fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// Whether all of a non-empty value is one `token`.
pub(crate) fn is_token_str(value: &[u8]) -> bool {
    !value.is_empty() && TOKEN.has_all(value)
}

/// The value without white space at its ends.
#[inline]
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    trim_end(trim_start(value))
}

#[inline]
pub(crate) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_lws(*first)
    {
        value = rest;
    }
    value
}

#[inline]
pub(crate) fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., last] = value
        && is_lws(*last)
    {
        value = rest;
    }
    value
}

/// From here on a search by vectors pays off.
const LONG: usize = 64;

/// Where a byte is.
#[inline]
pub(crate) fn find(wanted: u8, value: &[u8]) -> Option<usize> {
    if value.len() < LONG {
        words::find(wanted, value)
    } else {
        memchr(wanted, value)
    }
}

/// Where the first of two bytes is.
#[inline]
pub(crate) fn find_either(wanted: [u8; 2], value: &[u8]) -> Option<usize> {
    if value.len() < LONG {
        words::find_either(wanted, value)
    } else {
        memchr2(wanted[0], wanted[1], value)
    }
}

/// Splits at the first `at`, which is dropped; without one, all of the value and `None`.
#[inline]
pub(crate) fn split_once(value: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match find(at, value) {
        Some(index) => (&value[..index], Some(&value[index + 1..])),
        None => (value, None),
    }
}

/// The index just past the quoted string that starts at `value[0] == b'"'`, or `None` when it
/// never ends. A backslash takes the next byte with it.
pub(crate) fn quoted_end(value: &[u8]) -> Option<usize> {
    debug_assert_eq!(
        value.first(),
        Some(&b'"'),
        "a quoted string starts with a quote"
    );
    let mut at = 1;
    while at < value.len() {
        match value[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The index of the first byte for which `wanted` holds outside quoted strings and, where
/// `angles` is [`Angles::Opaque`], outside `<...>`. A quoted string that never ends hides the rest.
pub(crate) fn find_outside(
    value: &[u8],
    angles: Angles,
    wanted: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut at = 0;
    while at < value.len() {
        let byte = value[at];
        if wanted(byte) {
            return Some(at);
        }
        at = match byte {
            b'"' => at + quoted_end(&value[at..])?,
            b'<' if angles == Angles::Opaque => {
                at + 1 + memchr::memchr(b'>', &value[at + 1..])? + 1
            }
            _ => at + 1,
        };
    }
    None
}

/// Whether `<...>` hides what is inside it from [`find_outside`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Angles {
    /// `<a,b>` is one thing.
    Opaque,
    /// `<` is a character like another.
    Plain,
}

/// The elements of a comma-joined value (RFC 3261 §7.3.1), trimmed; empty elements are skipped.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Splits a raw header value.
    pub const fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// Where each element starts and ends in the value.
    pub(crate) fn spans(self) -> impl Iterator<Item = (usize, usize)> {
        let base = self.rest.as_ptr().addr();
        self.map(move |element| {
            let start = element.as_ptr().addr() - base;
            (start, start + element.len())
        })
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to come", self.rest.len())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            // Most values have no comma at all, and then nothing hides one.
            let comma = find(b',', self.rest)
                .and_then(|_| find_outside(self.rest, Angles::Opaque, |byte| byte == b','));
            let element = match comma {
                Some(comma) => {
                    let element = &self.rest[..comma];
                    self.rest = &self.rest[comma + 1..];
                    element
                }
                None => std::mem::take(&mut self.rest),
            };
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// The `;name=value` parameters that follow a value, in their order. Names compare without case.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Params<'a> {
    raw: &'a [u8],
}

/// One parameter: its name as written, and its value as written (quotes and all) if it has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// What follows `=`, as written; `None` for a flag such as `;lr`.
    pub value: Option<&'a [u8]>,
}

impl fmt::Debug for Param<'_> {
    /// The name only: the value can be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.name))?;
        f.write_str(self.value.map_or("", |_| "=***"))
    }
}

impl<'a> Params<'a> {
    /// Parameters from bytes that start at the first `;` (or are empty).
    pub const fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The bytes as they were received, from the first `;`.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The first parameter of this name.
    pub fn get(&self, name: &str) -> Option<Param<'a>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first parameter of this name; `None` when it is absent or a flag.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.get(name).and_then(|param| param.value)
    }

    /// Whether a parameter of this name is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All parameters in their order.
    pub const fn iter(&self) -> ParamIter<'a> {
        // Nothing is before the first semicolon.
        let rest = match self.raw {
            [b';', rest @ ..] => rest,
            raw => raw,
        };
        ParamIter { rest }
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = ParamIter<'a>;

    fn into_iter(self) -> ParamIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Params<'_> {
    /// Names only: values can be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|param| String::from_utf8_lossy(param.name)))
            .finish()
    }
}

/// Iterates over [`Params`].
#[derive(Clone)]
pub struct ParamIter<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for ParamIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Params { raw: self.rest }, f)
    }
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        while !self.rest.is_empty() {
            // A semicolon before the first quote is in none.
            let end = match find_either([b';', b'"'], self.rest) {
                Some(at) if self.rest[at] == b'"' => {
                    find_outside(self.rest, Angles::Plain, |byte| byte == b';')
                }
                end => end,
            };
            let one = match end {
                Some(end) => {
                    let one = &self.rest[..end];
                    self.rest = &self.rest[end + 1..];
                    one
                }
                None => std::mem::take(&mut self.rest),
            };
            let (name, value) = split_once(one, b'=');
            let name = trim(name);
            if !name.is_empty() {
                return Some(Param {
                    name,
                    value: value.map(trim),
                });
            }
        }
        None
    }
}

/// A value without its surrounding quotes and escapes, or as it is when it has none.
pub fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = value else {
        return Cow::Borrowed(value);
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'\\' {
            plain.extend(bytes.next());
        } else {
            plain.push(byte);
        }
    }
    Cow::Owned(plain)
}

/// Prints bytes as a quoted string (RFC 3261 §25.1): quotes and backslashes are escaped, and what
/// is no text or would break the line is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a>(
    /// What goes between the quotes.
    pub &'a [u8],
);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '"' | '\\' => write!(f, "\\{char}")?,
                    '\r' | '\n' | '\0' => {}
                    _ => write!(f, "{char}")?,
                }
            }
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// A value on one line: each fold becomes a single space (RFC 3261 §7.3.1).
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    for line in value.split(|&byte| byte == b'\n') {
        let line = trim(line);
        if !plain.is_empty() && !line.is_empty() {
            plain.push(b' ');
        }
        plain.extend_from_slice(line);
    }
    Cow::Owned(plain)
}

/// A decimal number that is nothing but digits and fits.
#[inline]
pub fn number<T: TryFrom<u64>>(value: &[u8]) -> Option<T> {
    if value.is_empty() {
        return None;
    }
    let number = value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    T::try_from(number?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(value: &str) -> Vec<&str> {
        Elements::new(value.as_bytes())
            .map(|one| std::str::from_utf8(one).unwrap())
            .collect()
    }

    #[test]
    fn elements_respect_quotes_and_angles() {
        assert_eq!(
            elements(r#""a, \"b,c" <sip:x@y;p="q,r">;z=1 , <sip:d,e@f>,,g"#),
            [r#""a, \"b,c" <sip:x@y;p="q,r">;z=1"#, "<sip:d,e@f>", "g"]
        );
        assert_eq!(elements(" , ,"), Vec::<&str>::new());
    }

    #[test]
    fn an_open_quote_hides_the_rest() {
        assert_eq!(elements(r#"a, "b, c"#), ["a", r#""b, c"#]);
    }

    #[test]
    fn params_are_read_with_folds_and_quotes() {
        let params = Params::new(b" ; Tag = abc\r\n ;x=\"a;b\\\"c\";;lr");
        assert_eq!(params.value("tag"), Some(&b"abc"[..]));
        assert_eq!(
            params.value("x").map(unquote).as_deref(),
            Some(&b"a;b\"c"[..])
        );
        assert!(params.has("LR") && params.value("lr").is_none());
        assert_eq!(params.iter().count(), 3);
    }

    /// However hostile the value, each byte is asked about at most once by each scanner.
    #[test]
    fn scanning_is_linear() {
        for piece in [
            "\"", "<", ",", ";", "\\\"", "\"a\",", "<\"", "\"<", "<>", ",\"\\",
        ] {
            let value = piece.repeat(4096 / piece.len());
            let steps = std::cell::Cell::new(0);
            let mut rest = value.as_bytes();
            while let Some(at) = find_outside(rest, Angles::Opaque, |byte| {
                steps.set(steps.get() + 1);
                byte == b','
            }) {
                rest = &rest[at + 1..];
            }
            assert!(steps.get() <= value.len(), "{piece}: {} steps", steps.get());
            assert!(Elements::new(value.as_bytes()).count() <= value.len());
        }
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number::<u32>(b"4294967295"), Some(u32::MAX));
        assert_eq!(number::<u32>(b"0000000000000000000000001"), Some(1));
        for bad in [
            &b"4294967296"[..],
            b"18446744073709551616",
            b"",
            b"+1",
            b"-1",
            b"1 ",
            b"0x1",
        ] {
            assert_eq!(number::<u32>(bad), None);
        }
    }

    #[test]
    fn folds_become_spaces() {
        assert_eq!(&*unfold(b"a\r\n  b\r\n\tc"), b"a b c");
        assert_eq!(&*unfold(b"plain"), b"plain");
    }
}
