//! Why something is as it is: what set it off, what differed, and the proof of it.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::amend::Row;

/// One thing that led to what was asked about. Causes stand in the order of a tree written line by line: what led to a cause
/// follows it, one deeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cause {
    /// How deep it stands in the tree; 0 led to the thing itself.
    pub depth: u32,
    /// What sort of cause it is: `run`, `delivery`, `amendment`, `apply`, `branch`, `code`, `check`, `settings`, `engine`,
    /// `identity`, `cost`, `input`, `reads`, `reused`, `forced`, `failure`, `promise`, `wait`, `unknown`.
    pub kind: String,
    /// What, in words.
    pub what: String,
    /// Who did it; none where nobody did.
    pub who: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub when: Option<Timestamp>,
    /// The journal's number.
    pub seq: Option<u64>,
    /// What it changed, in words or as a difference of texts; none if nothing more is to be said.
    pub change: Option<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// The address of what did it; another command takes it.
    pub thing: Option<String>,
}

/// One replay aside with some differences undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trial {
    /// The run that was replayed.
    pub run: String,
    /// The differences that were undone.
    pub undone: Vec<String>,
    /// The differences that were left as they are.
    pub kept: Vec<String>,
    /// What came of it, in words.
    pub outcome: String,
    /// Whether it showed what is to be explained.
    pub shows: bool,
}

/// The differences that explain a run, found by replaying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Proven {
    /// The run.
    pub run: String,
    /// The last good run before it; none if there was none.
    pub versus: Option<String>,
    /// The smallest set of differences that was found.
    pub causes: Vec<Cause>,
}

/// What replaying with differences undone has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProofReport {
    /// `proven`, `not reproduced` (the replay does not show it), `not explained` (it shows with everything undone) or
    /// `incomplete` (stopped after too many trials).
    pub verdict: String,
    /// What is explained: a failure or a changed content, in words.
    pub symptom: String,
    /// The run itself, and then the runs upstream in which the cause was followed.
    pub steps: Vec<Proven>,
    /// Differences that cannot be undone alone, and why.
    pub not_undone: Vec<String>,
    /// Every replay, in order.
    pub trials: Vec<Trial>,
}

/// The rows of one input behind rows of the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OriginReport {
    /// The input.
    pub dataset: String,
    /// The version that was read.
    pub version: u64,
    /// The condition on its rows; none if it cannot be told.
    pub condition: Option<String>,
    /// How many rows meet it.
    pub count: u64,
    /// Some of them.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Row>,
    /// Why more cannot be said, in words.
    pub unknown: Vec<String>,
}

/// The input rows behind output rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RowsReport {
    /// The condition on the output's rows.
    pub condition: String,
    /// The run that made them.
    pub run: Option<String>,
    /// How many output rows meet the condition.
    pub count: u64,
    /// Some of them.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Row>,
    /// Input by input.
    pub inputs: Vec<OriginReport>,
    /// What cannot be told of the query as a whole, in words.
    pub unknown: Vec<String>,
}

/// The answer of `why`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WhyReport {
    /// What was asked about, as an address.
    pub thing: String,
    /// Where it stands: `failed`, `fresh`, `stale`, `succeeded`, `waiting`, …
    pub state: String,
    /// The answer in one line.
    pub summary: String,
    /// The run that is explained, if one is.
    pub run: Option<String>,
    /// The last good run before it, with which it is compared.
    pub versus: Option<String>,
    /// What led to it, the nearest first.
    pub causes: Vec<Cause>,
    /// The input rows behind output rows, if they were asked for.
    pub rows: Option<RowsReport>,
    /// The proof, if one was asked for.
    pub proof: Option<ProofReport>,
    /// What to do next: commands.
    pub next: Vec<String>,
}
