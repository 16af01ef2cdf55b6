//! Measures, prints a table, and, only when told to, adds the figures to docs/performance.md.
//!
//! Each benchmark is a small file that runs a program of the workspace and turns what that prints into figures. The programs
//! know nothing of this page, and nothing here knows what is measured. To add one: a file with a `BENCH`, a line in `BENCHES`,
//! a section with its marker in docs/performance.md.

mod amend;
mod build;
mod demo;
mod exact;
mod figure;
mod journal;
mod machine;
mod page;
mod service;
mod slices;
mod tpch;
mod why;

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::Options;
use crate::program::Program;
use crate::workspace::{self, Workspace, root};
use crate::{screen, test, tools};
use figure::Figure;

/// A benchmark.
struct Bench {
    name: &'static str,
    measure: fn(&Setting) -> Outcome<Vec<Figure>>,
}

const BENCHES: [Bench; 9] = [
    journal::BENCH,
    exact::BENCH,
    tpch::BENCH,
    demo::BENCH,
    amend::BENCH,
    slices::BENCH,
    why::BENCH,
    service::BENCH,
    build::BENCH,
];

/// How to measure.
#[derive(Debug)]
struct Setting {
    release: bool,
    /// Passed on to the program that measures.
    extra: Vec<String>,
}

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let (arguments, extra) = match arguments.iter().position(|a| a == "--") {
        Some(at) => (&arguments[..at], arguments[at + 1..].to_vec()),
        None => (arguments, Vec::new()),
    };
    let mut options = Options::new(arguments);
    let append = options.flag("--append");
    let setting = Setting {
        release: options.flag("--release"),
        extra,
    };
    let names = options.plain()?;
    let known = || BENCHES.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
    let [name] = names.as_slice() else {
        return Err(Failure::usage("which benchmark?").help(format!("one of {}", known())));
    };
    let bench = BENCHES.iter().find(|b| b.name == name);
    let bench = bench.ok_or_else(|| {
        Failure::usage(format!("there is no benchmark `{name}`")).help(format!("one of {}", known()))
    })?;
    let started = Instant::now();
    let figures = (bench.measure)(&setting)?;
    let machine = machine::read()?;
    screen::say(format!(
        "\n{} on {}, commit {}",
        bench.name, machine.name, machine.commit
    ));
    screen::answer(&screen::table(&figure::rows(&figures)));
    screen::say(format!("measured in {}", screen::duration(started.elapsed())));
    if append {
        let command = command(bench.name, &setting);
        let text = page::append(
            &workspace::text(page::FILE)?,
            bench.name,
            &machine,
            &command,
            &figures,
        )?;
        workspace::write(page::FILE, &text)?;
        screen::say(format!("{} rows added to {}", figures.len(), page::FILE));
    }
    Ok(())
}

/// The command as one would repeat it.
fn command(name: &str, setting: &Setting) -> String {
    let mut words = vec!["cargo xtask bench".to_owned(), name.to_owned()];
    words.extend(setting.release.then(|| "--release".to_owned()));
    if !setting.extra.is_empty() {
        words.push("--".to_owned());
        words.extend(setting.extra.iter().cloned());
    }
    words.join(" ")
}

impl Setting {
    /// Builds mainstay and returns the binary.
    fn binary(&self) -> Outcome<PathBuf> {
        let workspace = Workspace::read()?;
        if !self.release {
            test::build()?;
            return Ok(workspace.binary());
        }
        Program::cargo().args(["build", "--release"]).run()?;
        let name = format!("mainstay{}", std::env::consts::EXE_SUFFIX);
        Ok(workspace.target.join("release").join(name))
    }

    /// Builds an example above the engine, with the whole workspace, so that nothing heavy is built twice; returns its program.
    fn built(&self, package: &str, example: &str) -> Outcome<PathBuf> {
        if self.release {
            Program::cargo()
                .args(["build", "--release", "--package", package, "--example", example])
                .run()?;
        } else {
            test::build()?;
        }
        let folder = Workspace::read()?
            .target
            .join(if self.release { "release" } else { "debug" });
        Ok(folder.join("examples").join(example))
    }

    /// Builds and runs an example that prints one JSON document. An example above the engine is built with the whole
    /// workspace, so that nothing heavy is built twice.
    fn example(&self, package: &str, example: &str, arguments: &[&str], alone: bool) -> Outcome<Value> {
        let workspace = Workspace::read()?;
        let source = format!(
            "crates/{}/examples/{example}.rs",
            package.trim_start_matches("mainstay-")
        );
        if !workspace.has(package) || !root().join(&source).is_file() {
            return Err(Failure::new(format!(
                "what this benchmark runs is not there: {source}"
            )));
        }
        if alone || self.release {
            let profile: &[&str] = if self.release { &["--release"] } else { &[] };
            Program::cargo()
                .args(["build", "--package", package, "--example", example])
                .args(profile)
                .run()?;
        } else {
            test::build()?;
        }
        let program: PathBuf = workspace
            .target
            .join(if self.release { "release" } else { "debug" })
            .join("examples")
            .join(example);
        let shown = format!("{example} {}", arguments.join(" "));
        screen::say(format!("$ {}", shown.trim_end()));
        let program = Program::new(program).args(arguments).args(&self.extra);
        let program = if alone {
            program
        } else {
            tools::set_up()?.lend(program)
        };
        serde_json::from_str(&program.output()?).context(shown)
    }
}
