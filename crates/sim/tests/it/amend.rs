//! Corrections with the real binary: what they change, how far they reach, and that they can be taken back.

use mainstay_sim::{Outcome, Sandbox};
use serde_json::{Value, json};

/// Three days of orders, money by day, by product over all days, and a running check of it.
fn shop() -> Sandbox {
    let s = Sandbox::new();
    s.write(
        "mainstay.toml",
        "[project]\nname = \"shop\"\n\n[source.\"shop.orders\"]\nfiles = \"orders/*.csv\"\nslice = \"day\"\n\
         columns = { day = \"date\", product = \"string\", pieces = \"long\", price = \"decimal(10,2)\" }\n",
    );
    s.write(
        "jobs/shop/daily.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- checks.sane = { sql = \"SELECT * FROM shop.daily WHERE money > 1000\" }\n-- ///\n\
         SELECT day, sum(pieces * price) AS money, count(*) AS orders FROM shop.orders GROUP BY day\n",
    );
    s.write(
        "jobs/shop/products.sql",
        "SELECT product, sum(pieces) AS pieces FROM shop.orders GROUP BY product\n",
    );
    s.write(
        "jobs/shop/big_days.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, orders FROM shop.daily WHERE orders > 1\n",
    );
    for (day, rows) in [
        ("2026-01-01", "tea,3,2.50\n2026-01-01,cups,1,9.00\n"),
        ("2026-01-02", "tea,700,2.50\n2026-01-02,cups,2,9.00\n"),
        ("2026-01-03", "tea,1,2.50\n"),
    ] {
        s.write(
            &format!("orders/{day}.csv"),
            format!("day,product,pieces,price\n{day},{rows}"),
        );
    }
    let _ = s.run(["apply", "--reason", "begin"]).expect_status(0);
    s
}

pub(crate) fn money(s: &Sandbox) -> Value {
    s.query(
        "SELECT CAST(day AS VARCHAR) AS day, CAST(money AS VARCHAR) AS money FROM shop.daily ORDER BY day",
    )
}

fn amended(outcome: Outcome) -> Value {
    outcome.expect_status(0).json()
}

/// Makes the 700 pieces of the second day 7.
fn mended(s: &Sandbox) -> Value {
    amended(s.run([
        "amend",
        "shop.orders@2026-01-02",
        "--where",
        "pieces = 700",
        "--set",
        "pieces = 7",
        "--reason",
        "slip of the pen",
        "--json",
    ]))
}

/// A shop in which all is computed: 700 pieces on the second day are a slip of the pen, so the check on money fails there
/// until they are 7.
pub(crate) fn corrected() -> Sandbox {
    let s = shop();
    let _ = s.run(["run", "shop.orders"]).expect_status(0);
    let a = mended(&s);
    assert_eq!(a["status"], "applied");
    assert_eq!(a["rows"], json!({"changed": 1, "deleted": 0, "inserted": 0}));
    let _ = s.run(["run"]).expect_status(0);
    s
}

#[test]
fn a_value_is_set_and_only_what_reads_it_is_computed() {
    let s = corrected();
    assert_eq!(
        money(&s),
        json!([{"day": "2026-01-01", "money": "16.50"}, {"day": "2026-01-02", "money": "35.50"}, {"day": "2026-01-03", "money": "2.50"}])
    );
    let arguments = [
        "amend",
        "shop.orders",
        "--where",
        "product = 'cups' AND pieces = 2",
        "--set",
        "price = 8.00",
    ];
    let preview = amended(s.run(arguments.iter().chain(&["--dry-run", "--json"])));
    assert_eq!(preview["amendment"], Value::Null);
    assert_eq!(preview["sample"][0]["before"]["price"], json!(9.0));
    let before = s.contents();
    let made = amended(s.run(arguments.iter().chain(&["--reason", "a rebate", "--json"])));
    assert_eq!(made["amendment"], "A-2");
    let reached: Vec<(&str, usize, bool)> = made["datasets"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| {
            let slices = d["slices"].as_array().map_or(0, Vec::len);
            (
                d["name"].as_str().unwrap_or_default(),
                slices,
                d["stops"].is_string(),
            )
        })
        .collect();
    assert!(reached.contains(&("shop.daily", 1, false)), "{reached:?}");
    // The price is not among what these yield: they come out as they were, and nothing after them is computed.
    for unchanged in ["shop.products", "shop.big_days"] {
        assert!(
            !reached
                .iter()
                .any(|(name, _, stops)| *name == unchanged && !stops),
            "{reached:?}"
        );
    }
    let _ = s.run(["run", "--json"]).expect_status(0);
    assert_ne!(s.contents(), before);
    let back = amended(s.run(["revert", "amendment/A-2", "--reason", "no rebate", "--json"]));
    assert_eq!(back["status"], "applied");
    assert_eq!(s.contents(), before, "a revert undoes exactly that");
    let runs = s.query("SELECT count(*) AS n FROM system.runs WHERE reused AND cpu_seconds = 0");
    assert!(
        runs[0]["n"].as_u64() > Some(0),
        "known results are taken as they are"
    );
}

#[test]
fn corrections_survive_a_new_delivery_and_apply_in_their_order() {
    let s = corrected();
    let delete = [
        "amend",
        "shop.orders",
        "--where",
        "product = 'cups'",
        "--delete",
        "--reason",
        "not ours",
        "--json",
    ];
    assert_eq!(amended(s.run(delete))["rows"]["deleted"], 2);
    let set = [
        "amend",
        "shop.orders",
        "--where",
        "pieces = 7",
        "--set",
        "pieces = 8",
        "--reason",
        "one more",
        "--json",
    ];
    assert_eq!(amended(s.run(set))["rows"]["changed"], 1);
    // The day comes again, with another price and one more row: all three corrections hold for it.
    s.write(
        "orders/2026-01-02.csv",
        "day,product,pieces,price\n2026-01-02,tea,700,3.00\n2026-01-02,cups,2,9.00\n2026-01-02,pots,1,20.00\n",
    );
    let _ = s.run(["run"]).expect_status(0);
    let rows = "SELECT product, pieces FROM shop.orders WHERE day = DATE '2026-01-02' ORDER BY product";
    assert_eq!(
        s.query(rows),
        json!([{"product": "pots", "pieces": 1}, {"product": "tea", "pieces": 8}])
    );
    assert_eq!(money(&s)[1]["money"], "44.00");
    // Without the first, the third has nothing to do any more; the second stays.
    let _ = s.run(["revert", "A-1", "--reason", "it was 700", "--json"]);
    let failed = s.run(["show", "amendment/A-4", "--json"]).expect_status(0).json();
    assert_eq!(
        failed["status"], "failed",
        "2,100 is more than the check allows: {failed}"
    );
    assert_eq!(s.query(rows)[1]["pieces"], 8, "nothing of it was published");
    let _ = s.run(["drop", "A-4"]).expect_status(0);
    let _ = s
        .run(["revert", "A-2", "--reason", "ours after all"])
        .expect_status(0);
    assert_eq!(s.query(rows).as_array().map(Vec::len), Some(3));
}

#[test]
fn rows_move_to_another_slice_come_and_are_replaced() {
    let s = corrected();
    let moved = amended(s.run([
        "amend",
        "shop.orders@2026-01-03",
        "--set",
        "day = DATE '2026-01-04'",
        "--reason",
        "booked late",
        "--json",
    ]));
    let slices = &moved["datasets"][0]["slices"];
    assert_eq!(slices, &json!(["2026-01-03", "2026-01-04"]), "{moved}");
    let days = "SELECT CAST(day AS VARCHAR) AS day, orders FROM shop.daily ORDER BY day";
    assert_eq!(s.query(days)[2], json!({"day": "2026-01-04", "orders": 1}));
    assert_eq!(
        s.query(days).as_array().map(Vec::len),
        Some(3),
        "the day that lost its rows is gone, downstream too"
    );
    s.write(
        "late.csv",
        "day,product,pieces,price\n2026-01-01,pots,1,20.00\n2026-01-05,pots,2,20.00\n",
    );
    let inserted = amended(s.run([
        "amend",
        "shop.orders",
        "--insert",
        "late.csv",
        "--reason",
        "found",
        "--json",
    ]));
    assert_eq!(inserted["rows"]["inserted"], 2);
    assert_eq!(s.query(days).as_array().map(Vec::len), Some(4));
    // A later correction sees what an earlier one brought.
    let set = [
        "amend",
        "shop.orders",
        "--where",
        "product = 'pots'",
        "--set",
        "price = 10.00",
        "--reason",
        "sale",
        "--json",
    ];
    assert_eq!(amended(s.run(set))["rows"]["changed"], 2);
    s.write("first.csv", "day,product,pieces,price\n2026-01-01,tea,1,1.00\n");
    let replaced = amended(s.run([
        "amend",
        "shop.orders@2026-01-01",
        "--replace",
        "first.csv",
        "--reason",
        "recount",
        "--json",
    ]));
    assert_eq!(
        replaced["rows"],
        json!({"changed": 0, "deleted": 3, "inserted": 1})
    );
    assert_eq!(money(&s)[0]["money"], "1.00");
    let _ = s.run(["replay", "--all"]).expect_status(0);
    for id in ["A-5", "A-4", "A-3", "A-2"] {
        let _ = s.run(["revert", id, "--reason", "back"]).expect_status(0);
    }
    assert_eq!(money(&s)[0]["money"], "16.50");
    assert_eq!(s.query(days).as_array().map(Vec::len), Some(3));
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn a_derived_dataset_can_be_corrected_over_its_jobs_output() {
    let s = corrected();
    let a = amended(s.run([
        "amend",
        "shop.daily@2026-01-01",
        "--set",
        "orders = 20",
        "--reason",
        "a party",
        "--json",
    ]));
    assert_eq!(a["status"], "applied");
    let big = "SELECT CAST(day AS VARCHAR) AS day, orders FROM shop.big_days ORDER BY day";
    assert_eq!(s.query(big)[0]["orders"], 20);
    // The job computes the day anew, and the correction still stands over it.
    s.write(
        "orders/2026-01-01.csv",
        "day,product,pieces,price\n2026-01-01,tea,4,2.50\n",
    );
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(money(&s)[0]["money"], "10.00");
    assert_eq!(s.query(big)[0]["orders"], 20);
    let _ = s.run(["revert", "A-2", "--reason", "no party"]).expect_status(0);
    assert_eq!(s.query(big).as_array().map(Vec::len), Some(1));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_recorded() {
    let s = corrected();
    let facts = s.query("SELECT count(*) AS n FROM system.facts");
    for (arguments, part) in [
        (vec!["--where", "piece = 1", "--set", "pieces = 2"], "piece"),
        (vec!["--where", "pieces", "--delete"], "not a condition"),
        (
            vec!["--where", "pieces = 1", "--set", "piecs = 2"],
            "did you mean `pieces`",
        ),
        (vec!["--where", "pieces = 1", "--set", "pieces = 'many'"], "CAST"),
        (vec!["--where", "pieces = 12345", "--delete"], "no row"),
        (
            vec![
                "--where",
                "price > (SELECT avg(price) FROM shop.orders)",
                "--delete",
            ],
            "one row at a time",
        ),
        (vec!["--delete"], "every row"),
        (vec!["--set", "pieces"], "no `=`"),
        (vec!["--insert", "no.csv"], "no.csv"),
    ] {
        let all = ["amend", "shop.orders"]
            .into_iter()
            .chain(arguments.clone())
            .chain(["--reason", "x"]);
        let out = s.run(all);
        assert!(
            out.status == Some(2) || out.status == Some(6),
            "{arguments:?}: {out:?}"
        );
        assert!(out.stderr.contains(part), "{arguments:?}: {}", out.stderr);
    }
    let out = s
        .run(["amend", "shop.orders", "--where", "pieces = 1", "--delete"])
        .expect_status(2);
    assert!(out.stderr.contains("reason"));
    assert_eq!(s.query("SELECT count(*) AS n FROM system.facts"), facts);
}

#[test]
fn somebody_else_approves() {
    let s = corrected();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write(
        "mainstay.toml",
        toml.replace("slice = \"day\"\n", "slice = \"day\"\napprove = 1\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let a = amended(s.run([
        "amend",
        "shop.orders@2026-01-03",
        "--delete",
        "--reason",
        "test",
        "--json",
    ]));
    assert_eq!(a["status"], "waiting");
    assert_eq!(money(&s).as_array().map(Vec::len), Some(3));
    let _ = s.run(["approve", "A-2"]).expect_status(4);
    let done = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "A-2", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(done["status"], "applied");
    assert_eq!(money(&s).as_array().map(Vec::len), Some(2));
}

#[test]
fn a_branch_is_worked_in_and_promoted_or_refused() {
    let s = corrected();
    let before = s.contents();
    let _ = s.run(["branch", "create", "vat"]).expect_status(0);
    s.write(
        "jobs/shop/daily.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, sum(pieces * price) * 2 AS money, count(*) AS orders FROM shop.orders GROUP BY day\n",
    );
    let _ = s.run(["apply", "--branch", "vat", "--yes"]).expect_status(0);
    let _ = s.run(["run", "--branch", "vat"]).expect_status(0);
    assert_eq!(s.contents(), before, "the live side is as it was");
    let diff = s.run(["branch", "diff", "vat", "--json"]).expect_status(0).json();
    assert_eq!(diff["datasets"][0]["name"], "shop.daily");
    let in_branch = s.run([
        "query",
        "SELECT CAST(max(money) AS VARCHAR) AS m FROM shop.daily",
        "--branch",
        "vat",
        "--json",
    ]);
    assert_eq!(in_branch.expect_status(0).json()[0]["m"], "71.00");
    // The live side moves under it.
    s.write(
        "orders/2026-01-03.csv",
        "day,product,pieces,price\n2026-01-03,tea,2,2.50\n",
    );
    let _ = s.run(["deliver"]).expect_status(0);
    let refused = s.run(["branch", "promote", "vat"]).expect_status(5);
    assert!(refused.stderr.contains("shop.orders"), "{}", refused.stderr);
    let _ = s.run(["branch", "rebase", "vat"]).expect_status(0);
    let again = s
        .run(["run", "--branch", "vat", "--json"])
        .expect_status(0)
        .json();
    assert!(again["runs"].as_array().is_some_and(|r| !r.is_empty()));
    let runs = s.query("SELECT count(*) AS n FROM system.runs");
    let _ = s.run(["branch", "promote", "vat"]).expect_status(0);
    assert_eq!(money(&s)[2]["money"], "10.00");
    assert_eq!(
        s.query("SELECT count(*) AS n FROM system.runs"),
        runs,
        "promoting computes nothing"
    );
    let _ = s.run(["branch", "create", "next"]).expect_status(0);
    let _ = s.run(["branch", "drop", "next"]).expect_status(0);
    let _ = s.run(["replay", "--all"]).expect_status(0);
}

#[test]
fn versions_are_kept_as_retain_says() {
    let s = corrected();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    for pieces in [8, 9, 10] {
        let set = format!("pieces = {pieces}");
        let _ = s
            .run([
                "amend",
                "shop.orders@2026-01-02",
                "--where",
                "product = 'tea'",
                "--set",
                &set,
                "--reason",
                "x",
            ])
            .expect_status(0);
    }
    assert_eq!(
        s.run(["vacuum", "--dry-run", "--json"]).expect_status(0).json()["files"],
        0
    );
    s.write(
        "mainstay.toml",
        toml.replace(
            "slice = \"day\"\n",
            "slice = \"day\"\nretain = { versions = 2 }\n",
        ),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let would = s.run(["vacuum", "--dry-run", "--json"]).expect_status(0).json();
    assert!(would["files"].as_u64() > Some(0), "{would}");
    let _ = s.run(["vacuum"]).expect_status(4);
    let did = s.run(["vacuum", "--yes", "--json"]).expect_status(0).json();
    assert_eq!(did["bytes"], would["bytes"]);
    let contents = s.contents();
    let _ = s
        .run(["query", "SELECT * FROM shop.orders", "--version", "1"])
        .expect_status(2);
    let _ = s
        .run(["query", "SELECT * FROM shop.orders", "--version", "4"])
        .expect_status(0);
    let lost = would["replays_lost"].as_array().cloned().unwrap_or_default();
    for run in lost {
        let run = run.as_str().unwrap_or_default();
        let replay = s.run(["replay", run, "--json"]).expect_status(7).json();
        assert_eq!(replay["replays"][0]["verdict"], "cannot", "{run}");
    }
    let _ = s.run(["run", "--force"]).expect_status(0);
    assert_eq!(s.contents(), contents);
}

/// A job that was applied and not run yet has other columns than its dataset; what reads it can be computed all the same.
#[test]
fn columns_that_are_applied_and_not_computed_yet_are_no_hindrance() {
    let s = shop();
    s.write(
        "jobs/shop/rates.sql",
        "SELECT 'tea' AS product, CAST(1 AS BIGINT) AS rate\n",
    );
    s.write(
        "jobs/shop/rated.sql",
        "SELECT o.day, o.pieces, r.rate FROM shop.orders AS o JOIN shop.rates AS r ON r.product = o.product\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run", "shop.rated"]).expect_status(0);
    s.write(
        "jobs/shop/rates.sql",
        "SELECT 'tea' AS product, CAST(1 AS BIGINT) AS rate, CAST(2 AS BIGINT) AS extra\n",
    );
    s.write(
        "jobs/shop/rated.sql",
        "SELECT o.day, o.pieces * r.extra AS pieces FROM shop.orders AS o JOIN shop.rates AS r ON r.product = o.product\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let a = mended(&s);
    assert_eq!(a["status"], "applied");
    let rows = s.query("SELECT CAST(day AS VARCHAR) AS day, pieces FROM shop.rated ORDER BY day");
    assert_eq!(
        rows,
        json!([
            { "day": "2026-01-01", "pieces": 6 },
            { "day": "2026-01-02", "pieces": 14 },
            { "day": "2026-01-03", "pieces": 2 },
        ])
    );
}
