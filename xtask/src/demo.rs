//! Builds the binary as the tests do and runs its demo.

use crate::failure::Outcome;
use crate::options::Options;
use crate::program::Program;
use crate::test;
use crate::workspace::Workspace;

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let folder = Options::new(arguments).plain()?;
    test::build()?;
    Program::new(Workspace::read()?.binary())
        .args(["demo"])
        .args(folder)
        .hand_over()
}
