//! The parts of a multipart body (RFC 2046 §5.1): SDP, a location, ISUP, in one INVITE.

use std::fmt;

use memchr::memmem;

use crate::{
    HeaderName, Limits, ParseError,
    field::Header,
    headers::ContentType,
    lexer,
    lines::{self, Lines},
};

/// Iterates over the parts of a multipart body without copying. A part that is multipart itself is
/// given as bytes; make another `Multipart` of it.
///
/// At most [`Limits::element_count`] parts are read. A body whose closing line is missing ends its
/// last part.
#[derive(Clone)]
pub struct Multipart<'a> {
    /// What follows the boundary line that was found last.
    rest: Option<&'a [u8]>,
    boundary: &'a [u8],
    limits: &'a Limits,
    parts_left: usize,
}

/// One part of a multipart body.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    head: &'a [u8],
    body: &'a [u8],
    limits: &'a Limits,
}

/// Why a body cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The Content-Type is not multipart.
    #[error("the body is not multipart")]
    NotMultipart,
    /// The boundary is missing, longer than 70 bytes, or holds what it may not.
    #[error("the boundary is missing or wrong")]
    Boundary,
    /// The headers of a part break a limit or a rule of lines, or never end.
    #[error("the headers of a part cannot be read")]
    Head(#[from] ParseError),
    /// There are more parts than [`Limits::element_count`].
    #[error("too many parts")]
    TooManyParts,
}

impl<'a> Multipart<'a> {
    /// The parts of `body`, whose type is `content_type`.
    ///
    /// # Errors
    /// [`MultipartError::NotMultipart`] and [`MultipartError::Boundary`].
    pub fn new(
        content_type: &ContentType<'a>,
        body: &'a [u8],
        limits: &'a Limits,
    ) -> Result<Self, MultipartError> {
        if !content_type.is_multipart() {
            return Err(MultipartError::NotMultipart);
        }
        let boundary = match content_type.params.value("boundary") {
            Some([b'"', inner @ .., b'"']) => inner,
            Some(plain) => plain,
            None => return Err(MultipartError::Boundary),
        };
        if boundary.is_empty()
            || boundary.len() > BOUNDARY_LEN_MAX
            || memchr::memchr3(b'"', b'\\', b'\n', boundary).is_some()
        {
            return Err(MultipartError::Boundary);
        }
        let mut parts = Self {
            rest: Some(body),
            boundary,
            limits,
            parts_left: limits.element_count,
        };
        // What stands before the first boundary line is to be ignored.
        parts.next_section();
        Ok(parts)
    }

    /// What stands before the next boundary line, and moves behind it.
    fn next_section(&mut self) -> Option<&'a [u8]> {
        let section = self.rest?;
        let mut from = 0;
        while let Some(found) = memmem::find(&section[from..], self.boundary) {
            let at = from + found;
            if let Some(start) = self.line_start(section, at)
                && let Some(after) = self.line_end(section, at + self.boundary.len())
            {
                self.rest = match after {
                    After::Part(next) => Some(&section[next..]),
                    After::End => None,
                };
                return Some(&section[..start]);
            }
            from = at + 1;
        }
        self.rest = None;
        Some(section)
    }

    /// Where the boundary line begins, its line break before it included, if `--` and nothing else
    /// stands between the start of a line and `at`.
    fn line_start(&self, section: &[u8], at: usize) -> Option<usize> {
        match section[..at].strip_suffix(b"--")? {
            [] => Some(0),
            [before @ .., b'\r', b'\n'] | [before @ .., b'\n'] => Some(before.len()),
            _ => None,
        }
    }

    /// What follows the boundary: white space up to the end of the line, or `--`.
    fn line_end(&self, section: &[u8], at: usize) -> Option<After> {
        let rest = &section[at..];
        if rest.starts_with(b"--") {
            return Some(After::End);
        }
        let newline = memchr::memchr(b'\n', rest)?;
        let padding = &rest[..newline];
        padding
            .iter()
            .copied()
            .all(lexer::is_lws)
            .then_some(After::Part(at + newline + 1))
    }

    fn part(&self, section: &'a [u8]) -> Result<Part<'a>, MultipartError> {
        let mut lines = Lines::new(section, self.limits);
        let mut header_count = 0;
        while let Some(header) = lines.next_header()? {
            if header.is_empty() {
                let (head, body) = section.split_at(lines.at());
                return Ok(Part {
                    head,
                    body,
                    limits: self.limits,
                });
            }
            header_count += 1;
            if header_count > self.limits.header_count {
                return Err(ParseError::TooManyHeaders.into());
            }
        }
        Err(ParseError::HeaderEnd.into())
    }
}

enum After {
    /// A part starts here.
    Part(usize),
    /// It was the closing line; what follows is to be ignored.
    End,
}

impl<'a> Iterator for Multipart<'a> {
    type Item = Result<Part<'a>, MultipartError>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_last_without_end = self.rest.is_some_and(|rest| lexer::trim(rest).is_empty());
        if is_last_without_end {
            self.rest = None;
        }
        let section = self.next_section()?;
        if self.parts_left == 0 {
            self.rest = None;
            return Some(Err(MultipartError::TooManyParts));
        }
        self.parts_left -= 1;
        Some(self.part(section))
    }
}

impl<'a> Part<'a> {
    /// The headers with the empty line after them, and the content: what a copy of the part needs.
    pub const fn as_written(&self) -> (&'a [u8], &'a [u8]) {
        (self.head, self.body)
    }

    /// The part's content.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The part's header lines in their order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let head = self.head;
        let mut lines = Lines::new(head, self.limits);
        std::iter::from_fn(move || {
            let line = lines.next_header().ok()??;
            (!line.is_empty()).then_some(&head[line])
        })
        .filter_map(|line| {
            let (name, value_start) = lines::name_of(line)?;
            Some(lines::header(line, name, value_start))
        })
    }

    /// The value of the part's first header of this name.
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.headers()
            .find(|header| header.name == name)
            .map(|header| header.value)
    }

    /// The part's Content-Type; `None` when it has none that can be read, which means
    /// `text/plain` (RFC 2046 §5.1).
    pub fn content_type(&self) -> Option<ContentType<'a>> {
        ContentType::parse(self.header(HeaderName::ContentType)?).ok()
    }

    /// The part's Content-ID without its brackets.
    pub fn content_id(&self) -> Option<&'a [u8]> {
        match self.header(HeaderName::ContentId)? {
            [b'<', inner @ .., b'>'] => Some(inner),
            plain => Some(plain),
        }
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({} bytes)", self.content_type(), self.body.len())
    }
}

impl fmt::Debug for Multipart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes to come", self.rest.map_or(0, <[u8]>::len))
    }
}

/// RFC 2046 §5.1.1.
const BOUNDARY_LEN_MAX: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message_len: 65_535,
        head_len: 1024,
        header_count: 4,
        line_len: 512,
        element_count: 3,
    };

    fn parts<'a>(
        content_type: &'a str,
        body: &'a str,
    ) -> Result<Vec<Result<Part<'a>, MultipartError>>, MultipartError> {
        let content_type = ContentType::parse(content_type.as_bytes()).unwrap();
        Multipart::new(&content_type, body.as_bytes(), &LIMITS).map(Iterator::collect)
    }

    fn bodies<'a>(content_type: &'a str, body: &'a str) -> Vec<&'a str> {
        let text = |part: Result<Part<'a>, _>| std::str::from_utf8(part.unwrap().body()).unwrap();
        parts(content_type, body)
            .unwrap()
            .into_iter()
            .map(text)
            .collect()
    }

    #[test]
    fn sdp_and_a_location() {
        let body = "preamble\r\n--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b1 \t\r\n\
            content-id:\r\n <loc@example>\r\nContent-Type: application/pidf+xml\r\n\r\n\
            <x>--b1</x>\r\n--b10\r\n\r\n--b1--\r\n--b1\r\nepilogue";
        let parts = parts("multipart/mixed; boundary=\"b1\"", body).unwrap();
        let [sdp, location] = parts.as_slice() else {
            panic!("two parts, not {parts:?}");
        };
        let (sdp, location) = (sdp.unwrap(), location.unwrap());
        assert!(sdp.content_type().unwrap().is("application", "sdp"));
        assert_eq!(sdp.body(), b"v=0\r\n");
        assert_eq!(location.content_id(), Some(&b"loc@example"[..]));
        assert_eq!(location.body(), b"<x>--b1</x>\r\n--b10\r\n");
        assert_eq!(location.headers().count(), 2);
    }

    #[test]
    fn odd_but_clear_bodies() {
        assert_eq!(
            bodies("multipart/mixed;boundary=b", "--b\n\na\n--b\n\nb"),
            ["a", "b"]
        );
        assert_eq!(
            bodies("multipart/mixed;boundary=b", "--b\r\n\r\n\r\n--b--"),
            [""]
        );
        assert_eq!(
            bodies("multipart/mixed;boundary=b", "--b\r\n\r\na\r\n--b\r\n"),
            ["a"]
        );
        assert_eq!(
            bodies("multipart/mixed;boundary=b", "--b--"),
            Vec::<&str>::new()
        );
        assert_eq!(bodies("multipart/mixed;boundary=b", ""), Vec::<&str>::new());
        assert_eq!(
            bodies("multipart/mixed;boundary=--b", "----b\r\n\r\na\r\n----b--"),
            ["a"]
        );
    }

    #[test]
    fn nested_bodies_are_bytes() {
        let outer = bodies(
            "multipart/mixed;boundary=o",
            "--o\r\nContent-Type: multipart/mixed;boundary=i\r\n\r\n--i\r\n\r\na\r\n--i--\r\n--o--",
        );
        assert_eq!(outer, ["--i\r\n\r\na\r\n--i--"]);
        assert_eq!(bodies("multipart/mixed;boundary=i", outer[0]), ["a"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            parts("text/plain", "").err(),
            Some(MultipartError::NotMultipart)
        );
        let too_long = format!(";boundary={}", "x".repeat(71));
        for boundary in ["", ";boundary=", ";boundary=\"a\\b\"", &too_long] {
            let content_type = format!("multipart/mixed{boundary}");
            assert_eq!(
                parts(&content_type, "").err(),
                Some(MultipartError::Boundary)
            );
        }
        let five = "--b\r\n\r\na\r\n".repeat(5);
        let many = parts("multipart/mixed;boundary=b", &five).unwrap();
        assert_eq!(many.len(), 4);
        assert_eq!(many[3].err(), Some(MultipartError::TooManyParts));
        let no_end = parts("multipart/mixed;boundary=b", "--b\r\nX: y\r\n--b--").unwrap();
        assert_eq!(
            no_end[0].err(),
            Some(MultipartError::Head(ParseError::HeaderEnd))
        );
    }
}
