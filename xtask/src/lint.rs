//! Everything that can be said about the code without running it.

use std::time::Instant;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::{features, layers, screen, tidy};

type Check = fn() -> Outcome;

/// The checks, the quick ones first.
const CHECKS: [(&str, Check); 5] = [
    ("tidy", tidy::check),
    ("layers", layers::check),
    ("features", features::check),
    ("format", format),
    ("clippy", clippy),
];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    Options::new(arguments).none()?;
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let started = Instant::now();
        let outcome = check();
        if let Err(failure) = &outcome {
            screen::failure(failure);
            failed.push(name);
        }
        screen::closing(name, outcome.is_ok(), started.elapsed());
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("lint failed: {}", failed.join(", "))))
}

fn format() -> Outcome {
    Program::cargo()
        .args(["fmt", "--all", "--check"])
        .run()
        .map_err(|f| f.help("`cargo fmt --all` puts it right"))
}

/// Needs only the metadata of dependencies, so that nothing heavy is compiled a second time.
fn clippy() -> Outcome {
    Program::cargo()
        .args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ])
        .run()
}
