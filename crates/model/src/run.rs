//! Runs: one execution of a job, with pinned inputs.

use std::collections::BTreeMap;

use mainstay_base::{Bytes, CpuTime, Hash, Rows, Timestamp};
use serde::{Deserialize, Serialize};

use crate::branch::BranchName;
use crate::id::AmendmentId;
use crate::name::DatasetName;
use crate::slice::SliceKey;
use crate::spec::{CheckSpec, Reads, Severity};

/// What a run computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole dataset: every slice that the query yields.
    Whole,
    /// These slices, each from the inputs' slices of the same values.
    Slices(Vec<SliceKey>),
}

/// An input of a run, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The dataset.
    pub dataset: DatasetName,
    /// Its version; 0 is "nothing was published yet".
    pub version: u64,
    /// Which of its slices a slice of the output reads.
    pub reads: Reads,
}

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The job, which is named as its dataset.
    pub job: DatasetName,
    /// The branch in which it runs; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// The job's generation.
    pub generation: u64,
    /// The hash of the query's normal form.
    pub code: Hash,
    /// What is computed.
    pub scope: Scope,
    /// From what.
    pub inputs: Vec<Input>,
    /// What `now()` and `current_date` mean.
    pub as_of: Timestamp,
    /// The engine and its version.
    pub engine: String,
    /// The engine's settings that may matter.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// What its output is judged by; not known of runs of before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
}

/// What a run's output is judged by, pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The checks, with their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<(String, CheckSpec)>,
    /// The versions of the other datasets that they read; 0 is "nothing was published yet".
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<DatasetName, u64>,
    /// The version of the output, below its amendments, whose other slices stay.
    pub stays: u64,
    /// The amendments under which the output is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amendments: Vec<AmendmentId>,
}

/// How a run or an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Its output is published, or was already there.
    Succeeded,
    /// It could not be computed, or a check failed.
    Failed,
    /// Someone stopped it.
    Cancelled,
    /// It was not tried, because something that it reads failed.
    Skipped,
}

/// An error as the user should see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The stable code, with a page in the docs.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether trying again may help.
    #[serde(default)]
    pub transient: bool,
}

/// What an attempt used, measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time of all its threads.
    pub cpu: CpuTime,
    /// Elapsed time in microseconds.
    pub wall_us: u64,
    /// The most memory that its operators held at once.
    pub peak_memory: Bytes,
    /// What was spilled to disk.
    pub spilled: Bytes,
    /// By input dataset: what was read.
    pub read: BTreeMap<DatasetName, Amount>,
    /// By output dataset: what was written.
    pub written: BTreeMap<DatasetName, Amount>,
}

/// Rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// The rows.
    pub rows: Rows,
    /// The bytes, as stored.
    pub bytes: Bytes,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// The check's name.
    pub check: String,
    /// What a failure means.
    pub severity: Severity,
    /// How many rows broke it; 0 is a pass.
    pub violations: u64,
    /// What was wrong, in words; empty if nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Some of the rows that broke it, each as a JSON object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// Against what some slices of a run were computed a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Everything that the inputs hold.
    Everything,
    /// Each only what it is said to read; the run itself had everything before it.
    Alone,
}

/// What came of computing some slices of a run a second time, to see whether they read no more than they are said to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossCheck {
    /// The slices.
    pub slices: Vec<SliceKey>,
    /// Against what.
    pub against: Against,
    /// Those of them that came out otherwise: what their job is said to read is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<SliceKey>,
    /// Why it could not be carried to its end, in words; none if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The processor time that it took; not part of what the attempt used.
    pub cpu: CpuTime,
    /// The elapsed time that it took, in microseconds.
    pub wall_us: u64,
}

impl CrossCheck {
    /// Says whether the run's slices were computed again from everything, and published so.
    pub fn widened(&self) -> bool {
        self.against == Against::Everything && !self.differing.is_empty()
    }
}
