//! Data: deliveries, datasets, slices, dependencies.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::delivery::FileError;
use mainstay_model::run::CheckOutcome;
use mainstay_model::schema::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// One delivered file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryReport {
    /// The delivery's id.
    pub id: String,
    /// The source.
    pub source: String,
    /// The file.
    pub file: String,
    /// `taken`, `duplicate`, `set_aside`, `held` (it waits for a yes), or `dropped` (it waited, and was given up).
    pub outcome: String,
    /// Its rows; 0 if it was not taken.
    pub rows: u64,
    /// For a file that was set aside or held back, the rows of an earlier delivery of it that are still in the dataset.
    pub earlier_rows: u64,
    /// The slices that its rows are in.
    pub slices: Vec<String>,
    /// The delivery whose rows it replaced, or whose content it repeats.
    pub other: Option<String>,
    /// Why it was set aside or held back.
    #[schema(value_type = Option<Object>)]
    pub error: Option<FileError>,
    /// The amendments that change other rows after it than before; of a file that is held, those that would.
    #[serde(default)]
    pub reapplied: Vec<ReappliedReport>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

/// An amendment that changes other rows after a delivery than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReappliedReport {
    /// The amendment.
    pub amendment: String,
    /// Rows that it does not change any more.
    pub gone: u64,
    /// Rows that it did not change before.
    pub new: u64,
}

/// A source whose files could not be taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceRefusal {
    /// The source.
    pub source: String,
    /// Why.
    pub error: Error,
}

/// A check of a source that only warns, and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceWarning {
    /// The source.
    pub source: String,
    /// How the check ended.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub outcome: CheckOutcome,
}

/// The answer of `deliver`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliverReport {
    /// The files that were new or changed.
    pub deliveries: Vec<DeliveryReport>,
    /// How many files were as they were.
    pub unchanged: u64,
    /// Files that were still being written; they are taken in next time.
    pub waiting: Vec<String>,
    /// Sources of which nothing was taken in.
    pub refused: Vec<SourceRefusal>,
    /// Checks that only warn, and did; what they are about was published.
    pub warnings: Vec<SourceWarning>,
}

/// A dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatasetReport {
    /// Its name.
    pub name: String,
    /// What fills it: `source` or `job`.
    pub filled_by: String,
    /// The URL of its Delta table.
    pub location: String,
    /// Its version; 0 if nothing was published.
    pub version: u64,
    /// The version of its Delta table.
    pub delta_version: Option<u64>,
    /// Its rows.
    pub rows: u64,
    /// Its bytes, as stored.
    pub bytes: u64,
    /// How many slices it has.
    pub slices: u64,
    /// Its slice columns.
    pub slice_columns: Vec<String>,
    /// Its columns.
    #[schema(value_type = Object)]
    pub columns: Schema,
    /// When it was last published.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published: Option<Timestamp>,
    /// `fresh`, `stale` or `empty`.
    pub state: String,
    /// How the promise of it stands, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<PromiseReport>,
}

/// How a promise stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PromiseReport {
    /// The time that is promised, in milliseconds.
    pub within_ms: u64,
    /// The same, as people write it.
    pub within: String,
    /// `ok`, `at_risk`, `missed`; `not_begun`: the dataset was not up to date since it is promised; `resting`.
    pub state: String,
    /// Since when the dataset is behind; none if it has everything.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When it has to be up to date.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due: Option<Timestamp>,
    /// What bringing it up to date took before, in milliseconds.
    pub needs_ms: u64,
    /// What holds it up, if it is at risk or missed.
    pub blame: Option<BlameReport>,
    /// When it was last recorded that it has everything.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub kept: Option<Timestamp>,
    /// How often it was missed.
    pub missed: u64,
    /// Whether something is being done for it.
    pub works: bool,
    /// What to do, if something is left to people.
    pub next: Option<String>,
}

/// What became of a message that came through a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HookReport {
    /// The hook.
    pub hook: String,
    /// The message's id.
    pub id: String,
    /// Whether it was new; one of the same id came before if not, and nothing was done.
    pub received: bool,
    /// The journal's number of it, if it was new.
    pub seq: Option<u64>,
}

/// What holds a promise up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BlameReport {
    /// The job or the source.
    pub dataset: String,
    /// By what.
    pub because: String,
    /// The run that shows it.
    pub run: Option<String>,
}

/// One slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SliceReport {
    /// Its value.
    pub slice: String,
    /// `fresh`, `stale` or `missing`.
    pub state: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes, as stored.
    pub bytes: u64,
    /// Its digest.
    pub digest: Option<String>,
    /// The dataset's version that made its content.
    pub version: u64,
    /// The run that made its content; none for a source.
    pub run: Option<String>,
}

/// The answer of `slices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SlicesReport {
    /// The dataset.
    pub dataset: String,
    /// Its slices, in order.
    pub slices: Vec<SliceReport>,
}

/// Where a dependency falls back to everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fallback {
    /// The input.
    pub input: String,
    /// What in the query caused it.
    pub operator: String,
    /// In words.
    pub message: String,
}

/// The answer of `deps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DependenciesReport {
    /// By slice of the output, by input, the slices that it reads: a list, or `"all"`.
    pub slices: BTreeMap<String, BTreeMap<String, Value>>,
    /// By input, the rule in words; what is of the output's slice stands in brackets.
    #[serde(default)]
    pub rules: BTreeMap<String, String>,
    /// Where it falls back to everything.
    pub fallbacks: Vec<Fallback>,
}

/// The answer of `list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListReport {
    /// What was listed.
    pub kind: String,
    /// The things.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Value>,
}
