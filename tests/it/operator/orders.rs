//! `quinze plan` and `quinze explain`: orders to a running node, and why it did what it did.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;

use super::{Peer, folder, quinze, stderr};
use crate::support::{binary, node::Node};

fn waiting(node: &Node) -> Value {
    let (_, status) = node.get("/v1/status");
    let status: Value = serde_json::from_str(&status).unwrap();
    status["calls"]["waiting"].clone()
}

fn start(name: &str) -> Node {
    Node::start(&folder(name), |sip, http| {
        let template = binary::root().join("sip-scenarios/nodes/service.toml");
        let text = fs::read_to_string(template).unwrap();
        text.replace("{sip_port}", &sip.to_string())
            .replace("{http_port}", &http.to_string())
            + "\n[[agent]]\nid = \"arm-67-1\"\nsite = \"FR670\"\nskills = { amu = 5 }\n"
    })
}

fn to(node: &Node, args: &[&str]) -> Output {
    let url = format!("http://127.0.0.1:{}", node.http);
    let args: Vec<_> = args.iter().copied().chain(["--node", &url]).collect();
    quinze(&args)
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_crisis_plan_goes_on_and_off_in_one_command() {
    let node = start("plan");
    assert_eq!(
        said(&to(&node, &["plan", "list", "--language", "en"])),
        "plan-blanc: off\n"
    );
    let on = [
        "plan",
        "on",
        "plan-blanc",
        "--sites",
        "region:Grand Est",
        "--for",
        "2h",
        "--author",
        "Dr A",
        "--reason",
        "a train",
        "--language",
        "en",
    ];
    assert_eq!(
        said(&to(&node, &on)),
        "plan-blanc: on at FR670, FR680, for another 2.0 h, by Dr A: a train\n"
    );
    let (_, sites) = node.get("/v1/sites");
    let sites: Value = serde_json::from_str(&sites).unwrap();
    assert_eq!(sites[1]["crises"][0], "plan-blanc");
    let off = [
        "plan",
        "off",
        "plan-blanc",
        "--sites",
        "FR680",
        "--author",
        "b",
    ];
    assert!(said(&to(&node, &off)).contains("FR670,"));
    let off = [
        "plan",
        "off",
        "plan-blanc",
        "--author",
        "b",
        "--language",
        "fr",
    ];
    assert_eq!(said(&to(&node, &off)), "plan-blanc: inactif\n");
    node.stop();
}

/// The proxy of the environment is for what is outside, and there is none at that port.
#[test]
fn an_order_goes_to_its_node_and_to_no_proxy() {
    let node = start("plan-proxy");
    let url = format!("http://127.0.0.1:{}", node.http);
    let mut command = Command::new(binary::quinze().unwrap());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    let listed = command
        .args(["plan", "list", "--language", "en", "--node", &url])
        .output()
        .unwrap();
    assert_eq!(said(&listed), "plan-blanc: off\n");
    node.stop();
}

/// The distributor has done it, and the disk has not written it down.
#[test]
fn an_order_that_is_not_confirmed_is_not_called_refused() {
    let node = start("plan-late");
    let order = [
        "plan",
        "on",
        "plan-blanc",
        "--sites",
        "FR670",
        "--author",
        "a",
        "--reason",
        "r",
    ];
    let halted = node.process.halt_thread("journal");
    let late = to(&node, &order);
    assert_eq!(late.status.code(), Some(1));
    let what = stderr(&late);
    assert!(what.contains("it may have been carried out"), "{what}");
    drop(halted);
    let listed = || said(&to(&node, &["plan", "list", "--language", "en"]));
    assert!(
        listed().starts_with("plan-blanc: on at FR670"),
        "{}",
        listed()
    );
    node.stop();
}

#[test]
fn a_wrong_order_says_what_would_be_right() {
    let node = start("plan-wrong");
    let cases: [(&[&str], &str); 5] = [
        (
            &["plan", "off", "plan-blanc", "--author", "a"],
            "the crisis plan is not on there",
        ),
        (
            &["plan", "off", "flood", "--author", "a"],
            "there are: plan-blanc",
        ),
        (
            &[
                "plan",
                "on",
                "plan-blanc",
                "--sites",
                "zone:Nord",
                "--reason",
                "r",
                "--author",
                "a",
            ],
            "no site is meant by `zone:Nord`",
        ),
        (
            &[
                "plan",
                "on",
                "plan-blanc",
                "--sites",
                "all",
                "--reason",
                "r",
                "--for",
                "2 days",
            ],
            "write a number and s, m or h",
        ),
        (&["explain", "nothing"], "no call of this id"),
    ];
    for (args, says) in cases {
        let output = to(&node, args);
        assert!(!output.status.success(), "{args:?}");
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    node.stop();
    let gone = quinze(&["plan", "list", "--node", "http://127.0.0.1:9"]);
    assert!(stderr(&gone).contains("no node answers at http://127.0.0.1:9"));
}

/// Nobody is there: the caller waits, gives up, and the story is told afterwards.
#[test]
fn a_call_is_explained_after_its_end() {
    let mut node = start("explain");
    let peer = Peer::calling(node.sip, super::NUMBER, "explained");
    node.until("waiting", |node| waiting(node) == 1);
    let (_, calls) = node.get("/v1/calls");
    let calls: Value = serde_json::from_str(&calls).unwrap();
    let id = calls[0]["id"].as_str().unwrap().to_owned();
    peer.cancel();
    node.until("over", |node| waiting(node) == 0);
    let story = said(&to(&node, &["explain", &id, "--language", "en"]));
    for part in [
        "called FR670-15-Samu-Px-F01",
        "waits on FR670-15-Samu-Px-F01, place 1, priority 2, plan after-an-hour [1 logged-out]",
        "left the queues: abandoned",
        "ended: abandoned (abandoned)",
    ] {
        assert!(story.contains(part), "{story}");
    }
    let french = said(&to(&node, &["explain", &id, "--language", "fr"]));
    assert!(
        french.contains("attend sur FR670-15-Samu-Px-F01"),
        "{french}"
    );
    let json = said(&to(&node, &["explain", &id, "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["call"], id.as_str());
    assert!(!json.to_string().contains(super::NUMBER));
    node.stop();
}
