//! The documents: rustdoc without warnings, links that lead somewhere, a page for each error code, and, with a binary, every
//! command that they show.

mod codes;
mod compare;
mod links;
mod page;
mod shell;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::{generate, screen, workspace};

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let binary = options.value("--run")?.map(PathBuf::from);
    let update = options.flag("--update");
    options.none()?;
    match binary {
        None if update => Err(Failure::usage("`--update` needs `--run BINARY`")),
        None => check(),
        Some(binary) => {
            let binary = std::path::absolute(&binary).context(binary.display())?;
            if !binary.is_file() {
                return Err(
                    Failure::usage(format!("there is no binary at {}", binary.display()))
                        .help("`cargo build` makes target/debug/mainstay"),
                );
            }
            run_commands(&binary, update)?.outcome()?;
            generate::check(&binary)
        }
    }
}

fn check() -> Outcome {
    let mut failed = Vec::new();
    for (name, check) in [
        ("links", links::check as fn() -> Outcome),
        ("error codes", codes::check),
        ("rustdoc", rustdoc),
    ] {
        let started = Instant::now();
        let outcome = check();
        if let Err(failure) = &outcome {
            screen::failure(failure);
            failed.push(name);
        }
        screen::closing(name, outcome.is_ok(), started.elapsed());
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("docs failed: {}", failed.join(", "))))
    }
}

/// Needs only the metadata of dependencies, which clippy has made already.
fn rustdoc() -> Outcome {
    Program::cargo()
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()
}

/// How many commands in the docs printed what the docs say.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Ran {
    pub(crate) fn outcome(self) -> Outcome {
        match self.failed {
            0 => Ok(()),
            n => Err(Failure::new(format!("{n} commands in the docs do not do what the docs say"))
                .help("`cargo xtask docs --run BINARY --update` writes what they print now; then read the difference")),
        }
    }
}

/// Runs the commands of every page that shows some, each page in a folder of its own, with the binary on the path.
pub(crate) fn run_commands(binary: &Path, update: bool) -> Outcome<Ran> {
    let mut ran = Ran::default();
    for file in workspace::files()?
        .iter()
        .filter(|f| f.starts_with("docs/") && f.ends_with(".md"))
    {
        let text = workspace::text(file)?;
        let steps = page::steps(&text).map_err(|what| Failure::new(format!("{file}:{what}")))?;
        if !steps.iter().any(|s| matches!(s, page::Step::Run(_))) {
            continue;
        }
        let started = Instant::now();
        let result = shell::play(file, &steps, binary)?;
        if update && !result.changes.is_empty() {
            workspace::write(file, &page::rewrite(&text, &result.changes))?;
            screen::say(format!("{file}: {} outputs written", result.changes.len()));
        }
        let Ran { passed, failed } = result.ran;
        screen::say(format!(
            "{file}: {passed} commands as written, {failed} not ({})",
            screen::duration(started.elapsed())
        ));
        ran.passed += passed;
        ran.failed += failed;
    }
    Ok(ran)
}
