//! Where the parts of a message are that every layer asks for: read once, when a message is validated.

use std::net::IpAddr;

use crate::{
    HeaderName, cseq,
    field::{Field, Span},
    host::Host,
    lexer::{self, Elements, Params},
    message::Message,
    name_addr::NameAddr,
    pii::Pii,
    request::{Invalid, Request},
    uri::{SipScheme, SipUri, Uri},
    via::Via,
};

/// Where the mandatory parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Essentials {
    pub(crate) via: ViaSpans,
    pub(crate) from: Span,
    pub(crate) to: Span,
    pub(crate) from_tag: Option<Span>,
    pub(crate) to_tag: Option<Span>,
    pub(crate) call_id: Span,
    pub(crate) cseq_number: u32,
    pub(crate) cseq_method: Span,
    pub(crate) max_forwards: Option<u8>,
}

/// Where the parts of a Via are: it is asked for by every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ViaSpans {
    transport: Span,
    host: HostSpan,
    port: Option<u16>,
    params: Span,
    pub(crate) branch: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostSpan {
    Name(Span),
    Address(IpAddr),
}

impl HostSpan {
    fn of(host: Host<'_>, message: &Message) -> Self {
        match host {
            Host::Name(name) => Self::Name(message.span_of(name)),
            Host::V4(address) => Self::Address(address.into()),
            Host::V6(address) => Self::Address(address.into()),
        }
    }

    fn host<'a>(&self, message: &'a Message) -> Host<'a> {
        match self {
            Self::Name(name) => Host::Name(message.bytes_at(*name)),
            Self::Address(address) => (*address).into(),
        }
    }
}

/// Where the parts of a Request-URI are: nearly all that is decided about a request begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UriSpans {
    Sip {
        scheme: SipScheme,
        user: Option<Span>,
        password: Option<Span>,
        host: HostSpan,
        port: Option<u16>,
        params: Span,
        headers: Span,
    },
    /// No address of SIP: rare, and read again.
    Other,
}

impl UriSpans {
    pub(crate) fn read(message: &Message) -> Result<Self, Invalid> {
        let uri = message.request_uri_bytes().unwrap_or_default();
        let uri = Uri::parse(uri).map_err(|_| Invalid::RequestUri)?;
        let span = |part: &[u8]| match part {
            [] => Span::default(),
            part => message.span_of(part),
        };
        let exposed = |part: Pii<&[u8]>| span(part.into_exposed());
        Ok(uri.as_sip().map_or(Self::Other, |uri| Self::Sip {
            scheme: uri.scheme,
            user: uri.user.map(exposed),
            password: uri.password.map(exposed),
            host: HostSpan::of(uri.host, message),
            port: uri.port,
            params: span(uri.params.as_bytes()),
            headers: span(uri.headers),
        }))
    }

    pub(crate) fn uri<'a>(&self, request: &'a Request) -> Uri<'a> {
        let message: &Message = request;
        match *self {
            Self::Sip {
                scheme,
                user,
                password,
                host,
                port,
                params,
                headers,
            } => Uri::Sip(SipUri {
                scheme,
                user: user.map(|user| Pii::new(message.bytes_at(user))),
                password: password.map(|password| Pii::new(message.bytes_at(password))),
                host: host.host(message),
                port,
                params: Params::new(message.bytes_at(params)),
                headers: message.bytes_at(headers),
            }),
            Self::Other => {
                Uri::parse(request.uri_bytes()).expect("Request::new has parsed the Request-URI")
            }
        }
    }
}

impl ViaSpans {
    /// Of the topmost Via.
    fn read(message: &Message, lines: &Mandatory<'_>) -> Result<Self, Invalid> {
        let value = lines.via.map(|via| message.value_of(via));
        let first = value.and_then(|value| Elements::new(value).next());
        // One without an element may stand before one that has some.
        let via = first.or_else(|| message.elements(HeaderName::Via).next());
        let via = Via::parse(via.ok_or(Invalid::Via)?).map_err(|_| Invalid::Via)?;
        Ok(Self::of(&via, message))
    }

    fn of(via: &Via<'_>, message: &Message) -> Self {
        Self {
            transport: message.span_of(via.transport),
            host: HostSpan::of(via.host, message),
            port: via.port,
            params: message.span_of(via.params.as_bytes()),
            branch: via.branch().map(|branch| message.span_of(branch)),
        }
    }

    pub(crate) fn via<'a>(&self, message: &'a Message) -> Via<'a> {
        Via {
            transport: message.bytes_at(self.transport),
            host: self.host.host(message),
            port: self.port,
            params: Params::new(message.bytes_at(self.params)),
        }
    }
}

impl Essentials {
    pub(crate) fn read(message: &Message) -> Result<Self, Invalid> {
        let lines = Mandatory::of(message);
        let via = ViaSpans::read(message, &lines)?;
        let from = lines.from.value(message).ok_or(Invalid::From)?;
        let from_addr = NameAddr::parse_liberal(from).map_err(|_| Invalid::From)?;
        let to = lines.to.value(message).ok_or(Invalid::To)?;
        let to_addr = NameAddr::parse_liberal(to).map_err(|_| Invalid::To)?;
        let call_id = lines.call_id.value(message).ok_or(Invalid::CallId)?;
        let cseq = lines.cseq.value(message).ok_or(Invalid::CSeq)?;
        let (cseq_number, cseq_method) = cseq::split(cseq).ok_or(Invalid::CSeq)?;
        let span = |part| message.span_of(part);
        Ok(Self {
            via,
            from: span(from),
            to: span(to),
            from_tag: from_addr.tag().map(span),
            to_tag: to_addr.tag().map(span),
            call_id: span(call_id),
            cseq_number,
            cseq_method: span(cseq_method),
            max_forwards: lines.max_forwards(message),
        })
    }

    /// The same in a copy of a message whose lines stand elsewhere. Via and Max-Forwards may be others in it,
    /// the lines of [`MOVED`] are not.
    pub(crate) fn moved(&self, from: &Message, to: &Message) -> Result<Self, Invalid> {
        let (before, after) = (Mandatory::of(from), Mandatory::of(to));
        let of_from = (before.from.start(), after.from.start());
        let of_to = (before.to.start(), after.to.start());
        let of_call_id = (before.call_id.start(), after.call_id.start());
        let of_cseq = (before.cseq.start(), after.cseq.start());
        Ok(Self {
            via: ViaSpans::read(to, &after)?,
            from: self.from.moved(of_from),
            to: self.to.moved(of_to),
            from_tag: self.from_tag.map(|tag| tag.moved(of_from)),
            to_tag: self.to_tag.map(|tag| tag.moved(of_to)),
            call_id: self.call_id.moved(of_call_id),
            cseq_number: self.cseq_number,
            cseq_method: self.cseq_method.moved(of_cseq),
            max_forwards: after.max_forwards(to),
        })
    }
}

/// The lines that every message must have, found in one walk over all of them.
#[derive(Debug, Default)]
struct Mandatory<'a> {
    /// The first.
    via: Option<&'a Field>,
    from: Once<'a>,
    to: Once<'a>,
    call_id: Once<'a>,
    cseq: Once<'a>,
    max_forwards: Option<&'a Field>,
}

impl<'a> Mandatory<'a> {
    fn of(message: &'a Message) -> Self {
        let mut lines = Self::default();
        for field in message.fields() {
            match field.name() {
                HeaderName::Via => lines.via = lines.via.or(Some(field)),
                HeaderName::From => lines.from.add(field),
                HeaderName::To => lines.to.add(field),
                HeaderName::CallId => lines.call_id.add(field),
                HeaderName::CSeq => lines.cseq.add(field),
                HeaderName::MaxForwards => lines.max_forwards = lines.max_forwards.or(Some(field)),
                _ => {}
            }
        }
        lines
    }

    /// RFC 4475 §3.1.2.4: a Max-Forwards out of range may be taken as absent. A call is not refused for it,
    /// and the hop that fills it in bounds the loop.
    fn max_forwards(&self, message: &Message) -> Option<u8> {
        let value = self.max_forwards.map(|field| message.value_of(field));
        value.and_then(lexer::number)
    }
}

/// A line that must be there exactly once.
#[derive(Clone, Copy, Debug, Default)]
struct Once<'a> {
    first: Option<&'a Field>,
    is_repeated: bool,
}

impl<'a> Once<'a> {
    fn add(&mut self, field: &'a Field) {
        self.is_repeated = self.first.is_some();
        self.first = self.first.or(Some(field));
    }

    /// Its value; `None` where it is missing, repeated or empty.
    fn value<'m>(&self, message: &'m Message) -> Option<&'m [u8]> {
        let field = self.first.filter(|_| !self.is_repeated)?;
        Some(message.value_of(field)).filter(|value| !value.is_empty())
    }

    /// Where it starts, in a message that has been read.
    fn start(&self) -> usize {
        self.first
            .expect("a message that has been read has it")
            .start()
    }
}

/// What [`Essentials::moved`] does not read again.
pub(crate) const MOVED: [HeaderName; 4] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];
