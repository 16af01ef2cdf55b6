//! From an empty folder to a published table, and what happens when nothing, a little or everything changes.

use mainstay_sim::Sandbox;
use serde_json::json;

const MONEY: &str =
    "SELECT CAST(day AS VARCHAR) AS day, product, pieces, money FROM shop.daily_sales ORDER BY day, product";

fn applied() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply", "--reason", "first"]).expect_status(0);
    s
}

#[test]
fn the_first_minutes() {
    let s = Sandbox::shop();
    let plan = s.run(["plan", "--json"]).expect_status(0).json();
    assert_eq!(plan["plan"], "P-1");
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(6), "{plan}");
    let _ = s.run(["apply", "plan/P-1"]).expect_status(0);
    assert_eq!(
        s.run(["apply", "--json"]).expect_status(0).json()["apply"],
        json!(null)
    );
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(ran["runs"][0]["outcome"], "succeeded");
    assert_eq!(ran["runs"][0]["slices"], json!(["2026-01-01", "2026-01-02"]));
    assert_eq!(
        s.query(MONEY),
        json!([
            { "day": "2026-01-01", "product": "cake", "pieces": 1, "money": 4.2 },
            { "day": "2026-01-01", "product": "tea", "pieces": 3, "money": 10.5 },
            { "day": "2026-01-02", "product": "coffee", "pieces": 2, "money": 5.6 },
            { "day": "2026-01-02", "product": "tea", "pieces": 4, "money": 14.0 },
        ])
    );
    assert_eq!(
        s.run(["run", "--json"]).expect_status(0).json()["runs"],
        json!([])
    );
    let out = s.run(["plan", "--exit-code"]).expect_status(0).stdout;
    assert!(out.contains("nothing to do"), "{out}");
}

#[test]
fn only_the_day_that_changed_is_computed() {
    let s = applied();
    let _ = s.run(["run"]).expect_status(0);
    s.write(
        "data/orders/2026-01-02.csv",
        "day,product,pieces,price\n2026-01-02,tea,5,3.50\n",
    );
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(ran["runs"][0]["slices"], json!(["2026-01-02"]));
    assert_eq!(
        s.query("SELECT sum(pieces) AS n FROM shop.daily_sales"),
        json!([{ "n": 9 }])
    );
    s.write(
        "data/orders/late.csv",
        "day,product,pieces,price\n2026-01-01,cake,1,4.20\n",
    );
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(ran["runs"][0]["slices"], json!(["2026-01-01"]));
}

#[test]
fn a_comment_is_no_change_and_another_query_is() {
    let s = applied();
    let _ = s.run(["run"]).expect_status(0);
    let path = "jobs/shop/daily_sales.sql";
    let sql = std::fs::read_to_string(s.path().join(path)).expect("the job");
    s.write(
        path,
        sql.replace("SELECT", "-- what was sold\nselect")
            .replace("FROM shop.orders", "FROM   shop.orders AS o"),
    );
    assert_eq!(
        s.run(["plan", "--json"]).expect_status(0).json()["changes"],
        json!([])
    );
    s.write(
        path,
        sql.replace("sum(pieces * price)", "sum(pieces * price) * 2"),
    );
    let plan = s.run(["plan", "--json", "--exit-code"]).expect_status(3).json();
    assert_eq!(plan["changes"][0]["resource"], "job/shop.daily_sales");
    assert_eq!(plan["changes"][0]["fields"][0]["field"], "spec.sql");
    assert_eq!(plan["stale"][0]["slices"], json!(["2026-01-01", "2026-01-02"]));
    assert!(plan["estimate"]["cpu_seconds"].is_number());
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(
        s.query("SELECT max(money) AS m FROM shop.daily_sales"),
        json!([{ "m": 28.0 }])
    );
    let _ = s
        .run(["revert", "apply/2", "--reason", "too much"])
        .expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(
        s.query("SELECT max(money) AS m FROM shop.daily_sales"),
        json!([{ "m": 14.0 }])
    );
    let history = s
        .run(["history", "job/shop.daily_sales", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(history["changes"].as_array().map(Vec::len), Some(3));
    assert_eq!(history["changes"][2]["reason"], "too much");
}

#[test]
fn a_failed_check_publishes_nothing_and_shows_the_rows() {
    let s = applied();
    let _ = s.run(["run"]).expect_status(0);
    let before = s.contents();
    s.write(
        "data/orders/2026-01-03.csv",
        "day,product,pieces,price\n2026-01-03,tea,0,3.50\n",
    );
    let ran = s.run(["run", "--json"]).expect_status(1).json();
    assert_eq!(ran["runs"][0]["outcome"], "failed");
    let checks = ran["runs"][0]["checks"].as_array().cloned().unwrap_or_default();
    let failed: Vec<_> = checks.iter().filter(|c| c["violations"] == 1).collect();
    assert_eq!(failed[0]["check"], "shop.daily_sales:range");
    assert_eq!(failed[0]["sample"][0]["product"], "tea");
    let sales = |text: &str| text.lines().filter(|l| l.contains("daily_sales")).count();
    assert_eq!(sales(&before), sales(&s.contents()));
}

#[test]
fn what_only_a_duplicate_holds_is_taken_in() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let pieces = |s: &Sandbox| s.query("SELECT sum(pieces) AS n FROM shop.orders")[0]["n"].clone();
    let before = pieces(&s);
    let first = "data/orders/2026-01-01.csv";
    let text = std::fs::read_to_string(s.path().join(first)).expect("the file");
    s.write("data/orders/copy.csv", &text);
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(pieces(&s), before);
    s.write(first, "day,product,pieces,price\n2026-01-01,tea,1000,3.50\n");
    let _ = s.run(["run"]).expect_status(0);
    let after = pieces(&s);
    assert_eq!(after.as_i64(), before.as_i64().map(|n| n + 1000));
}

#[test]
fn what_takes_something_away_needs_a_yes() {
    let s = applied();
    let _ = s.run(["run"]).expect_status(0);
    s.remove("jobs/shop/daily_sales.sql");
    let refused = s
        .run(["apply", "--reason", "not needed", "--json"])
        .expect_status(4)
        .json();
    assert_eq!(refused["error"]["code"], "MS0010");
    let causes = refused["error"]["causes"].to_string();
    assert!(
        causes.contains("job/shop.daily_sales is removed: its dataset keeps 4 rows"),
        "{causes}"
    );
    let text = s.run(["apply", "--reason", "not needed"]).expect_status(4).stderr;
    assert!(
        text.contains("mainstay apply --reason 'not needed' --yes"),
        "{text}"
    );
    assert_eq!(
        s.run(["list", "job", "--json"]).expect_status(0).json()["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let plan = s.run(["plan", "--json"]).expect_status(0).json();
    let id = format!("plan/{}", plan["plan"].as_str().unwrap_or_default());
    let _ = s.run(["apply", &id]).expect_status(4);
    let _ = s.run(["apply", &id, "--yes"]).expect_status(0);
    // Bringing it back takes nothing away; undoing that does.
    let _ = s.run(["revert", "apply/2"]).expect_status(0);
    let _ = s.run(["revert", "apply/3"]).expect_status(4);
    let _ = s.run(["revert", "apply/3", "--yes"]).expect_status(0);
}

#[test]
fn a_project_begins_in_a_folder_that_is_under_version_control() {
    let s = Sandbox::new();
    s.write(".gitignore", "target\n*.log");
    let made = s.run(["init", "."]).expect_status(0);
    assert!(made.stderr.contains("Next: mainstay plan"), "{}", made.stderr);
    let ignored = std::fs::read_to_string(s.path().join(".gitignore")).expect("there");
    assert_eq!(ignored, "target\n*.log\n.mainstay/\n");
    let _ = s.run(["plan"]).expect_status(0);

    // What is ignored already is not written a second time, and what else is in the way is left alone.
    let s = Sandbox::new();
    s.write(".gitignore", "/.mainstay\n");
    let made = s.run(["init", ".", "--json"]).expect_status(0).json();
    assert!(!made["files"].to_string().contains("gitignore"), "{made}");
    let s = Sandbox::new();
    s.write("jobs/shop/daily_sales.sql", "mine");
    let refused = s.run(["init", "."]).expect_status(4).stderr;
    assert!(refused.contains("jobs/shop/daily_sales.sql"), "{refused}");
    assert!(!s.path().join(".gitignore").exists());
}
