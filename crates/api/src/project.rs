//! Projects: mistakes, plans, applies, histories.

use mainstay_base::Timestamp;
use mainstay_model::change::{Action, FieldChange};
use serde::{Deserialize, Serialize};

/// A mistake in a project's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Mistake {
    /// The file, relative to the project.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What was perhaps meant, or what to do.
    pub help: Option<String>,
}

/// The answer of `check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckReport {
    /// The mistakes; none is good.
    pub mistakes: Vec<Mistake>,
    /// How many resources the project declares.
    pub resources: u64,
}

/// The change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangeReport {
    /// What happens to it.
    #[schema(value_type = String)]
    pub action: Action,
    /// Which resource, for example `job/air.daily_delays`.
    pub resource: String,
    /// Field by field, for a change.
    #[schema(value_type = Vec<Object>)]
    pub fields: Vec<FieldChange>,
}

/// A dataset that is, or would be, not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StaleReport {
    /// The dataset.
    pub dataset: String,
    /// The slices that have to be computed; `all` alone if it is computed whole.
    pub slices: Vec<String>,
    /// Why, in words.
    pub because: String,
    /// Whether it is certain, or follows only if something that it reads really changes.
    pub certain: bool,
}

/// What bringing everything up to date would cost, from the last runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Estimate {
    /// How many runs.
    pub runs: u64,
    /// How many slices.
    pub slices: u64,
    /// Processor time in seconds; none if nothing like it ran before.
    pub cpu_seconds: Option<f64>,
    /// Elapsed time in seconds; none if nothing like it ran before.
    pub seconds: Option<f64>,
    /// On how many of the datasets the figures rest.
    pub measured_datasets: u64,
}

/// The answer of `plan`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanReport {
    /// The plan's id; none if there is nothing to apply.
    pub plan: Option<String>,
    /// What would change.
    pub changes: Vec<ChangeReport>,
    /// What would have to be computed.
    pub stale: Vec<StaleReport>,
    /// What that would cost.
    pub estimate: Estimate,
    /// The mistakes of the project; with any, there is no plan.
    pub mistakes: Vec<Mistake>,
}

/// The answer of `apply` and of `revert apply/N`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApplyReport {
    /// The apply's number; none if there was nothing to do.
    pub apply: Option<u64>,
    /// The plan that was applied.
    pub plan: Option<String>,
    /// The apply that was undone.
    pub reverts: Option<u64>,
    /// What changed.
    pub changes: Vec<ChangeReport>,
    /// The journal's number of it.
    pub seq: Option<u64>,
    /// The datasets that have to be computed now.
    pub stale: Vec<StaleReport>,
}

/// One change in a thing's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryEntry {
    /// The journal's number.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who.
    pub who: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// By what, for example `apply/41` or `run/R-12`.
    pub by: String,
    /// What happened.
    pub what: String,
    /// The generation or version that it made.
    pub generation: u64,
    /// Field by field, for a resource.
    #[schema(value_type = Vec<Object>)]
    pub fields: Vec<FieldChange>,
}

/// The answer of `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryReport {
    /// The thing, as an address.
    pub thing: String,
    /// What became of it, the oldest first.
    pub changes: Vec<HistoryEntry>,
}
