//! Runs the fault suite: the real binary, killed at every named step and at random times, compared with an uninterrupted twin.
//!
//! The suite is an ordinary test, `crates/sim/tests/fault`; this only sets how long it searches: `MAINSTAY_FAULT_SEED`
//! (else a new one each time, printed by the suite) and `MAINSTAY_FAULT_ROUNDS`.

use crate::failure::{Failure, Outcome};
use crate::options::Options;
use crate::workspace::Workspace;
use crate::{test, tools};

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let mut options = Options::new(arguments);
    let seed = number(&mut options, "--seed")?;
    let rounds = number(&mut options, "--rounds")?;
    let filter = options.plain()?;
    if !Workspace::read()?.has("mainstay-sim") {
        return Err(Failure::new(
            "the fault suite is not there: this workspace has no `crates/sim`",
        ));
    }
    let tools = tools::set_up()?;
    test::build()?;
    let mut program = test::nextest(Some(&tools))?
        .args(["--filterset", "package(mainstay-sim) & binary(fault)"])
        .args(filter);
    if let Some(seed) = seed {
        program = program.env("MAINSTAY_FAULT_SEED", seed.to_string());
    }
    if let Some(rounds) = rounds {
        program = program.env("MAINSTAY_FAULT_ROUNDS", rounds.to_string());
    }
    program.args(["--no-capture"]).hand_over()
}

fn number(options: &mut Options, name: &str) -> Outcome<Option<u64>> {
    let Some(text) = options.value(name)? else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| Failure::usage(format!("`{name}` takes a number, not `{text}`")))
}
