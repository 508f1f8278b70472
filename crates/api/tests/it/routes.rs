//! Every route, and what is no route.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::Value;

use crate::desk::{Answer, Desk};

/// What the description says: path and method.
async fn described(desk: &Desk) -> Vec<(String, String)> {
    let openapi = desk.get("/v1/openapi.json").await.json();
    let paths = openapi["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| -> Vec<(String, String)> {
        let item = item.as_object().unwrap();
        let of = |method: &String| (path.clone(), method.to_uppercase());
        item.keys()
            .filter(|key| *key != "parameters")
            .map(of)
            .collect()
    };
    paths.iter().flat_map(methods).collect()
}

/// A body that is right for a path.
fn body(path: &str) -> &'static str {
    match path {
        "/v1/agents/{id}/wrap-up" => r#"{"extend_seconds":30}"#,
        "/v1/agents/{id}/disposition" => r#"{"code":"medical"}"#,
        "/v1/agents/{id}/pick" => r#"{"place":1}"#,
        "/v1/calls/{id}/priority" => r#"{"priority":0}"#,
        "/v1/calls/{id}/keep" => "{}",
        "/v1/crises/{name}/on" => r#"{"sites":["FR670"],"author":"a","reason":"r"}"#,
        "/v1/crises/{name}/off" => r#"{"author":"a"}"#,
        "/v1/abandoned/{entry}/state" => r#"{"state":"called"}"#,
        "/v1/sites/{id}/state" => r#"{"state":"Overloaded"}"#,
        _ => r#"{"state":"ready"}"#,
    }
}

/// Makes an order possible; `false` where this desk cannot.
async fn prepare(desk: &Desk, path: &str, talks: &str) -> bool {
    match path {
        "/v1/agents/{id}/wrap-up" | "/v1/agents/{id}/pick" | "/v1/calls/{id}/keep" => false,
        "/v1/crises/{name}/off" => {
            let on = "/v1/crises/plan-blanc/on";
            desk.post(on, body("/v1/crises/{name}/on")).await.json();
            true
        }
        _ => {
            assert!(talks.len() <= 64);
            true
        }
    }
}

#[tokio::test]
async fn what_is_described_is_there_and_what_is_there_is_described() {
    let desk = Desk::new();
    let described = described(&desk).await;
    assert!(described.len() >= 26, "{described:?}");
    for (path, method) in &described {
        // What one order changes does not stand in the way of the next.
        let desk = match path.contains("abandoned") {
            true => Desk::with_an_abandoned_caller(),
            false => Desk::new(),
        };
        let [talks, waits] = match path.contains("abandoned") {
            true => Default::default(),
            false => desk.calls().await,
        };
        let prepared = prepare(&desk, path, &talks).await;
        let uri = path
            .replace("/agents/{id}", "/agents/arm-67-1")
            .replace("/sites/{id}", "/sites/FR670")
            .replace("/calls/{id}", &format!("/calls/{waits}"))
            .replace("{name}", "plan-blanc")
            .replace("{entry}", "1");
        let body_of = body(path);
        let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
        for other in all {
            let is_described = described.contains(&(path.clone(), other.to_string()));
            let request = Request::builder().method(other.clone()).uri(&uri);
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let body = Body::from(body_of);
            let answer = desk.send(request.body(body).unwrap()).await;
            if is_described && !prepared {
                // Who is in no wrap-up, and with no caller whom somebody else is to answer.
                Answer::of(answer).await.problem(409);
            } else if is_described {
                assert!(
                    answer.status().is_success(),
                    "{other} {uri}: {}",
                    answer.status()
                );
            } else {
                let allow = answer.headers()[header::ALLOW].to_str().unwrap().to_owned();
                assert!(
                    allow.contains(method.as_str()),
                    "{other} {uri} allows {allow}"
                );
                Answer::of(answer).await.problem(405);
            }
        }
    }
}

#[tokio::test]
async fn what_is_unknown_is_a_problem() {
    let desk = Desk::new();
    for path in [
        "/",
        "/v1",
        "/v2/status",
        "/v1/agents/",
        "/v1/agents/%FF",
        "/v1/status/more",
    ] {
        desk.get(path).await.problem(404);
    }
    assert!(
        desk.get("/v1/agents/nobody")
            .await
            .problem(404)
            .contains("no agent")
    );
    assert!(
        desk.get("/v1/calls/0")
            .await
            .problem(404)
            .contains("no call")
    );
}

#[tokio::test]
async fn a_draining_node_is_alive_and_not_ready() {
    let desk = Desk::new();
    assert_eq!(desk.get("/readyz").await.status, 200);
    let desk =
        Desk::with(|engine, now| engine.drain(now, now + std::time::Duration::from_secs(60)));
    assert_eq!(desk.get("/healthz").await.status, 200);
    assert!(desk.get("/readyz").await.problem(503).contains("draining"));
}

#[tokio::test]
async fn without_the_core_only_health_is_answered() {
    let desk = Desk::without_core();
    assert_eq!(desk.get("/healthz").await.status, 200);
    for path in ["/readyz", "/metrics", "/v1/status", "/v1/calls"] {
        desk.get(path).await.problem(503);
    }
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let answer = Desk::new().get("/metrics").await;
    assert_eq!(
        answer.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        answer
            .text
            .contains("quinze_calls{state=\"waiting\",node=\"test-1\"} 1\n")
    );
    assert!(
        answer
            .text
            .contains("quinze_calls{state=\"connected\",node=\"test-1\"} 1\n")
    );
}
