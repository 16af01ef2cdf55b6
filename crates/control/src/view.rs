//! The state as one side sees it, and as the planner sees it: datasets at a position in time.

use std::collections::BTreeMap;
use std::ops::Deref;

use mainstay_base::{Hash, MultisetHash};
use mainstay_model::resource::{Kind, Resource, ResourceKey, Spec};
use mainstay_model::{BranchName, DatasetName, SliceKey};
use mainstay_planner::{Datasets, Job, Mark};

use crate::state::{Dataset, Line, SliceHistory, State};

/// The state seen from one side: the live one, or a branch. What is declared and what the datasets hold is that side's.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Everything that is known.
    pub state: &'a State,
    /// The side.
    pub line: &'a Line,
    /// The branch; none is the live side.
    pub branch: Option<&'a BranchName>,
}

impl<'a> Sight<'a> {
    /// The live side.
    pub const fn live(state: &'a State) -> Self {
        Self {
            state,
            line: &state.main,
            branch: None,
        }
    }

    /// A side; none if there is no such branch, or it was dropped.
    pub fn of(state: &'a State, branch: Option<&'a BranchName>) -> Option<Self> {
        let line = state.line(branch)?;
        Some(Self { state, line, branch })
    }
}

impl Deref for Sight<'_> {
    type Target = Line;

    fn deref(&self) -> &Line {
        self.line
    }
}

/// The datasets of a line, some of them at an earlier version.
#[derive(Debug)]
pub struct At<'a> {
    line: &'a Line,
    pinned: BTreeMap<&'a DatasetName, u64>,
}

impl<'a> At<'a> {
    /// The datasets as they are now.
    pub const fn now(line: &'a Line) -> Self {
        Self {
            line,
            pinned: BTreeMap::new(),
        }
    }

    /// The datasets with some at these versions.
    pub fn pinned(line: &'a Line, versions: impl IntoIterator<Item = (&'a DatasetName, u64)>) -> Self {
        Self {
            line,
            pinned: versions.into_iter().collect(),
        }
    }

    fn dataset(&self, name: &DatasetName) -> Option<&'a Dataset> {
        self.line.datasets.get(name).map(|d| &**d)
    }

    fn histories(
        &self,
        name: &DatasetName,
    ) -> impl Iterator<Item = (&'a SliceKey, &'a SliceHistory)> + use<'a> {
        self.dataset(name).into_iter().flat_map(|d| &d.slices)
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
        let history = self.dataset(name)?.slices.get(slice)?;
        history.at(self.version(name)).map(|c| c.digest())
    }

    /// What a job computed lies under the amendments. What it computed when it was sliced another way does not count.
    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        let job = self.line.resource(&ResourceKey::new(Kind::Job, name));
        let as_sliced = |d: &&Dataset| match job.map(|r| &r.spec) {
            Some(Spec::Job(spec)) => d.is_sliced_by(&spec.slice, &spec.compiled.columns),
            _ => true,
        };
        let base = self.dataset(name).map(Dataset::base).filter(as_sliced);
        let slices = base.into_iter().flat_map(|d| &d.slices);
        Box::new(
            slices
                .filter(|(_, h)| !h.fingerprints().is_empty())
                .map(|(k, h)| (k, h.fingerprints())),
        )
    }

    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.dataset(name).map(|d| d.base().whole()).unwrap_or_default()
    }

    fn mark(&self, name: &DatasetName) -> Mark {
        let content = self.line.datasets.get(name);
        content.map_or_else(Mark::nothing, |c| Mark::of(c, self.version(name)))
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
        engine: None,
    })
}
