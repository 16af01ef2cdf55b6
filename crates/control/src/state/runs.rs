//! Runs by their number, as they come out of a snapshot: each is read when somebody looks at it, so that opening does not cost
//! more for every past run.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use mainstay_model::DatasetName;
use mainstay_model::id::RunId;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::blob::Blob;
use super::run::{Run, RunStatus};

/// A run, or the bytes of one.
#[derive(Clone)]
struct Kept {
    run: OnceLock<Run>,
    /// Where it stands in a snapshot; none if it is not what stands there.
    stored: Option<Stored>,
}

#[derive(Clone)]
struct Stored {
    all: Arc<Vec<u8>>,
    its: Range<usize>,
}

impl Stored {
    fn bytes(&self) -> &[u8] {
        self.all.get(self.its.clone()).unwrap_or_default()
    }

    fn read(&self) -> Result<Run, rmp_serde::decode::Error> {
        rmp_serde::from_slice(self.bytes())
    }
}

impl Kept {
    fn new(run: Run) -> Self {
        Self {
            run: OnceLock::from(run),
            stored: None,
        }
    }

    /// The run; none if its bytes are of no run, which the hash and the fold version of a snapshot exclude.
    fn run(&self) -> Option<&Run> {
        if self.run.get().is_none() {
            let read = self.stored.as_ref()?.read().ok()?;
            // Whoever was faster read the same.
            let _ = self.run.set(read);
        }
        self.run.get()
    }
}

/// Runs by their number.
#[derive(Clone, Default)]
pub struct Runs {
    kept: BTreeMap<RunId, Kept>,
    /// Those that are not ended.
    open: BTreeSet<RunId>,
    /// By job.
    jobs: BTreeMap<DatasetName, BTreeSet<RunId>>,
}

impl Runs {
    /// Returns a run.
    pub fn get(&self, id: &RunId) -> Option<&Run> {
        self.kept.get(id)?.run()
    }

    /// Says whether a run is here.
    pub fn contains(&self, id: RunId) -> bool {
        self.kept.contains_key(&id)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns the lowest number.
    pub fn first(&self) -> Option<RunId> {
        self.kept.keys().next().copied()
    }

    /// Returns all of them, by number. What is not looked at is not read.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (RunId, &Run)> {
        self.kept.iter().filter_map(|(id, kept)| Some((*id, kept.run()?)))
    }

    /// Returns those that are not ended, by number.
    pub fn open(&self) -> impl Iterator<Item = (RunId, &Run)> {
        self.open.iter().filter_map(|id| Some((*id, self.get(id)?)))
    }

    /// Returns those of a job, by number. What is not looked at is not read.
    pub fn of(&self, job: &DatasetName) -> impl DoubleEndedIterator<Item = (RunId, &Run)> {
        let its = self.jobs.get(job).into_iter().flatten();
        its.filter_map(|id| Some((*id, self.get(id)?)))
    }

    /// Returns the lowest number of a run that ended.
    pub(super) fn first_ended(&self) -> Option<RunId> {
        self.kept.keys().find(|id| !self.open.contains(id)).copied()
    }

    pub(super) fn insert(&mut self, id: RunId, run: Run) {
        self.note(id, run.status);
        let its = self.jobs.entry(run.pinned.job.clone()).or_default();
        its.insert(id);
        self.kept.insert(id, Kept::new(run));
    }

    /// Takes a run out.
    pub fn remove(&mut self, id: RunId) -> Option<Run> {
        self.open.remove(&id);
        let kept = self.kept.remove(&id)?;
        kept.run()?;
        let run = kept.run.into_inner()?;
        if let Some(its) = self.jobs.get_mut(&run.pinned.job) {
            its.remove(&id);
            if its.is_empty() {
                self.jobs.remove(&run.pinned.job);
            }
        }
        Some(run)
    }

    /// Changes a run, if it is here, and returns what that gave.
    pub(super) fn change<T>(&mut self, id: RunId, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let kept = self.kept.get_mut(&id)?;
        kept.run()?;
        kept.stored = None;
        let run = kept.run.get_mut()?;
        let out = change(run);
        let status = run.status;
        self.note(id, status);
        Some(out)
    }

    fn note(&mut self, id: RunId, status: RunStatus) {
        match status {
            RunStatus::Ended(_) => self.open.remove(&id),
            RunStatus::Waiting { .. } | RunStatus::Running => self.open.insert(id),
        };
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Runs {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Runs {}

/// By job, its runs: number, whether it ended, and the run as bytes of its own.
impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut jobs = s.serialize_map(Some(self.jobs.len()))?;
        for (job, ids) in &self.jobs {
            let mut list = Vec::with_capacity(ids.len());
            for (id, kept) in ids.iter().filter_map(|id| Some((id, self.kept.get(id)?))) {
                let bytes = match &kept.stored {
                    Some(stored) => Cow::Borrowed(stored.bytes()),
                    None => Cow::Owned(rmp_serde::to_vec_named(&kept.run.get()).map_err(S::Error::custom)?),
                };
                list.push((*id, !self.open.contains(id), bytes));
            }
            let list: Vec<_> = list.iter().map(|(id, ended, b)| (id, ended, Blob(b))).collect();
            jobs.serialize_entry(job, &list)?;
        }
        jobs.end()
    }
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let jobs = BTreeMap::<DatasetName, Vec<(RunId, bool, Blob<'de>)>>::deserialize(d)?;
        let lengths = jobs.values().flatten().map(|(.., blob)| blob.0.len());
        let mut all = Vec::with_capacity(lengths.sum());
        for (.., blob) in jobs.values().flatten() {
            all.extend_from_slice(blob.0);
        }
        let all = Arc::new(all);
        let (mut runs, mut at) = (Self::default(), 0);
        for (job, list) in jobs {
            let its = runs.jobs.entry(job).or_default();
            for (id, ended, blob) in list {
                let place = at..at + blob.0.len();
                at = place.end;
                its.insert(id);
                if !ended {
                    runs.open.insert(id);
                }
                let stored = Stored {
                    all: Arc::clone(&all),
                    its: place,
                };
                let kept = Kept {
                    run: OnceLock::new(),
                    stored: Some(stored),
                };
                runs.kept.insert(id, kept);
            }
        }
        // One is read at once: what another shape of runs wrote is found out before anything rests on it.
        if let Some((_, kept)) = runs.kept.last_key_value()
            && let Some(stored) = &kept.stored
        {
            stored.read().map_err(D::Error::custom)?;
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_base::{Hash, Timestamp};
    use mainstay_model::fact::RunRecorded;
    use mainstay_model::queue::Class;
    use mainstay_model::run::{Pinned, RunOutcome, Scope};

    fn run(status: RunStatus) -> Run {
        let time = Timestamp::from_micros(7);
        let pinned = Pinned {
            job: "a.b".parse().unwrap(),
            branch: None,
            generation: 1,
            code: Hash::default(),
            scope: Scope::Whole,
            inputs: Vec::new(),
            as_of: time,
            engine: String::new(),
            settings: BTreeMap::new(),
            judged: None,
        };
        let fact = RunRecorded {
            run: RunId(1),
            pinned,
            because: String::new(),
            class: Class::Interactive,
        };
        Run {
            status,
            ..Run::recorded(fact, 1, time, "")
        }
    }

    fn again(runs: &Runs) -> Runs {
        rmp_serde::from_slice(&rmp_serde::to_vec_named(runs).unwrap()).unwrap()
    }

    #[test]
    fn runs_come_back_and_are_read_when_looked_at() {
        let mut runs = Runs::default();
        runs.insert(RunId(1), run(RunStatus::Ended(RunOutcome::Succeeded)));
        runs.insert(RunId(2), run(RunStatus::Running));
        runs.insert(RunId(3), run(RunStatus::Ended(RunOutcome::Failed)));
        let mut back = again(&runs);
        assert!(back.kept.values().all(|k| k.run.get().is_none()));
        assert_eq!(back.open().map(|(id, _)| id).collect::<Vec<_>>(), [RunId(2)]);
        assert_eq!(back.first_ended(), Some(RunId(1)));
        assert!(back.kept[&RunId(3)].run.get().is_none());
        // What nobody looked at is written as it came, what changed as it is now.
        back.change(RunId(2), |r| {
            r.status = RunStatus::Ended(RunOutcome::Cancelled);
        });
        assert_eq!(back.open().count(), 0);
        let third = again(&back);
        assert_eq!(third, back);
        assert_eq!(
            third.get(&RunId(2)).unwrap().status,
            RunStatus::Ended(RunOutcome::Cancelled)
        );
        assert_ne!(third, runs);
        let job = "a.b".parse().unwrap();
        assert_eq!(back.of(&job).count(), 3);
        assert_eq!(back.remove(RunId(1)).map(|r| r.seq), Some(1));
        assert_eq!((back.len(), back.of(&job).count()), (2, 2));
    }

    #[test]
    fn what_is_no_run_is_no_snapshot() {
        let jobs = BTreeMap::from([("a.b", [(RunId(1), true, Blob(b"nonsense"))])]);
        let bytes = rmp_serde::to_vec_named(&jobs).unwrap();
        assert!(rmp_serde::from_slice::<Runs>(&bytes).is_err());
    }
}
