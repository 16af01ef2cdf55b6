//! Whole numbers that never wrap round: arithmetic and sums that do not fit their type are an error that names the expression.
//!
//! DataFusion computes `+`, `-`, `*` and `sum` of integers modulo 2^64 and `sum` of decimals modulo 2^128: a number that is
//! silently wrong. Owns the functions that take their place and the rule that puts them there. Refuses to know tables and runs.
//! Invariants: what fits is what DataFusion gives, with the same type and name; what does not fit is never a value; whether a
//! sum fits depends on its rows, not on their order.

mod arithmetic;
mod rule;
mod sum;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

pub(crate) use rule::{Checked, signed};
pub(crate) use sum::{Kind, distinct, groups, single};

/// The error of an expression whose value does not fit its type; `here` is what was to be computed.
fn too_large(expression: &str, here: &str) -> DataFusionError {
    ArrowError::ArithmeticOverflow(format!("`{expression}` came to {here}")).into()
}
