//! `quinze check`: what a configuration means, and what was probably not meant.

use std::{fs, path::PathBuf, process::Output};

use crate::support::binary;

use super::{folder, quinze};

/// Two sites with most of what can be doubted.
const DOUBTFUL: &str = r#"
[node]
name = "test-1"
domain = "samu.example"
default_line = "east-15"
[[listen]]
transport = "udp"
address = "127.0.0.1:5060"
[http]
address = "127.0.0.1:8015"
[authentication]
credentials = { file = "credentials" }
[[trunk]]
name = "operator"
sources = ["192.0.2.0/24"]
calls_max = 120
calls_per_second = 20
next_hops = ["sip:192.0.2.10", "sip:operator.example"]
prefixes = ["+", "15"]
number_form = "national"
[[trunk]]
name = "partner"
sources = ["198.51.100.7"]
[[site]]
id = "east"
name = "East"
neighbours = ["west"]
[[site]]
id = "west"
name = "West"
neighbours = ["east"]
[[line]]
id = "east-15"
site = "east"
numbers = ["15", "+33300000015"]
skills = { amu = 2 }
priority = 2
overflow = "aid"
[[line]]
id = "east-fire"
site = "east"
numbers = ["18"]
trunks = ["operator"]
priority = 4
service = "partner"
[[line]]
id = "west-physician"
site = "west"
numbers = ["+33300000099"]
trunks = ["operator"]
skills = { physician = 1 }
[[line]]
id = "west-urgent"
site = "west"
priority = 0
transferred_priority = "of-the-line"
skills = { amu = 2 }
overflow = "aid"
[[overflow]]
name = "aid"
[[overflow.step]]
after = "20s"
when = "no-agent-on-duty"
widen = ["neighbours"]
[[agent]]
id = "a"
site = "east"
skills = { amu = 3 }
[[agent]]
id = "b"
site = "east"
skills = { amu = 2 }
contact = "sip:b@203.0.113.2"
[[agent]]
id = "c"
site = "west"
skills = { amu = 1 }
"#;

fn doubtful(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::write(folder.join("credentials"), "a password secret-of-a\n").unwrap();
    let path = folder.join("doubtful.toml");
    fs::write(&path, DOUBTFUL).unwrap();
    path
}

fn check(path: &std::path::Path, options: &[&str]) -> Output {
    let config = path.to_str().unwrap();
    quinze(&[&["check", "--config", config], options].concat())
}

fn said(output: &Output, path: &std::path::Path) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.replace(path.to_str().unwrap(), "FILE")
}

#[test]
fn a_configuration_is_explained_in_english_and_in_french() {
    let path = doubtful("explained");
    for language in ["en", "fr"] {
        let output = check(&path, &["--language", language]);
        assert_eq!(output.status.code(), Some(0));
        insta::assert_snapshot!(format!("explained_{language}"), said(&output, &path));
    }
}

#[test]
fn a_program_reads_the_same_facts() {
    let path = doubtful("explained-json");
    let output = check(&path, &["--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["default_line"], "east-15");
    let trunks: Vec<_> = value["numbers"].as_array().unwrap().iter().collect();
    assert_eq!(trunks.len(), 4);
    let doubts = value["doubts"].as_array().unwrap();
    let names: Vec<_> = doubts
        .iter()
        .filter_map(|one| one["doubt"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "urgent-line-handed-over-blind",
            "line-without-agents",
            "line-without-help",
            "step-adds-nobody",
            "agent-serves-nothing",
            "agent-without-phone",
            "no-emergency-urn",
            "prefix-is-a-line",
        ]
    );
}

#[test]
fn a_strict_check_fails_where_something_is_doubtful() {
    let path = doubtful("explained-strict");
    assert_eq!(check(&path, &["--strict"]).status.code(), Some(1));
    for shipped in ["single-site", "three-sites", "two-stages"] {
        let path = binary::root().join(format!("config/{shipped}.toml"));
        assert_eq!(
            check(&path, &["--strict"]).status.code(),
            Some(0),
            "{shipped}"
        );
    }
}
