//! What each resource looks like.

use crate::desk::{Desk, NUMBER};

#[tokio::test]
async fn every_resource_in_json() {
    let desk = Desk::new();
    for (name, path) in [
        ("status", "/v1/status"),
        ("sites", "/v1/sites"),
        ("lines", "/v1/lines"),
        ("agents", "/v1/agents"),
        ("agent", "/v1/agents/arm-67-1"),
        ("calls", "/v1/calls"),
        ("crises", "/v1/crises"),
        ("desk", "/v1/desk"),
    ] {
        let answer = desk.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.content_type, "application/json", "{path}");
        insta::assert_json_snapshot!(name, answer.json());
    }
}

#[tokio::test]
async fn a_call_is_found_by_its_id() {
    let desk = Desk::new();
    let calls = desk.get("/v1/calls").await.json();
    for call in calls.as_array().unwrap() {
        let path = format!("/v1/calls/{}", call["id"].as_str().unwrap());
        assert_eq!(desk.get(&path).await.json(), *call);
    }
}

#[tokio::test]
async fn no_caller_is_in_any_answer() {
    let desk = Desk::new();
    for path in [
        "/metrics",
        "/v1/status",
        "/v1/sites",
        "/v1/lines",
        "/v1/agents",
        "/v1/calls",
    ] {
        let text = desk.get(path).await.text;
        for personal in [NUMBER, "Jeanne", "198.51.100.1"] {
            assert!(!text.contains(personal), "{personal} in {path}\n{text}");
        }
    }
}
