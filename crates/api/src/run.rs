//! Runs.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::run::{CheckOutcome, RunError};
use serde::{Deserialize, Serialize};

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageReport {
    /// Processor time in seconds, over all threads.
    pub cpu_seconds: f64,
    /// The most memory that its operators held at once, in bytes.
    pub peak_memory_bytes: u64,
    /// What was spilled to disk, in bytes.
    pub spilled_bytes: u64,
    /// By dataset, rows and bytes read.
    pub read: BTreeMap<String, (u64, u64)>,
    /// By dataset, rows and bytes written.
    pub written: BTreeMap<String, (u64, u64)>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunReport {
    /// Its id.
    pub id: String,
    /// The job.
    pub job: String,
    /// The slices that it computed; `all` alone if the dataset has no slices.
    pub slices: Vec<String>,
    /// `succeeded`, `failed`, `cancelled`, `skipped`; `running` or `waiting` while it is not ended, `lost` if it is not
    /// and the process that carried it out is gone.
    pub outcome: String,
    /// Whether its result was there already.
    pub reused: bool,
    /// The run that had computed it; the newest if there are several.
    #[serde(default)]
    pub reused_from: Option<String>,
    /// The seconds that this saved: those of that run, by its share of slices.
    #[serde(default)]
    pub saved_seconds: Option<f64>,
    /// Elapsed seconds, from its record to its end.
    pub seconds: f64,
    /// Why it did not succeed.
    #[schema(value_type = Option<Object>)]
    pub error: Option<RunError>,
    /// Why it was wanted.
    pub because: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who asked for it.
    pub who: String,
    /// How many attempts it took.
    pub attempts: u32,
    /// The version of its dataset that it made or confirmed.
    pub version: Option<u64>,
    /// Rows that it published.
    pub rows: u64,
    /// How many of its slices came out as they were.
    pub unchanged: u64,
    /// How its checks ended.
    #[schema(value_type = Vec<Object>)]
    pub checks: Vec<CheckOutcome>,
    /// What it used.
    pub usage: UsageReport,
    /// What came of computing some of its slices a second time; none if that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<CrossCheckReport>,
    /// How many of its slices were taken as they are, because what changed of their inputs is not read.
    #[serde(default)]
    pub unread: u64,
}

/// Some slices of a run, computed a second time to see whether they read no more than they are said to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CrossCheckReport {
    /// The slices.
    pub slices: Vec<String>,
    /// `everything`: from all that the inputs hold; `alone`: each from what it is said to read.
    pub against: String,
    /// Those that came out otherwise; what the run published is what comes of everything.
    pub differing: Vec<String>,
    /// Why it could not be carried to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The processor seconds that it took, besides those of the run.
    pub cpu_seconds: f64,
}

/// The answer of `run` and `runs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunsReport {
    /// The runs.
    pub runs: Vec<RunReport>,
}

/// What goes on, for those who watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A stage of work began, with its size if it is known.
    Began {
        /// What, for example a job or a source.
        what: String,
        /// In what it is counted, for example `slices`.
        unit: &'static str,
        /// How much there is to do.
        total: Option<u64>,
    },
    /// It got so far.
    At {
        /// What.
        what: String,
        /// How much is done.
        done: u64,
    },
    /// It ended.
    Ended {
        /// What.
        what: String,
        /// Whether it went well.
        ok: bool,
        /// What came of it, in words.
        message: String,
    },
}
