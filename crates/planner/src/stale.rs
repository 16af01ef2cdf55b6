//! Which slices are not what they should be.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::spec::Reads;
use mainstay_model::{DatasetName, SliceKey};

use crate::fingerprint::{InputDigest, slice_fingerprint, whole_fingerprint};

/// What the planner knows of the datasets.
pub trait Datasets {
    /// Returns the slices of a dataset that have a content, with its digest; none if nothing was published yet.
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_>;

    /// Returns the digest of one slice, if it is there.
    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash>;

    /// Returns the slices of a dataset that were computed, with what their content is known to come from; also those that came
    /// out empty.
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_>;

    /// Returns what a dataset is known to come from, if it was computed whole.
    fn whole(&self, name: &DatasetName) -> &[Hash];
}

/// What the planner needs to know of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The dataset that it computes.
    pub dataset: DatasetName,
    /// The hash of its query's normal form.
    pub code: Hash,
    /// Its slice columns.
    pub slice_columns: Vec<String>,
    /// What it reads, and how.
    pub reads: BTreeMap<DatasetName, Reads>,
}

impl Job {
    /// Says whether the job is computed slice by slice: it has slices, and takes at least one input by the same slice.
    pub fn by_slice(&self) -> bool {
        !self.slice_columns.is_empty() && self.reads.values().any(|r| *r == Reads::Same)
    }
}

/// Why something is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// It was never computed.
    New,
    /// The query or what it reads is not what it was.
    Changed,
}

/// The slices of a dataset that have to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaleSlices {
    /// All that the query yields.
    Whole,
    /// These.
    Some(Vec<SliceKey>),
}

/// A dataset that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The dataset.
    pub dataset: DatasetName,
    /// What has to be computed.
    pub slices: StaleSlices,
    /// Why.
    pub because: Because,
}

/// Returns the digest of everything that a dataset holds.
pub fn digest_of(datasets: &dyn Datasets, name: &DatasetName) -> MultisetHash {
    datasets.slices(name).map(|(_, d)| d).collect()
}

/// Says what of a job's dataset has to be computed; none if it is as it should be.
pub fn stale(job: &Job, datasets: &dyn Datasets) -> Option<Stale> {
    let everything: BTreeMap<&DatasetName, MultisetHash> = job
        .reads
        .iter()
        .filter(|(_, r)| **r == Reads::All || !job.by_slice())
        .map(|(name, _)| (name, digest_of(datasets, name)))
        .collect();
    if job.by_slice() {
        stale_slices(job, datasets, &everything)
    } else {
        stale_whole(job, datasets, &everything)
    }
}

/// Returns the fingerprint that a whole computation would have now.
fn stale_whole(
    job: &Job,
    datasets: &dyn Datasets,
    all: &BTreeMap<&DatasetName, MultisetHash>,
) -> Option<Stale> {
    let inputs: Vec<_> = all
        .iter()
        .map(|(n, d)| ((*n).clone(), InputDigest::Everything(*d)))
        .collect();
    let wanted = whole_fingerprint(job.code, &job.slice_columns, &inputs);
    let held = datasets.whole(&job.dataset);
    (!held.contains(&wanted)).then(|| Stale {
        dataset: job.dataset.clone(),
        slices: StaleSlices::Whole,
        because: if held.is_empty() {
            Because::New
        } else {
            Because::Changed
        },
    })
}

fn stale_slices(
    job: &Job,
    datasets: &dyn Datasets,
    all: &BTreeMap<&DatasetName, MultisetHash>,
) -> Option<Stale> {
    let held: BTreeMap<&SliceKey, &[Hash]> = datasets.computed(&job.dataset).collect();
    let mut candidates: BTreeSet<&SliceKey> = held.keys().copied().collect();
    for name in job
        .reads
        .iter()
        .filter(|(_, r)| **r == Reads::Same)
        .map(|(n, _)| n)
    {
        candidates.extend(datasets.slices(name).map(|(s, _)| s));
    }
    let slices: Vec<SliceKey> = candidates
        .into_iter()
        .filter(|slice| slice.0.len() == job.slice_columns.len())
        .filter(|slice| {
            let wanted = slice_fingerprint_now(job, datasets, all, slice);
            !held.get(slice).is_some_and(|known| known.contains(&wanted))
        })
        .cloned()
        .collect();
    (!slices.is_empty()).then(|| Stale {
        dataset: job.dataset.clone(),
        because: if slices.iter().all(|s| !held.contains_key(s)) {
            Because::New
        } else {
            Because::Changed
        },
        slices: StaleSlices::Some(slices),
    })
}

fn slice_fingerprint_now(
    job: &Job,
    datasets: &dyn Datasets,
    all: &BTreeMap<&DatasetName, MultisetHash>,
    slice: &SliceKey,
) -> Hash {
    let input = |(name, reads): (&DatasetName, &Reads)| {
        let digest = match reads {
            Reads::All => InputDigest::Everything(all.get(name).copied().unwrap_or_default()),
            Reads::Same => datasets
                .slice(name, slice)
                .map_or(InputDigest::Absent, InputDigest::Slice),
        };
        (name.clone(), digest)
    };
    slice_fingerprint(job.code, &job.reads.iter().map(input).collect::<Vec<_>>())
}

/// The fingerprints of a computation from what `datasets` holds: for each of `slices`, or for the whole.
pub fn fingerprints(
    job: &Job,
    datasets: &dyn Datasets,
    slices: &StaleSlices,
) -> (Option<Hash>, BTreeMap<SliceKey, Hash>) {
    let whole = matches!(slices, StaleSlices::Whole);
    let read_whole = job.reads.iter().filter(|(_, r)| whole || **r == Reads::All);
    let all: BTreeMap<&DatasetName, MultisetHash> = read_whole
        .map(|(name, _)| (name, digest_of(datasets, name)))
        .collect();
    match slices {
        StaleSlices::Whole => {
            let inputs: Vec<_> = all
                .iter()
                .map(|(n, d)| ((*n).clone(), InputDigest::Everything(*d)))
                .collect();
            (
                Some(whole_fingerprint(job.code, &job.slice_columns, &inputs)),
                BTreeMap::new(),
            )
        }
        StaleSlices::Some(slices) => {
            let each = |s: &SliceKey| (s.clone(), slice_fingerprint_now(job, datasets, &all, s));
            (None, slices.iter().map(each).collect())
        }
    }
}

#[cfg(test)]
mod tests;
