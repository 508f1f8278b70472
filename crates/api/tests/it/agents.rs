//! Setting an agent's state.

use crate::desk::Desk;

const PATH: &str = "/v1/agents/arm-68-1/state";

#[tokio::test]
async fn a_person_says_what_an_agent_wants() {
    let desk = Desk::new();
    for (body, state, reason) in [
        (r#"{"state":"ready"}"#, "ready", None),
        (
            r#"{"state":"not-ready","reason":"lunch"}"#,
            "not-ready",
            Some("lunch"),
        ),
        (r#"{"state":"not-ready"}"#, "not-ready", Some("pause")),
        (
            r#"{"state":"logged-out","reason":"end of shift"}"#,
            "logged-out",
            None,
        ),
    ] {
        let answer = desk.post(PATH, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let agent = answer.json();
        assert_eq!(agent["state"], state, "{body}");
        assert_eq!(agent["reason"].as_str(), reason, "{body}");
        assert_eq!(desk.get("/v1/agents/arm-68-1").await.json(), agent);
    }
}

#[tokio::test]
async fn in_a_call_the_state_is_kept_and_the_wish_is_noted() {
    let desk = Desk::new();
    let path = "/v1/agents/arm-67-1/state";
    let agent = desk
        .post(path, r#"{"state":"not-ready","reason":"lunch"}"#)
        .await
        .json();
    assert_eq!(
        (&agent["state"], &agent["wants"]),
        (&"talking".into(), &"not-ready".into())
    );
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let desk = Desk::new();
    let nobody = desk
        .post("/v1/agents/nobody/state", r#"{"state":"ready"}"#)
        .await;
    assert!(nobody.problem(404).contains("no agent"));
    for (body, status, says) in [
        ("", 400, "missing field `state`"),
        ("{", 400, "EOF"),
        ("state=ready", 400, "expected value"),
        (
            r#"{"state":"ready","colour":"red"}"#,
            400,
            "unknown field `colour`",
        ),
        (r#"{"reason":"lunch"}"#, 400, "missing field `state`"),
        (r#"{"state":"tired"}"#, 422, "ready, not-ready, logged-out"),
        (
            r#"{"state":"not-ready","reason":"a b"}"#,
            422,
            "lower-case letters",
        ),
        (
            r#"{"state":"not-ready","reason":""}"#,
            422,
            "lower-case letters",
        ),
    ] {
        let said = desk.post(PATH, body).await.problem(status);
        assert!(said.contains(says), "{body}: {said}");
    }
    let large = format!(r#"{{"state":"{}"}}"#, "x".repeat(20_000));
    desk.post(PATH, large).await.problem(413);
    assert_eq!(
        desk.get("/v1/agents/arm-68-1").await.json()["state"],
        "logged-out"
    );
}
