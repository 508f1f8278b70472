//! What the journal costs: CPU of a real node for each distributed call, and how long calls wait, with and
//! without it; and beside it, on the same disk at the same time, how long a durable append takes.
//!
//! `cargo bench -p quinze-benches --bench journal [-- SECONDS]`. It measures, and decides nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may fail, prints its figures, and runs in real time"
)]

use std::{fs, net::UdpSocket, time::Duration};

use quinze_benches::{
    appends::Probe,
    live::{Called, Node, Phones, Waits, call},
    number_or,
};

/// Calls a second.
const CALLS: u32 = 300;

/// Agents, enough for all calls at a time.
const AGENTS: u32 = 400;

/// How long each half is measured unless the command line says.
const SECONDS: u64 = 20;

fn main() {
    let seconds = number_or(SECONDS);
    let time = Duration::from_secs(seconds);
    println!("{CALLS} distributed calls a second, {seconds} s each, from INVITE:");
    let without = measure("journal-off", "\n[journal]\nmode = \"off\"\n", time);
    without.print("without the journal");
    let with = measure("journal-on", "", time);
    with.print("with the journal");
    println!("{}", with.appends.line("a durable append beside it"));
    println!(
        "CPU of the node for each call: {:.0} us without, {:.0} us with: {:.2} times as much",
        without.cpu_micros(),
        with.cpu_micros(),
        with.cpu_micros() / without.cpu_micros()
    );
}

/// One half.
struct Measured {
    called: Called,
    cpu: Duration,
    appends: Waits,
}

impl Measured {
    fn print(&self, what: &str) {
        println!("{what}:");
        println!("{}", self.called.first_words.line("to the first answer"));
        println!("{}", self.called.answers.line("to the 200"));
    }

    fn cpu_micros(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of calls")]
        let calls = self.called.answers.waits.len() as f64;
        self.cpu.as_secs_f64() * 1e6 / calls
    }
}

fn measure(name: &str, more: &str, time: Duration) -> Measured {
    let phones = Phones::start();
    let callers = UdpSocket::bind("127.0.0.1:0").unwrap();
    let node = Node::start(name, (AGENTS, phones.address()), more);
    // It has done everything once before it is measured.
    call(&callers, 1, node.sip(), (CALLS, Duration::from_secs(2)));
    let probe = Probe::start(&Node::target().join("tmp").join(name).join("beside.journal"));
    let before = cpu(node.id());
    let called = call(&callers, 2, node.sip(), (CALLS, time));
    let cpu = cpu(node.id()) - before;
    Measured {
        called,
        cpu,
        appends: probe.stop(),
    }
}

/// The processor time of a process and all its threads, from clock ticks of 10 ms.
fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // What comes before may hold blanks.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u64>().unwrap();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
