//! SIP syntax: read and print messages, URIs and headers (RFC 3261 and the extensions that an
//! emergency service meets). This crate knows no time, no socket and no state.
//!
//! # How a message is read
//! 1. [`Message::parse`] finds the parts of the received bytes: one pass, no copy, and for a message
//!    of up to 32 header lines no allocation. Unknown headers, their order and every byte are kept.
//!    What is not even a message is a [`ParseError`], to be dropped and counted.
//! 2. [`Request::new`] or [`Response::new`] validates what every message must have. What is wrong
//!    is an [`Invalid`], which says how to answer.
//! 3. Everything else is read when somebody asks, as a view that borrows from the message: [`Via`],
//!    [`NameAddr`], [`Uri`], [`CSeq`], the typed [`headers`], and the parts of a [`Multipart`] body.
//!
//! A stream is cut into messages by [`StreamFramer`] first.
//!
//! Reading is liberal where the meaning is clear, since a caller's life is worth more than a
//! comma; it is strict where a lenient reader would see another message than its neighbours do.
//!
//! # How a message is written
//! [`Builder`] writes a new message line by line; [`Edit`] prints a changed copy of one that was
//! received, with everything else byte for byte. No value can break out of its line.
//!
//! # Personal data
//! Numbers, names and locations are [`Pii`]; `Debug` of every type here shows none of them.
//!
//! ```
//! use sip::{Limits, Message, Request};
//!
//! let bytes = "INVITE sip:15@192.0.2.1 SIP/2.0\r\n\
//!     v: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK77\r\n\
//!     f: \"Jeanne\" <tel:+33612345678>;tag=a1\r\n\
//!     t: <sip:15@192.0.2.1>\r\n\
//!     i: 1@192.0.2.9\r\n\
//!     CSeq: 1 INVITE\r\n\
//!     m: <sip:192.0.2.9>\r\n\
//!     l: 0\r\n\r\n";
//! let message = Message::parse(bytes.into(), &Limits::default())?;
//! let invite = Request::new(message)?;
//! assert_eq!(invite.top_via().branch(), Some(&b"z9hG4bK77"[..]));
//! assert_eq!(invite.from_tag(), Some(&b"a1"[..]));
//! assert_eq!(format!("{:?}", invite.from()), "<tel:***>[\"tag\"]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod byte_set;
mod cseq;
mod digits;
mod edit;
pub mod escape;
mod essentials;
mod field;
mod framing;
mod header_name;
pub mod headers;
mod host;
mod lexer;
mod limits;
mod lines;
mod message;
mod method;
mod multipart;
mod name_addr;
mod overload;
mod pii;
mod print;
mod request;
mod start_line;
mod status;
mod uri;
mod uri_equality;
mod via;
mod words;

pub use build::Builder;
pub use bytes::Bytes;
pub use cseq::CSeq;
pub use digits::Digits;
pub use edit::{Edit, EditError, Value};
pub use field::Header;
pub use framing::{Frame, FramingError, StreamFramer, StreamSide};
pub use header_name::HeaderName;
pub use host::Host;
pub use lexer::{Elements, Param, ParamIter, Params, Quoted, number, unfold, unquote};
pub use limits::Limits;
pub use message::{Message, ParseError};
pub use method::Method;
pub use multipart::{Multipart, MultipartError, Part};
pub use name_addr::{NameAddr, NameAddrError};
pub use overload::OverloadControl;
pub use pii::Pii;
pub use request::{Invalid, InvalidMessage, Request, Response};
pub use status::StatusCode;
pub use uri::{OtherUri, SipScheme, SipUri, TelUri, Uri, UriBuf, UriError, UriHeader, UrnUri};
pub use via::{MAGIC_COOKIE, Rport, Transport, Via, ViaError};
