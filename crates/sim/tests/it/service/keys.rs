//! A key stands for one request: done once, answered the same, also after a crash.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

use super::Server;
use super::http::{Ask, ask, get, post, until};

fn facts(server: &Server, token: &str, kind: &str) -> usize {
    let answer = get(
        &server.address,
        token,
        &format!("/v1/journal?limit=1000&kind={kind}"),
    )
    .json();
    answer["facts"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_request_under_one_key_is_done_once_and_answered_the_same() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let token = server.owner.clone().expect("the first start makes a token");
    let key = [("Idempotency-Key", "first-apply")];
    let first = post(&server.address, &token, "/v1/applies", &key, &json!({}));
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("x-request-id"), Some("first-apply"));
    let again = post(&server.address, &token, "/v1/applies", &key, &json!({}));
    assert_eq!((again.status, again.json()), (200, first.json()));
    let other = post(
        &server.address,
        &token,
        "/v1/applies",
        &key,
        &json!({ "yes": true }),
    );
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("MS0804")));
    assert_eq!(facts(&server, &token, "project.applied"), 1);
    let _ = server.running.kill();

    let server = Server::start(&sandbox);
    assert_eq!(server.owner, None, "the token is made once");
    let after = post(&server.address, &token, "/v1/applies", &key, &json!({}));
    assert_eq!((after.status, after.json()), (200, first.json()));
    assert_eq!(facts(&server, &token, "project.applied"), 1);
    server.end();
}

#[test]
fn what_was_recorded_before_a_crash_is_answered_after_it() {
    let sandbox = Sandbox::shop();
    let token = {
        let server = Server::start(&sandbox);
        let token = server.owner.clone().expect("a token");
        server.end();
        token
    };
    let sandbox = sandbox.with("MAINSTAY_KILL_AT", "apply.recorded");
    let server = Server::start(&sandbox);
    let key = [("Idempotency-Key", "cut-off")];
    let cut = ask(
        &server.address,
        &Ask {
            method: "POST",
            path: "/v1/applies",
            token: Some(&token),
            headers: &key,
            body: Some(&json!({})),
        },
    );
    assert!(cut.is_none(), "{cut:?}");
    let _ = server.running.wait();

    let sandbox = sandbox.with("MAINSTAY_KILL_AT", "none");
    let server = Server::start(&sandbox);
    let after = post(&server.address, &token, "/v1/applies", &key, &json!({}));
    assert_eq!(
        (after.status, &after.json()["apply"]),
        (200, &json!(1)),
        "{after:?}"
    );
    assert_eq!(facts(&server, &token, "project.applied"), 1);
    server.end();
}

#[test]
fn long_work_is_answered_later_and_followed() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let token = server.owner.clone().expect("a token");
    assert_eq!(
        post(&server.address, &token, "/v1/applies", &[], &json!({})).status,
        200
    );
    let headers = [("Prefer", "respond-async"), ("Idempotency-Key", "run-1")];
    let accepted = post(&server.address, &token, "/v1/runs", &headers, &json!({}));
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(accepted.header("location"), Some("/v1/operations/run-1"));
    let events = get(&server.address, &token, "/v1/operations/run-1/events");
    let text = String::from_utf8_lossy(&events.body).into_owned();
    assert!(
        text.contains("event: step") && text.contains("event: done"),
        "{text}"
    );
    let done: Value = get(&server.address, &token, "/v1/operations/run-1").json();
    assert_eq!(
        (&done["state"], &done["status"]),
        (&json!("done"), &json!(200)),
        "{done}"
    );
    assert_eq!(done["answer"]["runs"][0]["outcome"], "succeeded");
    // Under its key it is answered as it was, and not run again.
    let again = post(
        &server.address,
        &token,
        "/v1/runs",
        &[("Idempotency-Key", "run-1")],
        &json!({}),
    );
    assert_eq!(again.json(), done["answer"]);
    // Streams without an end begin with what there is, and go on.
    let runs = until(&server.address, &token, "/v1/runs/events", "event: run");
    assert!(
        runs.contains("text/event-stream") && runs.contains("R-1"),
        "{runs}"
    );
    let facts = until(
        &server.address,
        &token,
        "/v1/journal/events?kind=run.finished",
        "event: fact",
    );
    assert!(facts.contains("run.finished"), "{facts}");
    // The log of a run that ended is a stream with an end.
    let log = get(&server.address, &token, "/v1/runs/R-1/logs/events");
    assert!(String::from_utf8_lossy(&log.body).contains("run.finished"));
    server.end();
}
