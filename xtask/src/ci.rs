//! What a build machine runs, and a laptop just the same: each part is a command of this program, run to its end whatever
//! became of the one before it.

use std::time::{Duration, Instant};

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::screen;

/// The quick ones first; then the tests, whose build is the longest part; clippy and rustdoc share what they need.
const PARTS: [&[&str]; 5] = [&["tidy"], &["layers"], &["test"], &["lint"], &["docs"]];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    let own = std::env::current_exe().context("this program's own path")?;
    let started = Instant::now();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let mut counted = None;
    for part in PARTS {
        let name = part.join(" ");
        let title = format!("cargo xtask {name}");
        screen::heading(&title);
        let since = Instant::now();
        let outcome = Program::new(&own)
            .shown_as("cargo xtask")
            .args(part)
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "false")
            .read_lines(|line| {
                if line.starts_with("tests: ") {
                    counted = Some(line.to_owned());
                }
            });
        screen::closing(&title, outcome.is_ok(), since.elapsed());
        rows.push(row(&name, outcome.is_ok(), since.elapsed()));
        if outcome.is_err() {
            failed.push(name);
        }
    }
    rows.push(row("all", failed.is_empty(), started.elapsed()));
    screen::say("");
    screen::answer(&screen::table(&rows));
    if let Some(counted) = counted {
        screen::answer(&counted);
    }
    if failed.is_empty() {
        return Ok(());
    }
    let again: Vec<String> = failed.iter().map(|f| format!("cargo xtask {f}")).collect();
    Err(Failure::new(format!("failed: {}", failed.join(", "))).help(format!("again: {}", again.join("; "))))
}

fn row(name: &str, ok: bool, elapsed: Duration) -> Vec<String> {
    vec![
        name.to_owned(),
        if ok { "ok" } else { "FAILED" }.to_owned(),
        screen::duration(elapsed),
    ]
}
