//! Slices that read other slices than their own: what is computed after a change is enough, and no more.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

/// A source of sales by day, and jobs that look back, ahead and at everything before.
fn shop() -> Sandbox {
    let s = Sandbox::new();
    s.write(
        "mainstay.toml",
        "[project]\nname = \"shop\"\n\n[source.\"shop.sales\"]\nfiles = \"data/*.csv\"\nslice = \"day\"\n",
    );
    let job = |name: &str, slice: &str, sql: &str| {
        s.write(
            &format!("jobs/shop/{name}.sql"),
            format!("-- /// mainstay\n-- slice = \"{slice}\"\n-- ///\n{sql}\n"),
        );
    };
    job(
        "daily",
        "day",
        "SELECT day, sum(pieces) AS pieces FROM shop.sales GROUP BY day",
    );
    job(
        "week",
        "day",
        "SELECT d.day, sum(p.pieces) AS pieces FROM shop.daily d JOIN shop.daily p ON p.day BETWEEN d.day - INTERVAL '6' DAY AND d.day GROUP BY d.day",
    );
    job(
        "total",
        "day",
        "SELECT day, sum(pieces) OVER (ORDER BY day) AS pieces FROM shop.daily",
    );
    job(
        "change",
        "day",
        "SELECT d.day, d.pieces - p.pieces AS more FROM shop.daily d LEFT JOIN shop.daily p ON p.day = d.day - INTERVAL '1' DAY",
    );
    job(
        "month",
        "month",
        "SELECT CAST(date_trunc('month', day) AS DATE) AS month, sum(pieces) AS pieces FROM shop.daily GROUP BY 1",
    );
    for day in 1..=20 {
        deliver(&s, day, day);
    }
    s
}

fn deliver(s: &Sandbox, day: u32, pieces: u32) {
    s.write(
        &format!("data/{day:02}.csv"),
        format!("day,pieces\n2026-01-{day:02},{pieces}\n"),
    );
}

fn days(from: u32, to: u32) -> Value {
    (from..=to).map(|d| format!("2026-01-{d:02}")).collect()
}

/// By job, the slices that were computed.
fn computed(ran: &Value) -> Value {
    let runs = ran["runs"].as_array().cloned().unwrap_or_default();
    runs.iter()
        .map(|r| {
            (
                r["job"].as_str().unwrap_or_default().to_owned(),
                r["slices"].clone(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn contents(s: &Sandbox) -> Vec<Value> {
    ["daily", "week", "total", "change", "month"]
        .iter()
        .map(|t| {
            let columns = if *t == "month" {
                "CAST(month AS VARCHAR) AS day"
            } else {
                "CAST(day AS VARCHAR) AS day"
            };
            let value = if *t == "change" { "more" } else { "pieces" };
            s.query(&format!("SELECT {columns}, {value} FROM shop.{t} ORDER BY 1"))
        })
        .collect()
}

#[test]
fn a_corrected_day_moves_what_looks_at_it() {
    let s = shop();
    let _ = s.run(["apply"]).expect_status(0);
    let first = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(computed(&first)["shop.week"], days(1, 20));
    assert_eq!(computed(&first)["shop.month"], json!(["2026-01-01"]));
    assert_eq!(
        s.run(["run", "--json"]).expect_status(0).json()["runs"],
        json!([])
    );

    deliver(&s, 9, 100);
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(
        computed(&ran),
        json!({
            "shop.daily": days(9, 9),
            "shop.week": days(9, 15),
            "shop.total": days(9, 20),
            "shop.change": days(9, 10),
            "shop.month": ["2026-01-01"],
        })
    );
    // A day that comes late, and one that is new.
    deliver(&s, 21, 3);
    let ran = computed(&s.run(["run", "--json"]).expect_status(0).json());
    assert_eq!(ran["shop.week"], days(21, 21));
    assert_eq!(ran["shop.total"], days(21, 21));

    // The same as from nothing.
    let other = shop();
    deliver(&other, 9, 100);
    deliver(&other, 21, 3);
    let _ = other.run(["apply"]).expect_status(0);
    let _ = other.run(["run"]).expect_status(0);
    assert_eq!(contents(&s), contents(&other));
}

#[test]
fn a_change_that_comes_to_nothing_stops_there() {
    let s = shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.write("data/09.csv", "day,pieces\n2026-01-09,4\n2026-01-09,5\n");
    let ran = computed(&s.run(["run", "--json"]).expect_status(0).json());
    assert_eq!(ran, json!({ "shop.daily": days(9, 9) }));
}

#[test]
fn dependencies_are_shown_with_their_rule() {
    let s = shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let deps = s
        .run(["deps", "shop.week@2026-01-09", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(
        deps["slices"],
        json!({ "2026-01-09": { "shop.daily": days(3, 9) } })
    );
    assert_eq!(deps["fallbacks"], json!([]));
    let out = s.run(["deps", "shop.week@2026-01-09"]).expect_status(0).stdout;
    assert!(out.contains("2026-01-03..2026-01-09"), "{out}");
    assert!(out.contains("day >= [day - INTERVAL '6 days']"), "{out}");
    let plan = {
        deliver(&s, 12, 1);
        let _ = s.run(["deliver"]).expect_status(0);
        s.run(["plan", "--json"]).expect_status(0).json()
    };
    let stale = plan["stale"].as_array().cloned().unwrap_or_default();
    let week = stale
        .iter()
        .find(|r| r["dataset"] == "shop.week")
        .cloned()
        .unwrap_or_default();
    assert_eq!(week["slices"], days(12, 18), "{plan}");
}

#[test]
fn slices_of_new_columns_are_computed_together() {
    let s = shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    // The same columns: what is asked for, and the others stay stale.
    let job = |sql: &str| {
        s.write(
            "jobs/shop/daily.sql",
            format!("-- /// mainstay\n-- slice = \"day\"\n-- ///\n{sql}\n"),
        );
        let _ = s.run(["apply"]).expect_status(0);
        computed(
            &s.run(["run", "shop.daily@2026-01-09", "--json"])
                .expect_status(0)
                .json(),
        )
    };
    let ran = job("SELECT day, max(pieces) AS pieces FROM shop.sales GROUP BY day");
    assert_eq!(ran, json!({ "shop.daily": days(9, 9) }));
    // Other columns: the days of before have no value for them.
    let ran = job("SELECT day, sum(pieces) AS pieces, count(*) AS n FROM shop.sales GROUP BY day");
    assert_eq!(ran, json!({ "shop.daily": days(1, 20) }));
    let n = s.query("SELECT count(n) AS n FROM shop.daily");
    assert_eq!(n, json!([{ "n": 20 }]));
}
