//! What is run by itself.

use std::time::Duration;

use mainstay_sim::Sandbox;

use super::{Server, count, facts, until};

const FOLLOW: &str = "
[trigger.follow]
after = [\"shop.orders\"]
run = [\"shop.daily_sales\"]
";

const AGAIN: &str = "
[trigger.again]
on = { kind = [\"run.finished\"], body = { outcome = [\"failed\"] } }
run = [\"shop.*\"]
";

const ORDERS: &str = "day,product,pieces,price\n2026-01-03,tea,1,3.50\n";

/// Adds to the project and applies it.
fn declare(s: &Sandbox, more: &str) {
    let text = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write("mainstay.toml", format!("{text}{more}"));
    let _ = s.run(["apply"]).expect_status(0);
}

fn followed() -> Sandbox {
    let s = Sandbox::shop();
    declare(&s, FOLLOW);
    s
}

#[test]
fn new_content_is_followed_and_says_why() {
    let s = followed();
    let server = Server::start(&s);
    let _ = s.run(["deliver"]).expect_status(0);
    let done = facts("trigger.done");
    let _ = until(&s, &done, |a| a[0]["n"] == 1);
    assert_eq!(
        s.query("SELECT sum(pieces) AS n FROM shop.daily_sales")[0]["n"],
        10
    );
    let run = s.query("SELECT actor, reason FROM system.facts WHERE kind = 'run.finished'");
    assert_eq!(run[0]["actor"], "trigger/follow");
    assert_eq!(run[0]["reason"], "shop.orders has new content");
    let shown = s
        .run(["show", "trigger/follow", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(shown["status"]["state"], "ready");
    assert_eq!(shown["status"]["last"]["runs"][0], "R-1");
    // Delivered again, nothing is new, and nothing is set off.
    let _ = s.run(["deliver"]).expect_status(0);
    assert_eq!(count(&s, "trigger.fired"), 1);
    server.end();
}

#[test]
fn what_a_killed_server_was_to_do_is_done_by_the_next_once() {
    for step in ["run.recorded", "attempt.staged", "publish.recorded"] {
        let s = followed();
        let mut killed = s.start_with("MAINSTAY_KILL_AT", step, ["serve", "--json"]);
        let _ = killed.first_line();
        let _ = s.run(["deliver"]);
        let ended = killed.wait();
        assert_eq!(ended.status, None, "{step}: {}", ended.stderr);
        assert_eq!(count(&s, "trigger.fired"), 1, "{step}");
        assert_eq!(count(&s, "trigger.done"), 0, "{step}");

        let server = Server::start(&s);
        let done = facts("trigger.done");
        // Where the killed run is ended as failed, that sets `again` off, too.
        let _ = until(&s, &done, |a| a[0]["n"].as_u64() >= Some(1));
        assert_eq!(
            s.query("SELECT sum(pieces) AS n FROM shop.daily_sales")[0]["n"],
            10,
            "{step}"
        );
        let version =
            s.query("SELECT max(version) AS v FROM system.slices WHERE dataset = 'shop.daily_sales'");
        assert_eq!(version[0]["v"], 1, "{step}: published once");
        server.end();
        let _ = s.run(["journal", "verify"]).expect_status(0);
    }
}

#[test]
fn a_failing_run_that_a_trigger_tries_again_does_not_go_round_for_ever() {
    let s = followed();
    let check = "\n[check.never]\ndataset = \"shop.daily_sales\"\nsql = \"SELECT * FROM shop.daily_sales\"\n";
    declare(&s, &format!("{AGAIN}{check}"));
    let server = Server::start(&s);
    s.write("data/orders/2026-01-03.csv", ORDERS);
    let _ = s.run(["deliver"]).expect_status(0);
    // `follow` fails, which sets `again` off, which fails, which sets nobody off.
    let done = facts("trigger.done");
    let _ = until(&s, &done, |a| a[0]["n"] == 2);
    std::thread::park_timeout(Duration::from_secs(1));
    assert_eq!(count(&s, "trigger.fired"), 2);
    assert_eq!(count(&s, "run.finished"), 2);
    server.end();
}
