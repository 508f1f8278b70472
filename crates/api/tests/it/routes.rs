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

#[tokio::test]
async fn what_is_described_is_there_and_what_is_there_is_described() {
    let desk = Desk::new();
    let described = described(&desk).await;
    assert!(described.len() >= 13, "{described:?}");
    let call = desk.get("/v1/calls").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (path, method) in &described {
        let id = if path.contains("calls") {
            &call
        } else {
            "arm-67-1"
        };
        let uri = path.replace("{id}", id);
        let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
        for other in all {
            let is_described = described.contains(&(path.clone(), other.to_string()));
            let request = Request::builder().method(other.clone()).uri(&uri);
            let body = Body::from("{\"state\":\"ready\"}");
            let answer = desk.send(request.body(body).unwrap()).await;
            if is_described {
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
    for path in ["/", "/v1", "/v2/status", "/v1/agents/", "/v1/status/more"] {
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
