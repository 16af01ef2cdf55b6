//! Corrections, deliveries and runs at the same time: none waits for another, and nothing of any is lost.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mainstay_sim::{Outcome, Running, Sandbox};
use serde_json::{Value, json};

use super::Server;
use crate::amend::{corrected, money};

/// How long something may take that does not wait for anybody.
const SOON: Duration = Duration::from_secs(60);

/// A server whose first to reach a step waits there.
struct Held {
    sandbox: Sandbox,
    server: Server,
    file: PathBuf,
}

impl Held {
    fn at(step: &str) -> Self {
        let sandbox = corrected();
        sandbox.write("held", "");
        let file = sandbox.path().join("held");
        let value = format!("{step}:{}", file.display());
        let sandbox = sandbox.with("MAINSTAY_HOLD_AT", &value);
        let server = Server::start(&sandbox);
        Self {
            sandbox,
            server,
            file,
        }
    }

    fn release(&self) {
        std::fs::remove_file(&self.file).expect("the file is there");
    }

    fn day(&self, day: &str, rows: &str) {
        let text = format!("day,product,pieces,price\n{rows}");
        self.sandbox.write(&format!("orders/{day}.csv"), text);
    }

    fn amend(&self, day: &str, pieces: u32) -> Running {
        self.sandbox.start([
            "amend",
            &format!("shop.orders@{day}"),
            "--where",
            "product = 'tea'",
            "--set",
            &format!("pieces = {pieces}"),
            "--reason",
            "counted again",
            "--json",
        ])
    }

    /// Waits until a query has an answer, while a command goes on that will give it one.
    fn until(&self, mut command: Running, sql: &str) -> Running {
        let began = Instant::now();
        while self.sandbox.query(sql) == json!([]) {
            if !command.goes_on() || began.elapsed() >= SOON {
                let after = began.elapsed();
                let there = self.sandbox.query("SELECT * FROM system.amendments");
                panic!(
                    "no answer to {sql} after {after:?}; there are {there}; the command: {:?}",
                    command.kill()
                );
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        command
    }

    fn status(&self, amendment: &str) -> Value {
        let shown = self.sandbox.run(["show", amendment, "--json"]).expect_status(0);
        shown.json()["status"].clone()
    }

    /// Everything is what a computation from nothing gives, and nothing that was staged is left.
    fn ends_well(self) {
        let ran = self.sandbox.run(["run", "--json"]).expect_status(0).json();
        assert_eq!(ran["runs"], json!([]), "nothing is left to be computed");
        let before = self.sandbox.contents();
        let forced = ["run", "shop.daily", "shop.products", "shop.big_days", "--force"];
        let _ = self.sandbox.run(forced).expect_status(0);
        assert_eq!(self.sandbox.contents(), before);
        self.server.end();
        let _ = self.sandbox.run(["journal", "verify"]).expect_status(0);
        self.sandbox.only_published_files("shop.orders");
        self.sandbox.only_published_files("shop.daily");
    }
}

/// Waits for an end that is near.
fn soon(mut running: Running) -> Outcome {
    let began = Instant::now();
    while running.goes_on() {
        assert!(began.elapsed() < SOON, "it waits for somebody");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    running.wait()
}

#[test]
fn deliveries_and_runs_do_not_wait_for_a_correction() {
    let h = Held::at("amendment.computed");
    let amend = h.until(
        h.amend("2026-01-01", 5),
        "SELECT 1 FROM system.runs WHERE branch IS NOT NULL",
    );
    h.day("2026-01-04", "2026-01-04,tea,2,2.50\n2026-01-04,cups,1,9.00\n");
    let ran = soon(h.sandbox.start(["run", "--json"])).expect_status(0).json();
    assert_eq!(ran["runs"].as_array().map(Vec::len), Some(3), "{ran}");
    assert_eq!(h.status("amendment/A-2"), "ready");
    let before = json!([
        {"day": "2026-01-01", "money": "16.50"}, {"day": "2026-01-02", "money": "35.50"},
        {"day": "2026-01-03", "money": "2.50"}, {"day": "2026-01-04", "money": "14.00"}]);
    assert_eq!(money(&h.sandbox), before);
    h.release();
    let made = soon(amend).expect_status(0).json();
    assert_eq!(made["status"], "applied");
    let after = json!([
        {"day": "2026-01-01", "money": "21.50"}, {"day": "2026-01-02", "money": "35.50"},
        {"day": "2026-01-03", "money": "2.50"}, {"day": "2026-01-04", "money": "14.00"}]);
    assert_eq!(money(&h.sandbox), after);
    h.ends_well();
}

#[test]
fn a_run_that_a_correction_overtakes_is_made_again() {
    let h = Held::at("attempt.staged");
    h.day("2026-01-01", "2026-01-01,tea,4,2.50\n2026-01-01,cups,3,9.00\n");
    let run = h.until(
        h.sandbox.start(["run", "--json"]),
        "SELECT 1 FROM system.runs WHERE outcome = 'running'",
    );
    let made = soon(h.amend("2026-01-01", 5)).expect_status(0).json();
    assert_eq!(made["status"], "applied");
    h.release();
    let ran = soon(run).expect_status(0).json();
    let outcomes = ran["runs"].as_array().expect("runs");
    assert!(outcomes.iter().all(|r| r["outcome"] != "cancelled"), "{ran}");
    // What was held had read three cups and four teas; what is shown has the correction.
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "39.50"})
    );
    let overtaken = h
        .sandbox
        .query("SELECT error FROM system.runs WHERE outcome = 'cancelled'");
    let text = overtaken[0]["error"].to_string();
    assert!(text.contains("overtaken by a correction"), "{overtaken}");
    h.ends_well();
}

#[test]
fn a_run_of_other_slices_is_not_overtaken() {
    let h = Held::at("attempt.staged");
    h.day("2026-01-04", "2026-01-04,tea,2,2.50\n");
    let run = h.until(
        h.sandbox.start(["run", "shop.daily", "--json"]),
        "SELECT 1 FROM system.runs WHERE outcome = 'running'",
    );
    let made = soon(h.amend("2026-01-01", 5)).expect_status(0).json();
    assert_eq!(made["status"], "applied");
    h.release();
    let ran = soon(run).expect_status(0).json();
    assert_eq!(ran["runs"].as_array().map(Vec::len), Some(1), "{ran}");
    assert_eq!(ran["runs"][0]["outcome"], "succeeded");
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "21.50"})
    );
    assert_eq!(
        money(&h.sandbox)[3],
        json!({"day": "2026-01-04", "money": "5.00"})
    );
    let _ = h.sandbox.run(["run"]).expect_status(0);
    h.ends_well();
}

#[test]
fn a_delivery_comes_under_a_correction_that_is_made_meanwhile() {
    let h = Held::at("deliver.staged");
    h.day("2026-01-01", "2026-01-01,tea,4,2.50\n2026-01-01,cups,3,9.00\n");
    let deliver = h.sandbox.start(["deliver", "--json"]);
    // It has read the file by then, or reads it afterwards; the correction goes through either way.
    let made = soon(h.amend("2026-01-01", 5)).expect_status(0).json();
    assert_eq!(made["status"], "applied");
    h.release();
    let delivered = soon(deliver).expect_status(0).json();
    assert_eq!(delivered["deliveries"][0]["outcome"], "taken", "{delivered}");
    let _ = h.sandbox.run(["run"]).expect_status(0);
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "39.50"})
    );
    h.ends_well();
}

#[test]
fn two_corrections_of_the_same_slices_are_made_in_their_order() {
    let h = Held::at("amendment.computed");
    let first = h.until(
        h.amend("2026-01-01", 5),
        "SELECT 1 FROM system.amendments WHERE amendment = 'A-2'",
    );
    let second = h.sandbox.start([
        "amend",
        "shop.orders@2026-01-01",
        "--where",
        "pieces = 5",
        "--set",
        "pieces = pieces + 1",
        "--reason",
        "one more",
        "--json",
    ]);
    h.release();
    let (first, second) = (
        soon(first).expect_status(0).json(),
        soon(second).expect_status(0).json(),
    );
    assert_eq!(first["amendment"], "A-2");
    // It met the row as the first one had left it.
    assert_eq!(
        (&second["amendment"], &second["rows"]["changed"]),
        (&json!("A-3"), &json!(1))
    );
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "24.00"})
    );
    h.ends_well();
}

#[test]
fn an_overtaken_correction_is_made_again_until_it_is_done() {
    let h = Held::at("amendment.computed");
    let amend = h.until(
        h.amend("2026-01-01", 5),
        "SELECT 1 FROM system.runs WHERE branch IS NOT NULL",
    );
    // The very rows that it corrects come anew.
    h.day("2026-01-01", "2026-01-01,tea,4,2.50\n2026-01-01,cups,3,9.00\n");
    let _ = soon(h.sandbox.start(["run"])).expect_status(0);
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "37.00"})
    );
    h.release();
    assert_eq!(soon(amend).expect_status(0).json()["status"], "applied");
    assert_eq!(
        money(&h.sandbox)[0],
        json!({"day": "2026-01-01", "money": "39.50"})
    );
    h.ends_well();
}
