//! Promises: how far a dataset may be behind what it comes from.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::name::DatasetName;
use crate::run::RunError;

/// That a dataset has what its sources have, after this time at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseSpec {
    /// The dataset, whose name is the promise's.
    pub dataset: DatasetName,
    /// How long it may take, in milliseconds.
    pub within_ms: u64,
}

/// Why a promise is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blame {
    /// The job or the source that holds it up.
    pub dataset: DatasetName,
    /// By what, in words.
    pub because: String,
    /// The run that shows it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// What a promise takes was set off. It is to be done as long as no [`PromiseDone`] says that it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseSetOff {
    /// The dataset.
    pub dataset: DatasetName,
    /// What changed, in words.
    pub because: String,
    /// Since when the dataset is behind.
    pub since: Timestamp,
}

/// What a promise took was done, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseDone {
    /// The dataset.
    pub dataset: DatasetName,
    /// The runs that there were; none if everything was as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunId>,
    /// Why it could not be done; runs that fail say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// The dataset has what its sources have. The first such fact begins the promise, and one after an alarm ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseKept {
    /// The dataset.
    pub dataset: DatasetName,
    /// The last fact of the account that this takes into account.
    pub seen: u64,
    /// Since when it was behind, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether that was longer than promised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A promise will not be kept if things go on as they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseAtRisk {
    /// The dataset.
    pub dataset: DatasetName,
    /// Since when it is behind.
    pub since: Timestamp,
    /// When the promise is missed.
    pub due: Timestamp,
    /// What holds it up.
    pub blame: Blame,
}

/// A promise was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseMissed {
    /// The dataset.
    pub dataset: DatasetName,
    /// Since when it is behind.
    pub since: Timestamp,
    /// When it should have been up to date.
    pub due: Timestamp,
    /// What holds it up.
    pub blame: Blame,
}
