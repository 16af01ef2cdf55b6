//! `why --prove`: the one culprit among twenty harmless changes is found by replaying, whatever it is.

use mainstay_sim::Sandbox;
use serde_json::Value;

const JOB: &str = "jobs/shop/daily_sales.sql";

fn file(i: usize) -> String {
    format!("data/orders/2026-01-02-{i:02}.csv")
}

fn order(i: usize, pieces: i64, price: &str) -> String {
    format!("day,product,pieces,price\n2026-01-02,p{i:02},{pieces},{price}\n")
}

/// The shop with twenty files for one day; it ran.
fn ran() -> Sandbox {
    let s = Sandbox::shop();
    for i in 0..20 {
        s.write(&file(i), order(i, 7, "1.00"));
    }
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s
}

/// Twenty harmless changes: every file comes with another price.
fn change_all(s: &Sandbox) {
    for i in 0..20 {
        s.write(&file(i), order(i, 7, "2.00"));
    }
}

fn proof(s: &Sandbox, arguments: &[&str]) -> Value {
    let mut all = vec!["why"];
    all.extend(arguments);
    all.extend(["--prove", "--json"]);
    let answer = s.run(all).expect_status(0).json();
    let proof = answer["proof"].clone();
    assert_eq!(proof["verdict"], "proven", "{answer}");
    let left = std::fs::read_dir(s.path().join(".mainstay/data/main/shop/daily_sales")).expect("the table");
    let left = left
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("proof"));
    assert_eq!(left.count(), 0, "replays leave nothing behind");
    proof
}

/// The causes that the last step of a proof found.
fn found(proof: &Value) -> Vec<Value> {
    let steps = proof["steps"].as_array().cloned().unwrap_or_default();
    let last = steps.last().map(|s| s["causes"].clone()).unwrap_or_default();
    last.as_array().cloned().unwrap_or_default()
}

fn says(v: &Value, text: &str) -> bool {
    v.as_str().is_some_and(|v| v.contains(text))
}

#[test]
fn one_bad_delivery_among_twenty_fails_a_check() {
    for culprit in [0, 13, 19] {
        let s = ran();
        change_all(&s);
        s.write(&file(culprit), order(culprit, 0, "2.00"));
        let _ = s.run(["run"]).expect_status(1);
        let proof = proof(&s, &["shop.daily_sales"]);
        let causes = found(&proof);
        assert_eq!(causes.len(), 1, "{proof}");
        assert_eq!(causes[0]["kind"], "delivery");
        assert!(says(&causes[0]["what"], &file(culprit)), "{proof}");
        assert_eq!(causes[0]["who"], "ana");
        assert!(causes[0]["seq"].is_number(), "{proof}");
        let trials = proof["trials"].as_array().cloned().unwrap_or_default();
        assert!(trials.len() <= 12, "halving takes few replays: {}", trials.len());
        assert!(
            trials
                .iter()
                .any(|t| t["shows"] == false && says(&t["outcome"], "succeeds"))
        );
    }
}

#[test]
fn a_changed_query_among_twenty_deliveries_fails_a_check() {
    let s = ran();
    change_all(&s);
    let sql = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    s.write(
        JOB,
        sql.replace("sum(pieces) AS pieces", "sum(pieces) - 7 AS pieces"),
    );
    let _ = s.run(["apply", "--reason", "returned goods"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(1);
    let proof = proof(&s, &["R-2"]);
    let causes = found(&proof);
    assert_eq!(causes.len(), 1, "{proof}");
    assert_eq!(
        (causes[0]["kind"].as_str(), causes[0]["reason"].as_str()),
        (Some("code"), Some("returned goods"))
    );
    assert!(says(&causes[0]["change"], "sum(pieces) - 7"), "{proof}");
}

#[test]
fn a_changed_setting_among_twenty_deliveries_fails_a_check() {
    let s = ran();
    change_all(&s);
    let sql = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    // The query changes, too, and does no harm.
    let sql = sql.replace("sum(pieces * price) AS money", "sum(pieces * price) + 1 AS money");
    s.write(
        JOB,
        sql.replace("pieces = { min = 1 }", "pieces = { min = 1, max = 6 }"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(1);
    let proof = proof(&s, &["R-2"]);
    let causes = found(&proof);
    assert_eq!(causes.len(), 1, "{proof}");
    assert_eq!(causes[0]["kind"], "check");
    assert!(says(&causes[0]["what"], "shop.daily_sales:range"), "{proof}");
}

/// Two runs downstream, a number changed; only one of twenty files that came anew changed anything that it is made of.
#[test]
fn a_changed_number_is_followed_to_its_file() {
    let s = Sandbox::shop();
    s.write(
        "jobs/shop/clean.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, product, pieces, price FROM shop.orders\n",
    );
    s.write(
        "jobs/shop/totals.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, sum(pieces) AS pieces FROM shop.clean GROUP BY day\n",
    );
    for i in 0..20 {
        s.write(&file(i), order(i, 7, "1.00"));
    }
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    change_all(&s);
    s.write(&file(4), order(4, 700, "2.00"));
    let _ = s.run(["run"]).expect_status(0);
    let exact = proof(&s, &["shop.totals@2026-01-02"]);
    assert_eq!(exact["steps"].as_array().map(Vec::len), Some(2), "{exact}");
    let rows = proof(&s, &["shop.totals@2026-01-02", "--where", "pieces > 500"]);
    for proof in [exact, rows] {
        let causes = found(&proof);
        assert_eq!(causes.len(), 1, "{proof}");
        assert!(says(&causes[0]["what"], &file(4)), "{proof}");
    }
}

#[test]
fn what_only_two_changes_do_together_is_said_together() {
    let s = ran();
    change_all(&s);
    // Neither the query nor the file breaks the check alone.
    s.write(&file(3), order(3, 5, "2.00"));
    let sql = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    let sql = sql.replace(
        "sum(pieces) AS pieces",
        "CASE WHEN sum(pieces) = 5 THEN 0 ELSE sum(pieces) END AS pieces",
    );
    s.write(JOB, sql);
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(1);
    let proof = proof(&s, &["R-2"]);
    let mut kinds: Vec<String> = found(&proof)
        .iter()
        .map(|c| c["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["code", "delivery"], "{proof}");
}

#[test]
fn a_run_that_changed_nothing_has_nothing_to_prove() {
    let s = ran();
    let _ = s.run(["run", "--force", "shop.daily_sales"]).expect_status(0);
    let error = s.run(["why", "R-2", "--prove", "--json"]).expect_status(2).json();
    assert_eq!(error["error"]["code"], "MS0428", "{error}");
}
