//! Branches with corrections and plans of their own, and what a promotion carries over.

use serde_json::json;

use crate::amend::{corrected, money};

#[test]
fn a_rebase_keeps_the_corrections_of_the_branch() {
    let s = corrected();
    let _ = s.run(["branch", "create", "fix"]).expect_status(0);
    let amend = |arguments: &[&str]| {
        let all = [
            "amend",
            "shop.orders",
            "--branch",
            "fix",
            "--reason",
            "x",
            "--json",
        ];
        let made = s.run(all.iter().chain(arguments)).expect_status(0).json();
        made["amendment"].as_str().unwrap_or_default().to_owned()
    };
    let cups = amend(&["--where", "product = 'cups'", "--set", "price = 10.00"]);
    let tea = amend(&["--where", "product = 'tea'", "--set", "pieces = pieces + 1"]);
    let _ = s
        .run(["revert", &tea, "--branch", "fix", "--reason", "no"])
        .expect_status(0);
    let _ = s.run(["run", "--branch", "fix"]).expect_status(0);
    // The live side moves, and is corrected itself.
    s.write(
        "orders/2026-01-01.csv",
        "day,product,pieces,price\n2026-01-01,tea,3,2.50\n2026-01-01,cups,2,9.00\n",
    );
    let _ = s
        .run([
            "amend",
            "shop.orders@2026-01-03",
            "--set",
            "pieces = 5",
            "--reason",
            "y",
        ])
        .expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let _ = s.run(["branch", "promote", "fix"]).expect_status(5);
    let _ = s.run(["branch", "rebase", "fix"]).expect_status(0);
    let _ = s.run(["run", "--branch", "fix"]).expect_status(0);
    let _ = s.run(["branch", "promote", "fix"]).expect_status(0);
    assert_eq!(
        money(&s),
        json!([{"day": "2026-01-01", "money": "27.50"}, {"day": "2026-01-02", "money": "37.50"}, {"day": "2026-01-03", "money": "12.50"}]),
        "both the live side's corrections and the branch's hold"
    );
    // It holds on the live side from here on, and can be taken back there.
    let _ = s
        .run(["revert", &cups, "--reason", "nine after all"])
        .expect_status(0);
    assert_eq!(money(&s)[0]["money"], "25.50");
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn a_plan_is_for_the_side_for_which_it_was_made() {
    let s = corrected();
    let _ = s.run(["branch", "create", "vat"]).expect_status(0);
    s.write(
        "jobs/shop/products.sql",
        "SELECT product, sum(pieces) * 2 AS pieces FROM shop.orders GROUP BY product\n",
    );
    let plan = s
        .run(["plan", "--branch", "vat", "--json"])
        .expect_status(0)
        .json();
    let plan = format!("plan/{}", plan["plan"].as_str().unwrap_or_default());
    let shown = s.run(["show", &plan, "--json"]).expect_status(0).json();
    assert_eq!(
        (&shown["branch"], &shown["current"]),
        (&json!("vat"), &json!(false))
    );
    let refused = s.run(["apply", &plan]).expect_status(2);
    assert!(refused.stderr.contains("MS0413"), "{}", refused.stderr);
    let _ = s
        .run(["apply", &plan, "--branch", "vat", "--reason", "everything twice"])
        .expect_status(0);
    let _ = s.run(["run", "--branch", "vat"]).expect_status(0);
    let _ = s.run(["branch", "promote", "vat"]).expect_status(0);
    let history = s
        .run(["history", "job/shop.products", "--json"])
        .expect_status(0)
        .json();
    let reasons: Vec<_> = history["changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| &c["reason"])
        .collect();
    assert_eq!(reasons, [&json!("begin"), &json!("everything twice")]);
    let applies = s.run(["list", "apply", "--json"]).expect_status(0).json();
    let last = applies["items"]
        .as_array()
        .and_then(|i| i.last())
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (&last["promotes"], &last["reason"]),
        (&json!("vat"), &json!("everything twice"))
    );
}

#[test]
fn what_was_computed_last_is_known_after_a_correction_and_its_revert() {
    let s = corrected();
    let summary = |thing: &str| {
        let why = s.run(["why", thing, "--json"]).expect_status(0).json();
        (
            why["summary"].as_str().unwrap_or_default().to_owned(),
            why.to_string(),
        )
    };
    let last = |job: &str| {
        let sql = format!(
            "SELECT run FROM system.runs WHERE job = '{job}' AND outcome = 'succeeded' ORDER BY seq DESC LIMIT 1"
        );
        s.query(&sql)[0]["run"].as_str().unwrap_or_default().to_owned()
    };
    let set = [
        "amend",
        "shop.orders@2026-01-01",
        "--where",
        "product = 'tea'",
        "--set",
        "pieces = 4",
        "--reason",
        "one more",
    ];
    let _ = s.run(set).expect_status(0);
    let (text, _) = summary("shop.daily");
    assert!(text.contains(&format!("since {},", last("shop.daily"))), "{text}");
    let _ = s.run(["revert", "A-2", "--reason", "no"]).expect_status(0);
    let (text, all) = summary("shop.daily");
    assert!(text.contains(&format!("since {},", last("shop.daily"))), "{text}");
    assert!(all.contains("A-3"), "the revert made it so: {all}");
    assert!(!all.contains("A-2 holds"), "{all}");
}
