//! The documents: rustdoc without warnings, links that lead somewhere, a page for each error code, and, with a binary, every
//! command that they show.

mod codes;
mod compare;
mod links;
mod named;
mod page;
mod shell;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::parts::{self, Part};
use crate::program::Program;
use crate::{generate, screen, workspace};

const PARTS: [Part; 4] = [
    ("links", links::check),
    ("codes", codes::check),
    ("named", named::check),
    ("rustdoc", rustdoc),
];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let binary = options.value("--run")?.map(PathBuf::from);
    let update = options.flag("--update");
    let Some(binary) = binary else {
        if update {
            return Err(Failure::usage("`--update` needs `--run BINARY`"));
        }
        return parts::run("docs", &PARTS, &options.plain()?);
    };
    let pages = options.plain()?;
    let binary = std::path::absolute(&binary).context(binary.display())?;
    if !binary.is_file() {
        return Err(
            Failure::usage(format!("there is no binary at {}", binary.display()))
                .help("`cargo build` makes target/debug/mainstay"),
        );
    }
    run_commands(&binary, &pages, update)?.outcome()?;
    if pages.is_empty() {
        generate::check(&binary)
    } else {
        Ok(())
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
            n => Err(Failure::new(format!("{n} of the commands in the docs did not do what the docs say"))
                .help("`cargo xtask docs --run BINARY --update` writes what they print now; then read the difference")),
        }
    }
}

/// Runs the commands of every page that shows some, each page in a folder of its own, with the binary on the path.
/// Only the pages named, if any are.
pub(crate) fn run_commands(binary: &Path, pages: &[String], update: bool) -> Outcome<Ran> {
    if let Some(missing) = pages.iter().find(|p| !workspace::root().join(p).is_file()) {
        return Err(Failure::usage(format!("there is no page {missing}")));
    }
    let mut ran = Ran::default();
    let files = workspace::files()?;
    let asked = |f: &&String| pages.is_empty() || pages.contains(*f);
    for file in files
        .iter()
        .filter(|f| f.starts_with("docs/") && f.ends_with(".md"))
        .filter(asked)
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
            "{file}: commands: {passed} as written, {failed} not ({})",
            screen::duration(started.elapsed())
        ));
        ran.passed += passed;
        ran.failed += failed;
    }
    Ok(ran)
}
