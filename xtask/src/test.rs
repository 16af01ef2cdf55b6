//! All tests, in the order in which a failure is cheapest to see: unit and integration tests, doctests, then every command
//! that the docs show, run with the built binary.
//!
//! Tests find their tools by `MAINSTAY_BIN` (the built binary), `MAINSTAY_PYTHON` and `MAINSTAY_MOTO`; PostgreSQL where Debian has
//! it, or by `MAINSTAY_POSTGRES`.

mod totals;

use std::time::Instant;

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::tools::{self, Tools};
use crate::workspace::Workspace;
use crate::{docs, generate, screen};
use totals::Totals;

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let without_tools = options.flag("--without-tools");
    let filter = options.plain()?;
    let tools = if without_tools {
        None
    } else {
        Some(tools::set_up()?)
    };
    tools::look_for_postgres();
    build()?;
    let mut totals = Totals::default();
    let mut failed = Vec::new();
    let mut part = |name: &str, work: &mut dyn FnMut() -> Outcome| {
        screen::heading(name);
        let started = Instant::now();
        let outcome = work();
        if let Err(failure) = &outcome {
            screen::failure(failure);
            failed.push(name.to_owned());
        }
        screen::closing(name, outcome.is_ok(), started.elapsed());
    };
    part("tests", &mut || tests(tools.as_ref(), &filter, &mut totals));
    if filter.is_empty() {
        part("doctests", &mut || doctests(tools.as_ref(), &mut totals));
        part("commands in the docs", &mut || {
            let ran = docs::run_commands(&Workspace::read()?.binary(), &[], false)?;
            totals.add(ran.passed, ran.failed, 0);
            ran.outcome()
        });
        part("generated reference", &mut || {
            generate::check(&Workspace::read()?.binary())
        });
    }
    screen::say("");
    screen::answer(&totals.to_string());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("failed: {}", failed.join(", "))))
    }
}

/// Builds every target as the tests need it, the binary among them, with the features of the whole workspace, so that nothing
/// is built twice.
pub(crate) fn build() -> Outcome {
    let started = Instant::now();
    Program::cargo()
        .args(["build", "--workspace", "--lib", "--bins", "--tests", "--examples"])
        .run()?;
    screen::closing("build", true, started.elapsed());
    Ok(())
}

fn tests(tools: Option<&Tools>, filter: &[String], totals: &mut Totals) -> Outcome {
    let program = if has_nextest() {
        nextest(tools)?.args(filter)
    } else {
        screen::say(
            "cargo-nextest is not installed: the tests run one crate after another, with `cargo test`",
        );
        let program = Program::cargo().args([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ]);
        equipped(program, tools)?.args(filter)
    };
    program.read_lines(|line| totals.read(line))
}

fn doctests(tools: Option<&Tools>, totals: &mut Totals) -> Outcome {
    let program = Program::cargo().args(["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]);
    equipped(program, tools)?.read_lines(|line| totals.read(line))
}

fn has_nextest() -> bool {
    Program::cargo().args(["nextest", "--version"]).output().is_ok()
}

/// `cargo nextest run` over the workspace, with what the tests need in its environment.
pub(crate) fn nextest(tools: Option<&Tools>) -> Outcome<Program> {
    let profile = if std::env::var_os("CI").is_some() {
        "ci"
    } else {
        "default"
    };
    let colour = if screen::watched() { "always" } else { "auto" };
    let program = Program::cargo().args([
        "nextest",
        "run",
        "--workspace",
        "--profile",
        profile,
        "--color",
        colour,
    ]);
    equipped(program, tools)
}

fn equipped(program: Program, tools: Option<&Tools>) -> Outcome<Program> {
    let program = program.env("MAINSTAY_BIN", Workspace::read()?.binary());
    Ok(match tools {
        Some(tools) => tools.lend(program),
        None => program,
    })
}
