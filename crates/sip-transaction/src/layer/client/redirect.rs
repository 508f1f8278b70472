//! A BYE whose peer is reached by another way before it has answered.

use super::{
    super::{ClientTx, Touched, TransactionLayer},
    Machine,
};
use crate::flow::{Attempt, Flow};

impl TransactionLayer {
    /// The peer of a BYE is reached by another connection, or at another port, from now on: while it is not answered, the
    /// BYE is sent there at once, and whenever it is repeated. Whether it is.
    ///
    /// Not where the way leads over another listener: the Via of the request names the one by which it left.
    pub fn redirect_bye(&mut self, tx: ClientTx, to: Flow) -> bool {
        let Some(client) = self.clients.get_mut(tx) else {
            return false;
        };
        let from = client.flow;
        if from == to {
            return false;
        }
        let is_same_listener = (from.transport, from.listener) == (to.transport, to.listener);
        if !is_same_listener || client.open_bye().is_none() {
            return false;
        }
        let Machine::NonInvite { sent, .. } = &client.machine else {
            return false;
        };
        let sent = sent.clone();
        client.flow = to;
        if to.transport.is_reliable() {
            self.by_flow.remove(&(from, tx));
            self.by_flow.insert((to, tx));
        }
        self.touch(Touched::Bye(tx));
        let next_hop = to.next_hop_of(&sent.bytes);
        self.transmit(to, next_hop, sent, Attempt::Retransmission);
        true
    }
}
