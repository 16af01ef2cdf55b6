//! Patterns against another implementation of the same language.

use proptest::prelude::*;
use proptest::sample::select;
use quamina::Quamina;
use serde_json::{Value, json};

use super::Pattern;

fn fits(pattern: &Value, event: &Value) -> bool {
    Pattern::new(pattern).expect("a pattern").matches(event)
}

#[test]
fn the_examples_of_the_language() {
    let event = json!({
        "kind": "run.finished", "count": 5, "empty": "", "nothing": null, "address": "10.1.2.3", "labels": ["a", "b"],
        "body": { "outcome": "failed", "job": "air.daily_delays", "seconds": 12.5, "parts": [{ "x": 1, "y": 2 }, { "x": 3, "y": 4 }] }
    });
    let yes = [
        json!({ "kind": ["run.finished"] }),
        json!({ "kind": ["run.recorded", "run.finished"], "body": { "outcome": ["failed"] } }),
        json!({ "kind": [{ "prefix": "run." }] }),
        json!({ "kind": [{ "suffix": ".finished" }] }),
        json!({ "kind": [{ "equals-ignore-case": "RUN.Finished" }] }),
        json!({ "body": { "job": [{ "wildcard": "air.*_del*" }] } }),
        json!({ "body": { "job": [{ "anything-but": ["air.x"] }] } }),
        json!({ "body": { "job": [{ "anything-but": { "prefix": "sea." } }] } }),
        json!({ "body": { "job": [{ "anything-but": { "wildcard": ["sea.*", "*.x"] } }] } }),
        json!({ "body": { "seconds": [{ "numeric": [">", 12, "<=", 12.5] }] } }),
        json!({ "count": [5.0] }),
        json!({ "count": [{ "exists": true }], "other": [{ "exists": false }] }),
        json!({ "nothing": [null] }),
        json!({ "empty": [""] }),
        json!({ "address": [{ "cidr": "10.0.0.0/8" }] }),
        json!({ "labels": ["b"] }),
        json!({ "body": { "parts": { "x": [3], "y": [4] } } }),
        json!({ "$or": [{ "kind": ["x"] }, { "count": [{ "numeric": ["=", 5] }] }] }),
        json!({ "not": { "there": [{ "exists": false }] } }),
    ];
    let no = [
        json!({ "kind": ["run.recorded"] }),
        json!({ "kind": ["run.finished"], "body": { "outcome": ["succeeded"] } }),
        json!({ "body": { "job": [{ "anything-but": { "prefix": "air." } }] } }),
        json!({ "body": { "job": [{ "wildcard": "air.*_delay" }] } }),
        json!({ "body": { "seconds": [{ "numeric": [">", 12.5] }] } }),
        json!({ "count": ["5"] }),
        json!({ "count": [{ "exists": false }] }),
        json!({ "address": [{ "cidr": "10.1.2.4/30" }] }),
        json!({ "body": { "parts": { "x": [1], "y": [4] } } }),
        json!({ "$or": [{ "kind": ["x"] }, { "count": [6] }] }),
        json!({ "labels": [{ "anything-but": "a" }] }),
    ];
    for pattern in yes {
        assert!(fits(&pattern, &event), "{pattern}");
    }
    for pattern in no {
        assert!(!fits(&pattern, &event), "{pattern}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |pattern: Value| Pattern::new(&pattern).expect_err("wrong").to_string();
    assert_eq!(said(json!([])), "a pattern is an object of fields");
    assert_eq!(said(json!({})), "there is no field in it");
    assert_eq!(
        said(json!({ "a": { "b": [] } })),
        "`a.b`: an empty list fits nothing"
    );
    assert_eq!(
        said(json!({ "kind": "x" })),
        "`kind`: what may stand there is a list, like [\"run.finished\"]"
    );
    assert_eq!(
        said(json!({ "a": [{ "prefixx": "x" }] })),
        "`a`: `prefixx` is not a comparison; there are prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists and cidr"
    );
    assert_eq!(
        said(json!({ "a": [{ "numeric": ["~", 1] }] })),
        "`a`: `~` is none of <, <=, =, >=, >"
    );
    assert_eq!(
        said(json!({ "a": [{ "wildcard": "a**b" }] })),
        "`a`: two stars next to each other are one"
    );
    assert_eq!(
        said(json!({ "$or": [{}] })),
        "`$or`: `$or` is a list of two patterns or more"
    );
}

fn leaf() -> impl Strategy<Value = Value> {
    select(vec![
        json!("run"),
        json!("run.x"),
        json!("RUN"),
        json!("a*b"),
        json!(""),
        json!(5),
        json!(-1.5),
        json!(true),
        json!(null),
    ])
}

fn event() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        4 => leaf(),
        1 => proptest::collection::vec(leaf(), 1..3).prop_map(Value::from),
        1 => proptest::collection::btree_map(select(vec!["x", "y"]), leaf(), 1..3).prop_map(|m| json!(m)),
        1 => proptest::collection::vec(
            proptest::collection::btree_map(select(vec!["x", "y"]), leaf(), 1..3).prop_map(|m| json!(m)), 1..3
        ).prop_map(Value::from),
    ];
    proptest::collection::btree_map(select(vec!["a", "b", "c"]), value, 1..4).prop_map(|m| json!(m))
}

/// What both know, and mean the same by.
fn pattern() -> impl Strategy<Value = Value> {
    let text = select(vec!["run", "r", "x", "RUN", "un.x"]);
    let entry = prop_oneof![
        4 => leaf(),
        1 => text.clone().prop_map(|t| json!({ "prefix": t })),
        1 => text.clone().prop_map(|t| json!({ "suffix": t })),
        1 => text.clone().prop_map(|t| json!({ "equals-ignore-case": t })),
        1 => select(vec!["r*", "*x", "r*.x", "*"]).prop_map(|t| json!({ "wildcard": t })),
        1 => select(vec![-2, 0, 5]).prop_map(|n| json!({ "numeric": [">=", n, "<", n + 3] })),
        1 => any::<bool>().prop_map(|there| json!({ "exists": there })),
    ];
    let entries = proptest::collection::vec(entry, 1..3).prop_filter("`exists` stands alone", |list| {
        list.len() == 1 || !list.iter().any(|e| e.get("exists").is_some())
    });
    let fields = |names: Vec<&'static str>| {
        proptest::collection::btree_map(select(names), entries.clone().prop_map(Value::from), 1..3)
            .prop_map(|m| json!(m))
    };
    let wanted = prop_oneof![
        3 => entries.clone().prop_map(Value::from),
        1 => fields(vec!["x", "y"]),
    ];
    proptest::collection::btree_map(select(vec!["a", "b", "c"]), wanted, 1..3).prop_map(|m| json!(m))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })]

    /// An automaton that others wrote says the same.
    #[test]
    fn another_matcher_agrees(pattern in pattern(), event in event()) {
        let mut other = Quamina::new();
        let text = pattern.to_string();
        // quamina 0.7.0 forgets one of two fields that must not be there.
        prop_assume!(text.matches("\"exists\":false").count() < 2);
        prop_assume!(other.add_pattern("p", &text).is_ok());
        let theirs = !other.matches_for_event(event.to_string().as_bytes()).expect("an event").is_empty();
        prop_assert_eq!(fits(&pattern, &event), theirs, "{} on {}", pattern, event);
    }
}
