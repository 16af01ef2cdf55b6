//! Which slices are not what they should be.

use std::collections::BTreeMap;

use mainstay_base::hash::Hasher;
use mainstay_base::{Hash, MultisetHash};
use mainstay_model::relation::{Origin, Reads};
use mainstay_model::{DatasetName, SliceKey};

use crate::candidates::Candidates;
use crate::datasets::Datasets;
use crate::expression::Expressions;
use crate::fingerprint::{InputDigest, slice_fingerprint, whole_fingerprint};
use crate::memory::Memory;
use crate::resolve::Resolution;

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
    /// Which slices it has; none if only computing it tells.
    pub origins: Option<Vec<Origin>>,
    /// The engine's version, where a result of another one is not good enough; none where it does not matter.
    pub engine: Option<String>,
}

impl Job {
    /// What is computed, as fingerprints have it: the code, and the engine's version where that matters.
    pub(crate) fn basis(&self) -> Hash {
        match &self.engine {
            None => self.code,
            Some(engine) => {
                let mut hasher = Hasher::new("mainstay code of an engine 1");
                hasher.field(self.code.as_bytes()).field(engine.as_bytes());
                hasher.finish()
            }
        }
    }

    /// Says whether the job is computed slice by slice: it has slices, it is known which, and of at least one input they read
    /// less than everything.
    pub fn by_slice(&self) -> bool {
        !self.slice_columns.is_empty()
            && self.origins.is_some()
            && self.reads.values().any(|r| *r != Reads::All)
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
pub fn stale(job: &Job, datasets: &dyn Datasets, expressions: &dyn Expressions) -> Option<Stale> {
    Memory::default().stale(job, datasets, expressions)
}

/// Returns the digests of all that a job's inputs hold.
fn everything(job: &Job, datasets: &dyn Datasets) -> Vec<(DatasetName, InputDigest)> {
    let each = |name: &DatasetName| (name.clone(), InputDigest::Everything(digest_of(datasets, name)));
    job.reads.keys().map(each).collect()
}

/// Returns all slices that a job computes or has computed; none if only computing it tells, and it is computed whole.
pub fn all_slices(
    job: &Job,
    datasets: &dyn Datasets,
    expressions: &dyn Expressions,
) -> Option<Vec<SliceKey>> {
    if !job.by_slice() {
        return None;
    }
    let candidates = Candidates::of(job, datasets, expressions)?;
    let outputs = candidates.slices();
    let resolution = Resolution::new(&job.dataset, &job.reads, datasets, expressions, &outputs);
    let own =
        |i: &usize| candidates.is_held(*i) || candidates.has_source(*i, |d| resolution.reads_any(*i, d));
    let kept = (0..outputs.len()).filter(own);
    Some(
        kept.filter_map(|i| outputs.get(i).map(|s| (*s).clone()))
            .collect(),
    )
}

/// The fingerprints of a computation from what `datasets` holds: for each of `slices`, or for the whole.
pub fn fingerprints(
    job: &Job,
    datasets: &dyn Datasets,
    expressions: &dyn Expressions,
    slices: &StaleSlices,
) -> (Option<Hash>, BTreeMap<SliceKey, Hash>) {
    match slices {
        StaleSlices::Whole => {
            let inputs = everything(job, datasets);
            let whole = whole_fingerprint(job.basis(), &job.slice_columns, &inputs);
            (Some(whole), BTreeMap::new())
        }
        StaleSlices::Some(slices) => {
            let outputs: Vec<&SliceKey> = slices.iter().collect();
            let resolution = Resolution::new(&job.dataset, &job.reads, datasets, expressions, &outputs);
            let each = |(i, s): (usize, &SliceKey)| {
                (s.clone(), slice_fingerprint(job.basis(), &resolution.digests(i)))
            };
            (None, slices.iter().enumerate().map(each).collect())
        }
    }
}

#[cfg(test)]
mod tests;
