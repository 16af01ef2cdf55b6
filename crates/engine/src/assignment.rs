//! What a run is given and what it gives back, as plain values.
//!
//! Invariant: everything that a run may see is in its assignment; there is no other way for data to get in.

use std::time::Duration;

use mainstay_base::{Bytes, Rows, Timestamp};
use mainstay_model::run::{CheckOutcome, Scope, Usage};
use mainstay_model::spec::CheckSpec;
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};
use mainstay_storage::Store;

/// A dataset as a run may see it: these slices at these versions, and nothing else.
#[derive(Clone, Debug)]
pub struct Mounted {
    /// Its name.
    pub name: DatasetName,
    /// The store with its table.
    pub store: Store,
    /// The table's root, relative to the store.
    pub table: String,
    /// Its columns, slice columns included.
    pub schema: Schema,
    /// Its slice columns, in order.
    pub slice_columns: Vec<String>,
    /// The slices, with their files; a slice without files has no rows.
    pub slices: Vec<(SliceKey, SliceVersion)>,
}

/// Where a run's output goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// The dataset.
    pub dataset: DatasetName,
    /// The store with its table.
    pub store: Store,
    /// The table's root, relative to the store.
    pub table: String,
    /// Its columns, slice columns included; the query's columns are matched by name and cast.
    pub schema: Schema,
    /// Its slice columns, in order.
    pub slice_columns: Vec<String>,
    /// Where this attempt writes, relative to the table; nothing else is there, and all of it goes away if the attempt fails.
    pub attempt_prefix: String,
}

/// One bounded piece of work: a pure function of what is in here.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The query, as written.
    pub query: String,
    /// What errors call the job.
    pub label: String,
    /// What the query may read.
    pub inputs: Vec<Mounted>,
    /// Where its rows go.
    pub output: Output,
    /// Which slices are computed; rows of others are left out.
    pub scope: Scope,
    /// What `now()` and `current_date` mean.
    pub as_of: Timestamp,
    /// The conditions that the output must meet, with their names.
    pub checks: Vec<(String, CheckSpec)>,
    /// What only the checks read: the datasets of references and of checks in SQL.
    pub check_inputs: Vec<Mounted>,
    /// The slices of the output's dataset that stay as they are. With the staged ones they are the dataset as it would be
    /// published.
    pub previous: Vec<(SliceKey, SliceVersion)>,
    /// How long it may take; no limit if left out.
    pub time_limit: Option<Duration>,
}

/// What a run gives back: nothing of it can be seen by anybody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The computed slices in order, with the files that were written. A slice of the scope without rows has no files.
    pub slices: Vec<(SliceKey, SliceVersion)>,
    /// How the checks ended, in their order.
    pub checks: Vec<CheckOutcome>,
    /// What the run used.
    pub usage: Usage,
}

impl Finished {
    /// Returns the checks that forbid publishing.
    pub fn failed_checks(&self) -> impl Iterator<Item = &CheckOutcome> {
        self.checks
            .iter()
            .filter(|c| c.violations > 0 && c.severity == mainstay_model::spec::Severity::Error)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that scans have yielded.
    pub rows_read: Rows,
    /// Bytes that were fetched.
    pub bytes_read: Bytes,
    /// Rows that were written.
    pub rows_written: Rows,
    /// Slices whose files are complete.
    pub slices: u64,
}
