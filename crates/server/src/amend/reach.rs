//! How far an amendment may reach: which slices of which datasets, before anything is computed.
//!
//! Supposes that slices have another content and asks the planner what would be stale then, job by job. It is an upper bound:
//! a slice that comes out as it was ends the chain, and that is known only once it is computed.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Hash, MultisetHash};
use mainstay_control::{At, Sight};
use mainstay_model::amendment::{Effort, Reach};
use mainstay_model::{DatasetName, SliceKey};
use mainstay_planner::{Datasets, Job, StaleSlices, stale};

use crate::expressions::SliceColumns;

/// The datasets as they are, but for some slices.
struct Supposed<'a> {
    now: At<'a>,
    changed: BTreeMap<DatasetName, BTreeSet<SliceKey>>,
}

/// The digest of a slice that is supposed to have another content.
fn other(digest: Option<MultisetHash>) -> MultisetHash {
    let mut digest = digest.unwrap_or_default();
    digest.insert([0x6d61_696e, 0x7374_6179]);
    digest
}

impl Datasets for Supposed<'_> {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        let changed = self.changed.get(name);
        let is_changed = move |k: &SliceKey| changed.is_some_and(|c| c.contains(k));
        let held = self
            .now
            .slices(name)
            .map(move |(k, d)| (k, if is_changed(k) { other(Some(d)) } else { d }));
        let new = changed
            .into_iter()
            .flatten()
            .filter(|k| self.now.slice(name, k).is_none())
            .map(|k| (k, other(None)))
            .collect::<Vec<_>>();
        Box::new(held.chain(new))
    }

    fn slice(&self, name: &DatasetName, slice: &SliceKey) -> Option<MultisetHash> {
        let digest = self.now.slice(name, slice);
        if self.changed.get(name).is_some_and(|c| c.contains(slice)) {
            return Some(other(digest));
        }
        digest
    }

    fn computed(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        self.now.computed(name)
    }

    fn whole(&self, name: &DatasetName) -> &[Hash] {
        self.now.whole(name)
    }
}

/// Returns what may have to be computed if slices of a dataset get another content, in the order of the data, and what that
/// takes by the last runs; none if none of it was ever measured.
pub(super) fn reach(
    sight: &Sight<'_>,
    jobs: &[Job],
    root: &DatasetName,
    slices: BTreeSet<SliceKey>,
) -> (Vec<Reach>, Option<Effort>) {
    let mut supposed = Supposed {
        now: At::now(sight.line),
        changed: BTreeMap::from([(root.clone(), slices)]),
    };
    let columns = SliceColumns::now(sight);
    let mut out = Vec::new();
    let mut effort = Effort::default();
    let mut measured = false;
    for job in jobs {
        if !job.reads.keys().any(|n| supposed.changed.contains_key(n)) {
            continue;
        }
        let Some(found) = stale(job, &supposed, &columns) else {
            continue;
        };
        let all = || {
            sight
                .dataset(&job.dataset)
                .into_iter()
                .flat_map(|d| d.newest().map(|(k, _)| k.clone()))
        };
        let slices: BTreeSet<SliceKey> = match found.slices {
            StaleSlices::Whole => all().collect(),
            StaleSlices::Some(list) => list.into_iter().collect(),
        };
        effort.runs += 1;
        effort.slices += slices.len().max(1) as u64;
        if let Some(run) = sight
            .last_good
            .get(&job.dataset)
            .and_then(|id| sight.state.runs.get(id))
        {
            measured = true;
            let usage = run.usage();
            let share = slices.len().max(1) as f64 / run.slices.len().max(1) as f64;
            let part = |us: u64| (us as f64 * share.min(1.0)).round() as u64;
            effort.cpu_us += part((usage.cpu.seconds() * 1e6).round() as u64);
            effort.wall_us += part(usage.wall_us);
        }
        out.push(Reach {
            dataset: job.dataset.clone(),
            slices: slices.iter().cloned().collect(),
            unchanged: None,
            stops: None,
        });
        supposed.changed.insert(job.dataset.clone(), slices);
    }
    (out, (measured || effort.runs == 0).then_some(effort))
}
