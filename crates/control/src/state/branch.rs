//! Branches: lines beside the live one.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::line::Line;

/// Where a branch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BranchStatus {
    /// It can be worked in.
    Open,
    /// It became the live side.
    Promoted,
    /// It was given up.
    Dropped,
}

/// A branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What is known of it besides its data.
    pub about: About,
    /// The live side as it was when the branch began.
    pub fork: Line,
    /// What the branch declares and holds.
    pub line: Line,
    /// What it held before it was begun anew; for reuse.
    pub former: Line,
}

/// What is known of a branch besides its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Where it stands.
    pub status: BranchStatus,
    /// The journal's number of its beginning.
    pub seq: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Who made it.
    pub actor: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// The journal's number from which the live side was taken over.
    pub forked: u64,
}
