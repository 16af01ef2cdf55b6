//! Snapshots: whatever a state holds is read as it was written.

use mainstay_base::{Hash, MultisetHash, Timestamp};
use mainstay_control::State;
use mainstay_model::upcast;
use serde_json::{Value, json};

fn fold(state: &mut State, kind: &str, version: u16, body: &Value) {
    let fact = upcast::decode(kind, version, body.to_string().as_bytes()).expect("a fact");
    let seq = state.seq + 1;
    let time = Timestamp::from_micros(1_700_000_000_123_456 + seq as i64);
    state.apply(seq, time, "ana", seq.is_multiple_of(2).then_some("because"), fact);
}

fn round_trip(state: &State) -> State {
    State::decode(&state.encode().expect("a snapshot")).expect("readable")
}

fn file(path: &str, seed: u128, origin: Option<&str>) -> Value {
    let mut digest = MultisetHash::EMPTY;
    digest.insert([seed, seed ^ 0x0123_4567_89ab_cdef]);
    let mut file = json!({"path": path, "rows": 1, "bytes": 10, "digest": digest.to_string()});
    if let Some(origin) = origin {
        file["origin"] = json!(origin);
    }
    file
}

/// Resources of every kind, with every rule: they are told apart by a field, some within another, and hold hashes.
#[test]
fn resources_of_every_kind() {
    let rules = [
        json!({"rule": "not_null", "columns": ["day"]}),
        json!({"rule": "unique", "keys": [["day", "n"], ["n"]]}),
        json!({"rule": "accepted", "values": {"n": ["1", "2"]}}),
        json!({"rule": "range", "bounds": {"n": {"min": "1"}}}),
        json!({"rule": "row_count", "min": 1, "max": null}),
        json!({"rule": "reference", "to": {"n": ["air.other", "n"]}}),
        json!({"rule": "sql", "sql": "SELECT 1"}),
    ];
    let mut resources: Vec<(String, Value)> = rules
        .iter()
        .enumerate()
        .map(|(i, rule)| {
            let spec = json!({"kind": "check", "dataset": "air.flights", "rule": rule, "severity": "warn"});
            (format!("check/air.flights:{i}"), spec)
        })
        .collect();
    resources.push((
        "source/air.flights".to_owned(),
        json!({"kind": "source", "files": "*.csv", "format": "csv", "delimiter": ";", "rename": {"a": "b"},
               "columns": [{"name": "day", "type": "date"}, {"name": "m", "type": "map<string, array<long>>"}],
               "slice": [{"name": "day", "expression": "x"}], "retain": {"versions": 3}}),
    ));
    let window = json!({"where": [{"compare": [{"input": "day", "op": ">=", "output": "day - 6"}], "input": ["day IS NULL"]}]});
    resources.push((
        "job/air.daily".to_owned(),
        json!({"kind": "job", "sql": "SELECT 1", "slice": ["day"], "compiled": {
            "code": Hash::of(b"code").to_string(), "reads": {"air.flights": window, "air.a": "same", "air.b": "all"},
            "columns": [{"name": "day", "type": "date"}], "origins": [{"dataset": "air.flights", "values": ["day"]}, {"values": ["1"]}],
        }}),
    ));
    resources.push((
        "project/p".to_owned(),
        json!({"kind": "project", "name": "p", "parallel": 2}),
    ));
    resources.extend([
        (
            "promise/air.daily".to_owned(),
            json!({"kind": "promise", "dataset": "air.daily", "within_ms": 900_000}),
        ),
        (
            "hook/partner".to_owned(),
            json!({"kind": "hook", "secret": "env:PARTNER_SECRET"}),
        ),
        (
            "channel/ops".to_owned(),
            json!({"kind": "channel", "url": "https://example.org", "secret": "file:ops"}),
        ),
        (
            "channel/catalog".to_owned(),
            json!({"kind": "channel", "url": "https://example.org", "format": "openlineage"}),
        ),
        (
            "alarm/failing".to_owned(),
            json!({"kind": "alarm", "watched": {"facts": {"on": {"kind": ["run.finished"]}, "count": 3, "within_ms": 1000}},
                   "notify": ["ops"]}),
        ),
        (
            "alarm/late".to_owned(),
            json!({"kind": "alarm", "watched": {"older": {"dataset": "air.daily", "than_ms": 1000}}}),
        ),
        (
            "alarm/dear".to_owned(),
            json!({"kind": "alarm", "watched": {"cpu": {"above_ms": 1, "within_ms": 60000, "tagged": {"team": "ops"}}}}),
        ),
        (
            "alarm/backlog".to_owned(),
            json!({"kind": "alarm", "watched": {"metric": {"metric": "runs_waiting", "above": 1}}}),
        ),
        (
            "trigger/alarm".to_owned(),
            json!({"kind": "trigger", "when": {"on": {"kind": ["promise.missed"]}}, "notify": ["ops"],
                   "emit": {"type": "alarm", "data": {"n": [1, null]}}}),
        ),
    ]);
    let mut state = State::default();
    let change = |(key, spec): &(String, Value)| {
        let name = key.split_once('/').map(|(_, n)| n);
        json!({"resource": key, "action": "create", "generation": 1, "after": {"name": name, "tags": {"team": "x"}, "spec": spec}})
    };
    let changes: Vec<Value> = resources.iter().map(change).collect();
    let field = json!({"field": "spec.n", "from": null, "to": {"a": [1, -2, 2.5, "x", true, 18_446_744_073_709_551_615u64]}});
    let planned = json!({"resource": "project/p", "action": "change", "generation": 2, "fields": [field]});
    fold(
        &mut state,
        "plan.made",
        1,
        &json!({"plan": "P-1", "base": null, "changes": [planned]}),
    );
    fold(
        &mut state,
        "project.applied",
        1,
        &json!({"apply": "1", "plan": "P-1", "changes": changes}),
    );
    assert_eq!(state.main.declared().count(), resources.len());
    let received =
        json!({"hook": "partner", "id": "msg_1", "by": "signature", "type": "order", "data": {"n": 1.5}});
    fold(&mut state, "hook.received", 1, &received);
    let owed = json!({"message": "M-1", "channel": "ops", "trigger": "alarm", "firing": "F-1", "because": "x", "body": {"n": [1, "a"]},
        "incident": "promise/air.daily"});
    fold(&mut state, "message.owed", 1, &owed);
    let blame = json!({"dataset": "air.daily", "because": "late", "run": "R-1"});
    let time = "2026-01-01T00:00:00Z";
    let missed = json!({"dataset": "air.daily", "since": time, "due": time, "blame": blame});
    fold(&mut state, "promise.missed", 1, &missed);
    let counted = json!({"alarm": "failing", "times": 2, "because": "run.finished of run/R-1"});
    fold(&mut state, "alarm.counted", 1, &counted);
    let fired = json!({"alarm": "failing", "because": "3 of 3 facts", "facts": [7]});
    fold(&mut state, "alarm.fired", 1, &fired);
    fold(
        &mut state,
        "lineage.told",
        1,
        &json!({"channel": "catalog", "through": 7, "events": 2}),
    );
    let failed = json!({"channel": "catalog", "fact": 9, "attempt": 1, "error": "down", "retry_at": time});
    fold(&mut state, "lineage.failed", 1, &failed);
    assert_eq!((state.alarms.len(), state.lineage.channels.len()), (1, 1));
    assert_eq!(
        (state.hooks.len(), state.messages.all.len(), state.promises.len()),
        (1, 1, 1)
    );
    assert_eq!(round_trip(&state), state);
}

/// Slices: with and without content, files, fingerprints, runs and values that are NULL.
#[test]
fn slices_of_every_shape() {
    let mut state = State::default();
    let published = |version: u64, slices: &Value, removed: &Value| {
        json!({"run": (version > 1).then(|| format!("R-{version}")), "datasets": [{
            "dataset": "air.daily", "version": version, "schema": [{"name": "day", "type": "date"}], "slice_columns": ["day", "n"],
            "slices": slices, "removed": removed, "whole": Hash::of(b"whole").to_string(),
        }]})
    };
    let fingerprint = |n: u8| Hash::of(&[n]).to_string();
    let first = json!([
        {"slice": ["2013-01-01", null], "content": [file("a", 1 << 100, Some("x.csv")), file("b", u128::MAX, None)]},
        {"slice": [null, "7"], "fingerprint": fingerprint(1), "content": []},
        {"slice": ["2013-01-02", "9"], "fingerprint": fingerprint(2), "content": [file("c", 3, None)]},
    ]);
    fold(
        &mut state,
        "dataset.published",
        1,
        &published(1, &first, &json!([])),
    );
    let second = json!([
        {"slice": ["2013-01-02", "9"], "fingerprint": fingerprint(3)},
        {"slice": [null, "7"], "fingerprint": fingerprint(4), "content": [file("d", 4, None)], "run": "R-1"},
    ]);
    fold(
        &mut state,
        "dataset.published",
        1,
        &published(2, &second, &json!([["2013-01-01", null]])),
    );
    fold(
        &mut state,
        "data.vacuumed",
        1,
        &json!({"dataset": "air.daily", "shown": [[["2013-01-02", "9"], [1]]], "files": 1, "bytes": 10}),
    );
    let contents = state
        .main
        .datasets
        .values()
        .flat_map(|d| d.slices.values().flat_map(|h| &h.contents));
    let contents: Vec<_> = contents.collect();
    assert!(contents.iter().any(|c| c.files.is_none() && c.vacuumed.is_none()));
    assert!(contents.iter().any(|c| c.vacuumed.is_some()));
    assert!(
        contents
            .iter()
            .any(|c| c.fingerprints.len() > 1 || c.run.is_some())
    );
    assert_eq!(round_trip(&state), state);
}

/// Deliveries and runs, with everything that they may have.
#[test]
fn deliveries_and_runs() {
    let mut state = State::default();
    let outcomes = [
        json!({"outcome": "taken", "rows": 3, "slices": [["2013-01-01"]], "replaced": "D-9"}),
        json!({"outcome": "duplicate", "of": "D-1"}),
        json!({"outcome": "set_aside", "error": {"code": "MS0251", "message": "bad", "row": 7}}),
    ];
    for (n, outcome) in (1..).zip(outcomes) {
        let delivery = json!({"id": format!("D-{n}"), "source": "air.flights", "file": format!("{n}.csv"),
            "observed": {"bytes": 5, "modified": "2024-01-01T00:00:00Z", "etag": "e"}, "content": Hash::of(b"c").to_string(),
            "outcome": outcome, "reading": Hash::of(b"r").to_string()});
        fold(&mut state, "delivery.recorded", 1, &json!({"delivery": delivery}));
    }
    let pinned = json!({"job": "air.daily", "generation": 1, "code": Hash::of(b"code").to_string(),
        "scope": {"slices": [["2013-01-01"], [null]]}, "as_of": "2024-01-01T00:00:00Z", "engine": "e", "settings": {"a": "b"},
        "inputs": [{"dataset": "air.flights", "version": 2, "reads": {"where": []}}]});
    let amount = json!({"air.flights": {"rows": 1, "bytes": 2}});
    let usage =
        json!({"cpu": 5, "wall_us": 6, "peak_memory": 7, "spilled": 8, "read": amount, "written": {}});
    let error = json!({"code": "MS0301", "message": "no", "help": "try", "transient": true});
    let sample = json!([{"n": 1.5, "x": null, "list": [1, {"a": -1}]}]);
    let check =
        json!({"check": "c", "severity": "error", "violations": 2, "message": "two", "sample": sample});
    for (n, end) in [(1, "failed"), (2, "succeeded")] {
        let run = format!("R-{n}");
        fold(
            &mut state,
            "run.recorded",
            1,
            &json!({"run": run, "pinned": pinned, "because": "x"}),
        );
        fold(
            &mut state,
            "attempt.started",
            1,
            &json!({"run": run, "attempt": 1}),
        );
        let failed = json!({"run": run, "attempt": 1, "error": error, "usage": usage, "retry_at": "2024-01-01T00:00:01Z"});
        fold(&mut state, "attempt.failed", 1, &failed);
        fold(
            &mut state,
            "attempt.started",
            1,
            &json!({"run": run, "attempt": 2}),
        );
        let finished = json!({"run": run, "attempts": 2, "outcome": end, "error": error, "usage": usage, "checks": [check],
            "reused_from": "R-1"});
        fold(&mut state, "run.finished", 2, &finished);
    }
    fold(
        &mut state,
        "run.recorded",
        1,
        &json!({"run": "R-3", "pinned": pinned, "because": "x"}),
    );
    assert_eq!(round_trip(&state), state);
}

#[test]
fn something_else_is_no_snapshot() {
    let bytes = State::default().encode().expect("a snapshot");
    assert_eq!(State::decode(&bytes).expect("readable"), State::default());
    assert!(State::decode(bytes.get(..bytes.len() - 1).unwrap_or_default()).is_err());
    assert!(State::decode(b"{\"seq\":1}").is_err());
}
