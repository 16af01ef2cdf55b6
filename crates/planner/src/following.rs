//! What follows from datasets being stale, before they are computed: the slices of other jobs that read stale ones.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::{DatasetName, SliceKey};

use crate::candidates::Candidates;
use crate::datasets::Datasets;
use crate::expression::Expressions;
use crate::resolve::Resolution;
use crate::stale::{Job, StaleSlices};

/// Datasets with slices that may come to be.
struct WithNew<'a> {
    datasets: &'a dyn Datasets,
    new: BTreeMap<&'a DatasetName, BTreeSet<&'a SliceKey>>,
}

impl Datasets for WithNew<'_> {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        let Some(new) = self.new.get(name) else {
            return self.datasets.slices(name);
        };
        let mut all: BTreeMap<&SliceKey, MultisetHash> =
            new.iter().map(|slice| (*slice, MultisetHash::EMPTY)).collect();
        all.extend(self.datasets.slices(name));
        Box::new(all.into_iter())
    }

    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        let new = self.new.get(name).is_some_and(|n| n.contains(slice));
        self.datasets
            .slice(name, slice)
            .or_else(|| new.then_some(MultisetHash::EMPTY))
    }

    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        self.datasets.computed(name)
    }

    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.datasets.whole(name)
    }
}

/// Says which slices of a job's dataset may change if these slices of other datasets do; none if none do.
pub fn following(
    job: &Job,
    datasets: &dyn Datasets,
    expressions: &dyn Expressions,
    stale: &BTreeMap<DatasetName, StaleSlices>,
) -> Option<StaleSlices> {
    let changing: Vec<(&DatasetName, &StaleSlices)> = stale
        .iter()
        .filter(|(name, _)| job.reads.contains_key(*name))
        .collect();
    if changing.is_empty() {
        return None;
    }
    let mut new: BTreeMap<&DatasetName, BTreeSet<&SliceKey>> = BTreeMap::new();
    let mut changed: BTreeMap<&DatasetName, BTreeSet<&SliceKey>> = BTreeMap::new();
    for (name, slices) in changing {
        let StaleSlices::Some(slices) = slices else {
            return Some(StaleSlices::Whole);
        };
        let there: BTreeSet<&SliceKey> = slices.iter().collect();
        new.insert(name, there.clone());
        changed.insert(name, there);
    }
    let after = WithNew { datasets, new };
    let Some(candidates) = job
        .by_slice()
        .then(|| Candidates::of(job, &after, expressions))
        .flatten()
    else {
        return Some(StaleSlices::Whole);
    };
    let outputs = candidates.slices();
    let resolution = Resolution::new(&job.dataset, &job.reads, &after, expressions, &outputs);
    let mut meets = vec![false; outputs.len()];
    for (name, slices) in &changed {
        let of_input = resolution.meets(name, &|s| slices.contains(s));
        for (sum, one) in meets.iter_mut().zip(of_input) {
            *sum |= one;
        }
    }
    let met = outputs.iter().zip(meets).filter(|(_, m)| *m);
    let slices: Vec<SliceKey> = met.map(|(s, _)| (*s).clone()).collect();
    (!slices.is_empty()).then_some(StaleSlices::Some(slices))
}
