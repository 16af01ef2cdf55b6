//! What is stale, and why.
//!
//! Given the jobs and what the datasets hold, this crate says in which order jobs stand, what each slice would be computed
//! from (its fingerprint), and so which slices are not what they should be. It is pure: no I/O, no clock, no SQL. Which slices
//! of its inputs a slice reads was found out when the query was planned ([`mainstay_model::spec::Reads`]); this crate is the
//! only one that interprets it.

mod fingerprint;
mod order;
mod stale;

pub use fingerprint::{InputDigest, slice_fingerprint, whole_fingerprint};
pub use order::{Cycle, order};
pub use stale::{Because, Datasets, Job, Stale, StaleSlices, digest_of, fingerprints, stale};
