//! Alarms: what somebody wants to be told of, as long as it is so.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::DatasetName;

/// What of the state is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Runs that wait: for another attempt, or to begin.
    RunsWaiting,
    /// Messages that are to be sent.
    MessagesWaiting,
    /// Promises that are at risk or missed.
    PromisesBroken,
    /// Files that are held back and wait for somebody.
    DeliveriesHeld,
}

impl Metric {
    /// All of them, by name.
    pub const ALL: [(&str, Self); 4] = [
        ("runs_waiting", Self::RunsWaiting),
        ("messages_waiting", Self::MessagesWaiting),
        ("promises_broken", Self::PromisesBroken),
        ("deliveries_held", Self::DeliveriesHeld),
    ];
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// So many facts like a pattern, within a time.
    Facts {
        /// The pattern, in the language of Amazon EventBridge.
        on: serde_json::Value,
        /// How many, at least.
        count: u64,
        /// Within how many milliseconds.
        within_ms: u64,
    },
    /// A dataset that was not brought up to date for so long.
    Older {
        /// The dataset.
        dataset: DatasetName,
        /// For how many milliseconds.
        than_ms: u64,
    },
    /// More processor time than that, within a time.
    Cpu {
        /// How much, in milliseconds.
        above_ms: u64,
        /// Within how many milliseconds.
        within_ms: u64,
        /// The jobs that it is used by, `air.*` for all of `air`; none: all there are.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        jobs: Vec<String>,
        /// The labels that these jobs have.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tagged: BTreeMap<String, String>,
    },
    /// A metric above a number.
    Metric {
        /// Which.
        metric: Metric,
        /// The number.
        above: u64,
    },
}

/// What somebody wants to be told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSpec {
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it watches.
    pub watched: Watched,
    /// The channels that are told when it fires, and when that is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

/// Facts happened that an alarm counts. It stands in their frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCounted {
    /// The alarm.
    pub alarm: String,
    /// How many of that frame.
    pub times: u64,
    /// The first of them, in words.
    pub because: String,
}

/// What an alarm watches came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmFired {
    /// The alarm.
    pub alarm: String,
    /// What it is, in words.
    pub because: String,
    /// The facts that it rests on, by the journal's numbers: the newest ones, if there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<u64>,
}

/// What an alarm watches is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmEnded {
    /// The alarm.
    pub alarm: String,
    /// How it is now, in words.
    pub because: String,
    /// Since when it was going on.
    pub since: Timestamp,
}

/// There is nothing yet that an alarm could be judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmWithoutData {
    /// The alarm.
    pub alarm: String,
    /// What is missing, in words.
    pub because: String,
}
