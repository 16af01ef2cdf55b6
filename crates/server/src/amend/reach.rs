//! How far an amendment may reach: which slices of which datasets, before anything is computed.
//!
//! Supposes that slices have another content and asks the planner what would be stale then, job by job. It is an upper bound:
//! a slice that comes out as it was ends the chain, and that is known only once it is computed.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Hash, MultisetHash};
use mainstay_control::{At, Sight};
use mainstay_model::amendment::{Edit, Effort, Reach};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::{DatasetName, SliceKey};
use mainstay_planner::{Datasets, Job, StaleSlices, stale};
use mainstay_sql::{InputTable, Yield};

use super::rule::{Shape, names};
use crate::expressions::SliceColumns;
use crate::instance::Instance;
use crate::plan::measured_last;

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

impl Instance {
    /// Returns those of some jobs that read nothing of a dataset that an edit changes: neither the columns that get other values
    /// nor rows by them.
    pub(super) fn unread_by(&self, shape: &Shape, edit: &Edit, jobs: &[Job]) -> BTreeSet<DatasetName> {
        let Edit::Set { set, .. } = edit else {
            return BTreeSet::new();
        };
        let follow = shape
            .made
            .iter()
            .filter(|m| set.iter().any(|(c, _)| names(&m.expression, c)));
        let changed: BTreeSet<&str> = set
            .iter()
            .map(|(c, _)| c.as_str())
            .chain(follow.map(|m| m.column.as_str()))
            .collect();
        let reads = |of: &Yield| {
            let named = |c: &&str| of.columns.contains(*c) || of.conditions.iter().any(|text| names(text, c));
            changed.iter().any(named)
        };
        let unread = |job: &&Job| {
            let found = self.with(|sight| {
                let table = |name: &DatasetName| {
                    let held = sight.dataset(name)?;
                    let (schema, slice_columns) = (held.schema()?.clone(), held.slice_columns.clone());
                    Some((
                        name.clone(),
                        InputTable {
                            schema,
                            slice_columns,
                        },
                    ))
                };
                let tables: BTreeMap<_, _> = job.reads.keys().map(table).collect::<Option<_>>()?;
                match sight
                    .resource(&ResourceKey::new(Kind::Job, &job.dataset))
                    .map(|r| &r.spec)
                {
                    Some(Spec::Job(spec)) => Some((spec.sql.clone(), tables)),
                    _ => None,
                }
            });
            let yields = found.and_then(|(sql, tables)| mainstay_sql::yields(&sql, &tables).ok());
            yields.is_some_and(|y| y.get(&shape.name).is_none_or(|scans| !scans.iter().any(reads)))
        };
        let readers = jobs.iter().filter(|j| j.reads.contains_key(&shape.name));
        readers.filter(unread).map(|j| j.dataset.clone()).collect()
    }
}

/// Returns what may have to be computed if slices of a dataset get another content, in the order of the data, and what that
/// takes by the last runs; none if none of it was ever measured. `unread` are jobs that do not read what changes of it.
pub(super) fn reach(
    sight: &Sight<'_>,
    jobs: &[Job],
    (root, slices): (&DatasetName, BTreeSet<SliceKey>),
    unread: &BTreeSet<DatasetName>,
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
        // Its run is recorded and takes what is there, whatever else the amendment comes to.
        let changed = |n: &&DatasetName| supposed.changed.contains_key(*n);
        if unread.contains(&job.dataset) && job.reads.keys().filter(changed).all(|n| n == root) {
            out.push(Reach {
                dataset: job.dataset.clone(),
                unchanged: Some(slices.len() as u64),
                slices: slices.into_iter().collect(),
                stops: Some("what would change is not read".to_owned()),
            });
            continue;
        }
        effort.slices += slices.len().max(1) as u64;
        if let Some(run) = measured_last(sight, &job.dataset) {
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
