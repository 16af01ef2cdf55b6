//! Stopping: Ctrl-C, `cancel`, a time limit; and two processes on one home.

use std::time::{Duration, Instant};

use mainstay_sim::{Running, Sandbox};

/// A query that would take minutes.
const LONG: &str = "SELECT count(*) AS n FROM (SELECT a.value % 7 AS x FROM generate_series(1, 300000) AS a \
                    CROSS JOIN generate_series(1, 300000) AS b) WHERE x = 3";

fn long_job(settings: &str) -> Sandbox {
    let s = Sandbox::shop();
    s.write(
        "jobs/shop/long.sql",
        format!("-- /// mainstay\n{settings}-- ///\n{LONG}\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run", "shop.daily_sales"]).expect_status(0);
    s
}

/// Waits until the long run goes on, and returns its id.
fn running(s: &Sandbox) -> String {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        let runs = s.run(["runs", "--json"]).expect_status(0).json();
        let list = runs["runs"].as_array().cloned().unwrap_or_default();
        if let Some(run) = list.iter().find(|r| r["outcome"] == "running") {
            return run["id"].as_str().unwrap_or_default().to_owned();
        }
    }
    panic!("the run did not start");
}

fn ends_within(mut run: Running, limit: Duration) -> mainstay_sim::Outcome {
    let began = Instant::now();
    while run.goes_on() {
        assert!(began.elapsed() < limit, "still going on after {limit:?}");
        std::thread::yield_now();
    }
    run.wait()
}

fn leaves_nothing(s: &Sandbox) {
    let table = s.path().join(".mainstay/data/main/shop/long");
    let left = std::fs::read_dir(&table).map(|d| d.count()).unwrap_or(0);
    assert_eq!(left, 0, "files are left in {}", table.display());
    assert_eq!(s.run(["journal", "verify"]).expect_status(0).status, Some(0));
}

#[test]
fn ctrl_c_stops_within_two_seconds() {
    let s = long_job("");
    let run = s.start(["run", "shop.long"]);
    let id = running(&s);
    run.interrupt();
    let out = ends_within(run, Duration::from_secs(3)).expect_status(130);
    assert!(out.stdout.contains("cancelled"), "{}", out.stdout);
    assert!(
        out.stderr.contains("cancelled") && !out.stderr.contains("0 rows"),
        "{}",
        out.stderr
    );
    let shown = s
        .run(["show", &format!("run/{id}"), "--json"])
        .expect_status(0)
        .json();
    assert_eq!(shown["outcome"], "cancelled");
    let cpu = shown["usage"]["cpu_seconds"].as_f64().unwrap_or_default();
    assert!(cpu > 0.01, "what was spent is recorded: {shown}");
    leaves_nothing(&s);
}

#[test]
fn another_process_can_cancel_but_not_write() {
    let s = long_job("");
    let run = s.start(["run", "shop.long"]);
    let id = running(&s);
    let refused = s.run(["apply"]).expect_status(6);
    assert!(
        refused.stderr.contains(&run.id().to_string()),
        "the process is named: {}",
        refused.stderr
    );
    let _ = s
        .run(["query", "SELECT count(*) AS n FROM shop.orders"])
        .expect_status(0);
    let waited = s.run(["apply", "--wait=1"]).expect_status(6);
    assert!(waited.stderr.contains(&run.id().to_string()), "{}", waited.stderr);
    let waiting = s.start(["run", "--wait", "shop.daily_sales", "--json"]);
    let _ = s.run(["cancel", &id]).expect_status(0);
    let waited = ends_within(waiting, Duration::from_secs(20)).expect_status(0);
    assert_eq!(
        waited.json()["runs"],
        serde_json::json!([]),
        "it waited for its turn"
    );
    let _ = ends_within(run, Duration::from_secs(3)).expect_status(1);
    leaves_nothing(&s);
    let _ = s.run(["cancel", &id]).expect_status(2);
}

#[test]
fn a_time_limit_ends_a_run() {
    let s = long_job("-- time_limit = \"1 s\"\n-- retries = 0\n");
    let out = ends_within(s.start(["run", "shop.long", "--json"]), Duration::from_secs(6)).expect_status(1);
    let run = &out.json()["runs"][0];
    assert_eq!(run["outcome"], "failed");
    let cpu = run["usage"]["cpu_seconds"].as_f64().unwrap_or_default();
    assert!(cpu > 0.1, "what was spent is recorded: {run}");
    assert!(
        run["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("1 s")),
        "{run}"
    );
    leaves_nothing(&s);
}

#[test]
fn a_run_whose_process_was_killed_is_lost_and_the_next_command_says_so() {
    let s = long_job("");
    let run = s.start(["run", "shop.long"]);
    let id = running(&s);
    let pid = run.id();
    let _ = run.kill();
    let runs = s.run(["runs", "--json"]).expect_status(0).json();
    let list = runs["runs"].as_array().cloned().unwrap_or_default();
    assert!(
        list.iter()
            .any(|r| r["id"] == id.as_str() && r["outcome"] == "lost"),
        "{runs}"
    );
    let refused = s.run(["cancel", &id]).expect_status(2);
    assert!(refused.stderr.contains("lost"), "{}", refused.stderr);
    let spilled = || {
        let folder = std::fs::read_dir(s.path().join(".mainstay/spill"));
        folder.map_or(0, Iterator::count)
    };
    assert_eq!(spilled(), 1, "the killed process left its folder");
    let next = s.run(["apply"]).expect_status(0);
    assert!(
        next.stderr.contains(&format!("{id} (shop.long)"))
            && next.stderr.contains(&format!("process {pid} died")),
        "{}",
        next.stderr
    );
    assert_eq!(spilled(), 0);
    let ended = s
        .run(["show", &format!("run/{id}"), "--json"])
        .expect_status(0)
        .json();
    assert_eq!(ended["error"]["code"], "MS0504");
    leaves_nothing(&s);
}

#[test]
fn a_run_says_that_the_files_are_not_what_ran() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let same = s.run(["run"]).expect_status(0).stderr;
    assert!(!same.contains("the project's files"), "{same}");
    s.write("jobs/shop/more.sql", "SELECT count(*) AS n FROM shop.orders\n");
    let other = s.run(["run"]).expect_status(0).stderr;
    assert!(
        other.contains("the project's files differ in 1 resource"),
        "{other}"
    );
    let used = s.query("SELECT dataset FROM system.usage WHERE run = 'R-1' AND direction = 'read'");
    assert_eq!(
        used.to_string(),
        r#"[{"dataset":"shop.orders"}]"#,
        "no reading of its own output by checks"
    );
}

#[test]
fn ctrl_c_stops_a_delivery_and_leaves_nothing() {
    let s = Sandbox::shop();
    for day in 3..30 {
        let text = format!("day,product,pieces,price\n2026-01-{day:02},tea,1,3.50\n");
        s.write(&format!("data/orders/2026-01-{day:02}.csv"), text);
    }
    let _ = s.run(["apply"]).expect_status(0);
    for command in ["deliver", "run"] {
        // Each file takes long: a store that is slow.
        let slow = s.start_with("MAINSTAY_FAULT", "put:orders:*:delay=400", [command]);
        let staged = s.path().join(".mainstay/data/main/shop/orders");
        let files = || std::fs::read_dir(&staged).map_or(0, Iterator::count);
        let began = Instant::now();
        while files() == 0 && began.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
        }
        slow.interrupt();
        let out = ends_within(slow, Duration::from_secs(2)).expect_status(130);
        assert!(out.stderr.contains("MS0311"), "{}", out.stderr);
        assert_eq!(files(), 0, "files are left in {}", staged.display());
        let known = s.run(["list", "delivery", "--json"]).expect_status(0).json();
        assert_eq!(known["items"], serde_json::json!([]));
    }
    let taken = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(taken["deliveries"].as_array().map(Vec::len), Some(29));
}
