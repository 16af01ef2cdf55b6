//! What is kept up to date by itself, and what is said when it is not.

use std::time::Duration;

use mainstay_sim::Sandbox;
use serde_json::Value;

use super::{Server, count, facts, until};

const JOB: &str = "jobs/shop/daily_sales.sql";
const ORDERS: &str = "day,product,pieces,price\n2026-01-03,tea,1,3.50\n";
const PIECES: &str = "SELECT sum(pieces) AS n FROM shop.daily_sales";

/// A shop whose sales by day are promised within a time.
fn promised(within: &str) -> Sandbox {
    let s = Sandbox::shop();
    let text = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    let promise = format!("-- slice = \"day\"\n-- keep_fresh = \"{within}\"\n");
    s.write(JOB, text.replace("-- slice = \"day\"\n", &promise));
    let _ = s.run(["apply"]).expect_status(0);
    s
}

fn show(s: &Sandbox, thing: &str) -> Value {
    s.run(["show", thing, "--json"]).expect_status(0).json()
}

#[test]
fn files_that_come_are_there_in_time_without_a_command() {
    let s = promised("10 s");
    let server = Server::start(&s);
    // Nothing is done for what lay there before anybody asked for it.
    std::thread::park_timeout(Duration::from_millis(1500));
    assert_eq!(count(&s, "delivery.recorded"), 0);
    assert_eq!(
        show(&s, "promise/shop.daily_sales")["status"]["state"],
        "not_begun"
    );
    let _ = s.run(["run"]).expect_status(0);
    let _ = until(&s, &facts("promise.kept"), |a| a[0]["n"] == 1);

    s.write("data/orders/2026-01-03.csv", ORDERS);
    let _ = until(&s, PIECES, |a| a[0]["n"] == 11);
    let _ = until(&s, &facts("promise.kept"), |a| a[0]["n"] == 2);
    let run = s.query("SELECT actor, reason FROM system.facts WHERE kind = 'run.finished' ORDER BY seq DESC");
    assert_eq!(run[0]["actor"], "promise/shop.daily_sales");
    assert_eq!(
        run[0]["reason"],
        "shop.orders has new content, and it is promised within 10 s"
    );
    let dataset = show(&s, "shop.daily_sales");
    assert_eq!(dataset["promise"]["state"], "ok");
    assert_eq!(dataset["promise"]["missed"], 0);
    assert_eq!(count(&s, "promise.at_risk"), 0);
    let list = s.run(["list", "promises"]).expect_status(0).stdout;
    assert!(list.contains("shop.daily_sales  10 s    ok"), "{list}");
    server.end();
}

#[test]
fn one_that_is_missed_says_so_before_and_names_the_job() {
    let s = promised("4 s");
    let _ = s.run(["run"]).expect_status(0);
    let alarm = "\n[trigger.alarm]\non = { kind = [\"promise.missed\"] }\nrun = [\"shop.orders\"]\n";
    let check = "\n[check.never]\ndataset = \"shop.daily_sales\"\nsql = \"SELECT * FROM shop.daily_sales WHERE day > DATE '2026-01-02'\"\n";
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write("mainstay.toml", format!("{toml}{alarm}{check}"));
    let _ = s.run(["apply"]).expect_status(0);
    let server = Server::start(&s);
    let _ = until(&s, &facts("promise.kept"), |a| a[0]["n"] == 1);
    s.write("data/orders/2026-01-03.csv", ORDERS);
    let _ = until(&s, &facts("promise.missed"), |a| a[0]["n"] == 1);
    let order = s.query(
        "SELECT kind FROM system.facts WHERE kind IN ('promise.at_risk', 'promise.missed') ORDER BY seq",
    );
    assert_eq!(order[0]["kind"], "promise.at_risk");
    let fired = s.query("SELECT subject FROM system.facts WHERE kind = 'trigger.fired'");
    assert_eq!(fired[0]["subject"], "trigger/alarm");

    let status = show(&s, "promise/shop.daily_sales")["status"].clone();
    assert_eq!(status["state"], "missed");
    assert_eq!(status["blame"]["dataset"], "shop.daily_sales");
    let run = status["blame"]["run"].as_str().expect("a run").to_owned();
    assert!(
        status["blame"]["because"]
            .as_str()
            .is_some_and(|b| b.contains(":never failed")),
        "{status}"
    );
    let why = s
        .run(["why", "shop.daily_sales", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(why["causes"][0]["kind"], "promise");
    assert!(
        why["next"]
            .as_array()
            .is_some_and(|n| n.contains(&format!("mainstay why {run}").into())),
        "{why}"
    );
    let why = s.run(["why", "promise/shop.daily_sales"]).expect_status(0).stdout;
    assert!(why.contains("shop.daily_sales is to blame: its run"), "{why}");

    // What is mended is found by itself, and ends it.
    s.remove("data/orders/2026-01-03.csv");
    s.write("mainstay.toml", format!("{toml}{alarm}"));
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let late = "SELECT body FROM system.facts WHERE kind = 'promise.kept' ORDER BY seq DESC";
    let _ = until(&s, late, |a| {
        a[0]["body"].as_str().is_some_and(|b| b.contains("\"late\":true"))
    });
    assert_eq!(show(&s, "promise/shop.daily_sales")["status"]["state"], "ok");
    server.end();
}

#[test]
fn what_a_killed_server_was_to_do_for_a_promise_is_done_by_the_next_once() {
    for step in ["run.recorded", "publish.recorded"] {
        let s = promised("1 h");
        let _ = s.run(["run"]).expect_status(0);
        let mut killed = s.start_with("MAINSTAY_KILL_AT", step, ["serve", "--json"]);
        let _ = killed.first_line();
        let _ = until(&s, &facts("promise.kept"), |a| a[0]["n"] == 1);
        s.write("data/orders/2026-01-03.csv", ORDERS);
        // The promise is of an hour, so that the place would be looked at in minutes.
        let _ = s.run(["deliver"]);
        let ended = killed.wait();
        assert_eq!(ended.status, None, "{step}: {}", ended.stderr);
        let server = Server::start(&s);
        let _ = until(&s, &facts("promise.kept"), |a| a[0]["n"] == 2);
        assert_eq!(s.query(PIECES)[0]["n"], 11, "{step}");
        let version =
            s.query("SELECT max(version) AS v FROM system.slices WHERE dataset = 'shop.daily_sales'");
        assert_eq!(version[0]["v"], 2, "{step}: published once");
        // It is kept as soon as the data is published, which is before its run is recorded as done.
        let _ = until(&s, &facts("promise.done"), |a| a[0]["n"].as_u64() >= Some(1));
        server.end();
        let _ = s.run(["journal", "verify"]).expect_status(0);
    }
}
