//! What is done to those who are there, one thing at a time.

use engine::{Order, sip::Transport};
use rand_pcg::Pcg64Mcg;

use super::{
    Pace,
    act::Storm,
    centre::{self, DOMAIN, NODE, OPERATORS, SITES, place},
    draw::{self, Phones, between, chance, one_of},
    faults::Fault,
};
use crate::{
    World,
    connections::Cut,
    host::Host,
    script::{Answer, Manner},
};

impl Storm {
    pub(super) fn change_manner(&mut self) {
        let agents: Vec<_> = centre::agents().collect();
        let (agent, phones) = one_of(&mut self.rng, &agents);
        let manner = draw::manner(&mut self.rng, self.pace);
        match manner.answer {
            Answer::Busy => self.faults.note(Fault::Busy),
            Answer::DeclineAfter(_) => self.faults.note(Fault::Declined),
            Answer::Never => self.faults.note(Fault::NoAnswer),
            Answer::WhenCancelled => self.faults.note(Fault::AnsweredWhenCancelled),
            Answer::Dead => self.faults.note(Fault::SwitchedOff),
            Answer::After(_) | Answer::Twice(_) => {}
        }
        self.world.set_manner(phones, agent, manner);
    }

    pub(super) fn register_all(&mut self) {
        for (agent, address) in centre::registered() {
            self.world.register(address, self.node, agent, DOMAIN);
        }
    }

    pub(super) fn give_order(&mut self) {
        let now = self.world.now();
        if self.world.host(self.node).is_none_or(Host::is_dead) {
            return;
        }
        let node = self.world.node(self.node);
        let calls = node.calls(now);
        let calls: Vec<_> = calls.iter().map(|call| call.id.to_string()).collect();
        if let Some(order) = draw::order(&mut self.rng, node, now, &calls) {
            self.faults.note(Fault::Ordered);
            let told = format!("{order:?}");
            let done = self.world.order(self.node, order);
            self.tell(format_args!("{told}: {done:?}"));
        }
    }

    pub(super) fn switch_crisis(&mut self) {
        if self.world.host(self.node).is_none_or(Host::is_dead) {
            return;
        }
        let directory = self.world.node(self.node).directory();
        let Some(crisis) = directory.crisis("plan-blanc") else {
            return;
        };
        let sites: Vec<_> = directory.sites().collect();
        let author = "Dr A".to_owned();
        let order = match chance(&mut self.rng, 0.5) {
            true => Order::SwitchOn {
                crisis,
                sites: vec![one_of(&mut self.rng, &sites)],
                lasts: chance(&mut self.rng, 0.5).then(|| between(&mut self.rng, 1.0, 300.0)),
                author,
                reason: "a train".to_owned(),
            },
            false => Order::SwitchOff {
                crisis,
                sites: Vec::new(),
                author,
            },
        };
        if self.world.order(self.node, order).is_ok() {
            self.faults.note(Fault::CrisisSwitched);
        }
    }

    /// An agent calls a colleague or physicians.
    pub(super) fn consult(&mut self) {
        let agents: Vec<_> = centre::agents().collect();
        let (agent, phones) = one_of(&mut self.rng, &agents);
        let plan = draw::consultation(&mut self.rng, agent);
        self.faults.note(Fault::Consulted);
        self.tell(format_args!("{agent} calls {}", plan.dialled));
        let session = self.world.call(phones, self.node, plan);
        self.consultations.push_back((phones, agent, session));
        if self.consultations.len() > 4 {
            self.consultations.pop_front();
        }
    }

    /// An agent brings together a caller and whom she has called about it.
    pub(super) fn bring_together(&mut self) {
        let Some((phones, agent, about)) = self.consultations.pop_back() else {
            return;
        };
        self.faults.note(Fault::BroughtTogether);
        self.tell(format_args!("{agent} brings two together"));
        self.world.transfer_attended(phones, agent, about);
    }

    pub(super) fn cut(&mut self) {
        let (fault, cut) = match chance(&mut self.rng, 0.7) {
            true => (Fault::ConnectionCut, Cut::Told),
            false => (Fault::HalfOpen, Cut::HalfOpen),
        };
        if let Some([from, to]) = self.world.cut_one(cut) {
            self.faults.note(fault);
            self.tell(format_args!("{cut:?} from {from} to {to}"));
        }
    }

    /// A machine takes no connections for some seconds.
    pub(super) fn deafen(&mut self) {
        let places: Vec<_> = centre::over_connections().collect();
        let deaf = one_of(&mut self.rng, &places);
        let lasts = between(&mut self.rng, 0.0, 15.0);
        self.tell(format_args!("{deaf} takes no connection for {lasts:?}"));
        self.world.deafen(place(deaf), lasts);
    }

    /// The network says that nobody is where phones are.
    pub(super) fn refuse(&mut self) {
        let sites = SITES.iter().filter(|site| site.transport == Transport::Udp);
        let sites: Vec<_> = sites.collect();
        let site = one_of(&mut self.rng, &sites);
        self.faults.note(Fault::Refused);
        self.tell(format_args!("nobody is at {}", site.phones));
        self.world.refuse(self.node, place(site.phones));
    }

    pub(super) fn unregister(&mut self) {
        let phones: Vec<_> = centre::registered().collect();
        let (agent, address) = one_of(&mut self.rng, &phones);
        self.faults.note(Fault::Unregistered);
        self.world.unregister(address, self.node, agent, DOMAIN);
    }
}

/// Operators, their proxies and phones, each reached in its way.
pub(super) fn populate(world: &mut World, rng: &mut Pcg64Mcg, pace: Pace, phones: Phones) {
    let add = |world: &mut World,
               name: String,
               address: &str,
               transport,
               manner: Manner,
               rng: &mut Pcg64Mcg| {
        let address = place(address);
        match transport {
            Transport::Udp => world.add_peer(&name, address, manner),
            _ => world.add_stream_peer(&name, address, manner, draw::patience(rng)),
        }
    };
    for (index, operator) in OPERATORS.iter().enumerate() {
        let name = format!("op-{}", index + 1);
        let manner = draw::good_manner();
        add(
            world,
            name,
            operator.address,
            operator.transport,
            manner,
            rng,
        );
    }
    for (name, site) in ["ph-a", "ph-b", "ph-c"].into_iter().zip(&SITES) {
        let manner = draw::manner(rng, pace);
        if phones == Phones::BehindNat && !site.is_fixed {
            let place = (place(site.phones), place(centre::INSIDE));
            let softphones = world.add_phones_behind_nat(name, place, manner);
            world.keep_registered(softphones);
        } else {
            add(
                world,
                name.to_owned(),
                site.phones,
                site.transport,
                manner,
                rng,
            );
        }
    }
    let proxies = OPERATORS.iter().filter_map(|operator| operator.proxy);
    for (index, address) in proxies.enumerate() {
        let name = format!("px-{}", index + 1);
        world.add_proxy(&name, place(address), place(NODE), draw::proxy(rng));
    }
}
