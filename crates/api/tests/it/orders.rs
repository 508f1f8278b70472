//! What may be changed, and what is said of what may not.

use axum::{
    body::Body,
    http::{Request, header},
};

use crate::desk::{Answer, Desk, NUMBER};

#[tokio::test]
async fn a_crisis_plan_is_switched_on_and_off_with_author_reason_and_end() {
    let desk = Desk::new();
    let on = "/v1/crises/plan-blanc/on";
    let body =
        r#"{"sites":["FR670","FR680"],"author":"Dr A","reason":"train","lasts_seconds":7200}"#;
    let crises = desk.post(on, body).await.json();
    insta::assert_json_snapshot!("crisis-on", crises);
    assert_eq!(desk.get("/v1/crises").await.json(), crises);
    let sites = desk.get("/v1/sites").await.json();
    assert_eq!(sites[0]["crises"][0], "plan-blanc");
    let off = "/v1/crises/plan-blanc/off";
    let one = desk.post(off, r#"{"sites":["FR680"],"author":"b"}"#).await;
    assert_eq!(
        one.json()[0]["orders"][0]["sites"],
        serde_json::json!(["FR670"])
    );
    let all = desk.post(off, r#"{"author":"b"}"#).await.json();
    assert_eq!(
        (&all[0]["on"], &all[0]["orders"]),
        (&false.into(), &serde_json::json!([]))
    );
    let again = desk.post(off, r#"{"author":"b"}"#).await.problem(409);
    assert!(again.contains("not on there"), "{again}");
}

/// Orders about crisis plans that are wrong: path, body, status, what is said.
const CRISES: &[(&str, &str, u16, &str)] = &[
    (
        "/v1/crises/flood/on",
        r#"{"sites":["FR670"],"author":"a","reason":"r"}"#,
        404,
        "there are: plan-blanc",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":[],"author":"a","reason":"r"}"#,
        422,
        "at least one site",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR999"],"author":"a","reason":"r"}"#,
        422,
        "no site `FR999`",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR670"],"reason":"r"}"#,
        400,
        "missing field `author`",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR670"],"author":" ","reason":"r"}"#,
        422,
        "author must be",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR670"],"author":"a","reason":"r\nr"}"#,
        422,
        "reason must be",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR670"],"author":"a","reason":"r","lasts_seconds":0}"#,
        422,
        "above 0",
    ),
    (
        "/v1/crises/plan-blanc/on",
        r#"{"sites":["FR670"],"author":"a","reason":"r","lasts_seconds":1e300}"#,
        422,
        "a year",
    ),
];

/// Orders of agents: path, body, status, what is said.
const AGENTS: &[(&str, &str, u16, &str)] = &[
    (
        "/v1/agents/arm-67-1/pick",
        "{}",
        422,
        "name a call, or a place",
    ),
    (
        "/v1/agents/arm-67-1/pick",
        r#"{"place":0}"#,
        422,
        "name a call, or a place",
    ),
    (
        "/v1/agents/arm-67-1/pick",
        r#"{"place":9}"#,
        409,
        "no call waits",
    ),
    (
        "/v1/agents/arm-67-1/pick",
        r#"{"call":"none"}"#,
        404,
        "no call of this id",
    ),
    (
        "/v1/agents/arm-67-1/pick",
        r#"{"place":1}"#,
        409,
        "cannot be asked",
    ),
    (
        "/v1/agents/arm-67-1/wrap-up",
        r#"{"extend_seconds":-1}"#,
        422,
        "above 0",
    ),
    (
        "/v1/agents/arm-67-1/wrap-up",
        r#"{"extend_seconds":30}"#,
        409,
        "not in wrap-up",
    ),
    (
        "/v1/agents/arm-67-1/disposition",
        r#"{"code":"nice"}"#,
        422,
        "medical, hoax",
    ),
    (
        "/v1/agents/arm-67-1/disposition",
        r#"{"code":"Not one"}"#,
        422,
        "lower-case",
    ),
    (
        "/v1/agents/arm-68-1/disposition",
        r#"{"code":"hoax"}"#,
        409,
        "had no call",
    ),
    (
        "/v1/agents/arm-68-1/state",
        r#"{"state":"not-ready","reason":"gone"}"#,
        422,
        "pause, lunch",
    ),
    ("/v1/agents/nobody/pick", r#"{"place":1}"#, 404, "no agent"),
];

/// The others: path, body, status, what is said.
const OTHERS: &[(&str, &str, u16, &str)] = &[
    (
        "/v1/calls/none/priority",
        r#"{"priority":0}"#,
        404,
        "no call of this id",
    ),
    ("/v1/calls/none/keep", "{}", 404, "no call of this id"),
    ("/v1/sites/FR999/state", r#"{"state":null}"#, 404, "no site"),
    (
        "/v1/sites/FR670/state",
        r#"{"state":"Fine"}"#,
        422,
        "Normal, Unstaffed",
    ),
    (
        "/v1/abandoned/7/state",
        r#"{"state":"called"}"#,
        404,
        "no entry",
    ),
    (
        "/v1/abandoned/x/state",
        r#"{"state":"called"}"#,
        404,
        "no entry",
    ),
    (
        "/v1/abandoned/7/state",
        r#"{"state":"done"}"#,
        422,
        "to-call-back",
    ),
];

#[tokio::test]
async fn what_is_wrong_with_an_order_is_said() {
    let desk = Desk::new();
    let [talks, waits] = desk.calls().await;
    let priority = format!("/v1/calls/{talks}/priority");
    let on = "/v1/crises/plan-blanc/on";
    let long = "x".repeat(201);
    let long = format!(r#"{{"sites":["FR670"],"author":"{long}","reason":"r"}}"#);
    let here = [
        (on, &*long, 422, "author must be"),
        (&*priority, r#"{"priority":0}"#, 409, "does not wait"),
        (&*priority, r#"{"priority":10}"#, 422, "0 to 9"),
    ];
    let wrong = here.iter().chain(CRISES).chain(AGENTS).chain(OTHERS);
    for &(path, body, status, says) in wrong {
        let said = desk.post(path, body.to_owned()).await.problem(status);
        assert!(said.contains(says), "{path} {body}: {said}");
    }
    let call = desk.get(&format!("/v1/calls/{waits}")).await.json();
    assert_eq!(call["priority"], 2, "nothing has changed");
}

#[tokio::test]
async fn the_priority_of_a_waiting_call_and_the_state_of_a_site_change() {
    let desk = Desk::new();
    let [_, waits] = desk.calls().await;
    let call = desk
        .post(&format!("/v1/calls/{waits}/priority"), r#"{"priority":0}"#)
        .await
        .json();
    assert_eq!((&call["priority"], &call["place"]), (&0.into(), &1.into()));
    let path = "/v1/sites/FR670/state";
    let sites = desk.post(path, r#"{"state":"Overloaded"}"#).await.json();
    assert_eq!(sites[0]["state"], "Overloaded");
    let sites = desk.post(path, r#"{"state":null}"#).await.json();
    assert_eq!(sites[0]["state"], "Normal");
}

#[tokio::test]
async fn how_a_call_was_closed_is_in_its_story() {
    let desk = Desk::new();
    let [talks, _] = desk.calls().await;
    let path = "/v1/agents/arm-67-1/disposition";
    assert_eq!(desk.post(path, r#"{"code":"medical"}"#).await.status, 200);
    let story = desk.get(&format!("/v1/calls/{talks}/story")).await.json();
    insta::assert_json_snapshot!("story", story);
    let none = desk.get("/v1/calls/none/story").await.problem(404);
    assert!(none.contains("ended not long ago"));
}

#[tokio::test]
async fn a_caller_who_gave_up_is_listed_without_and_shown_with_the_number() {
    let desk = Desk::with_an_abandoned_caller();
    let list = desk.get("/v1/abandoned").await;
    assert!(!list.text.contains(NUMBER), "{}", list.text);
    let list = list.json();
    assert_eq!(
        (&list[0]["state"], &list[0]["has_number"]),
        (&"to-call-back".into(), &true.into())
    );
    let waited = list[0]["longest_wait_seconds"].as_f64().unwrap();
    assert_eq!(list[0]["early"], waited < 15.0);
    let entry = desk.get("/v1/abandoned/1").await.json();
    assert_eq!(entry["number"], format!("+{NUMBER}"));
    // Its call is over, and its story is still told.
    let call = entry["calls"][0].as_str().unwrap();
    let story = desk.get(&format!("/v1/calls/{call}/story")).await;
    assert_eq!(story.status, 200);
    assert!(!story.text.contains(NUMBER), "{}", story.text);
    let path = "/v1/abandoned/1/state";
    let called = desk.post(path, r#"{"state":"called"}"#).await;
    assert!(!called.text.contains(NUMBER), "{}", called.text);
    assert_eq!(called.json()["state"], "called");
    assert_eq!(desk.get("/v1/abandoned").await.json()[0]["state"], "called");
    desk.get("/v1/abandoned/2").await.problem(404);
}

/// What a page of another site can send from somebody's browser without asking: none of these.
#[tokio::test]
async fn an_order_says_that_it_is_json() {
    let desk = Desk::new();
    let path = "/v1/agents/arm-67-1/state";
    let body = r#"{"state":"logged-out"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        let answer = Answer::of(desk.send(request.body(Body::from(body)).unwrap()).await).await;
        assert!(answer.problem(415).contains("application/json"), "{kind}");
    }
    let request = Request::post(path).body(Body::from(body)).unwrap();
    Answer::of(desk.send(request).await).await.problem(415);
    let kind = "application/json; charset=utf-8";
    let request = Request::post(path).header(header::CONTENT_TYPE, kind);
    let answer = Answer::of(desk.send(request.body(Body::from(body)).unwrap()).await).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // An empty one says nothing, and that is enough where nothing needs to be said.
    let keep = desk.post("/v1/calls/0/keep", "").await.problem(404);
    assert!(keep.contains("no call"), "{keep}");
}

/// The core has not heard of it yet, and whoever gave it does not know: they may have ordered something else since.
#[tokio::test]
async fn an_order_whose_giver_has_gone_is_not_carried_out() {
    let desk = Desk::new();
    let path = "/v1/agents/arm-68-1/state";
    let wants = || async { desk.get("/v1/agents/arm-68-1").await.json()["wants"].clone() };
    assert_eq!(wants().await, "logged-out");
    tokio::select! {
        biased;
        answer = desk.post(path, r#"{"state":"ready"}"#) => panic!("{}", answer.text),
        () = std::future::ready(()) => {}
    }
    assert_eq!(wants().await, "logged-out");
    desk.post(path, r#"{"state":"ready"}"#).await.json();
    assert_eq!(wants().await, "ready");
}
