//! Holds mainstay to its law: random projects and what happens to them, compared with a full recomputation by another engine.
//!
//! The suite is an ordinary test, `crates/sim/tests/law`, that runs with all others; this only sets how long it searches and where
//! it begins: `MAINSTAY_LAW_SEED` and `MAINSTAY_LAW_CASES`. `--break RULE` breaks a rule of dependencies on purpose: the law is to
//! find it.

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;
use crate::{test, tools};

/// What is set in the environment, by option.
const OPTIONS: [(&str, &str); 4] = [
    ("--seed", "MAINSTAY_LAW_SEED"),
    ("--cases", "MAINSTAY_LAW_CASES"),
    ("--killed", "MAINSTAY_LAW_KILLED"),
    ("--shrink", "MAINSTAY_LAW_SHRINK"),
];

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let mut set = Vec::new();
    for (option, variable) in OPTIONS {
        let Some(text) = options.value(option)? else {
            continue;
        };
        if text.parse::<u64>().is_err() {
            return Err(Failure::usage(format!("`{option}` takes a number, not `{text}`")));
        }
        set.push((variable, text));
    }
    if let Some(rule) = options.value("--break")? {
        set.push(("MAINSTAY_LAW_BREAK", rule));
    }
    let filter = options.plain()?;
    if !Workspace::read()?.has("mainstay-sim") {
        return Err(Failure::new(
            "the law's suite is not there: this workspace has no `crates/sim`",
        ));
    }
    let tools = tools::set_up()?;
    test::build()?;
    let mut program = test::nextest(Some(&tools))?
        .args(["--filterset", "package(mainstay-sim) & binary(law)"])
        .args(filter);
    for (variable, text) in set {
        program = program.env(variable, text);
    }
    program.args(["--no-capture"]).hand_over()
}
