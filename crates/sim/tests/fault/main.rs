//! The fault suite: the real binary, killed at every named step and at random times, starved of disk and store, and then
//! compared with a twin that nothing happened to.
//!
//! `MAINSTAY_FAULT_SEED` and `MAINSTAY_FAULT_ROUNDS` choose the random part; a failure prints the seed that repeats it.

#![expect(clippy::expect_used, reason = "a test whose set-up fails can only end")]

use std::time::{Duration, Instant};

use mainstay_server::step::STEPS;
use mainstay_sim::{Outcome, Sandbox};

/// What every scenario does: two applies, two deliveries, two runs, a correction, a vacuum.
fn scenario(s: &Sandbox, mut each: impl FnMut(&Sandbox, &[&str])) {
    each(s, &["apply", "--reason", "first"]);
    each(s, &["run"]);
    s.write(
        "data/orders/2026-01-02.csv",
        "day,product,pieces,price\n2026-01-02,tea,5,3.50\n2026-01-03,tea,1,3.50\n",
    );
    s.write(
        "jobs/shop/best.sql",
        "SELECT product, sum(money) AS money FROM shop.daily_sales GROUP BY product\n",
    );
    each(s, &["apply", "--reason", "second"]);
    each(s, &["deliver"]);
    each(s, &["run"]);
    each(s, &CORRECTION);
    let project = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write(
        "mainstay.toml",
        project.replace(
            "slice = \"day\"\n",
            "slice = \"day\"\nretain = { versions = 1 }\n",
        ),
    );
    each(s, &["apply", "--reason", "third"]);
    each(s, &["vacuum", "--yes"]);
}

/// A correction that reaches everything.
const CORRECTION: [&str; 8] = [
    "amend",
    "shop.orders",
    "--where",
    "pieces = 5",
    "--set",
    "pieces = 6",
    "--reason",
    "miscounted",
];

/// What a scenario ends in: all data, all resources, and Delta logs that show the newest versions.
fn ending(s: &Sandbox) -> String {
    let verified = s.run(["journal", "verify", "--json"]).expect_status(0).json();
    assert_eq!(verified["ok"], true);
    let resources = s.query("SELECT kind, name FROM system.resources ORDER BY kind, name");
    let datasets = s.run(["list", "dataset", "--json"]).expect_status(0).json();
    let list = datasets["items"].as_array().cloned().unwrap_or_default();
    for d in &list {
        assert_eq!(d["state"], "fresh", "{d}");
        assert!(d["delta_version"].is_u64(), "{d}");
        s.only_published_files(d["name"].as_str().unwrap_or_default());
    }
    format!("{}\n{resources}", s.contents())
}

fn twin() -> String {
    let s = Sandbox::shop();
    scenario(&s, |s, arguments| drop(s.run(arguments).expect_status(0)));
    ending(&s)
}

/// Repeats a command until it ends well, as a person or a script would.
fn until_well(s: &Sandbox, arguments: &[&str]) -> Outcome {
    let mut last = once(s, arguments);
    for _ in 0..3 {
        if last.status == Some(0) {
            break;
        }
        last = once(s, arguments);
    }
    last.expect_status(0)
}

/// Runs a command; of a correction that was recorded already, what is left of it.
fn once(s: &Sandbox, arguments: &[&str]) -> Outcome {
    if arguments != CORRECTION {
        return s.run(arguments);
    }
    // A crash is noticed by the next command that writes.
    let _ = s.run(["deliver"]).expect_status(0);
    let known = s.query("SELECT amendment, status FROM system.amendments");
    match (known[0]["amendment"].as_str(), known[0]["status"].as_str()) {
        (Some(_), Some("applied")) => s.run(["show", "amendment/A-1"]),
        (Some(id), _) => s.run(["retry", id]),
        _ => s.run(arguments),
    }
}

#[test]
fn killed_at_every_step() {
    let wanted = twin();
    for step in STEPS {
        for nth in [1, 2] {
            let at = format!("{step}:{nth}");
            let s = Sandbox::shop();
            let mut killed = 0;
            scenario(&s, |s, arguments| {
                let out = s.run_with("MAINSTAY_KILL_AT", &at, arguments);
                killed += usize::from(out.status.is_none());
                let _ = until_well(s, arguments);
            });
            // A snapshot is taken only when there is enough to fold.
            assert!(
                killed > 0 || *step == "snapshot.saved" || nth == 2,
                "{at} was never reached"
            );
            assert_eq!(ending(&s), wanted, "after a kill at {at}");
        }
    }
}

#[test]
fn the_store_fails_and_the_disk_is_full() {
    let wanted = twin();
    let faults = [
        "put::1:error",
        "put::2:full",
        "put:daily_sales:1:full",
        "put:_delta_log:1:error",
        "put:_delta_log:1:after-error",
        "put:_delta_log:1:after-kill",
        "put:_delta_log:2:kill",
        "put:daily_sales:1:kill",
        "get::1:error",
        "list::1:unreachable",
    ];
    for fault in faults {
        let s = Sandbox::shop();
        scenario(&s, |s, arguments| {
            let out = s.run_with("MAINSTAY_FAULT", fault, arguments);
            assert!(!out.stderr.contains("panicked"), "{fault}: {}", out.stderr);
            let _ = until_well(s, arguments);
        });
        assert_eq!(ending(&s), wanted, "after {fault}");
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(usual)
}

/// A small generator of random numbers (splitmix64; Steele, Lea and Flood, 2014): the same seed gives the same kills.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn killed_at_random_times() {
    let wanted = twin();
    let mut seed = number("MAINSTAY_FAULT_SEED", 1);
    for round in 0..number("MAINSTAY_FAULT_ROUNDS", 12) {
        let before = seed;
        let s = Sandbox::shop();
        scenario(&s, |s, arguments| {
            let after = Duration::from_millis(next(&mut seed) % 150);
            let mut run = s.start(arguments);
            let began = Instant::now();
            while began.elapsed() < after && run.goes_on() {
                std::thread::yield_now();
            }
            drop(run.kill());
            let _ = until_well(s, arguments);
        });
        assert_eq!(
            ending(&s),
            wanted,
            "round {round}: MAINSTAY_FAULT_SEED={before} MAINSTAY_FAULT_ROUNDS=1 repeats it"
        );
    }
}
