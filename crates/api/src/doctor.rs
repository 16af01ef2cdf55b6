//! What is found when a home is examined.

use serde::{Deserialize, Serialize};

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// As it should be.
    Ok,
    /// Nothing is lost or stopped yet.
    Warning,
    /// Something does not work, or is lost.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// What was looked at: `journal`, `disk`, `lock`, `clock`, `store`, `files`, `delta`, `source`, `key`, `backup`, `version`.
    pub check: String,
    /// How it was found.
    pub condition: Condition,
    /// What was found, in a sentence.
    pub message: String,
    /// Why, the nearest cause first; or which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The answer of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DoctorReport {
    /// The home.
    pub home: String,
    /// Whether there is no problem.
    pub ok: bool,
    /// What was found, in the order of looking.
    pub findings: Vec<Finding>,
}
