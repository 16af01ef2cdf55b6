//! What was counted since the beginning, of everything that the state forgets.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::delivery::Outcome;
use mainstay_model::run::{RunOutcome, Usage};
use serde::{Deserialize, Serialize};

/// Counts that only grow, and when things last went well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Runs that ended, by outcome.
    pub runs: BTreeMap<String, u64>,
    /// Attempts that failed and were to be tried again.
    pub retries: u64,
    /// Processor time of all attempts, in microseconds.
    pub cpu_us: u64,
    /// Elapsed time of all attempts, in microseconds.
    pub wall_us: u64,
    /// Files that were delivered, by outcome.
    pub deliveries: BTreeMap<String, u64>,
    /// Slices that got a new content on the live side.
    pub slices: u64,
    /// By dataset, when a run of it last succeeded on the live side, or a file was last taken in.
    pub successes: BTreeMap<DatasetName, Timestamp>,
}

impl Totals {
    pub(super) fn used(&mut self, usage: &Usage) {
        self.cpu_us = self.cpu_us.saturating_add(usage.cpu.0);
        self.wall_us = self.wall_us.saturating_add(usage.wall_us);
    }

    pub(super) fn run(&mut self, outcome: RunOutcome, usage: &Usage) {
        let name = match outcome {
            RunOutcome::Succeeded => "succeeded",
            RunOutcome::Failed => "failed",
            RunOutcome::Cancelled => "cancelled",
            RunOutcome::Skipped => "skipped",
        };
        *self.runs.entry(name.to_owned()).or_default() += 1;
        self.used(usage);
    }

    pub(super) fn delivery(&mut self, outcome: &Outcome) {
        let name = match outcome {
            Outcome::Taken { .. } => "taken",
            Outcome::Duplicate { .. } => "duplicate",
            Outcome::SetAside { .. } => "set_aside",
            Outcome::Held { .. } => "held",
        };
        *self.deliveries.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn succeeded(&mut self, dataset: &DatasetName, time: Timestamp) {
        let last = self.successes.entry(dataset.clone()).or_insert(time);
        *last = time.max(*last);
    }
}
