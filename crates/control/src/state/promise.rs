//! Promises as they are known: up to where they were kept, what was said of them, and what is done for them.

use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::fact::{PromiseDone, PromiseKept, PromiseSetOff};
use mainstay_model::id::RunId;
use mainstay_model::promise::Blame;
use mainstay_model::run::RunError;
use serde::{Deserialize, Serialize};

use super::State;

/// That a promise is at risk, or missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The journal's number.
    pub seq: u64,
    /// When it was raised.
    pub time: Timestamp,
    /// Whether the promise is missed; if not, it is at risk.
    pub missed: bool,
    /// Since when the dataset is behind.
    pub since: Timestamp,
    /// When it should be up to date.
    pub due: Timestamp,
    /// What holds it up.
    pub blame: Blame,
}

impl Alarm {
    pub(super) const fn new(
        seq: u64,
        time: Timestamp,
        missed: bool,
        since: Timestamp,
        due: Timestamp,
        blame: Blame,
    ) -> Self {
        Self {
            seq,
            time,
            missed,
            since,
            due,
            blame,
        }
    }
}

/// What was set off to keep a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseWork {
    /// The journal's number.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// What changed, in words.
    pub because: String,
    /// Since when the dataset was behind.
    pub since: Timestamp,
    /// When it was done; none: it is still to be done.
    pub done: Option<Timestamp>,
    /// The runs that there were.
    pub runs: Vec<RunId>,
    /// Why it could not be done, if it could not.
    pub error: Option<RunError>,
}

/// What became of a promise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The last fact up to which the dataset was seen to have everything; 0 if it never was.
    pub seen: u64,
    /// When that was recorded, and the journal's number of it.
    pub kept: Option<(Timestamp, u64)>,
    /// The alarm that was not ended yet.
    pub alarm: Option<Alarm>,
    /// What was set off last.
    pub work: Option<PromiseWork>,
    /// How often it was missed.
    pub missed: u64,
}

impl Promise {
    /// Returns what was set off and is not done yet.
    pub fn open(&self) -> Option<&PromiseWork> {
        self.work.as_ref().filter(|w| w.done.is_none())
    }

    pub(super) fn set_off(&mut self, seq: u64, time: Timestamp, f: PromiseSetOff) {
        self.work = Some(PromiseWork {
            seq,
            time,
            because: f.because,
            since: f.since,
            done: None,
            runs: Vec::new(),
            error: None,
        });
    }

    pub(super) fn done(&mut self, time: Timestamp, f: PromiseDone) {
        if let Some(work) = &mut self.work {
            work.done = Some(time);
            work.runs = f.runs;
            work.error = f.error;
        }
    }

    pub(super) fn kept(&mut self, seq: u64, time: Timestamp, f: &PromiseKept) {
        self.seen = f.seen;
        self.kept = Some((time, seq));
        self.alarm = None;
    }

    pub(super) fn alarmed(&mut self, alarm: Alarm) {
        self.missed += u64::from(alarm.missed);
        self.alarm = Some(alarm);
    }
}

impl State {
    pub(super) fn promise(&mut self, dataset: &DatasetName) -> &mut Promise {
        self.promises.entry(dataset.clone()).or_default()
    }
}
