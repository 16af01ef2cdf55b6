//! The state as a snapshot holds it: what lines share is written once.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_base::Hash;
use mainstay_model::id::{AmendmentId, ApplyId, PlanId, RunId};
use mainstay_model::resource::ResourceKey;
use mainstay_model::{BranchName, DatasetName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::alarm::AlarmHeld;
use super::amendment::Amendment;
use super::branch::{About, Branch};
use super::dataset::Dataset;
use super::hook::Received;
use super::line::{Held, Line};
use super::lineage::Lineage;
use super::message::Messages;
use super::promise::Promise;
use super::run::{Failing, Trust};
use super::runs::Runs;
use super::trigger::Triggers;
use super::{AppliedEntry, PlanEntry, SourceFile, State, blob, pairs};

/// Things of which several lines hold the same one, each written once and named by its place.
#[derive(Clone, Debug)]
struct Pool<T> {
    things: Vec<Arc<T>>,
    places: BTreeMap<usize, usize>,
}

impl<T: Serialize> Serialize for Pool<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        blob::serialize(self.things.iter().map(|t| &**t), s)
    }
}

impl<'de, T: DeserializeOwned + Send> Deserialize<'de> for Pool<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let things = blob::deserialize::<T, D>(d)?;
        Ok(Self {
            things: things.into_iter().map(Arc::new).collect(),
            ..Self::new()
        })
    }
}

impl<T> Pool<T> {
    const fn new() -> Self {
        Self {
            things: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    fn place(&mut self, thing: &Arc<T>) -> usize {
        let address = Arc::as_ptr(thing).addr();
        *self.places.entry(address).or_insert_with(|| {
            self.things.push(Arc::clone(thing));
            self.things.len() - 1
        })
    }

    fn get(&self, place: usize) -> Option<Arc<T>> {
        self.things.get(place).cloned()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredLine {
    resources: BTreeMap<ResourceKey, usize>,
    datasets: BTreeMap<DatasetName, usize>,
    last_good: BTreeMap<DatasetName, RunId>,
    last_apply: Option<ApplyId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredBranch {
    about: About,
    fork: StoredLine,
    line: StoredLine,
    former: StoredLine,
}

/// The state, with shared things by their places.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    seq: u64,
    resources: Pool<Held>,
    datasets: Pool<Dataset>,
    main: StoredLine,
    branches: BTreeMap<BranchName, StoredBranch>,
    #[serde(with = "pairs")]
    applies: BTreeMap<ApplyId, AppliedEntry>,
    #[serde(with = "pairs")]
    plans: BTreeMap<PlanId, PlanEntry>,
    sources: BTreeMap<DatasetName, BTreeMap<String, SourceFile>>,
    runs: Runs,
    #[serde(with = "pairs")]
    amendments: BTreeMap<AmendmentId, Amendment>,
    #[serde(default)]
    triggers: Triggers,
    #[serde(default)]
    promises: BTreeMap<DatasetName, Promise>,
    #[serde(default)]
    hooks: BTreeMap<String, Received>,
    #[serde(default)]
    messages: Messages,
    #[serde(default)]
    failing: BTreeMap<DatasetName, Failing>,
    #[serde(default)]
    alarms: BTreeMap<String, AlarmHeld>,
    #[serde(default)]
    lineage: Lineage,
    #[serde(default)]
    trust: BTreeMap<DatasetName, BTreeMap<Hash, Trust>>,
    last_plan: u64,
    last_delivery: u64,
    last_run: u64,
    #[serde(default)]
    access: super::Kept,
    #[serde(default)]
    restored: Option<super::Restored>,
    #[serde(default)]
    totals: super::Totals,
}

struct Pools {
    resources: Pool<Held>,
    datasets: Pool<Dataset>,
}

impl Pools {
    fn store(&mut self, line: Line) -> StoredLine {
        StoredLine {
            resources: line
                .resources
                .iter()
                .map(|(k, h)| (k.clone(), self.resources.place(h)))
                .collect(),
            datasets: line
                .datasets
                .iter()
                .map(|(n, d)| (n.clone(), self.datasets.place(d)))
                .collect(),
            last_good: line.last_good,
            last_apply: line.last_apply,
        }
    }

    fn restore(&self, line: StoredLine) -> Line {
        Line {
            resources: line
                .resources
                .into_iter()
                .filter_map(|(k, at)| Some((k, self.resources.get(at)?)))
                .collect(),
            datasets: line
                .datasets
                .into_iter()
                .filter_map(|(n, at)| Some((n, self.datasets.get(at)?)))
                .collect(),
            last_good: line.last_good,
            last_apply: line.last_apply,
        }
    }
}

impl From<State> for Stored {
    fn from(state: State) -> Self {
        let mut pools = Pools {
            resources: Pool::new(),
            datasets: Pool::new(),
        };
        // What has a place is kept alive by its pool, so that no address is used twice.
        let main = pools.store(state.main);
        let branch = |b: Branch, pools: &mut Pools| StoredBranch {
            about: b.about,
            fork: pools.store(b.fork),
            line: pools.store(b.line),
            former: pools.store(b.former),
        };
        let branches = state
            .branches
            .into_iter()
            .map(|(name, b)| (name, branch(b, &mut pools)))
            .collect();
        Self {
            seq: state.seq,
            main,
            branches,
            resources: pools.resources,
            datasets: pools.datasets,
            applies: state.applies,
            plans: state.plans,
            sources: state.sources,
            runs: state.runs,
            amendments: state.amendments,
            triggers: state.triggers,
            promises: state.promises,
            hooks: state.hooks,
            messages: state.messages,
            failing: state.failing,
            alarms: state.alarms,
            lineage: state.lineage,
            trust: state.trust,
            last_plan: state.last_plan,
            last_delivery: state.last_delivery,
            last_run: state.last_run,
            access: state.access,
            restored: state.restored,
            totals: state.totals,
        }
    }
}

impl From<Stored> for State {
    fn from(stored: Stored) -> Self {
        let pools = Pools {
            resources: stored.resources,
            datasets: stored.datasets,
        };
        let branch = |b: StoredBranch| Branch {
            about: b.about,
            fork: pools.restore(b.fork),
            line: pools.restore(b.line),
            former: pools.restore(b.former),
        };
        Self {
            seq: stored.seq,
            main: pools.restore(stored.main),
            branches: stored
                .branches
                .into_iter()
                .map(|(name, b)| (name, branch(b)))
                .collect(),
            applies: stored.applies,
            plans: stored.plans,
            sources: stored.sources,
            runs: stored.runs,
            amendments: stored.amendments,
            triggers: stored.triggers,
            promises: stored.promises,
            hooks: stored.hooks,
            messages: stored.messages,
            failing: stored.failing,
            alarms: stored.alarms,
            lineage: stored.lineage,
            trust: stored.trust,
            last_plan: stored.last_plan,
            last_delivery: stored.last_delivery,
            last_run: stored.last_run,
            access: stored.access,
            restored: stored.restored,
            totals: stored.totals,
        }
    }
}
