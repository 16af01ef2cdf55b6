//! Replays and differences between versions.

use serde::{Deserialize, Serialize};

use crate::amend::Row;

/// One slice of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayedSlice {
    /// Which.
    pub slice: String,
    /// Whether it came out as it was.
    pub identical: bool,
    /// Its digest then; none if there were no rows.
    pub then: Option<String>,
    /// Its digest now; none if there are no rows.
    pub now: Option<String>,
    /// Its rows then.
    pub rows_then: u64,
    /// Its rows now.
    pub rows_now: u64,
}

/// A run that was computed again, aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayReport {
    /// The run.
    pub run: String,
    /// The job.
    pub job: String,
    /// `identical`, `differs` or `cannot`.
    pub verdict: String,
    /// Slice by slice; those that differ first.
    pub slices: Vec<ReplayedSlice>,
    /// What is not there any more, or what is not as it was: engine, settings; in words.
    pub because: Vec<String>,
    /// Where it differs: some of the rows.
    pub difference: Option<DiffReport>,
    /// Processor time then, in seconds.
    pub cpu_seconds_then: f64,
    /// Processor time now, in seconds.
    pub cpu_seconds_now: f64,
}

/// The answer of `replay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplaysReport {
    /// The replays.
    pub replays: Vec<ReplayReport>,
}

/// What goes of one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VacuumedDataset {
    /// The dataset.
    pub dataset: String,
    /// How many contents of slices.
    pub contents: u64,
    /// How many files.
    pub files: u64,
    /// How many bytes that frees.
    pub bytes: u64,
}

/// The answer of `vacuum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VacuumReport {
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// How many files go.
    pub files: u64,
    /// How many bytes that frees.
    pub bytes: u64,
    /// Dataset by dataset.
    pub datasets: Vec<VacuumedDataset>,
    /// The runs that can be replayed before and cannot afterwards.
    pub replays_lost: Vec<String>,
}

/// A row that is not on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RowDifference {
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// As it was; none for one that was added.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Row>,
    /// As it is; none for one that was removed.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Row>,
}

/// The answer of `diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiffReport {
    /// The dataset.
    pub dataset: String,
    /// The earlier version.
    pub from: u64,
    /// The later version.
    pub to: u64,
    /// How many rows were added.
    pub added: u64,
    /// How many rows were removed.
    pub removed: u64,
    /// How many rows have the same key and other values; 0 without a key.
    pub changed: u64,
    /// The columns that differ in rows that changed.
    pub columns: Vec<String>,
    /// The rows, in the order of the key; not more than were asked for.
    pub rows: Vec<RowDifference>,
}
