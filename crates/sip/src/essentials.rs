//! Where the parts of a message are that every layer asks for: read once, when a message is validated.

use std::net::IpAddr;

use crate::{
    HeaderName, cseq,
    host::Host,
    lexer::{self, Params},
    message::{Message, Span},
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
    pub(crate) fn read(message: &Message) -> Result<Self, Invalid> {
        let via = message
            .elements(HeaderName::Via)
            .next()
            .ok_or(Invalid::Via)?;
        let via = Via::parse(via).map_err(|_| Invalid::Via)?;
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
        let via = ViaSpans::read(message)?;
        let from = only(message, HeaderName::From).ok_or(Invalid::From)?;
        let from_addr = NameAddr::parse_liberal(from).map_err(|_| Invalid::From)?;
        let to = only(message, HeaderName::To).ok_or(Invalid::To)?;
        let to_addr = NameAddr::parse_liberal(to).map_err(|_| Invalid::To)?;
        let call_id = only(message, HeaderName::CallId).ok_or(Invalid::CallId)?;
        let cseq = only(message, HeaderName::CSeq).ok_or(Invalid::CSeq)?;
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
            max_forwards: max_forwards(message),
        })
    }

    /// The same in a copy of a message whose lines stand elsewhere. Via and Max-Forwards may be others in it,
    /// the lines of [`MOVED`] are not.
    pub(crate) fn moved(&self, from: &Message, to: &Message) -> Result<Self, Invalid> {
        let mut ways = [(0, 0); MOVED.len()];
        for (way, name) in ways.iter_mut().zip(MOVED) {
            *way = (line_of(from, name), line_of(to, name));
        }
        let [of_from, of_to, of_call_id, of_cseq] = ways;
        Ok(Self {
            via: ViaSpans::read(to)?,
            from: self.from.moved(of_from),
            to: self.to.moved(of_to),
            from_tag: self.from_tag.map(|tag| tag.moved(of_from)),
            to_tag: self.to_tag.map(|tag| tag.moved(of_to)),
            call_id: self.call_id.moved(of_call_id),
            cseq_number: self.cseq_number,
            cseq_method: self.cseq_method.moved(of_cseq),
            max_forwards: max_forwards(to),
        })
    }
}

/// What [`Essentials::moved`] does not read again.
pub(crate) const MOVED: [HeaderName; 4] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// Where the line of this name starts, which is there once.
fn line_of(message: &Message, name: HeaderName) -> usize {
    let mut fields = message.fields().iter();
    let line = fields.find(|field| field.name() == name);
    line.expect("a message that has been read has it").start()
}

/// RFC 4475 §3.1.2.4: a Max-Forwards out of range may be taken as absent. A call is not refused for it, and
/// the hop that fills it in bounds the loop.
fn max_forwards(message: &Message) -> Option<u8> {
    message
        .header(HeaderName::MaxForwards)
        .and_then(lexer::number)
}

/// The value of a header that must be there exactly once and not be empty.
fn only(message: &Message, name: HeaderName) -> Option<&[u8]> {
    let mut values = message.header_values(name);
    let value = values.next().filter(|value| !value.is_empty())?;
    values.next().is_none().then_some(value)
}
