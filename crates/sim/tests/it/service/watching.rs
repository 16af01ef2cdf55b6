//! What a server says of itself: health, metrics, doctor.

use std::collections::BTreeMap;

use mainstay_sim::Sandbox;
use serde_json::json;

use super::Server;
use super::http::{Answer, Ask, ask, get, post};

fn nobody(address: &str, path: &str) -> Answer {
    let asked = Ask {
        method: "GET",
        path,
        token: None,
        headers: &[],
        body: None,
    };
    ask(address, &asked).expect("an answer")
}

/// The samples of an answer, by name with labels; every line is checked against the format.
fn samples(answer: &Answer) -> BTreeMap<String, f64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = String::from_utf8(answer.body.clone()).expect("text");
    let mut typed = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(
                typed.insert(name.to_owned(), kind.to_owned()).is_none(),
                "twice: {line}"
            );
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let bare = name.split('{').next().unwrap_or_default();
            let known = ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|end| bare.strip_suffix(end).is_some_and(|n| typed.contains_key(n)));
            assert!(known, "no type before: {line}");
            assert!(
                found
                    .insert(name.to_owned(), value.parse().expect("a number"))
                    .is_none(),
                "twice: {line}"
            );
        }
    }
    found
}

#[test]
fn health_is_for_anybody_on_this_machine() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = nobody(&server.address, path);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "status": status, "role": "leader" }))
        );
        let wrong = get(&server.address, "mst_wrong", path);
        assert_eq!(wrong.status, 200, "a wrong token is nobody");
    }
    assert_eq!(nobody(&server.address, "/metrics").status, 401);
    assert_eq!(nobody(&server.address, "/v1/version").status, 401);
    // Nothing of it is recorded.
    let decided = sandbox.query("SELECT count(*) AS n FROM system.facts WHERE kind = 'access.decided'");
    assert_eq!(decided[0]["n"], 0);
    server.end();
}

#[test]
fn metrics_count_what_happened_and_go_on_after_a_new_start() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let owner = server.owner.clone().expect("a token");
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let _ = sandbox.run(["backup", "backup"]).expect_status(0);
    let seen = samples(&get(&server.address, &owner, "/metrics"));
    let runs = sandbox.query("SELECT count(*) AS n FROM system.runs WHERE outcome = 'succeeded'");
    assert_eq!(
        seen["mainstay_runs_total{outcome=\"succeeded\"}"],
        runs[0]["n"].as_f64().expect("n")
    );
    assert_eq!(seen["mainstay_deliveries_total{outcome=\"taken\"}"], 2.0);
    assert_eq!(
        seen["mainstay_dataset_version{dataset=\"shop.daily_sales\"}"],
        1.0
    );
    assert_eq!(
        seen["mainstay_delta_versions_behind{dataset=\"shop.daily_sales\"}"],
        0.0
    );
    assert!(seen["mainstay_run_cpu_seconds_total"] > 0.0);
    assert!(seen["mainstay_journal_append_seconds_count"] >= 5.0);
    assert!(seen["process_resident_memory_bytes"] > 1e6);
    assert!(seen["mainstay_last_backup_timestamp_seconds"] > 1.7e9);
    assert!(seen["mainstay_last_success_timestamp_seconds{dataset=\"shop.daily_sales\"}"] > 1.7e9);
    let asked = "mainstay_http_requests_total{account=\"main\",operation=\"apply\",status=\"202\"}";
    assert_eq!(seen[asked], 1.0);
    let facts = sandbox.query("SELECT max(seq) AS n FROM system.facts")[0]["n"]
        .as_f64()
        .expect("n");
    assert!(seen["mainstay_journal_facts_total"] <= facts);
    server.end();

    let server = Server::start(&sandbox);
    let again = samples(&get(&server.address, &owner, "/metrics"));
    for kept in [
        "mainstay_runs_total{outcome=\"succeeded\"}",
        "mainstay_run_cpu_seconds_total",
        "mainstay_slices_published_total",
    ] {
        assert_eq!(again[kept], seen[kept], "{kept}");
    }
    server.end();
}

#[test]
fn an_account_sees_its_own_counts_and_nothing_of_the_home() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let made = sandbox.run([
        "token",
        "create",
        "x",
        "--role",
        "owner",
        "--account",
        "acme",
        "--json",
    ]);
    let token = made.expect_status(0).json()["secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    let _ = post(
        &server.address,
        &token,
        "/v1/queries",
        &[],
        &json!({ "sql": "SELECT 1 AS one" }),
    );
    let seen = samples(&get(&server.address, &token, "/metrics"));
    assert_eq!(seen["mainstay_runs_total{outcome=\"succeeded\"}"], 0.0);
    for name in seen.keys() {
        let own = !name.contains("shop.") && !name.contains("journal") && !name.starts_with("process_");
        assert!(own && !name.contains("account=\"main\""), "{name}");
    }
    assert!(
        seen.keys()
            .any(|n| n.contains("account=\"acme\",operation=\"query\"")),
        "{seen:?}"
    );
    server.end();
}

#[test]
fn the_owner_examines_the_home_through_its_server() {
    let sandbox = Sandbox::shop();
    let server = Server::start(&sandbox);
    let _ = sandbox.run(["apply"]).expect_status(0);
    let _ = sandbox.run(["run"]).expect_status(0);
    let report = sandbox.run(["doctor", "--json"]).expect_status(0).json();
    let lock = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|f| f["check"] == "lock");
    assert!(
        lock.expect("one")["message"]
            .as_str()
            .is_some_and(|m| m.contains("writes to it"))
    );
    let owner = server.owner.clone().expect("a token");
    assert_eq!(
        get(&server.address, &owner, "/v1/doctor").status,
        403,
        "it is not for tokens"
    );
    server.end();
}
