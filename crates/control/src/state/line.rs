//! A line: what is declared and what the datasets hold, as one side sees it; the live side, or a branch.
//!
//! Datasets are shared between lines until one of them changes: a branch costs nothing until something in it differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::id::{ApplyId, RunId};
use mainstay_model::resource::{Kind, Resource, ResourceKey};
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;

/// One generation of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// The apply that made it.
    pub apply: ApplyId,
    /// The journal's number of that apply.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who applied it.
    pub actor: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// What the resource said; none if it was removed.
    pub resource: Option<Resource>,
}

/// A resource with all its generations, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The generations.
    pub generations: Vec<Generation>,
}

impl Held {
    /// Returns the newest generation.
    pub fn newest(&self) -> Option<&Generation> {
        self.generations.last()
    }

    /// Returns what the resource says now; none if it was removed.
    pub fn resource(&self) -> Option<&Resource> {
        self.newest().and_then(|g| g.resource.as_ref())
    }
}

/// One side: what is declared, and what the datasets hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The resources, the removed ones too.
    pub resources: BTreeMap<ResourceKey, Arc<Held>>,
    /// The datasets.
    pub datasets: BTreeMap<DatasetName, Arc<Dataset>>,
    /// By job, the last run that succeeded.
    pub last_good: BTreeMap<DatasetName, RunId>,
    /// The last apply that changed what is declared here.
    pub last_apply: Option<ApplyId>,
}

impl Line {
    /// Returns the resources that are declared, by key.
    pub fn declared(&self) -> impl Iterator<Item = (&ResourceKey, &Generation, &Resource)> + Clone {
        self.resources
            .iter()
            .filter_map(|(k, h)| Some((k, h.newest()?, h.resource()?)))
    }

    /// Returns the resources of a kind that are declared, by name, without a look at all others.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (&str, &Held, &Resource)> {
        let first = ResourceKey::new(kind, "");
        let of_kind = self
            .resources
            .range(first..)
            .take_while(move |(key, _)| key.kind == kind);
        of_kind.filter_map(|(key, held)| Some((key.name.as_str(), &**held, held.resource()?)))
    }

    /// Returns a dataset; none if nothing of it was ever published.
    pub fn dataset(&self, name: &DatasetName) -> Option<&Dataset> {
        self.datasets.get(name).map(|d| &**d)
    }

    /// Returns what a resource says; none if it is not declared.
    pub fn resource(&self, key: &ResourceKey) -> Option<&Resource> {
        self.resources.get(key)?.resource()
    }
}
