//! Plans that are reviewed and then applied, or out of date.

use mainstay_sim::Sandbox;

#[test]
fn a_plan_is_refused_when_something_moved() {
    let s = Sandbox::shop();
    let _ = s.run(["plan"]).expect_status(0);
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["apply", "plan/P-1"]).expect_status(5);
    assert!(out.stderr.contains("mainstay plan"), "{}", out.stderr);
}

#[test]
fn a_plan_does_what_was_reviewed_whatever_the_files_say_now() {
    let s = Sandbox::shop();
    let _ = s.run(["plan"]).expect_status(0);
    s.write("jobs/shop/more.sql", "SELECT 1 AS one\n");
    let applied = s.run(["apply", "P-1", "--json"]).expect_status(0).json();
    assert_eq!(applied["plan"], "P-1");
    let jobs = s.run(["list", "job", "--json"]).expect_status(0).json();
    assert_eq!(jobs["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_removed_job_is_shown_and_its_data_stays() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.remove("jobs/shop/daily_sales.sql");
    let out = s.run(["plan"]).expect_status(0).stdout;
    assert!(
        out.contains("to REMOVE") && out.contains("job/shop.daily_sales"),
        "{out}"
    );
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    assert_eq!(s.query("SELECT count(*) AS n FROM shop.daily_sales")[0]["n"], 4);
}

#[test]
fn the_demo_plays_and_playing_it_again_changes_nothing() {
    let s = Sandbox::new();
    let played = s.run(["demo", "d", "--json"]).expect_status(0).json();
    let datasets = played["datasets"].as_array().cloned().unwrap_or_default();
    let rows = |name: &str| {
        datasets
            .iter()
            .find(|d| d["name"] == name)
            .map(|d| d["rows"].clone())
            .unwrap_or_default()
    };
    assert_eq!(rows("air.flights"), 336_776);
    assert_eq!(rows("air.weather"), 26_115);
    assert_eq!(rows("air.airlines"), 16);
    assert_eq!(rows("air.departures"), 336_776);
    assert_eq!(rows("air.worst_days"), 10);
    assert_eq!(played["runs"].as_array().map(Vec::len), Some(8));
    let again = s.run(["demo", "d", "--json"]).expect_status(0).json();
    assert_eq!(again["runs"].as_array().map(Vec::len), Some(0));
    assert_eq!(again["deliveries"], 0);
}
