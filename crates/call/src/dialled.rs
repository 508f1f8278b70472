//! Codes that a phone dials (`*13`): there is nobody to talk with. The INVITE is answered without media,
//! and the phone is hung up as soon as it has acknowledged that.

use std::time::Instant;

use sip::{HeaderName, Request, StatusCode};
use sip_transaction::{ClientTx, Flow, ServerTx, TransactionLayer};
use smallvec::smallvec;

use crate::{
    call::{Call, Ending, EndingLeg, Stage},
    calls::Calls,
    dialog::Dialog,
    event::Event,
    ids::{CallId, CallNumber},
    leg::{AnsweredBy, Side, Unacked},
    ringing::ALLOW,
    sent::ClientUse,
};

/// Lines of one description that are answered: a phone has one or two.
const STREAMS_MAX: usize = 16;

impl Calls {
    /// Answers a phone that has dialled a code, and hangs it up. [`Event::PhoneFree`] tells when that is
    /// done, within the limit of a transaction. A phone `is_behind_nat` as [`Calls::note_behind_nat`] says. Which call it was;
    /// `None` when its transaction is over.
    pub fn answer_code(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        invite: &Request,
        (flow, is_behind_nat): (Flow, bool),
    ) -> Option<CallNumber> {
        let number = self.next_number();
        let id = CallId::new(&mut self.ids);
        let tag = number.tag(&mut self.ids);
        let ok = layer.response_builder(tx, StatusCode::OK, "OK", Some(&tag))?;
        let ok = ok
            .copy(invite, HeaderName::RecordRoute)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Contact, self.locals.contact(flow))
            .header(HeaderName::ContentType, "application/sdp")
            .finish_with_body(&without_media(invite.body_bytes()));
        layer.respond(now, tx, ok.clone());
        let t1 = self.settings.t1;
        let unacked = Unacked {
            ok,
            by: AnsweredBy::Transaction(tx),
            cseq: invite.cseq_number(),
            interval: t1,
            resend_at: now + t1,
            give_up_at: now + self.settings.ack_max(),
        };
        let mut dialog = Dialog::answering(invite, tag, flow);
        if is_behind_nat {
            dialog.put_behind_nat();
        }
        let leg = EndingLeg {
            side: Side::Caller,
            dialog,
            unacked,
            reason: None,
            is_code: true,
        };
        let legs = smallvec![leg];
        let call = Call {
            id,
            stage: Stage::Ending(Box::new(Ending { legs })),
            relays: smallvec![],
        };
        self.table.insert(number, call);
        self.rearm(number);
        Some(number)
    }

    /// The BYE to a phone that has dialled a code is answered, or never will be.
    pub(crate) fn code_over(&mut self, tx: ClientTx) {
        if let Some(&ClientUse::CodeOver(call)) = self.client_uses.get(tx) {
            self.client_uses.insert(tx, ClientUse::Unwatched);
            self.emit(Event::PhoneFree { call });
        }
    }
}

/// An answer that takes none of the streams of an offer: a port of zero (RFC 3264 §6).
fn without_media(offer: &[u8]) -> Vec<u8> {
    let mut answer =
        b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n".to_vec();
    let lines = offer.split(|&byte| byte == b'\n');
    let streams = lines.filter_map(|line| line.strip_prefix(b"m="));
    for stream in streams.take(STREAMS_MAX) {
        let stream = stream.strip_suffix(b"\r").unwrap_or(stream);
        let mut words = stream.split(|&byte| byte == b' ');
        let (Some(kind), Some(_port)) = (words.next(), words.next()) else {
            continue;
        };
        answer.extend_from_slice(b"m=");
        answer.extend_from_slice(kind);
        answer.extend_from_slice(b" 0");
        for word in words {
            answer.push(b' ');
            answer.extend_from_slice(word);
        }
        answer.extend_from_slice(b"\r\n");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stream_of_an_offer_is_taken() {
        let offer = b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 4000/2 RTP/AVP 8 101\r\na=sendrecv\r\n\
                      m=video 4002 RTP/AVP 31\nm=broken\r\n";
        let answer = String::from_utf8(without_media(offer)).unwrap();
        let streams: Vec<_> = answer
            .lines()
            .filter(|line| line.starts_with("m="))
            .collect();
        assert_eq!(streams, ["m=audio 0 RTP/AVP 8 101", "m=video 0 RTP/AVP 31"]);
        assert!(!without_media(b"").windows(2).any(|two| two == b"m="));
    }
}
