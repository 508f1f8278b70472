//! Proxies between callers and a node.

use std::net::SocketAddr;

use engine::sip::Transport;

use super::World;
use crate::{
    laws::Said,
    proxy::{Proxy, ProxyManner},
};

impl World {
    /// Adds a proxy before a node.
    pub(crate) fn add_proxy(
        &mut self,
        name: &str,
        address: SocketAddr,
        node: SocketAddr,
        manner: ProxyManner,
    ) {
        self.tape.name(address, name);
        let which = (self.proxies.len() as u64 + 1).rotate_left(23);
        let seed = self.seed ^ which ^ 0x5851_f42d;
        let proxy = Proxy::new(address, node, seed, manner);
        self.proxies.insert(address, proxy);
    }

    /// How often proxies gave up waiting for an answer.
    pub(crate) fn times_given_up(&self) -> u64 {
        self.proxies.values().map(Proxy::times_given_up).sum()
    }

    /// A message arrives at a proxy, if there is one.
    pub(super) fn pass_to_proxy(
        &mut self,
        address: SocketAddr,
        transport: Transport,
        from: SocketAddr,
        said: Said,
    ) {
        if let Some(proxy) = self.proxies.get_mut(&address) {
            proxy.hear(self.now, transport, from, said);
            self.drain_proxy(address);
        }
    }

    pub(super) fn step_proxies(&mut self) {
        for address in self.proxy_alarms.due(self.now) {
            if let Some(proxy) = self.proxies.get_mut(&address) {
                proxy.handle_timeout(self.now);
                self.drain_proxy(address);
            }
        }
    }

    pub(super) fn drain_proxy(&mut self, address: SocketAddr) {
        while let Some(transmit) = self.proxies.get_mut(&address).and_then(Proxy::poll_output) {
            self.transmit(address, transmit, None);
        }
        let at = self.proxies.get(&address).and_then(Proxy::poll_timeout);
        self.proxy_alarms.set(address, at);
    }

    /// What proxies have not ended in a world that has drained.
    pub(super) fn proxies_left(&self) -> impl Iterator<Item = String> {
        let left = self
            .proxies
            .iter()
            .map(|(at, proxy)| (at, proxy.transactions()));
        left.filter(|(_, count)| *count > 0)
            .map(|(at, count)| format!("{at}: {count} transactions left"))
    }
}
