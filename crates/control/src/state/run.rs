//! Runs as they are known.

use mainstay_base::{Hash, Timestamp};
use mainstay_model::SliceKey;
use mainstay_model::fact::RunRecorded;
use mainstay_model::id::RunId;
use mainstay_model::queue::Class;
use mainstay_model::run::{CheckOutcome, CrossCheck, Pinned, RunError, RunOutcome, Usage};
use serde::{Deserialize, Serialize};

/// An attempt of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it started.
    pub started: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<RunError>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it used.
    pub usage: Usage,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Recorded, no attempt is going on.
    Waiting {
        /// When the next attempt may start.
        from: Timestamp,
    },
    /// An attempt is going on.
    Running,
    /// It ended.
    Ended(RunOutcome),
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What it depends on.
    pub pinned: Pinned,
    /// Why it was wanted.
    pub because: String,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Class::is_interactive")]
    pub class: Class,
    /// Where it stands.
    pub status: RunStatus,
    /// The journal's number of its record.
    pub seq: u64,
    /// Who asked for it.
    pub actor: String,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Why it did not succeed.
    pub error: Option<RunError>,
    /// How its checks ended.
    pub checks: Vec<CheckOutcome>,
    /// The run whose result it took; none if it computed.
    pub reused_from: Option<RunId>,
    /// Whether someone asked for it to stop.
    pub cancel: bool,
    /// The slices that it published or confirmed.
    pub slices: Vec<SliceKey>,
    /// The version of its dataset that it made.
    pub published: Option<u64>,
    /// What came of computing some of its slices a second time; none if that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_check: Option<CrossCheck>,
    /// The slices that were taken as they are, because what changed of their inputs is not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<SliceKey>,
}

/// How a job fails of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The code that fails.
    pub code: Hash,
    /// The last run that failed.
    pub run: RunId,
    /// How many failed in a row.
    pub in_row: u32,
    /// When the last one did.
    pub last: Timestamp,
}

/// What is known of whether the dependencies of a job's code are right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// How many runs of this code were checked.
    pub checked: u64,
    /// The first run in which a slice came out otherwise from everything; from then on everything is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<RunId>,
}

impl Run {
    /// A run that was recorded and did not begin yet: by which fact, when and by whom.
    pub(super) fn recorded(f: RunRecorded, seq: u64, time: Timestamp, actor: &str) -> Self {
        Self {
            pinned: f.pinned,
            because: f.because,
            class: f.class,
            status: RunStatus::Waiting { from: time },
            seq,
            actor: actor.to_owned(),
            recorded: time,
            ended: None,
            attempts: Vec::new(),
            error: None,
            checks: Vec::new(),
            reused_from: None,
            cancel: false,
            slices: Vec::new(),
            published: None,
            cross_check: None,
            unread: Vec::new(),
        }
    }

    /// Returns what all its attempts used together.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        for u in self.attempts.iter().map(|a| &a.usage) {
            sum.cpu += u.cpu;
            sum.wall_us = sum.wall_us.saturating_add(u.wall_us);
            sum.peak_memory = sum.peak_memory.max(u.peak_memory);
            sum.spilled += u.spilled;
            for (from, to) in [(&u.read, &mut sum.read), (&u.written, &mut sum.written)] {
                for (name, amount) in from {
                    let total = to.entry(name.clone()).or_default();
                    total.rows += amount.rows;
                    total.bytes += amount.bytes;
                }
            }
        }
        sum
    }
}
