//! Copies that are made while the home serves, and what they do when they are served themselves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_sim::Sandbox;
use serde_json::Value;

use super::Server;

const FOLLOW: &str = "
[trigger.follow]
after = [\"shop.orders\"]
run = [\"shop.daily_sales\"]
";

fn followed() -> Sandbox {
    let s = Sandbox::shop();
    let text = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    let text = text.replace(
        "slice = \"day\"\n",
        "slice = \"day\"\nretain = { versions = 1 }\n",
    );
    s.write("mainstay.toml", format!("{text}{FOLLOW}"));
    let _ = s.run(["apply"]).expect_status(0);
    s
}

/// Ends the load when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn orders(n: usize) -> String {
    format!(
        "day,product,pieces,price\n2026-01-{:02},tea,{n},3.50\n",
        n % 28 + 1
    )
}

fn there(s: &Sandbox, home: &str, sql: &str) -> Value {
    s.run(["query", sql, "--json", "--home", home])
        .expect_status(0)
        .json()
}

#[test]
fn copies_made_under_load_are_whole_each_time() {
    let s = followed();
    let server = Server::start(&s);
    let ends = AtomicBool::new(false);
    let changed = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        // Also if something here fails.
        let _stop = Stop(&ends);
        threads.spawn(|| {
            for n in 1.. {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                s.write(&format!("data/orders/load-{}.csv", n % 5), orders(n));
                let _ = s.run(["deliver"]).expect_status(0);
                // Files go while they are being copied.
                let _ = s.run(["vacuum", "--yes"]).expect_status(0);
                changed.store(n, Ordering::Relaxed);
            }
        });
        // Enough of both, whichever is quicker on this machine.
        for round in 0..100 {
            if round >= 6 && changed.load(Ordering::Relaxed) >= 4 {
                return;
            }
            let made = s.run(["backup", "backup", "--json"]).expect_status(0).json();
            let home = format!("copy-{round}");
            let seq = made["seq"].to_string();
            let done = s.run(["restore", "backup", "--home", &home, "--as-of", &seq, "--json"]);
            let done = done.expect_status(0).json();
            assert_eq!(done["seq"], made["seq"]);
            let _ = s.run(["journal", "verify", "--home", &home]).expect_status(0);
            // Every row of every slice is read, and is what its digest says.
            let sql = "SELECT (SELECT count(*) FROM shop.orders) = (SELECT coalesce(sum(rows), 0) FROM system.slices WHERE dataset = 'shop.orders') AS same";
            assert_eq!(there(&s, &home, sql)[0]["same"], true, "{home}");
        }
        panic!("nothing changes beside copies");
    });
    server.end();
}

#[test]
fn a_copy_does_nothing_by_itself_until_it_is_told_to() {
    let s = followed();
    // Something is to be done in the original when it is copied: the server that would do it is killed at it.
    let mut killed = s.start_with("MAINSTAY_KILL_AT", "run.recorded", ["serve", "--json"]);
    let _ = killed.first_line();
    let _ = s.run(["deliver"]);
    let _ = killed.wait();
    let fired = |home: &str, kind: &str| {
        let sql = format!("SELECT count(*) AS n FROM system.facts WHERE kind = '{kind}'");
        there(&s, home, &sql)[0]["n"].as_u64().unwrap_or_default()
    };
    let _ = s.run(["backup", "backup"]).expect_status(0);
    let _ = s.run(["restore", "backup", "--home", "copy"]).expect_status(0);

    let server = Server::start_as(
        &s,
        &["serve", "--listen", "127.0.0.1:0", "--json", "--home", "copy"],
    );
    let state = || {
        let shown = s.run(["show", "trigger/follow", "--json", "--home", "copy"]);
        shown.expect_status(0).json()["status"]["state"].clone()
    };
    assert_eq!(state(), "resting");
    // What the original was to do is not done here, and what happens here sets nothing off.
    s.write("data/orders/more.csv", orders(7));
    let _ = s.run(["deliver", "--home", "copy"]).expect_status(0);
    std::thread::park_timeout(Duration::from_secs(1));
    assert_eq!(
        (fired("copy", "trigger.fired"), fired("copy", "trigger.done")),
        (1, 0)
    );

    let told = s.run(["resume", "--home", "copy", "--reason", "moved", "--json"]);
    assert_eq!(told.expect_status(0).json()["resumed"], true);
    let again = s
        .run(["resume", "--home", "copy", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(again["resumed"], false);
    let resumed = there(
        &s,
        "copy",
        "SELECT actor, reason FROM system.facts WHERE kind = 'home.resumed'",
    );
    assert_eq!(resumed[0]["reason"], "moved", "{resumed}");
    // What was to be done is done now; what came while it rested is not made up for, what comes from now on fires.
    let until = |n: u64| {
        for _ in 0..300 {
            if fired("copy", "trigger.done") == n {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("{} of {n} were done", fired("copy", "trigger.done"));
    };
    until(1);
    assert_eq!(fired("copy", "trigger.fired"), 1);
    s.write("data/orders/last.csv", orders(8));
    let _ = s.run(["deliver", "--home", "copy"]).expect_status(0);
    until(2);
    server.end();
    let _ = s.run(["journal", "verify", "--home", "copy"]).expect_status(0);
}
