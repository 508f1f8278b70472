//! What the phone of an agent who sent REFER is told of the transfer: the implicit subscription of RFC 3515.

use std::time::Instant;

use sip::{HeaderName, Method, Request, StatusCode};
use sip_transaction::TransactionLayer;

use super::{Course, Transferor};
use crate::{calls::Calls, ids::CallNumber, ringing::ALLOW, sent::ClientUse};

/// How long a subscription to the course of a transfer lasts, as it is said to the phone (seconds).
/// It ends with the transfer, which has limits of its own.
const SUBSCRIPTION_EXPIRES: u32 = 180;

/// Whether more notifications come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notified {
    More,
    Last,
}

impl Calls {
    /// The phone of the agent who transfers hears that the target rings.
    pub(crate) fn tell_ringing(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        self.notify(now, layer, number, StatusCode::RINGING, Notified::More);
    }

    /// The phone of the agent who transfers hears how it goes.
    pub(super) fn notify(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        status: StatusCode,
        notified: Notified,
    ) {
        let Some(transfer) = self.transfer_mut(number) else {
            return;
        };
        let Some(mut transferor) = transfer.transferor.take() else {
            return;
        };
        self.notify_agent(now, layer, &mut transferor, status, notified);
        if let Some(transfer) = self.transfer_mut(number) {
            transfer.transferor = Some(transferor);
        }
    }

    /// Sends NOTIFY with the state as `message/sipfrag` (RFC 3515 §2.4.5).
    pub(super) fn notify_agent(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        transferor: &mut Transferor,
        status: StatusCode,
        notified: Notified,
    ) {
        let Course::Told { refer } = transferor.course else {
            return;
        };
        let dialog = &mut transferor.leg.dialog;
        let contact = self.locals.contact(dialog.flow());
        let (builder, flow) = dialog.request(&Method::Notify, &mut self.ids, &self.locals);
        let builder = builder
            .header_fmt(HeaderName::Event, format_args!("refer;id={refer}"))
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::ContentType, "message/sipfrag;version=2.0");
        let builder = match notified {
            Notified::More => builder.header_fmt(
                HeaderName::SubscriptionState,
                format_args!("active;expires={SUBSCRIPTION_EXPIRES}"),
            ),
            Notified::Last => builder.header(
                HeaderName::SubscriptionState,
                "terminated;reason=noresource",
            ),
        };
        let fragment = format!("SIP/2.0 {} {}\r\n", status.value(), status.reason());
        let notify = Request::new(builder.finish_with_body(fragment.as_bytes())).ok();
        if let Some(tx) = notify.and_then(|notify| layer.request(now, notify, flow).ok()) {
            self.client_uses.insert(tx, ClientUse::Unwatched);
        }
    }
}
