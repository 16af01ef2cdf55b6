//! The state: everything that is known, as a fold of the facts.
//!
//! It is serialised as a snapshot; [`State::FOLD_VERSION`] changes whenever the same facts would fold into something else.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Bytes, Hash, Timestamp};
use mainstay_model::change::Change;
use mainstay_model::delivery::Delivery;
use mainstay_model::id::{AmendmentId, ApplyId, DeliveryId, PlanId};
use mainstay_model::resource::ResourceKey;
use mainstay_model::{BranchName, DataFile, DatasetName};
use serde::{Deserialize, Serialize};

mod access;
mod alarm;
mod amendment;
mod blob;
mod branch;
mod dataset;
mod fold;
mod hook;
mod line;
mod lineage;
mod message;
mod pairs;
mod promise;
mod restored;
mod run;
mod runs;
mod slices;
mod stored;
mod totals;
mod trigger;

pub use access::{Asked, Kept, Token};
pub use alarm::{AlarmHeld, AlarmState, Counted};
pub use amendment::{Amendment, AmendmentStatus, Redelivered, Signed};
pub use branch::{About, Branch, BranchStatus};
pub use dataset::{Content, Dataset, SliceHistory, VersionEntry};
pub use hook::Received;
pub use line::{Generation, Held, Line};
pub use lineage::{Lineage, ToldLineage};
pub use message::{Message, Messages};
pub use promise::{Alarm, Promise, PromiseWork};
pub use restored::Restored;
pub use run::{Attempt, Failing, Run, RunStatus, Trust};
pub use runs::Runs;
pub use totals::Totals;
pub use trigger::{Done as FiringDone, Firing, Triggers};

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
    /// The branch in which it was made; none is the live side.
    pub branch: Option<BranchName>,
    /// The branch that was promoted by it, if one was.
    pub promotes: Option<BranchName>,
    /// What changed: the resources, with the generation that each got.
    pub changed: Vec<(ResourceKey, u64)>,
}

/// A plan that was made for review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The last apply when it was made.
    pub base: Option<ApplyId>,
    /// The branch for which it was made; none is the live side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// When.
    pub time: Timestamp,
    /// What it would change.
    pub changes: Vec<Change>,
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
    /// How those rows were read; none if there are none, or if that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Hash>,
    /// What was said about the newest delivery, if it is held back: whether it is to be taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<bool>,
}

/// Everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "stored::Stored", from = "stored::Stored")]
pub struct State {
    /// The last fact that is in it.
    pub seq: u64,
    /// The live side.
    pub main: Line,
    /// The branches, those that ended too.
    pub branches: BTreeMap<BranchName, Branch>,
    /// The applies.
    pub applies: BTreeMap<ApplyId, AppliedEntry>,
    /// The newest plans.
    pub plans: BTreeMap<PlanId, PlanEntry>,
    /// By source, its files.
    pub sources: BTreeMap<DatasetName, BTreeMap<String, SourceFile>>,
    /// The runs that are not ended, and the newest of those that are.
    pub runs: Runs,
    /// The amendments.
    pub amendments: BTreeMap<AmendmentId, Amendment>,
    /// What set triggers off.
    pub triggers: Triggers,
    /// By dataset, what became of its promise.
    pub promises: BTreeMap<DatasetName, Promise>,
    /// By hook, what came through it.
    pub hooks: BTreeMap<String, Received>,
    /// What is told to people and programs elsewhere.
    pub messages: Messages,
    /// By job, how it fails of late on the live side.
    pub failing: BTreeMap<DatasetName, Failing>,
    /// By alarm, how it stands, and what it counts.
    pub alarms: BTreeMap<String, AlarmHeld>,
    /// How far channels were told of runs.
    pub lineage: Lineage,
    /// By job and its code, whether what its slices are said to read was found to be right.
    pub trust: BTreeMap<DatasetName, BTreeMap<Hash, Trust>>,
    /// The highest plan number given out.
    pub last_plan: u64,
    /// The highest delivery number given out.
    pub last_delivery: u64,
    /// The highest run number given out.
    pub last_run: u64,
    /// Tokens, and the newest requests.
    pub access: Kept,
    /// The last time that the home was restored from a backup; none if it never was.
    pub restored: Option<Restored>,
    /// What was counted since the beginning.
    pub totals: Totals,
}

impl State {
    /// What a snapshot is marked with: a change of the fold or of this shape makes a new number, and old snapshots are not used.
    pub const FOLD_VERSION: u32 = 10;

    /// How many ended runs are kept in the state; older ones are in the journal.
    pub const RUNS_KEPT: usize = 10_000;

    /// How many plans are kept for `apply PLAN`.
    pub const PLANS_KEPT: usize = 100;

    /// Returns the last apply, on whichever side.
    pub fn last_apply(&self) -> Option<ApplyId> {
        self.applies.keys().next_back().copied()
    }

    /// Returns what is known of the dependencies of a job's code; none if it was never checked.
    pub fn trust(&self, job: &DatasetName, code: Hash) -> Option<&Trust> {
        self.trust.get(job)?.get(&code)
    }

    /// Returns a side: the live one, or a branch that there is and that was not dropped.
    pub fn line(&self, branch: Option<&BranchName>) -> Option<&Line> {
        match branch {
            None => Some(&self.main),
            Some(name) => match self.branches.get(name)? {
                b if b.about.status == BranchStatus::Dropped => None,
                // An amendment publishes each dataset once, so that its branch's versions are the live side's.
                b if b.about.status == BranchStatus::Promoted && name.is_of_amendment() => Some(&self.main),
                b => Some(&b.line),
            },
        }
    }

    /// Returns the paths of all files of a dataset that anything refers to: any version on any side, what lies under
    /// amendments, and the rows that amendments bring.
    pub fn files_of(&self, name: &DatasetName) -> BTreeSet<String> {
        self.held_files(name).map(|f| f.path.clone()).collect()
    }

    /// Returns all files that anything refers to, by dataset and path, with their sizes.
    pub fn files(&self) -> BTreeMap<DatasetName, BTreeMap<String, Bytes>> {
        let held = self.lines().flat_map(|line| line.datasets.keys());
        let names: BTreeSet<&DatasetName> =
            held.chain(self.amendments.values().map(|a| &a.dataset)).collect();
        let files = |name| {
            self.held_files(name)
                .map(|f| (f.path.clone(), f.bytes))
                .collect::<BTreeMap<_, _>>()
        };
        names.into_iter().map(|n| (n.clone(), files(n))).collect()
    }

    /// All sides there are, and what branches held before they were begun anew.
    fn lines(&self) -> impl Iterator<Item = &Line> {
        let branches = self.branches.values().flat_map(|b| [&b.line, &b.former]);
        branches.chain([&self.main])
    }

    fn held_files<'a>(&'a self, name: &'a DatasetName) -> impl Iterator<Item = &'a DataFile> {
        let held = self
            .lines()
            .filter_map(move |line| line.dataset(name))
            .flat_map(|d| [Some(d), d.base.as_deref()].into_iter().flatten());
        let contents = held.flat_map(|d| d.slices.values().flat_map(|h| &h.contents));
        let published = contents.flat_map(|c| c.files.iter().flat_map(|v| &v.files));
        let amendments = self.amendments.values().filter(move |a| a.dataset == *name);
        let brought = amendments
            .filter_map(|a| a.edit.brought())
            .flat_map(|b| b.files.iter().map(|(_, f)| f));
        published.chain(brought)
    }

    /// Serialises the state for a snapshot: MessagePack, with names of fields but for slices.
    ///
    /// # Errors
    ///
    /// If the state cannot be written, which would be a defect of this crate.
    pub fn encode(&self) -> Result<Vec<u8>, BadSnapshot> {
        let mut out = Vec::new();
        let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
        self.serialize(&mut serializer).map_err(BadSnapshot::Write)?;
        Ok(out)
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    ///
    /// If it is not a snapshot of this fold version.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        rmp_serde::from_slice(bytes).map_err(BadSnapshot::Read)
    }
}

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum BadSnapshot {
    /// The state has something that cannot be written.
    #[error("the state cannot be written as a snapshot")]
    Write(#[source] rmp_serde::encode::Error),
    /// It is none.
    #[error("this is no snapshot of the state")]
    Read(#[source] rmp_serde::decode::Error),
}
