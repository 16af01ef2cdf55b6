//! Queues: what limits how many runs go on at once, and how urgent they are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How urgent a run is beside others of its account.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// A trigger or a promise wants it.
    Scheduled,
    /// It is work on the past, which can wait.
    Backfill,
}

impl Class {
    /// All classes, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Scheduled, Self::Backfill];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Scheduled => "scheduled",
            Self::Backfill => "backfill",
        }
    }

    /// Says whether it is the one of those who say nothing; serde asks by reference.
    pub const fn is_interactive(&self) -> bool {
        matches!(self, Self::Interactive)
    }
}

/// How many runs may go on at once that use something they share, or are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// What it protects, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How much there is; a run takes one, or as much as its job says.
    pub at_most: u32,
    /// The jobs that it holds for without their saying so: `air.daily_delays`, `air.*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// The tags of the jobs that it holds for without their saying so; a job has to have them all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged: BTreeMap<String, String>,
}
