//! What Prometheus reads after a morning in a simulated world.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use metrics::Metrics;
use sim::{Answer, CallPlan, Manner, Weather, World};

const CONFIGURATION: &str = r#"
[node]
name = "test-1"
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
neighbours = ["FR680"]

[[site]]
id = "FR680"

[[line]]
id = "FR670-15"
site = "FR670"
numbers = ["15"]
skills = { amu = 1 }
wrap_up = "0s"
overflow = "aid"

[[overflow]]
name = "aid"
[[overflow.step]]
after = "20s"
widen = ["neighbours"]

[[agent]]
id = "arm-67"
site = "FR670"
skills = { amu = 5 }
contact = "sip:arm-67@203.0.113.1:5060"
start = "ready"

[[agent]]
id = "arm-68"
site = "FR680"
skills = { amu = 5 }
contact = "sip:arm-68@203.0.113.1:5060"
start = "ready"
"#;

/// The number of every caller: it must be nowhere.
const NUMBER: &str = "+33698765432";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// One call answered at once, one given up, one that overflows, a datagram of noise.
fn morning() -> (World, SocketAddr) {
    let loaded = config::load("test.toml".as_ref(), CONFIGURATION, [1, 2, 3, 4]).unwrap();
    let mut world = World::new(1, Weather::CALM);
    let node = world.add_node("node", loaded.engine);
    let answers = Manner::answers_after(seconds(2));
    let operator = world.add_peer("caller", address("198.51.100.1:5060"), answers);
    let phones = world.add_peer("phone", address("203.0.113.1:5060"), answers);
    let plan = || CallPlan::to("sip:15@192.0.2.1").number(NUMBER);
    world.call(operator, node, plan().talk(seconds(60)));
    world.run_for(seconds(5));
    world.call(operator, node, plan().talk(seconds(10)));
    world.run_for(seconds(30));
    world.set_manner(phones, "arm-68", Manner::answers(Answer::Busy));
    world.call(operator, node, plan().patience(seconds(12)));
    world.send(address("198.51.100.9:5060"), node, "not SIP at all\r\n\r\n");
    world.run_for(seconds(13));
    (world, node)
}

fn rendered(world: &World, node: SocketAddr) -> String {
    let engine = world.node(node);
    let metrics = Metrics::new(engine.directory(), "test-1");
    for (_, event) in world.events() {
        metrics.fold(event);
    }
    metrics.render(&engine.gauges(world.now()))
}

#[test]
fn a_morning_in_figures() {
    let (world, node) = morning();
    let text = rendered(&world, node);
    // Series at zero say nothing here; that they exist is another test.
    let told: String = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    insta::assert_snapshot!(told);
}

#[test]
fn every_series_of_a_site_and_line_is_there_from_the_start() {
    let loaded = config::load("test.toml".as_ref(), CONFIGURATION, [1, 2, 3, 4]).unwrap();
    let mut world = World::new(1, Weather::CALM);
    let node = world.add_node("node", loaded.engine);
    let text = rendered(&world, node);
    for series in [
        "quinze_calls_total{line=\"FR670-15\",outcome=\"answered\",site=\"FR670\",node=\"test-1\"} 0",
        "quinze_calls_total{line=\"FR670-15\",outcome=\"blocked\",site=\"FR670\",node=\"test-1\"} 0",
        "quinze_calls_waiting{line=\"FR670-15\",site=\"FR670\",node=\"test-1\"} 0",
        "quinze_offers_total{outcome=\"no-answer\",site=\"FR680\",node=\"test-1\"} 0",
        "quinze_wait_seconds_count{line=\"FR670-15\",site=\"FR670\",node=\"test-1\"} 0",
    ] {
        assert!(
            text.lines().any(|line| line == series),
            "{series} in\n{text}"
        );
    }
}

#[test]
fn waits_are_counted_in_the_buckets_of_the_field() {
    let (world, node) = morning();
    let bounds: Vec<_> = rendered(&world, node)
        .lines()
        .filter(|line| line.starts_with("quinze_wait_seconds_bucket"))
        .filter_map(|line| Some(line.split_once("le=\"")?.1.split_once('"')?.0.to_owned()))
        .collect();
    let expected = [
        "5", "10", "15", "20", "30", "45", "60", "90", "120", "180", "300", "600", "+Inf",
    ];
    assert_eq!(bounds, expected);
}

#[test]
fn no_number_of_a_caller_is_anywhere() {
    let (world, node) = morning();
    let text = rendered(&world, node);
    assert!(!text.contains(NUMBER.trim_start_matches('+')), "{text}");
    assert!(!text.contains("203.0.113."), "{text}");
}

/// `name{label="value",...} number`, each series once, each family described before.
#[test]
fn every_line_is_of_the_text_format() {
    let (world, node) = morning();
    let text = rendered(&world, node);
    let mut described = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(words.next().is_some_and(|text| !text.is_empty()), "{line}");
            *described.entry(name.to_owned()).or_insert(0) += i32::from(kind == "TYPE");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        let name = series.split('{').next().unwrap();
        assert!(name.starts_with("quinze_"), "{line}");
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| {
                name.strip_suffix(suffix)
                    .filter(|base| described.contains_key(*base))
            })
            .unwrap_or(name);
        assert_eq!(described.get(family), Some(&1), "{line}");
        assert_eq!(seen.insert(series.to_owned(), ()), None, "{line} twice");
    }
    assert!(seen.len() > 50);
}
