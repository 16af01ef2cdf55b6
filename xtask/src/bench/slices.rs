//! Planning over a million slices, opening, and branches: `crates/sim/examples/slices.rs`, which prints a list of figures.

use super::figure::{self, Figure};
use super::{Bench, Setting};
use crate::failure::Outcome;

pub(super) const BENCH: Bench = Bench {
    name: "slices",
    measure,
};

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    figure::list(&setting.example("mainstay-sim", "slices", &[], false)?)
}
