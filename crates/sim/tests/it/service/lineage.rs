//! Lineage: every run is told as OpenLineage has it, in order, until it is taken, and nothing of before.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_sim::{Sandbox, python};
use serde_json::{Value, json};

use super::Server;
use super::count;
use super::messages::{Receiver, orders, until};

/// A shop whose runs are told to a receiver from now on.
fn told(receiver: &Receiver) -> Sandbox {
    let s = Sandbox::shop();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    let more = format!(
        "
[channel.lineage]
url = \"http://127.0.0.1:{}/api/v1/lineage\"
format = \"openlineage\"

[trigger.follow]
on = {{ kind = [\"event.emitted\"], body = {{ type = [\"go\"] }} }}
run = [\"shop.daily_sales\"]

[check.cheap]
dataset = \"shop.daily_sales\"
sql = \"SELECT * FROM shop.daily_sales WHERE money > 1000\"
",
        receiver.port
    );
    // What ran before somebody was to be told is told to nobody.
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.write("mainstay.toml", format!("{toml}{more}"));
    let _ = s.run(["apply"]).expect_status(0);
    s
}

fn events(receiver: &Receiver) -> Vec<Value> {
    receiver.came().iter().map(super::messages::Came::event).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|e| e["eventType"].as_str()).collect()
}

/// The transformations by which a column gets somewhere, as `dataset.column SUBTYPE`.
fn ways(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().expect("columns");
    let each = list.iter().flat_map(|from| {
        let name = from["name"].as_str().unwrap_or_default();
        let table = name.rsplit('/').next().unwrap_or_default();
        let field = from["field"].as_str().unwrap_or_default();
        let ways = from["transformations"].as_array().expect("ways");
        ways.iter()
            .map(move |w| format!("{table}.{field} {}", w["subtype"].as_str().unwrap_or_default()))
    });
    each.collect()
}

/// What is wrong with events by the schemas that OpenLineage publishes.
fn wrong(python: &Path, events: &[Value]) -> Value {
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/openlineage");
    let asked = json!({ "schemas": schemas, "events": events }).to_string();
    let mut read = Command::new(python)
        .args(["-c", include_str!("lineage.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = read.stdin.take().expect("its input");
    input.write_all(asked.as_bytes()).expect("written");
    drop(input);
    let read = read.wait_with_output().expect("it ends");
    serde_json::from_slice(&read.stdout).expect("what is wrong")
}

#[test]
fn runs_are_told_with_what_they_read_and_where_columns_come_from() {
    let receiver = Receiver::new(&[201]);
    let s = told(&receiver);
    let server = Server::start(&s);
    orders(&s, 3, 2);
    let _ = s.run(["run"]).expect_status(0);
    until("the run", || receiver.came().len() == 2);
    orders(&s, 4, 2_000);
    let _ = s.run(["run"]).expect_status(1);
    until("the run that failed", || receiver.came().len() == 4);
    let events = events(&receiver);
    assert_eq!(types(&events), ["START", "COMPLETE", "START", "FAIL"]);

    let [start, complete, _, fail] = events.as_slice() else {
        panic!("four events");
    };
    assert_eq!(start["run"]["runId"], complete["run"]["runId"]);
    assert_ne!(start["run"]["runId"], fail["run"]["runId"]);
    assert_eq!(start["job"]["name"], "shop.daily_sales");
    assert_eq!(complete["job"]["namespace"], "main");
    let output = &complete["outputs"][0];
    let show = s
        .run(["show", "shop.daily_sales", "--json"])
        .expect_status(0)
        .json();
    let location = show["location"].as_str().expect("a URL");
    assert_eq!(
        format!("file://{}", output["name"].as_str().unwrap_or_default()),
        location
    );
    assert_eq!(output["facets"]["version"]["datasetVersion"], "2");
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 1);
    let input = &complete["inputs"][0];
    assert_eq!(input["facets"]["version"]["datasetVersion"], "2");
    assert_eq!(input["inputFacets"]["inputStatistics"]["rowCount"], 1);
    let columns = &output["facets"]["columnLineage"];
    let from = |column: &str| ways(&columns["fields"][column]["inputFields"]);
    assert_eq!(from("day"), BTreeSet::from(["orders.day IDENTITY".to_owned()]));
    let money = ["orders.pieces AGGREGATION", "orders.price AGGREGATION"];
    assert_eq!(from("money"), money.map(str::to_owned).into());
    assert_eq!(
        ways(&columns["dataset"]),
        ["orders.day GROUP_BY", "orders.product GROUP_BY"]
            .map(str::to_owned)
            .into()
    );
    let error = &fail["run"]["facets"]["errorMessage"]["message"];
    assert!(
        error
            .as_str()
            .is_some_and(|e| e.contains("MS05") && e.contains("cheap")),
        "{error}"
    );

    if let Some(python) = python() {
        assert_eq!(wrong(&python, &events), json!([]));
        // It does say so if something is.
        let mut bad = complete.clone();
        bad["run"]["runId"] = json!("R-1");
        bad["outputs"][0]["facets"]["schema"]["fields"] = json!([{ "type": "long" }]);
        let found = wrong(&python, &[bad]);
        assert_eq!(found.as_array().map(Vec::len), Some(2), "{found}");
    } else {
        eprintln!("SKIPPED: jsonschema is not installed: cargo xtask tools");
    }
    server.end();
}

#[test]
fn a_receiver_that_is_down_is_told_later_and_one_that_refuses_an_event_the_next_ones() {
    // It is down twice, then it refuses one for good.
    let receiver = Receiver::new(&[503, 503, 400, 201]);
    let s = told(&receiver);
    let server = Server::start(&s);
    orders(&s, 3, 2);
    let _ = s.run(["run"]).expect_status(0);
    until("all is told", || count(&s, "lineage.told") == 1);
    let events = events(&receiver);
    assert_eq!(types(&events), ["START", "START", "START", "COMPLETE"]);
    assert_eq!(events[0], events[2]);
    assert_eq!(count(&s, "lineage.failed"), 3);
    let list = s.run(["list", "channels", "--json"]).expect_status(0).json();
    let status = &list["items"][0]["status"];
    assert_eq!(
        (&status["events"], &status["refused"]),
        (&json!(1), &json!(1)),
        "{list}"
    );
    assert_eq!(status["behind"], false);
    server.end();
}

#[test]
fn a_killed_server_tells_again_under_the_same_run() {
    let receiver = Receiver::new(&[201]);
    let s = told(&receiver);
    orders(&s, 3, 2);
    let _ = s.run(["run"]).expect_status(0);
    // What ran without a server is told by the next one.
    let mut killed = s.start_with("MAINSTAY_KILL_AT", "lineage.told", ["serve", "--json"]);
    let _ = killed.first_line();
    assert_eq!(killed.wait().status, None);
    assert_eq!(count(&s, "lineage.told"), 0);
    let server = Server::start(&s);
    until("it is recorded", || count(&s, "lineage.told") == 1);
    let events = events(&receiver);
    assert_eq!(types(&events), ["START", "COMPLETE", "START", "COMPLETE"]);
    assert_eq!(events[..2], events[2..]);
    server.end();
    let _ = s.run(["journal", "verify"]).expect_status(0);
}
