//! Everything that can be said about the code without running it.

use crate::failure::Outcome;
use crate::options::Options;
use crate::parts::{self, Part};
use crate::program::Program;
use crate::{features, layers, tidy};

/// The checks, the quick ones first.
const CHECKS: [Part; 5] = [
    ("tidy", tidy::check),
    ("layers", layers::check),
    ("features", features::check),
    ("format", format),
    ("clippy", clippy),
];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    parts::run("lint", &CHECKS, &Options::new(arguments).plain()?)
}

/// Names the files; what is to change in them, `cargo fmt` knows best.
fn format() -> Outcome {
    Program::cargo()
        .args(["fmt", "--all", "--", "--check", "-l"])
        .run()
        .map_err(|f| f.help("`cargo fmt --all` puts these files right"))
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
