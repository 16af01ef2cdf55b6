//! Triggers as they are known: what has set them off, and what came of it.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::fact::{TriggerDone, TriggerFired, TriggerMissed};
use mainstay_model::id::{FiringId, RunId};
use mainstay_model::run::RunError;
use serde::{Deserialize, Serialize};

use super::pairs;

/// What came of a firing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The journal's number.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// The runs that there were.
    pub runs: Vec<RunId>,
    /// Why it could not be done, if it could not.
    pub error: Option<RunError>,
}

/// One time that a trigger was set off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The trigger's name.
    pub trigger: String,
    /// The journal's number.
    pub seq: u64,
    /// When it was recorded.
    pub time: Timestamp,
    /// The clock time at which it was due.
    pub due: Option<Timestamp>,
    /// What happened, for those that are not set off by a clock.
    pub because: Option<String>,
    /// How many causes it stands for.
    pub times: u64,
    /// The triggers that led to it.
    pub through: Vec<String>,
    /// What came of it; none: it is still to be done.
    pub done: Option<Done>,
}

/// What is known of all triggers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// The firings that are not done, and the newest of those that are.
    #[serde(with = "pairs")]
    pub firings: BTreeMap<FiringId, Firing>,
    /// By trigger, the last clock time that is settled: fired, or passed over.
    pub settled: BTreeMap<String, Timestamp>,
    /// By trigger, how many clock times were passed over.
    pub missed: BTreeMap<String, u64>,
    /// The highest number given out.
    pub last_firing: u64,
}

impl Triggers {
    /// How many firings that are done are kept in the state; older ones are in the journal.
    pub const KEPT: usize = 1_000;

    /// Returns the firings that are to be done, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = (FiringId, &Firing)> {
        let open = self.firings.iter().filter(|(_, f)| f.done.is_none());
        open.map(|(id, f)| (*id, f))
    }

    pub(super) fn fired(&mut self, seq: u64, time: Timestamp, f: TriggerFired) {
        self.last_firing = self.last_firing.max(f.firing.0);
        if let Some(due) = f.due {
            self.settle(&f.trigger, due);
        }
        let firing = Firing {
            trigger: f.trigger,
            seq,
            time,
            due: f.due,
            because: f.because,
            times: f.times,
            through: f.through,
            done: None,
        };
        self.firings.insert(f.firing, firing);
    }

    pub(super) fn missed(&mut self, f: &TriggerMissed) {
        self.settle(&f.trigger, f.last);
        *self.missed.entry(f.trigger.clone()).or_default() += f.times;
    }

    pub(super) fn done(&mut self, seq: u64, time: Timestamp, f: &TriggerDone) {
        for id in &f.firings {
            if let Some(firing) = self.firings.get_mut(id) {
                firing.done = Some(Done {
                    seq,
                    time,
                    runs: f.runs.clone(),
                    error: f.error.clone(),
                });
            }
        }
        let ended = || {
            self.firings
                .iter()
                .filter(|(_, f)| f.done.is_some())
                .map(|(id, _)| *id)
        };
        let surplus: Vec<FiringId> = ended().take(ended().count().saturating_sub(Self::KEPT)).collect();
        for id in surplus {
            self.firings.remove(&id);
        }
    }

    fn settle(&mut self, trigger: &str, until: Timestamp) {
        let settled = self.settled.entry(trigger.to_owned()).or_insert(until);
        *settled = until.max(*settled);
    }
}
