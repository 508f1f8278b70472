//! A whole call through the engine, both phones and the network simulated: what a run of the
//! simulator costs.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::{net::SocketAddr, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use sim::{CallPlan, Manner, Weather, World};

const CONFIGURATION: &str = r#"
[node]
name = "bench-1"
domain = "samu.example"
default_line = "FR670-15"

[[listen]]
transport = "udp"
address = "192.0.2.1:5060"

[http]
address = "127.0.0.1:8015"

[[trunk]]
name = "operator"
sources = ["198.51.100.0/24"]

[[site]]
id = "FR670"
name = "Samu 67"
region = "Grand Est"
zone = "Est"
neighbours = []
reserve = 0

[[line]]
id = "FR670-15"
site = "FR670"
numbers = ["15"]
skills = { amu = 1 }
priority = 2
service_level = "30s"
selection = "longest-idle"
ring_time = "15s"
wrap_up = "0s"

[[agent]]
id = "arm-1"
site = "FR670"
skills = { amu = 5 }
contact = "sip:arm-1@203.0.113.1:5060"
start = "ready"
"#;

fn call(criterion: &mut Criterion) {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let answers = Manner::answers_after(Duration::from_secs(1));
    criterion.bench_function("a simulated call, 15 messages, three parties", |bench| {
        let loaded = config::load("bench.toml".as_ref(), CONFIGURATION, [1, 2, 3, 4]).unwrap();
        let mut world = World::new(1, Weather::CALM);
        let node = world.add_node("node", loaded.engine);
        let operator = world.add_peer("caller", address("198.51.100.1:5060"), answers);
        world.add_peer("phone", address("203.0.113.1:5060"), answers);
        bench.iter(|| {
            let plan = CallPlan::to("sip:15@192.0.2.1").talk(Duration::from_secs(5));
            world.call(operator, node, plan);
            world.run_for(Duration::from_secs(10));
        });
    });
}

criterion_group!(benches, call);
criterion_main!(benches);
