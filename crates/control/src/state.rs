//! The state: everything that is known, as a fold of the facts.
//!
//! It is serialised as a snapshot; [`State::FOLD_VERSION`] changes whenever the same facts would fold into something else.

use std::collections::BTreeMap;

use mainstay_base::{Hash, Timestamp};
use mainstay_model::change::Change;
use mainstay_model::dataset::SliceVersion;
use mainstay_model::delivery::Delivery;
use mainstay_model::id::{ApplyId, DeliveryId, PlanId, RunId};
use mainstay_model::resource::{Resource, ResourceKey};
use mainstay_model::run::{CheckOutcome, Pinned, RunError, RunOutcome, Usage};
use mainstay_model::schema::Schema;
use mainstay_model::{DatasetName, SliceKey};
use serde::{Deserialize, Serialize};

mod fold;
mod pairs;

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

/// An apply that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedEntry {
    /// The journal's number.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// The reviewed plan, if there was one.
    pub plan: Option<PlanId>,
    /// The apply that it undid, if it undid one.
    pub reverts: Option<ApplyId>,
    /// What changed: the resources, with the generation that each got.
    pub changed: Vec<(ResourceKey, u64)>,
}

/// A plan that was made for review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The last apply when it was made.
    pub base: Option<ApplyId>,
    /// When.
    pub time: Timestamp,
    /// What it would change.
    pub changes: Vec<Change>,
}

/// One version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// Its number, from 1.
    pub version: u64,
    /// The journal's number of the publish.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// The run that made it; none for deliveries.
    pub run: Option<RunId>,
    /// The columns at that version.
    pub schema: Schema,
}

/// A slice through time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceHistory {
    /// What its newest content was computed from.
    pub fingerprint: Option<Hash>,
    /// Its contents, each with the version from which it holds, the newest last; none is "not there".
    pub contents: Vec<(u64, Option<SliceVersion>)>,
}

impl SliceHistory {
    /// Returns the content at a version.
    pub fn at(&self, version: u64) -> Option<&SliceVersion> {
        self.contents
            .iter()
            .rev()
            .find(|(v, _)| *v <= version)
            .and_then(|(_, c)| c.as_ref())
    }

    /// Returns the newest content.
    pub fn newest(&self) -> Option<&SliceVersion> {
        self.contents.last().and_then(|(_, c)| c.as_ref())
    }

    /// Returns the version that made the newest content.
    pub fn since(&self) -> u64 {
        self.contents.last().map_or(0, |(v, _)| *v)
    }
}

/// A dataset: its versions and its slices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its slice columns.
    pub slice_columns: Vec<String>,
    /// Its versions, the newest last.
    pub versions: Vec<VersionEntry>,
    /// Its slices.
    #[serde(with = "pairs")]
    pub slices: BTreeMap<SliceKey, SliceHistory>,
    /// What it was computed from, if it was computed whole.
    pub whole: Option<Hash>,
    /// The version that its Delta log shows, and the Delta version.
    pub projected: Option<(u64, u64)>,
}

impl Dataset {
    /// Returns the newest version; 0 if nothing was published.
    pub fn version(&self) -> u64 {
        self.versions.last().map_or(0, |v| v.version)
    }

    /// Returns the columns now; none if nothing was published.
    pub fn schema(&self) -> Option<&Schema> {
        self.versions.last().map(|v| &v.schema)
    }
}

/// A file of a source, as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// The newest delivery of this file.
    pub last: Delivery,
    /// The journal's number of that delivery.
    pub seq: u64,
    /// When it was recorded.
    pub time: Timestamp,
    /// The delivery whose rows are in the dataset, with the hash of its content; none if this file brought none.
    pub active: Option<(DeliveryId, Hash)>,
}

/// An attempt of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it started.
    pub started: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<RunError>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it used.
    pub usage: Usage,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Recorded, no attempt is going on.
    Waiting {
        /// When the next attempt may start.
        from: Timestamp,
    },
    /// An attempt is going on.
    Running,
    /// It ended.
    Ended(RunOutcome),
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What it depends on.
    pub pinned: Pinned,
    /// Why it was wanted.
    pub because: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The journal's number of its record.
    pub seq: u64,
    /// Who asked for it.
    pub actor: String,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Why it did not succeed.
    pub error: Option<RunError>,
    /// How its checks ended.
    pub checks: Vec<CheckOutcome>,
    /// The run whose result it took; none if it computed.
    pub reused_from: Option<RunId>,
    /// Whether someone asked for it to stop.
    pub cancel: bool,
    /// The slices that it published or confirmed.
    pub slices: Vec<SliceKey>,
    /// The version of its dataset that it made.
    pub published: Option<u64>,
}

impl Run {
    /// Returns what all its attempts used together.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        for u in self.attempts.iter().map(|a| &a.usage) {
            sum.cpu += u.cpu;
            sum.wall_us = sum.wall_us.saturating_add(u.wall_us);
            sum.peak_memory = sum.peak_memory.max(u.peak_memory);
            sum.spilled += u.spilled;
            for (from, to) in [(&u.read, &mut sum.read), (&u.written, &mut sum.written)] {
                for (name, amount) in from {
                    let total = to.entry(name.clone()).or_default();
                    total.rows += amount.rows;
                    total.bytes += amount.bytes;
                }
            }
        }
        sum
    }
}

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The last fact that is in it.
    pub seq: u64,
    /// The resources, the removed ones too.
    pub resources: BTreeMap<ResourceKey, Held>,
    /// The applies.
    #[serde(with = "pairs")]
    pub applies: BTreeMap<ApplyId, AppliedEntry>,
    /// The newest plans.
    #[serde(with = "pairs")]
    pub plans: BTreeMap<PlanId, PlanEntry>,
    /// The datasets.
    pub datasets: BTreeMap<DatasetName, Dataset>,
    /// By source, its files.
    pub sources: BTreeMap<DatasetName, BTreeMap<String, SourceFile>>,
    /// The runs that are not ended, and the newest of those that are.
    #[serde(with = "pairs")]
    pub runs: BTreeMap<RunId, Run>,
    /// By job, the last run that succeeded.
    pub last_good: BTreeMap<DatasetName, RunId>,
    /// The highest plan number given out.
    pub last_plan: u64,
    /// The highest delivery number given out.
    pub last_delivery: u64,
    /// The highest run number given out.
    pub last_run: u64,
}

impl State {
    /// What a snapshot is marked with: a change of the fold or of this shape makes a new number, and old snapshots are not used.
    pub const FOLD_VERSION: u32 = 2;

    /// How many ended runs are kept in the state; older ones are in the journal.
    pub const RUNS_KEPT: usize = 10_000;

    /// How many plans are kept for `apply PLAN`.
    pub const PLANS_KEPT: usize = 100;

    /// Returns the last apply.
    pub fn last_apply(&self) -> Option<ApplyId> {
        self.applies.keys().next_back().copied()
    }

    /// Returns the resources that are declared now, by key.
    pub fn declared(&self) -> impl Iterator<Item = (&ResourceKey, &Generation, &Resource)> {
        self.resources
            .iter()
            .filter_map(|(k, h)| Some((k, h.newest()?, h.resource()?)))
    }

    /// Serialises the state for a snapshot.
    ///
    /// # Errors
    ///
    /// If the state cannot be written as JSON, which would be a defect of this crate.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    ///
    /// If it is not a snapshot of this fold version.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
