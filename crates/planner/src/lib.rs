//! What is stale, and why.
//!
//! Given the jobs and what the datasets hold, this crate says in which order jobs stand, what each slice would be computed
//! from (its fingerprint), and so which slices are not what they should be. It is pure: no I/O, no clock, no SQL. Which slices
//! of its inputs a slice reads was found out when the query was planned ([`mainstay_model::relation::Reads`]); this crate is the
//! only one that interprets it. The expressions in it are evaluated by whoever knows SQL ([`Expressions`]).

#[cfg(test)]
mod arithmetic;
mod candidates;
mod datasets;
mod expression;
mod fingerprint;
mod following;
mod memory;
mod order;
mod resolve;
mod stale;

pub use datasets::{Datasets, Mark};
pub use expression::{Expressions, NoExpressions, SliceValues};
pub use fingerprint::{InputDigest, slice_fingerprint, whole_fingerprint};
pub use following::following;
pub use memory::Memory;
pub use order::{Cycle, order};
pub use resolve::{Read, Resolution};
pub use stale::{Because, Job, Stale, StaleSlices, all_slices, digest_of, fingerprints, stale};
