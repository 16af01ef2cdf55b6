//! What vacuum frees, what it never does, and what replay then says of it.

use std::collections::BTreeSet;

use mainstay_sim::Sandbox;
use serde_json::Value;

use crate::amend::corrected;

/// A shop whose second day was corrected three times more, with `retain` in everything.
fn kept(retain: &str) -> Sandbox {
    let s = corrected();
    for pieces in [8, 9, 10] {
        let set = format!("pieces = {pieces}");
        let amend = [
            "amend",
            "shop.orders@2026-01-02",
            "--where",
            "product = 'tea'",
            "--set",
            &set,
        ];
        let _ = s
            .run(amend.iter().chain(&["--reason", "counted"]))
            .expect_status(0);
    }
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    let slice = "slice = \"day\"\n";
    s.write(
        "mainstay.toml",
        toml.replace(slice, &format!("{slice}retain = {retain}\n")),
    );
    for job in ["daily", "big_days"] {
        let path = format!("jobs/shop/{job}.sql");
        let text = std::fs::read_to_string(s.path().join(&path)).expect("there");
        let line = "-- slice = \"day\"\n";
        s.write(
            &path,
            text.replace(line, &format!("{line}-- retain = {retain}\n")),
        );
    }
    let _ = s.run(["apply"]).expect_status(0);
    s
}

fn vacuum(s: &Sandbox, arguments: &[&str]) -> Value {
    let all = ["vacuum", "--json"].iter().chain(arguments);
    s.run(all).expect_status(0).json()
}

fn verdicts(s: &Sandbox) -> Vec<(String, Value)> {
    let all = s.run(["replay", "--all", "--json"]).json();
    let each = all["replays"].as_array().cloned().unwrap_or_default();
    each.into_iter()
        .map(|r| (r["run"].as_str().unwrap_or_default().to_owned(), r))
        .collect()
}

#[test]
fn exactly_the_runs_that_are_named_cannot_be_replayed_and_it_is_said_why() {
    let s = kept("{ versions = 1 }");
    let would = vacuum(&s, &["--dry-run"]);
    let contents = s.contents();
    let _ = s
        .run(["vacuum", "--yes", "--reason", "the disk is full"])
        .expect_status(0);
    assert_eq!(s.contents(), contents, "what is read now is never removed");
    let lost: BTreeSet<&str> = would["replays_lost"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert!(!lost.is_empty(), "{would}");
    for (run, replay) in verdicts(&s) {
        let wanted = if lost.contains(run.as_str()) {
            "cannot"
        } else {
            "identical"
        };
        assert_eq!(replay["verdict"], wanted, "{replay}");
        if wanted == "cannot" {
            let why = replay["because"].to_string();
            for part in [
                "given up by vacuum since 20",
                "by ana, who said: the disk is full (fact ",
            ] {
                assert!(why.contains(part), "{why}");
            }
        }
    }
}

#[test]
fn a_run_whose_own_result_was_freed_cannot_be_compared() {
    let s = kept("{ versions = 1 }");
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    // All of the orders are kept, only what was made of them is not.
    s.write("mainstay.toml", toml.replace("retain = { versions = 1 }\n", ""));
    let _ = s.run(["apply"]).expect_status(0);
    let would = vacuum(&s, &["--dry-run"]);
    let _ = s.run(["vacuum", "--yes"]).expect_status(0);
    let said: Vec<String> = verdicts(&s)
        .iter()
        .map(|(_, r)| r["verdict"].to_string())
        .collect();
    assert!(!said.contains(&"\"differs\"".to_owned()), "{said:?}");
    let cannot = said.iter().filter(|v| *v == "\"cannot\"").count();
    assert_eq!(
        Some(cannot),
        would["replays_lost"].as_array().map(Vec::len),
        "{would}"
    );
}

#[test]
fn what_is_promised_to_be_replayed_is_kept() {
    let s = kept("{ versions = 1, replay = \"1 day\" }");
    let would = vacuum(&s, &["--dry-run"]);
    assert_eq!(would["replays_lost"].as_array().map(Vec::len), Some(0), "{would}");
    let _ = s.run(["vacuum", "--yes"]).expect_status(0);
    let verdicts = verdicts(&s);
    assert!(verdicts.len() > 5, "{verdicts:?}");
    for (_, replay) in verdicts {
        assert_eq!(replay["verdict"], "identical", "{replay}");
    }
}

#[test]
fn what_a_branch_reads_is_kept() {
    let s = kept("{ versions = 1 }");
    let _ = s.run(["branch", "create", "before"]).expect_status(0);
    let old = s.run([
        "query",
        "SELECT * FROM shop.orders ORDER BY 1, 2",
        "--branch",
        "before",
        "--json",
    ]);
    let amend = [
        "amend",
        "shop.orders@2026-01-02",
        "--delete",
        "--where",
        "true",
        "--reason",
        "closed",
    ];
    let _ = s.run(amend).expect_status(0);
    let _ = s.run(["vacuum", "--yes"]).expect_status(0);
    let now = s.run([
        "query",
        "SELECT * FROM shop.orders ORDER BY 1, 2",
        "--branch",
        "before",
        "--json",
    ]);
    assert_eq!(now.expect_status(0).stdout, old.expect_status(0).stdout);
    let _ = s.run(["run", "--branch", "before"]).expect_status(0);
}
