//! `quinze demo`: a node with three centres, and callers and phones that speak real SIP to it.

mod centres;
mod figures;
mod socket;
mod table;

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use node::{End, Node};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use sim::{CallPlan, PeerEvent};
use tokio::time::{interval, sleep_until, timeout};

use self::{centres::CENTRES, figures::Figures, socket::PeerSocket, table::Table};

/// Options of the demo.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Calls a second, over all three centres.
    #[arg(long, default_value_t = 4.0, value_parser = parse_rate)]
    cps: f64,
    /// How long new calls come, in minutes.
    #[arg(long, default_value_t = 3.0, value_parser = parse_minutes)]
    minutes: f64,
    /// The seed of arrivals, talk times and patience; drawn and printed when left out.
    #[arg(long)]
    seed: Option<u64>,
}

/// Mean talk time. Real calls last a minute; the demo's are short, so that a minute shows much.
const TALK_MEAN: Duration = Duration::from_secs(6);

/// Mean patience of a caller.
const PATIENCE_MEAN: Duration = Duration::from_secs(45);

/// How long calls may take to end once no new ones come.
const END_MAX: Duration = Duration::from_secs(180);

fn parse_rate(text: &str) -> Result<f64, String> {
    parse_between(text, 0.1, 500.0)
}

fn parse_minutes(text: &str) -> Result<f64, String> {
    parse_between(text, 0.05, 1440.0)
}

fn parse_between(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be {low} to {high}"))
    }
}

/// Runs the demo. Exit code 0 when no call was lost.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async { Demo::start(options)?.run().await })
}

struct Demo {
    options: Options,
    rng: Pcg64Mcg,
    node: Node,
    callers: PeerSocket,
    phones: PeerSocket,
    figures: Figures,
    table: Table,
    calls_until: Instant,
}

impl Demo {
    fn start(options: &Options) -> anyhow::Result<Self> {
        let entropy = node::entropy().context("no entropy")?;
        let seed = options.seed.unwrap_or(entropy[0]);
        let phones = PeerSocket::bind(seed)?;
        let callers = PeerSocket::bind(!seed)?;
        let text = centres::configuration(options.cps, phones.address());
        let loaded = config::load("demo".as_ref(), &text, entropy)
            .map_err(|errors| anyhow::anyhow!("the demo's configuration is wrong:\n{errors}"))?;
        let directory = loaded.engine.directory.clone();
        let node = Node::start(loaded)?;
        let figures = Figures::new(&node, directory);
        let table = Table::new(std::io::stdout().is_terminal());
        table.say(&format!(
            "Quinze demo: 3 centres, {} calls a second for {} min; seed {seed}; SIP {}; http://{}/v1/status",
            options.cps,
            options.minutes,
            node.sip_addresses().first().map_or_else(String::new, |(_, address)| address.to_string()),
            node.http_address(),
        ));
        Ok(Self {
            options: options.clone(),
            rng: Pcg64Mcg::seed_from_u64(seed),
            node,
            callers,
            phones,
            figures,
            table,
            calls_until: Instant::now() + Duration::from_secs_f64(options.minutes * 60.0),
        })
    }

    async fn run(mut self) -> anyhow::Result<ExitCode> {
        let mut ticks = interval(Duration::from_millis(self.table.refresh_millis()));
        let mut next_call = Instant::now();
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let calling = Instant::now() < self.calls_until;
            if !calling && self.callers.sessions() == 0 {
                break;
            }
            if Instant::now() > self.calls_until + END_MAX {
                break;
            }
            tokio::select! {
                () = sleep_until(next_call.into()), if calling => {
                    self.place_call().await;
                    next_call += self.exponential(Duration::from_secs_f64(1.0 / self.options.cps));
                }
                event = self.callers.next() => self.figures.note(&event?),
                event = self.phones.next() => { event?; }
                event = self.figures.next_event() => self.figures.take(&event),
                _ = ticks.tick() => {
                    let gauges = self.node.gauges().await;
                    self.table.show(&self.figures, gauges.as_ref());
                }
                _ = &mut interrupted, if calling => self.calls_until = Instant::now(),
            }
        }
        self.end().await
    }

    /// Stops the node in peace and prints what came of it.
    async fn end(mut self) -> anyhow::Result<ExitCode> {
        self.node.drain();
        let drained = async {
            loop {
                tokio::select! {
                    end = self.node.ended() => {
                        anyhow::ensure!(end == End::Orderly, "the node has failed");
                        break;
                    }
                    event = self.callers.next() => { event?; }
                    event = self.phones.next() => { event?; }
                    event = self.figures.next_event() => self.figures.take(&event),
                }
            }
            anyhow::Ok(())
        };
        timeout(END_MAX, drained)
            .await
            .context("the node did not end")??;
        let lost = self.figures.lost() + self.callers.sessions();
        self.table.say(&self.figures.summary(lost));
        Ok(if lost == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn place_call(&mut self) {
        let Some(&(_, node)) = self.node.sip_addresses().first() else {
            return;
        };
        let centre = centres::drawn(self.rng.random::<f64>());
        let number = format!("+336{:08}", self.rng.random_range(0..100_000_000_u32));
        let plan = CallPlan::to(format!("sip:{}@{node}", CENTRES[centre].number))
            .number(number)
            .talk(self.exponential(TALK_MEAN) + Duration::from_millis(500))
            .patience(self.exponential(PATIENCE_MEAN) + Duration::from_secs(2));
        self.figures.offered += 1;
        self.callers.call(node, plan).await;
    }

    /// A time drawn from an exponential distribution.
    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.rng.random::<f64>()).ln())
    }
}

impl Figures {
    /// Notes what a caller noticed.
    fn note(&mut self, event: &PeerEvent) {
        match event {
            PeerEvent::Connected { after, .. } => self.answered(*after),
            PeerEvent::Failed { status, after, .. } => self.failed(*status, *after),
            _ => {}
        }
    }
}
