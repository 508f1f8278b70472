//! Prometheus: folds the engine's facts into series.
//!
//! Counters and histograms are folded from [`engine::Event`]s by [`Metrics::fold`], through handles
//! that were looked up once. Gauges are set from one snapshot of the engine at each scrape
//! ([`Metrics::render`]), so they cannot drift from what they show. Labels are ids from the
//! configuration, states, methods and status codes: nothing from a message becomes a label.

mod connection;
mod messages;
mod names;

use engine::{
    Direction, Event, GaugesView, JournalState, Outcome, Transferred,
    acd::{self, AgentStateKind, Directory, LineId, OfferOutcome, SiteId},
    sip_transaction::Attempt,
};
use prometheus::{Encoder as _, Histogram, IntCounter, Registry, TextEncoder};

pub use connection::ConnectionRefusal;

use crate::{messages::Messages, names::Series};

/// All metrics of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    series: Series,
    sites: Vec<Site>,
    lines: Vec<Line>,
    messages: Messages,
    retransmissions_in: IntCounter,
    retransmissions_out: IntCounter,
    directory: Directory,
}

/// The handles of a site.
#[derive(Debug)]
struct Site {
    offers: [IntCounter; OfferOutcome::ALL.len()],
}

/// The handles of a line.
#[derive(Debug)]
struct Line {
    answered: IntCounter,
    diverted: IntCounter,
    abandoned: IntCounter,
    failed: IntCounter,
    blocked: IntCounter,
    waits: Histogram,
    waits_abandoned: Histogram,
}

impl Metrics {
    /// Series for every site and line of a node. Each exists from the start, at zero.
    pub fn new(directory: &Directory, node: &str) -> Self {
        let labels = [("node".to_owned(), node.to_owned())].into_iter().collect();
        let registry =
            Registry::new_custom(None, Some(labels)).expect("a registry without a prefix is right");
        let series = Series::register(&registry);
        let sites = directory
            .sites()
            .map(|site| Site::new(&series, directory, site))
            .collect();
        let lines = directory
            .lines()
            .map(|line| Line::new(&series, directory, line))
            .collect();
        let retransmissions =
            |way: Direction| series.retransmissions.with_label_values(&[way.label()]);
        for refusal in ConnectionRefusal::ALL {
            series
                .connections_refused
                .with_label_values(&[refusal.label()]);
        }
        Self {
            retransmissions_in: retransmissions(Direction::In),
            retransmissions_out: retransmissions(Direction::Out),
            messages: Messages::new(series.messages.clone()),
            registry,
            series,
            sites,
            lines,
            directory: directory.clone(),
        }
    }

    /// Counts a fact.
    pub fn fold(&self, event: &Event) {
        match event {
            Event::Message {
                direction,
                kind,
                attempt,
            } => {
                self.messages.count(*direction, *kind);
                if *attempt == Attempt::Retransmission {
                    self.retransmissions_out.inc();
                }
            }
            Event::RetransmissionReceived { .. } => self.retransmissions_in.inc(),
            Event::Dropped { reason } => {
                self.series.drops.with_label_values(&[reason.label()]).inc();
            }
            Event::CallBlocked { line, .. } => self.line(*line).blocked.inc(),
            // For the line that it leaves the call is over: a person has answered it there.
            Event::CallTransferred {
                to: Transferred::Line { from, .. },
                ..
            } => self.line(*from).answered.inc(),
            Event::TransferEnded { outcome } => {
                let label = [outcome.label()];
                self.series.transfers.with_label_values(&label).inc();
            }
            Event::CallEnded {
                line,
                outcome,
                waited,
                ..
            } => {
                let line = self.line(*line);
                match outcome {
                    Outcome::Answered => line.answered.inc(),
                    Outcome::Diverted => line.diverted.inc(),
                    Outcome::Abandoned => {
                        line.abandoned.inc();
                        line.waits_abandoned.observe(waited.as_secs_f64());
                    }
                    Outcome::Failed => line.failed.inc(),
                }
            }
            Event::LateAnswer { .. } => self.series.late_answers.inc(),
            Event::SourceBanned { .. } => self.series.bans.inc(),
            Event::Distribution { what, .. } => self.distribution(what),
            _ => {}
        }
    }

    fn distribution(&self, event: &acd::Event) {
        match event {
            acd::Event::OfferEnded { agent, outcome, .. } => {
                let site = self.directory.agent_profile(*agent).site;
                self.sites[site.index()].offers[*outcome as usize].inc();
            }
            // A wait is over when a person answers, however long they then talk.
            acd::Event::Answered {
                line,
                site,
                step,
                waited,
                ..
            } => {
                self.line(*line).waits.observe(waited.as_secs_f64());
                if let Some(step) = step {
                    let home = self.directory.line_profile(*line).site;
                    let (from, to) = (self.site_id(home), self.site_id(*site));
                    let step = (step.step.value() + 1).to_string();
                    let labels = [from, to, step.as_str()];
                    self.series.overflow.with_label_values(&labels).inc();
                }
            }
            _ => {}
        }
    }

    /// A message was given up since its connection did not keep up.
    pub fn stream_message_lost(&self) {
        self.series.streams_full.inc();
    }

    /// A group of changes took so long to be durable.
    pub fn journalled(&self, took: std::time::Duration) {
        self.series.journal_appends.observe(took.as_secs_f64());
    }

    /// Datagrams that the system did not take.
    pub fn datagrams_lost(&self, count: usize) {
        if count > 0 {
            self.series.datagrams_lost.inc_by(count as u64);
        }
    }

    /// A connection that a peer opened and that was closed before it carried anything.
    pub fn connection_refused(&self, reason: ConnectionRefusal) {
        self.series
            .connections_refused
            .with_label_values(&[reason.label()])
            .inc();
    }

    /// When our certificate ends, in seconds since 1970.
    pub fn certificate_expires_at(&self, seconds: u64) {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.series.certificate_expiry.set(seconds);
    }

    /// Everything in the text format of Prometheus, with gauges as of `gauges`.
    pub fn render(&self, gauges: &GaugesView) -> String {
        self.set(gauges);
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("series of ours can be written to memory");
        String::from_utf8(text).expect("the text format is UTF-8")
    }

    fn set(&self, gauges: &GaugesView) {
        let series = &self.series;
        let status = &gauges.status;
        let calls = |state, count| {
            series
                .calls_now
                .with_label_values(&[state])
                .set(signed(count));
        };
        calls("waiting", status.waiting);
        calls("ringing", status.ringing);
        calls("connected", status.connected);
        let transactions = |role, count| {
            series
                .transactions
                .with_label_values(&[role])
                .set(signed(count));
        };
        transactions("server", status.server_transactions);
        transactions("client", status.client_transactions);
        series.legs.set(signed(status.legs));
        series.forwarding.set(signed(status.forwarding));
        series.registrations.set(signed(status.registered));
        series.draining.set(i64::from(status.draining));
        for state in JournalState::ALL {
            let is_it = i64::from(state == status.journal);
            series
                .journal
                .with_label_values(&[state.label()])
                .set(is_it);
        }
        for line in &gauges.lines {
            let profile = self.directory.line_profile(line.id);
            let labels = [self.site_id(profile.site), profile.id.as_str()];
            series
                .waiting
                .with_label_values(&labels)
                .set(signed(line.waiting));
            let longest = line.wait_longest.as_secs_f64();
            series.wait_longest.with_label_values(&labels).set(longest);
        }
        for trunk in &gauges.trunks {
            let calls = self.series.trunk_calls.with_label_values(&[&trunk.name]);
            calls.set(signed(trunk.calls));
            for (health, addresses) in trunk.next_hops {
                let labels = [trunk.name.as_str(), health.label()];
                let gauge = self.series.next_hops.with_label_values(&labels);
                gauge.set(signed(addresses));
            }
        }
        for site in &gauges.sites {
            for &(kind, count) in &site.agents {
                let kind: AgentStateKind = kind;
                let labels = [self.site_id(site.id), kind.name()];
                series.agents.with_label_values(&labels).set(signed(count));
            }
        }
    }

    fn line(&self, line: LineId) -> &Line {
        &self.lines[line.index()]
    }

    fn site_id(&self, site: SiteId) -> &str {
        &self.directory.site_profile(site).id
    }
}

impl Site {
    fn new(series: &Series, directory: &Directory, site: SiteId) -> Self {
        let id = &directory.site_profile(site).id;
        let offers = OfferOutcome::ALL.map(|outcome| {
            series
                .offers
                .with_label_values(&[id.as_str(), outcome.name()])
        });
        Self { offers }
    }
}

impl Line {
    fn new(series: &Series, directory: &Directory, line: LineId) -> Self {
        let profile = directory.line_profile(line);
        let site = &directory.site_profile(profile.site).id;
        let labels = [site.as_str(), profile.id.as_str()];
        let calls = |outcome| {
            series
                .calls
                .with_label_values(&[labels[0], labels[1], outcome])
        };
        Self {
            answered: calls("answered"),
            diverted: calls("diverted"),
            abandoned: calls("abandoned"),
            failed: calls("failed"),
            blocked: calls("blocked"),
            waits: series.waits.with_label_values(&labels),
            waits_abandoned: series.waits_abandoned.with_label_values(&labels),
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
