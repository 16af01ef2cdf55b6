//! Lineage to elsewhere: how far a channel was told which runs there were, from what and of what.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

/// Who receives the lineage of a channel has taken everything up to a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageTold {
    /// The channel.
    pub channel: String,
    /// The last fact of the account that was told of, or that there was nothing to tell of.
    pub through: u64,
    /// How many events were taken.
    pub events: u64,
}

/// An event could not be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageFailed {
    /// The channel.
    pub channel: String,
    /// The fact that it tells of.
    pub fact: u64,
    /// At which attempt in a row, from 1.
    pub attempt: u32,
    /// Why, in words.
    pub error: String,
    /// When it is tried again; none: who receives it will never take it, and it is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}
