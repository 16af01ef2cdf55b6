//! How far each channel was told of runs.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::fact::{LineageFailed, LineageTold};
use serde::{Deserialize, Serialize};

/// What one channel was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLineage {
    /// The last fact that it was told of, or that there was nothing to tell of.
    pub through: u64,
    /// How many events were taken.
    pub events: u64,
    /// When the last one was.
    pub told: Option<Timestamp>,
    /// How many events it refused for good.
    pub refused: u64,
    /// How many attempts in a row failed.
    pub attempts: u32,
    /// When it is tried again, if the last attempt failed.
    pub next: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What channels were told of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The newest fact that there is something to tell of: that a run was recorded, or that it ended.
    pub newest: u64,
    /// By channel, how far it was told.
    pub channels: BTreeMap<String, ToldLineage>,
}

impl Lineage {
    pub(super) fn told(&mut self, time: Timestamp, f: LineageTold) {
        let telling = self.channels.entry(f.channel).or_default();
        telling.through = f.through.max(telling.through);
        telling.events += f.events;
        telling.told = Some(time);
        telling.attempts = 0;
        telling.next = None;
        telling.error = None;
    }

    pub(super) fn failed(&mut self, f: LineageFailed) {
        let telling = self.channels.entry(f.channel).or_default();
        telling.error = Some(f.error);
        telling.next = f.retry_at;
        match f.retry_at {
            Some(_) => telling.attempts = f.attempt,
            None => {
                telling.attempts = 0;
                telling.refused += 1;
                telling.through = f.fact.max(telling.through);
            }
        }
    }
}
