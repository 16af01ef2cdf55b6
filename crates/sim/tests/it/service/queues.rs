//! Who goes next: limits that are kept exactly, fair parts, and what is said to those who wait.

use std::collections::BTreeSet;

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

use super::http::post;
use super::{Server, until};

/// A project of so many jobs of the same orders, each with these settings.
fn jobs(s: &Sandbox, count: usize, settings: &str) {
    for n in 0..count {
        let text = format!(
            "-- /// mainstay\n{settings}-- ///\nSELECT day, {n} + sum(pieces) AS n FROM shop.orders GROUP BY day\n"
        );
        s.write(&format!("jobs/many/j{n}.sql"), text);
    }
}

fn add(s: &Sandbox, more: &str) {
    let text = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write("mainstay.toml", format!("{text}{more}"));
}

/// The starts and ends of runs in the order of the journal: `+R-1`, `-R-1`.
fn order(s: &Sandbox, account: &str) -> Vec<(u64, String, bool)> {
    let sql = format!(
        "SELECT seq, subject, kind FROM system.facts WHERE kind IN ('attempt.started', 'run.finished') AND account = '{account}' ORDER BY seq"
    );
    let facts = s.query(&sql);
    let facts = facts.as_array().expect("facts").iter();
    let fact = |f: &Value| {
        let subject = f["subject"].as_str().unwrap_or_default().to_owned();
        (
            f["seq"].as_u64().unwrap_or_default(),
            subject,
            f["kind"] == "attempt.started",
        )
    };
    facts.map(fact).collect()
}

/// How many of some runs went on at once, at most.
fn most_at_once(order: &[(u64, String, bool)], of: impl Fn(&str) -> bool) -> usize {
    let (mut going, mut most) = (BTreeSet::new(), 0);
    for (_, run, starts) in order.iter().filter(|(_, run, _)| of(run)) {
        if *starts {
            going.insert(run);
        } else {
            going.remove(run);
        }
        most = most.max(going.len());
    }
    most
}

#[test]
fn a_limit_is_kept_exactly_over_all_requests() {
    let s = Sandbox::shop();
    jobs(&s, 12, "-- uses = [\"warehouse\"]\n");
    s.write(
        "jobs/free/j.sql",
        "SELECT day, count(*) AS n FROM shop.orders GROUP BY day\n",
    );
    add(&s, "\n[limit.warehouse]\nat_most = 2\n");
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write(
        "mainstay.toml",
        toml.replacen("[project]", "[project]\nparallel = 8", 1),
    );
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    let server = Server::start(&s);
    let asked: Vec<_> = (0..4)
        .map(|n| {
            s.start([
                "run".to_owned(),
                format!("many.j{n}"),
                format!("many.j{}", n + 4),
                format!("many.j{}", n + 8),
            ])
        })
        .collect();
    for running in asked {
        let _ = running.wait().expect_status(0);
    }
    let order = order(&s, "main");
    assert_eq!(order.len(), 24);
    assert_eq!(most_at_once(&order, |_| true), 2, "{order:?}");
    server.end();
}

#[test]
fn one_that_waits_is_seen_and_says_for_what_and_can_be_cancelled() {
    let s = Sandbox::shop();
    jobs(&s, 3, "-- uses = { warehouse = 1 }\n");
    add(&s, "\n[limit.warehouse]\nat_most = 1\n");
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    s.write("held", "");
    let held = s.path().join("held");
    let s = s.with("MAINSTAY_HOLD_AT", &format!("attempt.staged:{}", held.display()));
    let server = Server::start(&s);
    let first = s.start(["run", "many.j0"]);
    let running = "SELECT run FROM system.runs WHERE outcome = 'running'";
    let _ = until(&s, running, |a| a[0]["run"] == "R-1");
    let second = s.start(["run", "many.j1"]);
    let third = s.start(["run", "many.j2", "--class", "scheduled"]);
    let waiting = "SELECT run, job FROM system.runs WHERE outcome = 'waiting' ORDER BY job";
    let seen = until(&s, waiting, |a| a.as_array().is_some_and(|a| a.len() == 2));
    let (second_run, third_run) = (
        seen[0]["run"].as_str().unwrap_or_default(),
        seen[1]["run"].as_str().unwrap_or_default(),
    );
    let why = s.run(["why", second_run]).expect_status(0).stdout;
    assert!(
        why.contains("it waits for limit/warehouse: 1 of 1 taken"),
        "{why}"
    );
    assert!(why.contains("held by R-1"), "{why}");
    let _ = s.run(["cancel", third_run]).expect_status(0);
    let ended = third.wait();
    assert_eq!(ended.status, Some(1), "{}{}", ended.stdout, ended.stderr);
    std::fs::remove_file(&held).expect("it is held");
    let _ = first.wait().expect_status(0);
    let _ = second.wait().expect_status(0);
    let ends = s.query("SELECT job, outcome FROM system.runs ORDER BY job");
    let wanted = json!([
        { "job": "many.j0", "outcome": "succeeded" },
        { "job": "many.j1", "outcome": "succeeded" },
        { "job": "many.j2", "outcome": "cancelled" },
    ]);
    assert_eq!(ends, wanted);
    server.end();
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn what_waited_when_a_server_was_killed_is_ended_and_made_by_the_next_command() {
    let s = Sandbox::shop();
    jobs(&s, 2, "-- uses = [\"warehouse\"]\n");
    add(&s, "\n[limit.warehouse]\nat_most = 1\n");
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    s.write("held", "");
    let hold = format!("attempt.staged:{}", s.path().join("held").display());
    let mut killed = s.start_with("MAINSTAY_HOLD_AT", &hold, ["serve", "--json"]);
    let _ = killed.first_line();
    let (first, second) = (s.start(["run", "many.j0"]), s.start(["run", "many.j1"]));
    let open = "SELECT count(*) AS n FROM system.runs WHERE outcome IN ('running', 'waiting')";
    let _ = until(&s, open, |a| a[0]["n"] == 2);
    let _ = killed.kill();
    let _ = (first.kill(), second.kill());
    let _ = s.run(["run", "many.j0", "many.j1"]).expect_status(0);
    let ends = s.query("SELECT outcome, count(*) AS n FROM system.runs GROUP BY outcome ORDER BY outcome");
    assert_eq!(
        ends,
        json!([{ "outcome": "failed", "n": 2 }, { "outcome": "succeeded", "n": 2 }])
    );
}

#[test]
fn a_person_is_served_beside_a_long_backfill_and_another_account_beside_both() {
    let s = Sandbox::shop();
    jobs(&s, 30, "");
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write(
        "mainstay.toml",
        toml.replacen("[project]", "[project]\nparallel = 1", 1),
    );
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    // The first run is held until everybody is in line.
    s.write("held", "");
    let held = s.path().join("held");
    let s = s.with("MAINSTAY_HOLD_AT", &format!("attempt.staged:{}", held.display()));
    let server = Server::start(&s);
    let made = s.run([
        "token",
        "create",
        "guest",
        "--role",
        "owner",
        "--account",
        "guest",
        "--json",
    ]);
    let guest = made.expect_status(0).json()["secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    s.write(".mainstay/accounts/guest/in/a.csv", "id\n1\n2\n");
    let project = json!({ "files": [
        { "path": "mainstay.toml", "text":
            "[project]\nname = \"guest\"\nparallel = 1\n[source.\"guest.orders\"]\nfiles = \"in/*.csv\"\n[job.\"guest.all\"]\nsql = \"SELECT id FROM guest.orders\"\n" },
    ] });
    let applied = post(&server.address, &guest, "/v1/applies", &[], &project);
    assert_eq!(applied.status, 200, "{applied:?}");
    let arguments: Vec<String> = ["run", "--class", "backfill"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..29).map(|n| format!("many.j{n}")))
        .collect();
    let backfill = s.start(&arguments);
    let running = "SELECT run FROM system.runs WHERE outcome = 'running'";
    let _ = until(&s, running, |a| a[0]["run"] == "R-1");
    let person = s.start(["run", "many.j29"]);
    let address = server.address.clone();
    let guest_ran = std::thread::spawn(move || post(&address, &guest, "/v1/runs", &[], &json!({})));
    let waiting = "SELECT count(*) AS n FROM system.runs WHERE outcome = 'waiting' AND job = 'many.j29'";
    let _ = until(&s, waiting, |a| a[0]["n"] == 1);
    std::fs::remove_file(&held).expect("it is held");
    let _ = person.wait().expect_status(0);
    let _ = backfill.wait().expect_status(0);
    let guest_ran = guest_ran.join().expect("an answer");
    assert_eq!(
        guest_ran.json()["runs"][0]["outcome"],
        "succeeded",
        "{guest_ran:?}"
    );
    let order = order(&s, "main");
    assert_eq!(most_at_once(&order, |_| true), 1);
    let runs = s.query("SELECT run FROM system.runs WHERE job = 'many.j29'");
    let person = format!("run/{}", runs[0]["run"].as_str().unwrap_or_default());
    let starts: Vec<&str> = order
        .iter()
        .filter(|(.., s)| *s)
        .map(|(_, run, _)| run.as_str())
        .collect();
    // The one that was held, and at most one more that had begun to be chosen.
    let before = starts.iter().position(|run| *run == person).expect("it ran");
    assert!(before <= 2, "{starts:?}");
    server.end();
}

#[test]
fn a_job_that_fails_again_and_again_is_left_alone_until_somebody_asks() {
    let s = Sandbox::shop();
    s.write(
        "jobs/shop/daily_sales.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- circuit_breaker = { failures = 2, pause = \"1 h\" }\n-- checks.row_count = { min = 100 }\n-- ///\nSELECT day, product, pieces FROM shop.orders\n",
    );
    add(
        &s,
        "\n[trigger.follow]\nafter = [\"shop.orders\"]\nrun = [\"shop.daily_sales\"]\n",
    );
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let server = Server::start(&s);
    let ends = "SELECT outcome FROM system.runs ORDER BY run";
    for (n, wanted) in ["failed", "failed", "skipped"].into_iter().enumerate() {
        s.write(
            &format!("data/orders/2026-02-0{}.csv", n + 1),
            format!("day,product,pieces,price\n2026-02-0{},tea,1,3.50\n", n + 1),
        );
        let _ = s.run(["deliver"]).expect_status(0);
        let _ = until(&s, ends, |a| a[n]["outcome"] == wanted);
    }
    let why = s.run(["why", "R-3"]).expect_status(0).stdout;
    assert!(
        why.contains("MS0511") && why.contains("2 runs of it failed one after the other"),
        "{why}"
    );
    let letters = s.run(["list", "dead-letters", "--json"]).expect_status(0).json();
    let letter = &letters["items"][0];
    assert_eq!((&letter["run"], &letter["failed"]), (&json!("R-2"), &json!(2)));
    // A person tries at once, and one success closes the circuit.
    let _ = s.run(["retry", "R-2"]).expect_status(1);
    let text = std::fs::read_to_string(s.path().join("jobs/shop/daily_sales.sql")).expect("the job");
    s.write("jobs/shop/daily_sales.sql", text.replace("min = 100", "min = 1"));
    let _ = s.run(["apply", "--yes"]).expect_status(0);
    let _ = s.run(["retry", "--all"]).expect_status(0);
    let letters = s.run(["list", "dead-letters", "--json"]).expect_status(0).json();
    assert_eq!(letters["items"], json!([]));
    let _ = s.run(["retry", "R-5"]).expect_status(2);
    s.write(
        "data/orders/2026-02-09.csv",
        "day,product,pieces,price\n2026-02-09,tea,1,3.50\n",
    );
    let _ = s.run(["deliver"]).expect_status(0);
    let _ = until(
        &s,
        "SELECT count(*) AS n FROM system.runs WHERE outcome = 'succeeded'",
        |a| a[0]["n"] == 2,
    );
    server.end();
}
