//! The files that ship are right, and say what is true.

use std::time::Duration;

use engine::{acd::StartState, sip::Transport};

use crate::{load, shipped, shipped_text};

#[test]
fn every_file_loads_without_a_warning() {
    let files = shipped();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "france.toml",
            "single-site.toml",
            "three-sites.toml",
            "two-stages.toml"
        ]
    );
    for (name, text) in &files {
        let loaded = load(name, text).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_is_commented_out_is_the_default() {
    let text = shipped_text("single-site.toml");
    let (head, optional) = text.split_once("# All that follows is optional").unwrap();
    let uncommented: String = optional
        .lines()
        .skip(1)
        .map(|line| line.trim_start_matches("# ").to_owned() + "\n")
        .collect();
    assert!(uncommented.contains("\n[limits]\n") && uncommented.contains("\nlimit = "));
    let default = load("default", head).unwrap_or_else(|errors| panic!("{errors}"));
    let written = load("written", &format!("{head}{uncommented}"));
    let written = written.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        format!("{:#?}", written.engine.settings),
        format!("{:#?}", default.engine.settings)
    );
    assert_eq!(written.drain_limit, default.drain_limit);
    assert_eq!(written.log, default.log);
}

#[test]
fn the_default_of_a_key_is_what_the_comment_beside_it_says() {
    let text = shipped_text("single-site.toml");
    let keys = [
        "service_level",
        "ring_time",
        "wrap_up",
        "selection",
        "priority",
        "reserve",
        "region",
        "zone",
        "name = \"Samu",
    ];
    let without: String = text
        .lines()
        .filter(|line| !keys.iter().any(|key| line.starts_with(key)))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let loaded = load("without", &without).unwrap_or_else(|errors| panic!("{errors}"));
    let directory = &loaded.engine.directory;
    let line = directory.line_profile(directory.line("FR670-15-Samu-Px-F01").unwrap());
    assert_eq!(line.service_level, Duration::from_secs(30));
    assert_eq!(line.ring_time, Duration::from_secs(15));
    assert_eq!(line.wrap_up, Duration::from_secs(5));
    assert_eq!(line.priority.value(), 2);
    let site = directory.site_profile(directory.site("FR670").unwrap());
    assert_eq!((site.name.as_str(), site.reserve), ("FR670", 0));
}

#[test]
fn a_file_becomes_what_it_says() {
    let loaded = load("single-site.toml", &shipped_text("single-site.toml")).unwrap();
    let engine = &loaded.engine;
    assert_eq!(engine.node, "fr670-1");
    assert_eq!(engine.domain, "samu67.example");
    assert_eq!(loaded.http.to_string(), "127.0.0.1:8015");
    let listeners: Vec<_> = engine
        .listeners
        .iter()
        .map(|one| (one.transport, one.address.to_string()))
        .collect();
    let address = "127.0.0.1:5060".to_owned();
    assert_eq!(
        listeners,
        [(Transport::Udp, address.clone()), (Transport::Tcp, address)]
    );
    let directory = &engine.directory;
    assert_eq!(
        directory.line_profile(engine.default_line).id,
        "FR670-15-Samu-Px-F01"
    );
    let agent = |id: &str| directory.agent_profile(directory.agent(id).unwrap());
    assert_eq!(agent("arm-67-1").start, StartState::Ready);
    assert_eq!(agent("arm-67-2").start, StartState::LoggedOut);
    assert_eq!(engine.contacts.len(), 1);
    assert_eq!(engine.numbers.len(), 4);
}
