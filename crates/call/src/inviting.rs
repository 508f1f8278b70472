//! The INVITE that rings somebody: what it says of the caller and of the call.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use sip::{Builder, HeaderName, Message, Method, NameAddr, Request, UriBuf};
use sip_transaction::Target;

use crate::{
    call::{Call, Stage},
    calls::Calls,
    carry,
    ids::CallNumber,
    reliable::OPTION_100REL,
    ringing::ALLOW,
    session,
};

/// A caller whose From cannot be read by a phone (RFC 3323 §4.1.1.3).
const ANONYMOUS: &[u8] = b"\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// A telephone outside, to which a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Until when it may ring in a transfer.
    pub rings_until: Instant,
    /// Whether it may learn who calls.
    pub identity: Identity,
}

/// Whether somebody learns who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The caller's identity goes along.
    Shown,
    /// The caller has asked for privacy, and who is rung must not know.
    Withheld,
    /// This URI in place of the caller's: the number that calls of a centre show.
    Presented(UriBuf),
}

/// Who is rung.
#[derive(Clone, Debug)]
pub(crate) enum Whom {
    Agent,
    Outside(Outside),
}

impl Whom {
    /// The From of whom they are called by, without its tag.
    fn identity<'a>(&self, caller: &'a Request) -> Cow<'a, [u8]> {
        match self {
            Self::Outside(Outside {
                identity: Identity::Withheld,
                ..
            }) => ANONYMOUS.into(),
            Self::Outside(Outside {
                identity: Identity::Presented(uri),
                ..
            }) => [b"<", &**uri.as_bytes(), b">"].concat().into(),
            Self::Agent | Self::Outside(_) => caller_identity(caller).into(),
        }
    }

    pub(crate) const fn rings_until(&self) -> Option<Instant> {
        match self {
            Self::Agent => None,
            Self::Outside(outside) => Some(outside.rings_until),
        }
    }
}

impl Calls {
    /// The INVITE to a phone, with the session interval that is proposed; `None` when the call can ring nobody.
    pub(crate) fn agent_invite(
        &mut self,
        call: CallNumber,
        target: &Target,
        whom: &Whom,
        interval: Option<Duration>,
    ) -> Option<Request> {
        let from_tag = call.tag(&mut self.ids);
        let Call { id, stage, .. } = self.table.get(&call)?;
        let (caller, transfer) = match stage {
            Stage::Waiting(waiting) => (&waiting.invite, None),
            Stage::Connected(connected) => (&connected.invite, Some(connected.transfer()?)),
            Stage::Ending(_) => return None,
        };
        // RFC 3261 §16.6 step 3, kept over a back-to-back user agent so that a loop ends.
        let max_forwards = caller
            .max_forwards()
            .map_or(70, |hops| hops.saturating_sub(1));
        let mut builder = Builder::request(&Method::Invite, &target.uri)
            .header(
                HeaderName::Via,
                self.locals.via(target.flow, &self.ids.branch()),
            )
            .header_fmt(HeaderName::MaxForwards, format_args!("{max_forwards}"));
        for route in &target.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        let from = [&*whom.identity(caller), b";tag=", &from_tag].concat();
        let token = self.ids.token();
        let builder = builder
            .header(HeaderName::From, from)
            .header(HeaderName::To, [b"<", &*target.uri, b">"].concat())
            .header(HeaderName::CallId, token)
            .header(HeaderName::CSeq, "1 INVITE")
            .header(HeaderName::Contact, self.locals.contact(target.flow))
            .header(HeaderName::Allow, ALLOW);
        let builder = session::propose(builder, interval);
        if let Whom::Outside(outside) = whom {
            let builder = match &outside.identity {
                Identity::Shown => builder.copy(caller, HeaderName::PAssertedIdentity),
                Identity::Withheld => builder,
                Identity::Presented(_) => {
                    builder.header(HeaderName::PAssertedIdentity, whom.identity(caller))
                }
            };
            let builder = builder.copy(caller, HeaderName::Privacy);
            let Some(_) = transfer else {
                return Request::new(carry::description_alone(builder, caller)).ok();
            };
            return builder.finish_request().ok();
        }
        let builder = carry::call_id(builder, id, &self.settings.domain);
        let Some(transfer) = transfer else {
            return Request::new(Self::with_offer(builder, caller)).ok();
        };
        let builder = transfer.headers().fold(builder, |builder, (name, value)| {
            builder.header(name, value)
        });
        Request::new(carry::invite_without_offer(builder, caller)).ok()
    }

    /// A waiting caller's INVITE, to a phone.
    fn with_offer(builder: Builder, caller: &Request) -> Message {
        // Without an offer of ours a reliable response would bring one, and its PRACK the answer that
        // only the caller can give.
        let builder = if carry::has_description(caller) {
            builder.header(HeaderName::Supported, OPTION_100REL)
        } else {
            builder
        };
        carry::invite(builder, caller).finish_with_body(caller.body_bytes())
    }
}

/// The caller's From without its tag: name and URI as the operator sent them.
fn caller_identity(invite: &Request) -> &[u8] {
    let raw = invite.header(HeaderName::From).unwrap_or_default();
    match NameAddr::parse(raw) {
        Ok(from) if from.uri().is_ok() => {
            let params = from.params.as_bytes().len();
            &raw[..raw.len() - params]
        }
        _ => ANONYMOUS,
    }
}
