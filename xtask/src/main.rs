//! The developers' commands: `cargo xtask COMMAND`.
//!
//! Owns what a developer or a build machine does with this repository: tests, lints, documents, benchmarks. Knows no crate of
//! the workspace: it drives cargo and the built binary, as a person would, so that it compiles in seconds and cannot bend what
//! it measures. A command that does work says what it runs; one that fails says what to do.

mod bench;
mod ci;
mod demo;
mod docs;
mod failure;
mod fault;
mod features;
mod generate;
mod law;
mod layers;
mod lint;
mod markdown;
mod options;
mod parts;
mod program;
mod screen;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use crate::failure::{Failure, Outcome};

const HELP: &str = "\
The developers' commands.

Usage: cargo xtask COMMAND [OPTIONS]

  test [FILTER…]        all tests: unit, integration, doctests, and every command in the docs
       --without-tools  leave out what needs Python packages
  lint [PART…]          tidy, layers, features, format, clippy
  layers                which crate may use which (the table is in xtask/src/layers/table.rs)
  tidy                  the rules for files that no compiler checks
  features              what the demo's build and the tests' build do not share
  docs [PART…]          links, codes, rustdoc
       --run BINARY [PAGE…]
                        run every command that the pages show and compare what it prints
       --update         with --run: write what was printed into the docs
  gen [--check]         write (or compare) docs/reference from the built binary
  bench NAME            journal | exact | tpch | demo | amend | build
       --append         also add the figures to docs/performance.md
       --release        with the release profile
  fault                 kill the real binary at every step and at random times
       --seed N         the random times' seed
       --rounds N       how many random kills
  law                   random projects, compared with a full recomputation by DuckDB
       --seed N         the first case's seed; each next case has the next
       --cases N        how many
       --killed N       in how many the real binary runs and is killed
       --shrink N       for how many seconds a failing case is made small
       --break RULE     break a rule of dependencies on purpose, to see it found
  tools                 set up what the tests need from Python under target/tools
  demo [DIR]            build and run the demo
  ci                    everything, in order, with the time that each part took
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::failure(&failure);
            ExitCode::from(failure.status)
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let Some((command, rest)) = arguments.split_first() else {
        screen::answer(HELP);
        return Ok(());
    };
    match command.as_str() {
        "test" => test::main(rest),
        "lint" => lint::main(rest),
        "layers" => layers::main(rest),
        "tidy" => tidy::main(rest),
        "features" => features::main(rest),
        "docs" => docs::main(rest),
        "gen" => generate::main(rest),
        "bench" => bench::main(rest),
        "fault" => fault::main(rest),
        "law" => law::main(rest),
        "tools" => tools::main(rest),
        "demo" => demo::main(rest),
        "ci" => ci::main(rest),
        "help" | "--help" | "-h" => {
            screen::answer(HELP);
            Ok(())
        }
        other => {
            Err(Failure::usage(format!("there is no command `{other}`"))
                .help("`cargo xtask help` lists them"))
        }
    }
}
