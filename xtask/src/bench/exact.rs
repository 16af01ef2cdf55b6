//! What it costs that equal inputs give equal bits: `crates/engine/examples/exact.rs`, which prints a list of figures.

use super::figure::{self, Figure};
use super::{Bench, Setting};
use crate::failure::Outcome;

pub(super) const BENCH: Bench = Bench {
    name: "exact",
    measure,
};

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    figure::list(&setting.example("mainstay-engine", "exact", &[], true)?)
}
