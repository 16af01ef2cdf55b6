//! Copies of a home.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer of `backup`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupReport {
    /// The folder or bucket.
    pub target: String,
    /// The last fact in it.
    pub seq: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How many data files belong to it.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// How many of them were not there yet.
    pub copied_files: u64,
    /// Their size.
    pub copied_bytes: u64,
    /// How many bytes of the journal were not there yet.
    pub journal_bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// The answer of `restore`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoreReport {
    /// The folder or bucket.
    pub source: String,
    /// The home that was made.
    pub home: String,
    /// When the backup was made.
    #[schema(value_type = String, format = DateTime)]
    pub backup: Timestamp,
    /// The last fact of the original that it has.
    pub seq: u64,
    /// When that was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// How many data files it has.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// The answer of `resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResumeReport {
    /// Whether it rested until now.
    pub resumed: bool,
}
