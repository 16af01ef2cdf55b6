//! TPC-H: each query as a job, beside the bare engine and DuckDB: `crates/sim/examples/tpch.rs`, which prints a list of
//! figures and finds a Python that has DuckDB in `MAINSTAY_PYTHON`.

use super::figure::{self, Figure};
use super::{Bench, Setting};
use crate::failure::Outcome;

pub(super) const BENCH: Bench = Bench {
    name: "tpch",
    measure,
};

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    figure::list(&setting.example("mainstay-sim", "tpch", &[], false)?)
}
