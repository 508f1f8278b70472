//! What a scenario does, and when: demand, outages, crisis plans.

use std::time::Duration;

use config::scenario::{Scenario, Window};
use engine::acd::{AgentId, CrisisId, CrisisOrder, Input, LineId, SiteId, SiteState, Want};

use super::{
    drive::{Drive, Happening},
    people::Duty,
};

/// Who switches the crisis plans of a scenario.
const AUTHOR: &str = "scenario";

/// Something of a scenario begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// The outage of this number begins.
    OutageBegins(usize),
    OutageEnds(usize),
    /// The crisis of this number is switched on.
    CrisisOn(usize),
    CrisisOff(usize),
}

/// All turns of a scenario, in no order.
pub(super) fn turns(scenario: &Scenario) -> Vec<(Duration, Turn)> {
    let both = |window: Window, turns: [Turn; 2]| {
        let [begins, ends] = turns;
        [(window.from, begins), (window.until, ends)]
    };
    let outages = scenario.outages.iter().enumerate();
    let outages = outages.flat_map(|(at, outage)| {
        both(
            outage.window,
            [Turn::OutageBegins(at), Turn::OutageEnds(at)],
        )
    });
    let crises = scenario.crises.iter().enumerate();
    let crises = crises
        .flat_map(|(at, crisis)| both(crisis.window, [Turn::CrisisOn(at), Turn::CrisisOff(at)]));
    outages.chain(crises).collect()
}

/// How many times as many calls than usual come to the lines of a site, and when: in no order.
pub(super) fn demand_at(scenario: &Scenario, site: SiteId) -> Vec<(Window, f64)> {
    let there = scenario
        .demand
        .iter()
        .filter(|one| one.sites.contains(&site));
    there.map(|one| (one.window, one.factor)).collect()
}

impl Drive<'_> {
    pub(super) fn prepare_scenario(&mut self) {
        for (at, turn) in turns(self.history.scenario) {
            self.at(at, Happening::Turn(turn));
        }
    }

    pub(super) fn take_turn(&mut self, turn: Turn) {
        let scenario = self.history.scenario;
        match turn {
            Turn::OutageBegins(at) => {
                for &site in &scenario.outages[at].sites {
                    self.outages[site.index()] += 1;
                    self.site_state(site);
                    self.each_at_work(site, &Want::LoggedOut);
                }
            }
            Turn::OutageEnds(at) => {
                for &site in &scenario.outages[at].sites {
                    self.outages[site.index()] -= 1;
                    self.site_state(site);
                    if self.outages[site.index()] == 0 {
                        self.each_at_work(site, &Want::Ready);
                    }
                }
            }
            Turn::CrisisOn(at) => {
                let crisis = &scenario.crises[at];
                self.feed(Input::CrisisOn(CrisisOrder {
                    crisis: crisis.crisis,
                    sites: crisis.sites.iter().copied().collect(),
                    until: None,
                    author: AUTHOR.to_owned(),
                    reason: scenario.name.clone(),
                }));
            }
            Turn::CrisisOff(at) => {
                let crisis = &scenario.crises[at];
                let sites = self.only_of(crisis.crisis, at);
                if !sites.is_empty() {
                    self.feed(Input::CrisisOff {
                        crisis: crisis.crisis,
                        sites,
                        author: AUTHOR.to_owned(),
                    });
                }
            }
        }
    }

    /// The sites of a window of a crisis plan where no other window of it is open now.
    fn only_of(&self, crisis: CrisisId, at: usize) -> Vec<SiteId> {
        let crises = &self.history.scenario.crises;
        let is_open = |other: &config::scenario::CrisisWindow| {
            other.crisis == crisis && other.window.from <= self.now && self.now < other.window.until
        };
        let sites = crises[at].sites.iter().copied();
        sites
            .filter(|site| {
                let mut others = crises.iter().enumerate().filter(|&(index, _)| index != at);
                !others.any(|(_, other)| is_open(other) && other.sites.contains(site))
            })
            .collect()
    }

    fn site_state(&mut self, site: SiteId) {
        let state = (self.outages[site.index()] > 0).then_some(SiteState::Down);
        self.feed(Input::SiteStateSet { site, state });
    }

    /// Those of a site who are at work leave, or come back.
    fn each_at_work(&mut self, site: SiteId, want: &Want) {
        let directory = self.history.directory.clone();
        let agents = directory.agents().filter(|&agent| {
            directory.agent_profile(agent).site == site
                && self.at_work[agent.index()] == Duty::Begins
        });
        let agents: Vec<AgentId> = agents.collect();
        for agent in agents {
            let want = want.clone();
            self.feed(Input::AgentWants { agent, want });
        }
    }

    /// Whether an agent can work where her site is.
    pub(super) fn can_work(&self, agent: AgentId) -> bool {
        let site = self.history.directory.agent_profile(agent).site;
        self.outages[site.index()] == 0
    }

    /// The number under which the callers of a line are drawn: the same in every configuration that
    /// has a line of this id.
    pub(super) fn line_stream(&self, line: LineId) -> u64 {
        id_stream(&self.history.directory.line_profile(line).id)
    }
}

/// A number for an id (FNV-1a).
pub(super) fn id_stream(id: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
