//! The state as the planner sees it: datasets at a position in time.

use std::collections::BTreeMap;

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::resource::{Resource, Spec};
use mainstay_model::{DatasetName, SliceKey};
use mainstay_planner::{Datasets, Job};

use crate::state::{SliceHistory, State};

/// The datasets of a state, some of them at an earlier version.
#[derive(Debug)]
pub struct At<'a> {
    state: &'a State,
    pinned: BTreeMap<&'a DatasetName, u64>,
}

impl<'a> At<'a> {
    /// The datasets as they are now.
    pub const fn now(state: &'a State) -> Self {
        Self {
            state,
            pinned: BTreeMap::new(),
        }
    }

    /// The datasets with some at these versions.
    pub fn pinned(state: &'a State, versions: impl IntoIterator<Item = (&'a DatasetName, u64)>) -> Self {
        Self {
            state,
            pinned: versions.into_iter().collect(),
        }
    }

    fn histories(
        &self,
        name: &DatasetName,
    ) -> impl Iterator<Item = (&'a SliceKey, &'a SliceHistory)> + use<'a> {
        self.state.datasets.get(name).into_iter().flat_map(|d| &d.slices)
    }

    fn version(&self, name: &DatasetName) -> u64 {
        self.pinned.get(name).copied().unwrap_or(u64::MAX)
    }
}

impl Datasets for At<'_> {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        let version = self.version(name);
        Box::new(
            self.histories(name)
                .filter_map(move |(k, h)| Some((k, h.at(version)?.digest()))),
        )
    }

    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        let history = self.state.datasets.get(name)?.slices.get(slice)?;
        history.at(self.version(name)).map(|c| c.digest())
    }

    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, Hash)> + '_> {
        Box::new(
            self.histories(name)
                .filter_map(|(k, h)| Some((k, h.fingerprint?))),
        )
    }

    fn whole(&self, name: &DatasetName) -> Option<Hash> {
        self.state.datasets.get(name)?.whole
    }
}

/// Returns what the planner needs to know of a job; none if the resource is not a job.
pub fn job_of(resource: &Resource) -> Option<Job> {
    let Spec::Job(spec) = &resource.spec else {
        return None;
    };
    Some(Job {
        dataset: resource.name.parse().ok()?,
        code: spec.compiled.code,
        slice_columns: spec.slice.clone(),
        reads: spec.compiled.reads.clone(),
        origins: spec.compiled.origins.clone(),
    })
}
