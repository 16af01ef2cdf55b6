//! Triggers: what is run by itself, and when.

use mainstay_base::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{FiringId, RunId};
use crate::message::EmitSpec;
use crate::run::RunError;

/// What sets a trigger off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Clock times.
    Clock {
        /// Five fields, as cron(8) has them.
        cron: String,
        /// The IANA name of the time zone in which they are meant; UTC if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
        /// The days, `2026-12-25`, on which it does not fire.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skip: Vec<String>,
    },
    /// New content of any of these datasets: `air.flights`, `air.*`.
    After(Vec<String>),
    /// Any fact that is like this pattern, in the language of Amazon EventBridge.
    On(serde_json::Value),
}

/// What becomes of clock times at which nobody was there to fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// All of them together fire once, afterwards.
    #[default]
    Last,
    /// Each of them fires, afterwards, the newest thousand at most.
    All,
    /// They are passed over.
    None,
}

/// Something that is run by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSpec {
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What sets it off.
    pub when: When,
    /// The datasets that are brought up to date, with all that they need: `air.daily_delays`, `air.*`.
    #[serde(default)]
    pub run: Vec<String>,
    /// The channels that are told that it was set off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// A fact of its own that it adds when all that it runs is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<EmitSpec>,
    /// What becomes of missed clock times.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Whether it is to rest. What would have set it off meanwhile is not made up for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// Says whether a dataset is one of these: named itself, or with all of its schema (`air.*`), or with all there are (`*`).
pub fn is_among(names: &[String], dataset: &str) -> bool {
    names.iter().any(|name| match name.strip_suffix('*') {
        Some(stem) => dataset.starts_with(stem),
        None => name == dataset,
    })
}

/// A trigger was set off. What it wants is done as long as no [`TriggerDone`] says that it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerFired {
    /// Its id.
    pub firing: FiringId,
    /// The name of the trigger.
    pub trigger: String,
    /// The clock time at which it was due; none if something that happened set it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What happened, in words; none for clock times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// How many clock times, or causes in one frame of the journal, this stands for.
    pub times: u64,
    /// The triggers that led to this one; none of them is set off by what follows from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
}

/// Clock times were passed over, since nobody was there when they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerMissed {
    /// The name of the trigger.
    pub trigger: String,
    /// The last of the times.
    pub last: Timestamp,
    /// How many there were.
    pub times: u64,
}

/// What a trigger wanted was done, or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerDone {
    /// The firings; several of one trigger that waited at once are done together.
    pub firings: Vec<FiringId>,
    /// The name of the trigger.
    pub trigger: String,
    /// The runs that there were; none if everything was as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunId>,
    /// Why it could not be done; runs that fail say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}
