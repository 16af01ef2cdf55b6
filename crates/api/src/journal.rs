//! The journal.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FactReport {
    /// The journal's number.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// The account.
    pub account: String,
    /// Who.
    pub who: String,
    /// What happened.
    pub kind: String,
    /// The version of the kind.
    pub version: u16,
    /// What it is about.
    pub subject: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// The key of the request that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The fact that led to it.
    pub cause: Option<u64>,
    /// The body.
    pub body: Value,
}

/// The answer of `journal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JournalReport {
    /// The facts, the oldest first.
    pub facts: Vec<FactReport>,
}

/// The answer of `journal verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyReport {
    /// How many facts were verified.
    pub facts: u64,
    /// How many frames.
    pub frames: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// Whether all is as it was written.
    pub ok: bool,
    /// The first fact that is not.
    pub first_bad: Option<u64>,
    /// What is wrong, in words.
    pub message: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
}

/// The answer of `journal check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProofCheckReport {
    /// Whether the proof holds.
    pub ok: bool,
    /// The journal that signed it.
    pub origin: Option<String>,
    /// The size of the journal when it was signed.
    pub size: Option<u64>,
    /// The fact that is proven.
    pub fact: Option<FactReport>,
    /// What is wrong, in words.
    pub message: Option<String>,
}
