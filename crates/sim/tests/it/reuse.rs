//! Results that are known: by another job that is the same query.

use mainstay_sim::Sandbox;
use serde_json::json;

use crate::amend::corrected;

#[test]
fn two_jobs_that_are_the_same_query_share_results() {
    let s = corrected();
    let before = s.query("SELECT count(*) AS n FROM system.runs");
    s.write(
        "jobs/shop/takings.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- checks.range = { money = { min = 0 } }\n-- ///\n\
         select day, sum( pieces * price ) AS money, -- what was taken\n count(*) AS orders FROM shop.orders GROUP BY day\n",
    );
    s.write(
        "jobs/shop/things.sql",
        "SELECT product, sum(pieces) AS pieces FROM shop.orders GROUP BY product\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    let runs = ran["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 2, "{ran}");
    for run in runs {
        assert_eq!(
            (&run["reused"], &run["usage"]["cpu_seconds"]),
            (&json!(true), &json!(0.0)),
            "{run}"
        );
        assert!(run["saved_seconds"].as_f64().is_some(), "{run}");
    }
    // The check of the second job was asked all the same.
    let takings = runs.iter().find(|r| r["job"] == "shop.takings").expect("it ran");
    assert_eq!(takings["checks"][0]["check"], "shop.takings:range", "{takings}");
    let same = |s: &Sandbox| {
        s.query("SELECT * FROM shop.takings ORDER BY day") == s.query("SELECT * FROM shop.daily ORDER BY day")
    };
    assert!(same(&s));
    let _ = s.run(["replay", "--all"]).expect_status(0);
    // Each has files of its own: the first may go, and what it kept be freed, without the other.
    s.remove("jobs/shop/daily.sql");
    s.remove("jobs/shop/big_days.sql");
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    std::fs::remove_dir_all(s.path().join(".mainstay/data/main/shop/daily")).expect("there");
    assert_eq!(s.query("SELECT count(*) AS n FROM shop.takings")[0]["n"], 3);
    let _ = s.run(["vacuum", "--yes"]).expect_status(0);
    assert_eq!(s.query("SELECT count(*) AS n FROM shop.takings")[0]["n"], 3);
    // And what is not there any more is computed.
    s.write(
        "jobs/shop/again.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\n\
         SELECT day, sum(pieces * price) AS money, count(*) AS orders FROM shop.orders GROUP BY day\n",
    );
    std::fs::remove_dir_all(s.path().join(".mainstay/data/main/shop/takings")).expect("there");
    let _ = s.run(["apply"]).expect_status(0);
    let ran = s.run(["run", "shop.again", "--json"]).expect_status(0).json();
    assert_eq!(ran["runs"][0]["reused"], false, "{ran}");
    let days = "SELECT count(*) AS n FROM shop.again";
    assert_eq!(s.query(days)[0]["n"], 3);
    assert_ne!(before[0]["n"], 0);
}

#[test]
fn results_of_another_job_that_break_a_check_of_this_one_are_not_published() {
    let s = corrected();
    s.write(
        "jobs/shop/takings.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- checks.range = { money = { min = 10 } }\n-- ///\n\
         SELECT day, sum(pieces * price) AS money, count(*) AS orders FROM shop.orders GROUP BY day\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let ran = s.run(["run", "--json"]).expect_status(1).json();
    assert_eq!(ran["runs"][0]["error"]["code"], "MS0501", "{ran}");
    let left = s.path().join(".mainstay/data/main/shop/takings/r4-1-x");
    let left: Vec<_> = std::fs::read_dir(left)
        .map(|d| d.flatten().collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
    // Both at once, from nothing: one of them computes.
    let s = corrected();
    for name in ["one", "two"] {
        let sql = "SELECT product, max(price) AS price FROM shop.orders GROUP BY product\n";
        s.write(&format!("jobs/shop/{name}.sql"), sql);
    }
    let _ = s.run(["apply"]).expect_status(0);
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    let reused = ran["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|r| r["reused"] == true);
    assert_eq!(reused.count(), 1, "{ran}");
}
