//! Requests whose peer is reached by another flow before it has answered.

use super::{
    super::{ClientTx, Touched, TransactionLayer},
    Asked, Client, Machine,
};
use crate::{
    client_invite as invite, client_non_invite as non_invite,
    flow::{Attempt, Flow, Kept},
};

impl Client {
    /// A request that nobody has answered. Not an INVITE that makes a phone ring: it may do so already, and whoever does
    /// not answer it is not waited for.
    fn unanswered(&self) -> Option<Kept> {
        use non_invite::State::{Proceeding, Trying};
        match &self.machine {
            Machine::NonInvite { state, sent, .. } => {
                matches!(state, Trying | Proceeding).then(|| sent.clone())
            }
            Machine::Invite {
                state: invite::State::Calling,
                asked: Asked::Open { request, .. },
            } => request.to_tag().map(|_| Kept::new(request)),
            Machine::Invite { .. } => None,
        }
    }
}

impl TransactionLayer {
    /// The peer of a BYE of ours is reached by another flow: while it is not answered, it is sent there at once, and
    /// whenever it is repeated.
    ///
    /// Ignored where the flow is of another listener: the Via names the one by which the BYE has left.
    pub fn redirect_bye(&mut self, tx: ClientTx, to: Flow) {
        let before = self.clients.get(tx).filter(|client| {
            let from = client.flow;
            client.open_bye().is_some()
                && from != to
                && (from.transport, from.listener) == (to.transport, to.listener)
        });
        if before.is_some() {
            self.redirect(tx, to);
        }
    }

    /// A transaction goes on by another flow of the same listener. What is not answered is sent again: over a connection
    /// nobody would, and whether it arrived by the one before is not known.
    pub(in crate::layer) fn redirect(&mut self, tx: ClientTx, to: Flow) {
        self.move_client(tx, to);
        if let Some(sent) = self.clients.get(tx).and_then(Client::unanswered) {
            let next_hop = to.next_hop_of(&sent.bytes);
            self.transmit(to, next_hop, sent, Attempt::Retransmission);
        }
    }

    /// What is to be sent again leaves by where its peer is now.
    pub(super) fn follow_peer(&mut self, tx: ClientTx) {
        let Some(flow) = self.clients.get(tx).map(|client| client.flow) else {
            return;
        };
        let now = self.moved.instead_of(flow);
        if now != flow {
            self.move_client(tx, now);
        }
    }

    /// What is still to be sent leaves by this flow, and is told when that is lost.
    pub(super) fn move_client(&mut self, tx: ClientTx, to: Flow) {
        let Some(client) = self.clients.get_mut(tx) else {
            return;
        };
        let from = std::mem::replace(&mut client.flow, to);
        if to.transport.is_reliable() {
            self.by_flow.remove(&(from, tx));
            self.by_flow.insert((to, tx));
        }
        let touched = match &client.machine {
            Machine::Invite { .. } => Touched::Invite(tx),
            Machine::NonInvite { .. } => Touched::Bye(tx),
        };
        self.touch(touched);
    }
}
