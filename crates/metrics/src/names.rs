//! Every metric: its name, what it counts, its labels. The only place where a name is written.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, core::Collector,
};

/// Upper bounds of the buckets of waits, in seconds.
pub(crate) const WAIT_BUCKETS: [f64; 12] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0,
];

/// All series of a node.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) calls: IntCounterVec,
    pub(crate) calls_now: IntGaugeVec,
    pub(crate) waiting: IntGaugeVec,
    pub(crate) wait_longest: GaugeVec,
    pub(crate) waits: HistogramVec,
    pub(crate) waits_abandoned: HistogramVec,
    pub(crate) agents: IntGaugeVec,
    pub(crate) offers: IntCounterVec,
    pub(crate) overflow: IntCounterVec,
    pub(crate) messages: IntCounterVec,
    pub(crate) transactions: IntGaugeVec,
    pub(crate) retransmissions: IntCounterVec,
    pub(crate) drops: IntCounterVec,
    pub(crate) legs: IntGauge,
    pub(crate) forwarding: IntGauge,
    pub(crate) registrations: IntGauge,
    pub(crate) draining: IntGauge,
    pub(crate) journal: IntGaugeVec,
    pub(crate) journal_appends: Histogram,
    pub(crate) datagrams_lost: prometheus::IntCounter,
    pub(crate) streams_full: prometheus::IntCounter,
    pub(crate) connections_refused: IntCounterVec,
    pub(crate) certificate_expiry: IntGauge,
    pub(crate) late_answers: prometheus::IntCounter,
    pub(crate) transfers: IntCounterVec,
    pub(crate) trunk_calls: IntGaugeVec,
    pub(crate) next_hops: IntGaugeVec,
    pub(crate) bans: prometheus::IntCounter,
}

impl Series {
    /// Makes and registers every series.
    #[expect(clippy::too_many_lines, reason = "a table: one entry for each series")]
    pub(crate) fn register(registry: &Registry) -> Self {
        let series = Self {
            calls: counter(
                "quinze_calls_total",
                "Calls that ended, by their line and how they count: answered by a person, diverted \
                 to somebody outside, abandoned by the caller, failed (ended by us without an answer), blocked (refused by a limit).",
                &["site", "line", "outcome"],
            ),
            calls_now: gauge(
                "quinze_calls",
                "Calls now: waiting, ringing an agent, connected.",
                &["state"],
            ),
            waiting: gauge(
                "quinze_calls_waiting",
                "Calls that wait now.",
                &["site", "line"],
            ),
            wait_longest: GaugeVec::new(
                opts(
                    "quinze_wait_longest_seconds",
                    "How long the first of the waiting calls has waited, as its place counts it: from its caller's first call where that is kept.",
                ),
                &["site", "line"],
            )
            .expect("the name is right"),
            waits: waits(
                "quinze_wait_seconds",
                "From the INVITE to a person's answer, of answered calls.",
            ),
            waits_abandoned: waits(
                "quinze_wait_abandoned_seconds",
                "From the INVITE to the end, of abandoned calls.",
            ),
            agents: gauge(
                "quinze_agents",
                "Agents now, by home site and state.",
                &["site", "state"],
            ),
            offers: counter(
                "quinze_offers_total",
                "Offers that ended, by the agent's site and how.",
                &["site", "outcome"],
            ),
            overflow: counter(
                "quinze_overflow_total",
                "Calls answered by an agent of another site, by the overflow step (from 1) that \
                 brought the agent within reach.",
                &["from_site", "to_site", "step"],
            ),
            messages: counter(
                "quinze_sip_messages_total",
                "SIP messages by method or status code; repetitions that were received are counted.",
                &["direction", "kind"],
            ),
            transactions: gauge("quinze_transactions", "SIP transactions now.", &["role"]),
            retransmissions: counter(
                "quinze_retransmissions_total",
                "SIP messages that repeat an earlier one.",
                &["direction"],
            ),
            drops: counter(
                "quinze_drops_total",
                "What came in and was dropped, or refused unseen, by reason.",
                &["reason"],
            ),
            legs: single("quinze_legs", "Dialogs of all calls now."),
            forwarding: single(
                "quinze_forwarding",
                "Requests that the proxy forwards, or whose transactions linger, now.",
            ),
            registrations: single("quinze_registrations", "Phones with a binding now."),
            journal_appends: lone_histogram(
                "quinze_journal_append_seconds",
                "From handing a group of changes to the journal's thread to hearing that it is durable.",
                &[
                    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0,
                ],
            ),
            draining: single("quinze_draining", "1 while new calls are refused."),
            journal: gauge(
                "quinze_journal_state",
                "1 for how the journal stands: off, kept, late or failed. Alarm on the last two.",
                &["state"],
            ),
            datagrams_lost: lone_counter(
                "quinze_datagrams_lost_total",
                "Datagrams that the system did not take from us.",
            ),
            streams_full: lone_counter(
                "quinze_stream_messages_lost_total",
                "Messages that were given up since their connection did not keep up.",
            ),
            connections_refused: counter(
                "quinze_connections_refused_total",
                "Connections that were closed before they carried a message, by reason.",
                &["reason"],
            ),
            certificate_expiry: single(
                "quinze_certificate_expiry_timestamp_seconds",
                "When the certificate of this node ends, in seconds since 1970; 0 without TLS.",
            ),
            late_answers: lone_counter(
                "quinze_late_answers_total",
                "Phones that answered when their offer was over, and were hung up.",
            ),
            trunk_calls: gauge(
                "quinze_trunk_calls",
                "Calls that came by a trunk and are not over.",
                &["trunk"],
            ),
            next_hops: gauge(
                "quinze_trunk_next_hops",
                "Addresses that calls to a trunk go to, by whether they answer OPTIONS: up, down, \
                 unknown before the first answer.",
                &["trunk", "state"],
            ),
            transfers: counter(
                "quinze_transfers_total",
                "Transfers that agents asked for, by how they ended: done, failed (the call came back \
                 to the agent), kept (the agent changed her mind), refused (not tried).",
                &["outcome"],
            ),
            bans: lone_counter(
                "quinze_bans_total",
                "Bans of sources that nobody knows and that cost too much.",
            ),
        };
        series.add_to(registry);
        series
    }

    fn add_to(&self, registry: &Registry) {
        let all: [Box<dyn Collector>; 28] = [
            Box::new(self.calls.clone()),
            Box::new(self.calls_now.clone()),
            Box::new(self.waiting.clone()),
            Box::new(self.wait_longest.clone()),
            Box::new(self.waits.clone()),
            Box::new(self.waits_abandoned.clone()),
            Box::new(self.agents.clone()),
            Box::new(self.offers.clone()),
            Box::new(self.overflow.clone()),
            Box::new(self.messages.clone()),
            Box::new(self.transactions.clone()),
            Box::new(self.retransmissions.clone()),
            Box::new(self.drops.clone()),
            Box::new(self.legs.clone()),
            Box::new(self.forwarding.clone()),
            Box::new(self.registrations.clone()),
            Box::new(self.draining.clone()),
            Box::new(self.journal.clone()),
            Box::new(self.journal_appends.clone()),
            Box::new(self.datagrams_lost.clone()),
            Box::new(self.streams_full.clone()),
            Box::new(self.connections_refused.clone()),
            Box::new(self.certificate_expiry.clone()),
            Box::new(self.late_answers.clone()),
            Box::new(self.transfers.clone()),
            Box::new(self.trunk_calls.clone()),
            Box::new(self.next_hops.clone()),
            Box::new(self.bans.clone()),
        ];
        for collector in all {
            registry
                .register(collector)
                .expect("every name is registered once");
        }
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help)
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(opts(name, help), labels).expect("the name is right")
}

fn lone_counter(name: &str, help: &str) -> prometheus::IntCounter {
    prometheus::IntCounter::with_opts(opts(name, help)).expect("the name is right")
}

fn lone_histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    Histogram::with_opts(opts).expect("the name is right")
}

fn gauge(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(opts(name, help), labels).expect("the name is right")
}

fn single(name: &str, help: &str) -> IntGauge {
    IntGauge::with_opts(opts(name, help)).expect("the name is right")
}

fn waits(name: &str, help: &str) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(WAIT_BUCKETS.to_vec());
    HistogramVec::new(opts, &["site", "line"]).expect("the name is right")
}
