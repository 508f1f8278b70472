//! The event stream.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, header},
};
use engine::Event;
use http_body_util::BodyExt as _;

use crate::desk::Desk;

/// Opens the stream; its body.
async fn open(desk: &Desk) -> Body {
    let request = Request::get("/v1/events").body(Body::empty()).unwrap();
    let response = desk.send(request).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    response.into_body()
}

async fn next(body: &mut Body) -> String {
    let frame = body.frame().await.expect("the stream goes on").unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn facts_come_as_server_sent_events() {
    let desk = Desk::new();
    let mut body = open(&desk).await;
    desk.post("/v1/agents/arm-68-1/state", r#"{"state":"ready"}"#)
        .await;
    insta::assert_snapshot!(next(&mut body).await);
}

#[tokio::test]
async fn who_does_not_keep_up_is_told_how_much_was_missed() {
    let desk = Desk::new();
    let mut body = open(&desk).await;
    for _ in 0..40 {
        desk.events.send(Arc::new(Event::Draining)).unwrap();
    }
    let told = next(&mut body).await;
    assert!(
        told.contains("event: lagged") && told.contains(r#"{"missed":24}"#),
        "{told}"
    );
    assert!(
        next(&mut body).await.contains("event: draining"),
        "and goes on"
    );
}
