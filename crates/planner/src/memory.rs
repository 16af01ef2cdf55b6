//! What was found out, kept: so that planning again costs what changed, and not what there is.
//!
//! A dataset whose mark is the same is not looked at. Where only contents changed, and no slice came or went, the slices that read what
//! changed get new fingerprints, and all others keep theirs. Anything else (a slice more or less, another query, other columns)
//! is resolved anew, for that job alone. Invariant: the answer is always that of a memory that knows nothing.

mod seen;
mod sliced;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_model::{Column, DatasetName};

use crate::candidates::Candidates;
use crate::datasets::{Datasets, Mark};
use crate::expression::Expressions;
use crate::fingerprint::{InputDigest, whole_fingerprint};
use crate::stale::{Because, Job, Stale, StaleSlices};
use seen::Seen;
use sliced::Sliced;

/// What is known of datasets and jobs from planning them before. It holds no slice's name but those that have to be computed.
#[derive(Debug, Default)]
pub struct Memory {
    datasets: BTreeMap<DatasetName, (Mark, Arc<Seen>)>,
    jobs: BTreeMap<DatasetName, Known>,
}

/// What was found out of a job, and from what.
#[derive(Debug)]
struct Known {
    job: Job,
    columns: Vec<Vec<Column>>,
    own: Mark,
    inputs: Inputs,
    /// None if it is computed whole.
    sliced: Option<Sliced>,
    found: Option<Stale>,
}

/// All that a job reads or comes from.
type Inputs = BTreeMap<DatasetName, Arc<Seen>>;

impl Memory {
    /// Says what of a job's dataset has to be computed; none if it is as it should be.
    pub fn stale(
        &mut self,
        job: &Job,
        datasets: &dyn Datasets,
        expressions: &dyn Expressions,
    ) -> Option<Stale> {
        let origins = job.origins.iter().flatten().filter_map(|o| o.dataset.as_ref());
        let names: BTreeSet<&DatasetName> = job.reads.keys().chain(origins).collect();
        let columns: Vec<Vec<Column>> = std::iter::once(&job.dataset)
            .chain(names.iter().copied())
            .map(|name| expressions.columns(name).to_vec())
            .collect();
        let inputs: Inputs = names
            .into_iter()
            .map(|name| (name.clone(), self.seen(name, datasets)))
            .collect();
        let own = datasets.mark(&job.dataset);
        let before = self.jobs.remove(&job.dataset);
        let before = before.filter(|k| k.job == *job && k.columns == columns);
        let known = match before {
            Some(k) if k.own.is(&own) && same(&k.inputs, &inputs) => k,
            before => {
                let sliced = before.and_then(|k| k.sliced).and_then(|mut sliced| {
                    let fits = sliced.update(job, datasets, &inputs);
                    fits.then_some(sliced)
                });
                let sliced = sliced.or_else(|| anew(job, datasets, expressions, &inputs));
                let found = match &sliced {
                    Some(sliced) => sliced.stale(job, datasets),
                    None => stale_whole(job, datasets, &inputs),
                };
                Known {
                    job: job.clone(),
                    columns,
                    own,
                    inputs,
                    sliced,
                    found,
                }
            }
        };
        let found = known.found.clone();
        self.jobs.insert(job.dataset.clone(), known);
        found
    }

    /// Looks at a dataset, if it may have changed since the last look.
    fn seen(&mut self, name: &DatasetName, datasets: &dyn Datasets) -> Arc<Seen> {
        let mark = datasets.mark(name);
        let before = self.datasets.get(name);
        if let Some((_, seen)) = before.filter(|(then, _)| then.is(&mark)) {
            return Arc::clone(seen);
        }
        let now = Seen::of(datasets.slices(name));
        let now = match before {
            Some((_, before)) if **before == now => Arc::clone(before),
            _ => Arc::new(now),
        };
        self.datasets.insert(name.clone(), (mark, Arc::clone(&now)));
        now
    }
}

/// Says whether no input changed.
fn same(before: &Inputs, now: &Inputs) -> bool {
    before.len() == now.len()
        && before
            .iter()
            .zip(now)
            .all(|((n, a), (m, b))| n == m && Arc::ptr_eq(a, b))
}

/// Resolves a job that is computed by slices, from nothing; none if it is computed whole.
fn anew(
    job: &Job,
    datasets: &dyn Datasets,
    expressions: &dyn Expressions,
    inputs: &Inputs,
) -> Option<Sliced> {
    let candidates = job
        .by_slice()
        .then(|| Candidates::of(job, datasets, expressions))??;
    Some(Sliced::of(job, datasets, expressions, inputs, &candidates))
}

/// Compares the fingerprint that a whole computation would have now.
fn stale_whole(job: &Job, datasets: &dyn Datasets, inputs: &Inputs) -> Option<Stale> {
    let all = |name: &DatasetName| {
        let total = inputs.get(name).map(|seen| seen.total).unwrap_or_default();
        (name.clone(), InputDigest::Everything(total))
    };
    let read: Vec<_> = job.reads.keys().map(all).collect();
    let wanted = whole_fingerprint(job.basis(), &job.slice_columns, &read);
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

#[cfg(test)]
mod tests;
