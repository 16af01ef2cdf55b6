//! Amendments and branches.

use mainstay_base::Timestamp;
use mainstay_model::amendment::RowCounts;
use mainstay_model::run::RunError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an amendment means for one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReachReport {
    /// The dataset.
    pub name: String,
    /// The slices that may change, or were computed; `all` alone if it has no slices.
    pub slices: Vec<String>,
    /// How many of them came out as they were; none before they are computed.
    pub unchanged: Option<u64>,
    /// Why it goes no further from here, if it does not.
    pub stops: Option<String>,
}

/// An account whose datasets an amendment reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConsumerReport {
    /// The account.
    pub account: String,
    /// Its datasets, in the order of the data.
    pub datasets: Vec<String>,
}

/// The work of an amendment, as expected or as measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EffortReport {
    /// Runs.
    pub runs: u64,
    /// Slices that are computed.
    pub slices: u64,
    /// Processor time in seconds; none if nothing like it was measured.
    pub cpu_seconds: Option<f64>,
    /// What it costs; none while there is no price book.
    pub cost: Option<f64>,
    /// Elapsed time in seconds; none if nothing like it was measured.
    pub seconds: Option<f64>,
}

/// A row: values by column, in the order of the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub Vec<(String, Value)>);

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(c, v)| (c, v)))
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = serde_json::Map::deserialize(d)?;
        Ok(Self(map.into_iter().collect()))
    }
}

/// A row that an amendment changes, as it is and as it will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RowChange {
    /// As it is; none for a row that comes.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Row>,
    /// As it will be; none for a row that goes.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Row>,
}

/// The answer of `amend`, and of `revert` and `show` of an amendment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AmendReport {
    /// Its id; none if it was only looked at.
    pub amendment: Option<String>,
    /// The dataset.
    pub dataset: String,
    /// What it does, in words.
    pub edit: String,
    /// `preview`, `waiting`, `ready`, `applied`, `failed`, `reverted` or `dropped`.
    pub status: String,
    /// Rows of the dataset itself.
    #[schema(value_type = Object)]
    pub rows: RowCounts,
    /// Some of these rows.
    pub sample: Vec<RowChange>,
    /// The datasets that it reaches, in the order of the data.
    pub datasets: Vec<ReachReport>,
    /// Whose datasets these are, besides the one that is corrected.
    #[serde(default)]
    pub consumers: Vec<ConsumerReport>,
    /// What it was expected to take.
    pub estimate: EffortReport,
    /// What it took.
    pub took: Option<EffortReport>,
    /// Who proposed it.
    pub who: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// The journal's number of the proposal; none if it was only looked at.
    pub seq: Option<u64>,
    /// How many approvals it needs, and who gave them.
    pub approvals: (u32, Vec<String>),
    /// The runs that it took.
    pub runs: Vec<String>,
    /// Why it could not be made.
    #[schema(value_type = Option<Object>)]
    pub error: Option<RunError>,
    /// The newest deliveries after which it changed other rows than before, and those that are held back because it would.
    #[serde(default)]
    pub redelivered: Vec<RedeliveredReport>,
}

/// A delivery after which an amendment changes other rows than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RedeliveredReport {
    /// The delivery.
    pub delivery: String,
    /// Its file.
    pub file: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Whether it is held back.
    pub held: bool,
    /// Rows that it does not change any more.
    pub gone: u64,
    /// Rows that it did not change before.
    pub new: u64,
}

/// A branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BranchReport {
    /// Its name.
    pub branch: String,
    /// `open`, `promoted` or `dropped`.
    pub status: String,
    /// Who made it.
    pub who: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// The journal's number from which the live side was taken over.
    pub forked: u64,
    /// The resources that it declares otherwise than the live side did.
    pub resources: Vec<String>,
    /// The datasets in which it differs.
    pub datasets: Vec<BranchDataset>,
}

/// A dataset in which a branch differs from the live side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BranchDataset {
    /// The dataset.
    pub name: String,
    /// The slices that differ.
    pub slices: Vec<String>,
    /// Rows on the live side.
    pub rows_live: u64,
    /// Rows in the branch.
    pub rows_branch: u64,
}
