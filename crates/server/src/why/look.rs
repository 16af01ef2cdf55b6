//! What is looked at: the state from one side, and single records of the journal by their number.
//!
//! The journal is never read from one end to the other: the state knows the number of everything that matters, and the record
//! at a number says who and why. What stands beside it in the same frame (the deliveries of a publish) is read backwards from
//! there.

use mainstay_api::Cause;
use mainstay_base::Timestamp;
use mainstay_control::{AppliedEntry, Generation, Line, Run, Sight, Signed};
use mainstay_journal::{Journal, Record};
use mainstay_model::DatasetName;
use mainstay_model::delivery::Delivery;
use mainstay_model::fact::Fact;
use mainstay_model::id::RunId;
use mainstay_model::upcast;

use super::past::Past;
use crate::promise::Unseen;

/// The most records that are read back from a publish to its deliveries.
const DELIVERIES_READ: u64 = 20_000;

/// The state from one side, and the journal.
pub(super) struct Look<'a> {
    pub(super) sight: Sight<'a>,
    pub(super) journal: &'a Journal,
    pub(super) account: &'a str,
    pub(super) now: Timestamp,
    pub(super) past: Past,
    /// Sources whose places could not be looked at.
    pub(super) unseen: Unseen,
}

/// Who did something, when and why.
#[derive(Clone, Debug, Default)]
pub(super) struct By {
    pub(super) who: Option<String>,
    pub(super) when: Option<Timestamp>,
    pub(super) seq: Option<u64>,
    pub(super) reason: Option<String>,
}

impl<'a> Look<'a> {
    /// Returns a run, as the state has it or, if it is too long ago for that, the journal.
    pub(super) fn run(&self, id: &RunId) -> Option<&Run> {
        let runs = &self.sight.state.runs;
        let past = || {
            let is_older = runs.first().is_some_and(|first| *id < first);
            is_older.then(|| self.past.run(self.journal, self.account, *id))?
        };
        runs.get(id).or_else(past)
    }

    /// Returns a record of the journal; none if there is none of that number or it cannot be read, which `journal verify`
    /// says.
    pub(super) fn record(&self, seq: u64) -> Option<Record> {
        self.journal.record(seq).ok()
    }

    /// Returns who did what stands at a number of the journal.
    pub(super) fn by(&self, seq: u64, when: Timestamp) -> By {
        match self.record(seq) {
            Some(record) => By::from(&record),
            None => By {
                when: Some(when),
                seq: Some(seq),
                ..By::default()
            },
        }
    }

    /// Returns the side on which a run was made; none if it is not there any more.
    pub(super) fn line(&self, run: &Run) -> Option<&'a Line> {
        crate::replay::side(&self.sight, run).ok()
    }

    /// Returns the deliveries that stand before a publish in its frame, the first one first. `wanted` ends the search early:
    /// it says whether anything is still missing.
    pub(super) fn delivered_with(
        &self,
        publish: u64,
        source: &DatasetName,
        mut wanted: impl FnMut(&Delivery) -> bool,
    ) -> Vec<(Record, Delivery)> {
        let mut found = Vec::new();
        let Some(time) = self.record(publish).map(|r| r.time) else {
            return found;
        };
        let last = publish.saturating_sub(DELIVERIES_READ);
        for seq in (last.max(1)..publish).rev() {
            let Some(record) = self.record(seq) else { break };
            // All records of a frame have one time.
            if record.time != time {
                break;
            }
            let Some(delivery) = delivery(&record).filter(|d| d.source == *source) else {
                break;
            };
            let more = wanted(&delivery);
            found.push((record, delivery));
            if !more {
                break;
            }
        }
        found.reverse();
        found
    }
}

/// Returns the delivery that a record is about.
pub(super) fn delivery(record: &Record) -> Option<Delivery> {
    let body = record.body.as_deref()?;
    match upcast::decode(&record.kind, record.kind_version, body).ok()? {
        Fact::Delivered(d) => Some(d.delivery),
        _ => None,
    }
}

impl From<&Record> for By {
    fn from(r: &Record) -> Self {
        Self {
            who: Some(r.actor.clone()),
            when: Some(r.time),
            seq: Some(r.seq),
            reason: r.reason.clone(),
        }
    }
}

impl From<&Run> for By {
    fn from(r: &Run) -> Self {
        Self {
            who: Some(r.actor.clone()),
            when: Some(r.recorded),
            seq: Some(r.seq),
            reason: None,
        }
    }
}

impl From<&Signed> for By {
    fn from(s: &Signed) -> Self {
        Self {
            who: Some(s.actor.clone()),
            when: Some(s.time),
            seq: Some(s.seq),
            reason: None,
        }
    }
}

impl From<&Generation> for By {
    fn from(g: &Generation) -> Self {
        Self {
            who: Some(g.actor.clone()),
            when: Some(g.time),
            seq: Some(g.seq),
            reason: g.reason.clone(),
        }
    }
}

impl From<&AppliedEntry> for By {
    fn from(a: &AppliedEntry) -> Self {
        Self {
            who: Some(a.actor.clone()),
            when: Some(a.time),
            seq: Some(a.seq),
            reason: a.reason.clone(),
        }
    }
}

impl By {
    /// Makes a cause of it.
    pub(super) fn cause(self, kind: &str, what: impl Into<String>) -> Cause {
        Cause {
            depth: 0,
            kind: kind.to_owned(),
            what: what.into(),
            who: self.who,
            when: self.when,
            seq: self.seq,
            change: None,
            reason: self.reason,
            thing: None,
        }
    }
}

/// Adds what a cause changed.
pub(super) fn changing(mut cause: Cause, change: impl Into<String>) -> Cause {
    cause.change = Some(change.into()).filter(|c| !c.is_empty());
    cause
}

/// Adds the address of what did it.
pub(super) fn of(mut cause: Cause, thing: impl ToString) -> Cause {
    cause.thing = Some(thing.to_string());
    cause
}

/// Writes two texts as a difference by line.
pub(super) fn text_diff(from: &str, to: &str) -> String {
    let diff = similar::TextDiff::from_lines(from.trim_end(), to.trim_end());
    diff.unified_diff()
        .context_radius(1)
        .missing_newline_hint(false)
        .to_string()
}
