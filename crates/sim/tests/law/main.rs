//! The law: after any sequence of deliveries, amendments, reverts and code changes, every dataset equals what a full
//! recomputation from its sources would give.
//!
//! Cases are made at random, carried out by mainstay in this process, and compared with DuckDB, which computes everything anew
//! from the sources after every run. `MAINSTAY_LAW_SEED` is the first case's seed, the next ones follow it; `MAINSTAY_LAW_CASES` is
//! how many there are (`cargo xtask law --seed N --cases N`). A failing case is made small
//! (for `MAINSTAY_LAW_SHRINK` seconds) and printed as a shell script.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test whose set-up fails can only end, and what was seen is said aloud"
)]

mod amendment;
mod binary;
mod breaking;
mod case;
mod choices;
mod compare;
mod grammar;
mod here;
mod hold;
mod killed;
mod ledger;
mod oracle;
mod report;
mod shrink;
mod subject;
mod value;
mod world;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use case::Case;
use choices::Choices;
use here::Here;
use hold::{Broken, Seen, hold};
use killed::Killed;
use oracle::Oracle;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many cases there are if nobody says, and the time after which no more begin.
const CASES: u64 = 1150;
const TIME: Duration = Duration::from_secs(480);
/// How many cases there are in which commands are killed, if nobody says.
const KILLED: u64 = 12;
/// So many cases that fail are enough.
const ENOUGH: usize = 10;
/// The first seed if nobody says.
const SEED: u64 = 1;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn the_law_holds() {
    let Some(python) = mainstay_sim::python() else {
        eprintln!("SKIPPED: the tests' Python packages are not installed (cargo xtask tools)");
        return;
    };
    let (seed, cases) = (
        number("MAINSTAY_LAW_SEED", SEED),
        number("MAINSTAY_LAW_CASES", CASES),
    );
    let limited = std::env::var_os("MAINSTAY_LAW_CASES").is_none();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicU64::new(0);
    let total = Mutex::new(Seen::default());
    let found: Mutex<Vec<(u64, Broken)>> = Mutex::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut oracle = Oracle::start(&python);
                breaking::set();
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let late = limited && began.elapsed() > TIME;
                    if at >= cases || late || found.lock().expect("a lock").len() >= ENOUGH {
                        break;
                    }
                    let of_case = seed.wrapping_add(at);
                    let (seen, broken) = hold(&made(of_case), &mut Here::new(), &mut oracle);
                    total.lock().expect("a lock").add(&seen);
                    if let Some(broken) = broken {
                        eprintln!("seed {of_case}, after step {}: {}", broken.step, broken.what);
                        found.lock().expect("a lock").push((of_case, broken));
                    }
                }
            });
        }
    });
    let seen = total.into_inner().expect("a lock");
    say(&seen, seed, began.elapsed().as_secs_f64());
    let found = found.into_inner().expect("a lock");
    if let Some((of_case, broken)) = found.first() {
        breaking::set();
        panic!("{}", smallest(&python, *of_case, broken));
    }
    let refused: u64 = seen.refused.values().sum();
    assert!(
        refused * 20 <= seen.cases,
        "too many cases end with a refused query: {:?}",
        seen.refused
    );
    assert!(
        seen.too_large * 10 <= seen.cases,
        "too many cases end with too many rows: {}",
        seen.too_large
    );
}

/// Says whether data can be corrected.
fn amends() -> bool {
    static AMENDS: OnceLock<bool> = OnceLock::new();
    *AMENDS.get_or_init(|| binary::has("amend"))
}

fn made(seed: u64) -> Case {
    Case::make(&mut Choices::random(seed), amends())
}

#[test]
fn the_law_holds_when_commands_are_killed() {
    let Some(python) = mainstay_sim::python() else {
        eprintln!("SKIPPED: the tests' Python packages are not installed (cargo xtask tools)");
        return;
    };
    let (seed, cases) = (
        number("MAINSTAY_LAW_SEED", SEED),
        number("MAINSTAY_LAW_KILLED", KILLED),
    );
    let mut oracle = Oracle::start(&python);
    let (mut total, mut times) = (Seen::default(), 0);
    for of_case in (0..cases).map(|at| seed.wrapping_add(at)) {
        let case = made(of_case);
        let mut subject = Killed::new(of_case);
        let (seen, broken) = hold(&case, &mut subject, &mut oracle);
        if let Some(broken) = broken {
            panic!(
                "seed {of_case}, after step {}: {}\n\n{}",
                broken.step,
                broken.what,
                report::script(&case, &broken)
            );
        }
        total.add(&seen);
        times += subject.times;
    }
    eprintln!("{} cases, {} steps, {times} kills", total.cases, total.steps);
    assert!(
        times >= cases,
        "hardly any command was killed: {times} times in {cases} cases"
    );
}

fn say(seen: &Seen, seed: u64, seconds: f64) {
    eprintln!(
        "seeds {seed}..={}: {} cases, {} steps, {} runs, {} datasets compared in {seconds:.1} s ({:.1} steps a second; mainstay {:.1} s, the oracle {:.1} s)",
        seed.wrapping_add(seen.cases.saturating_sub(1)),
        seen.cases,
        seen.steps,
        seen.runs,
        seen.compared,
        seen.steps as f64 / seconds,
        seen.in_mainstay.as_secs_f64(),
        seen.in_oracle.as_secs_f64(),
    );
    eprintln!(
        "slices computed again: {}, changed by it: {}; not read of a change: {}; cross-checked: {}; too large: {}; refused: {:?}",
        seen.recomputed, seen.changed, seen.unread, seen.cross_checked, seen.too_large, seen.refused
    );
}

/// Makes a failing case small and says how to replay it.
fn smallest(python: &Path, seed: u64, first: &Broken) -> String {
    let mut oracle = Oracle::start(python);
    let time = Duration::from_secs(number("MAINSTAY_LAW_SHRINK", 120));
    let mut choices = Choices::random(seed);
    let _ = Case::make(&mut choices, amends());
    let small = shrink::shrink(choices.taken(), time, |given| {
        let mut choices = Choices::given(given.to_vec());
        let case = Case::make(&mut choices, amends());
        let broken = hold(&case, &mut Here::new(), &mut oracle).1;
        (choices.taken(), broken.is_some_and(|b| b.way == first.way))
    });
    let case = Case::make(&mut Choices::given(small.choices), amends());
    let Some(broken) = hold(&case, &mut Here::new(), &mut oracle).1 else {
        return format!("seed {seed} does not fail every time: {}", first.what);
    };
    format!(
        "the law does not hold (cargo xtask law --seed {seed} --cases 1 repeats it)\nas found, after step {}: {}\n\nmade small, after step {}: {}\n\n{}",
        first.step,
        first.what,
        broken.step,
        broken.what,
        report::script(&case, &broken)
    )
}
