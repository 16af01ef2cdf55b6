//! Cut-off by what is read: what an input's slice brought that its reader does not look at changes nothing.
//!
//! A slice's fingerprint speaks of all columns and all rows of what is read. Where it is another one, what its newest content
//! was computed from is compared with what it would be computed from now, as far as the query's scans yield it: the columns and
//! the rows that they ask for. If those are equal, so is the result, and it is taken as it is; the publish records that it comes
//! from the new content, too. Owns no state: old inputs are known by the run that computed the content.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::MultisetHash;
use mainstay_catalog::digest::Digester;
use mainstay_control::{Dataset, Line, Run, RunStatus, Sight, VersionEntry};
use mainstay_engine::{CancelToken, Mounted, Question};
use mainstay_model::relation::Reads;
use mainstay_model::run::{Input, Pinned, RunOutcome, Scope};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, RunId, SliceKey, SliceVersion};
use mainstay_sql::{InputTable, Yield};
use mainstay_storage::Store;

use super::reuse::Known;
use crate::instance::Instance;
use crate::mount::schema_at;
use crate::read::{ReadBy, is_widened};

/// With more changed slices than that, computing is as good as comparing.
const MOST_CHANGED: usize = 16;
/// With more slices to compute than that, it is not looked at which of them read which change.
const MOST_APART: usize = 64;

/// Which of an input's slices are not what they were, and what they were.
struct Change {
    input: DatasetName,
    slice: SliceKey,
    before: SliceVersion,
    after: SliceVersion,
}

/// Slices that one run computed, and what changed since of what they read.
struct Group {
    outputs: Vec<(SliceKey, Known)>,
    /// What each output reads; looked up only where the changes are not of one kind.
    reads: Vec<Vec<ReadBy>>,
    changes: Vec<Change>,
}

/// What may be taken as it is, if what changed is not read.
pub(super) struct Prospect {
    groups: Vec<Group>,
    tables: BTreeMap<DatasetName, InputTable>,
    store: Store,
    spec: JobSpec,
    pinned: Pinned,
}

/// What is known of a run that is about to compute.
pub(super) struct About<'a> {
    pub(super) sight: &'a Sight<'a>,
    pub(super) store: &'a Store,
    pub(super) spec: &'a JobSpec,
    pub(super) pinned: &'a Pinned,
    /// What is left to compute.
    pub(super) scope: &'a Scope,
    /// Whether what another version of the engine computed is not good enough.
    pub(super) engine_matters: bool,
}

/// What need not be computed.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The slices that are taken as they are.
    pub(super) slices: BTreeMap<SliceKey, Known>,
    /// Whether that is all there is, of a dataset that is computed whole.
    pub(super) whole: bool,
}

impl Prospect {
    /// Looks for what a run's slices were computed from before, and what of it changed; none if there is nothing to compare.
    pub(super) fn of(about: &About<'_>) -> Option<Self> {
        let (sight, pinned) = (about.sight, about.pinned);
        let base = sight.dataset(&pinned.job)?.base();
        // What was computed when it was sliced another way says nothing of a slice of the same name.
        if !base.is_sliced_by(&about.spec.slice, &about.spec.compiled.columns) {
            return None;
        }
        let mut by_run: BTreeMap<RunId, Vec<(SliceKey, Known)>> = BTreeMap::new();
        match about.scope {
            Scope::Slices(list) => {
                for slice in list {
                    let Some(content) = base.slices.get(slice).and_then(|h| h.contents.last()) else {
                        continue;
                    };
                    if let Some(run) = content.run.filter(|_| content.vacuumed.is_none()) {
                        let known = (slice.clone(), Known::of(content));
                        by_run.entry(run).or_default().push(known);
                    }
                }
            }
            Scope::Whole => {
                let newest = base.versions.last()?;
                let run = newest.run.or_else(|| of_amendment(sight, pinned, newest))?;
                let there = base
                    .slices
                    .iter()
                    .filter_map(|(k, h)| Some((k, h.contents.last()?)));
                let there = there.filter(|(_, c)| c.files.is_some());
                let known = there.map(|(k, c)| {
                    (
                        k.clone(),
                        Known {
                            run: Some(run),
                            ..Known::of(c)
                        },
                    )
                });
                by_run.insert(run, known.collect());
            }
        }
        let groups: Vec<Group> = by_run
            .into_iter()
            .filter_map(|(run, outputs)| group(about, sight.state.runs.get(&run)?, outputs))
            .collect();
        if groups.is_empty() {
            return None;
        }
        let table = |i: &Input| {
            let dataset = sight.dataset(&i.dataset)?;
            let table = InputTable {
                schema: schema_at(dataset, i.version),
                slice_columns: dataset.slice_columns.clone(),
            };
            Some((i.dataset.clone(), table))
        };
        Some(Self {
            groups,
            tables: pinned.inputs.iter().map(table).collect::<Option<_>>()?,
            store: about.store.clone(),
            spec: about.spec.clone(),
            pinned: pinned.clone(),
        })
    }

    /// Compares, and returns what can be taken as it is. What cannot be compared counts as changed.
    pub(super) fn unread(self, instance: &Instance, cancel: &CancelToken) -> Unread {
        let mut out = Unread::default();
        let Ok(yields) = mainstay_sql::yields(&self.spec.sql, &self.tables) else {
            return out;
        };
        let none = BTreeSet::new();
        for group in &self.groups {
            let read: Vec<&Change> = group
                .changes
                .iter()
                .filter(|c| {
                    let yields = yields.get(&c.input).unwrap_or(&none);
                    !yields.iter().all(|y| self.same(instance, c, y, cancel))
                })
                .collect();
            out.whole |= self.pinned.scope == Scope::Whole && read.is_empty();
            for (i, (slice, known)) in group.outputs.iter().enumerate() {
                let meets = |c: &&&Change| {
                    let apart = group.reads.get(i);
                    apart.is_none_or(|both| {
                        both.iter()
                            .any(|r| r.slices(&c.input).is_none_or(|list| list.contains(&c.slice)))
                    })
                };
                if !read.iter().any(|c| meets(&c)) {
                    out.slices.insert(slice.clone(), known.clone());
                }
            }
        }
        out
    }

    /// Says whether a scan yields the same of a slice as before.
    fn same(&self, instance: &Instance, change: &Change, of: &Yield, cancel: &CancelToken) -> bool {
        let Some(table) = self.tables.get(&change.input) else {
            return false;
        };
        if of.is_everything(&table.schema) {
            return false;
        }
        let digest = |content: &SliceVersion| -> Option<MultisetHash> {
            let mounted = Mounted {
                name: change.input.clone(),
                store: self.store.clone(),
                table: instance.table(&change.input),
                schema: table.schema.clone(),
                slice_columns: table.slice_columns.clone(),
                slices: vec![(change.slice.clone(), content.clone())],
            };
            let question = Question {
                sql: of.query(&change.input),
                inputs: vec![mounted],
                tables: Vec::new(),
                as_of: self.pinned.as_of,
                time_limit: None,
            };
            let (mut digester, mut failed) = (None, false);
            let engine = instance.engine().ok()?;
            let answered = engine.query(question, cancel, &mut |batch| {
                if digester.is_none() {
                    digester = Digester::new(&batch.schema()).ok();
                }
                let taken = digester.as_mut().map(|d| d.update(&batch));
                failed |= !matches!(taken, Some(Ok(())));
                Ok(())
            });
            answered.ok().filter(|_| !failed)?;
            Some(digester.map_or(MultisetHash::EMPTY, |d| d.finish().0))
        };
        let (before, after) = std::thread::scope(|threads| {
            let before = threads.spawn(|| digest(&change.before));
            let after = digest(&change.after);
            (before.join().ok().flatten(), after)
        });
        before.is_some() && before == after
    }
}

/// The run by which an amendment made a version.
fn of_amendment(sight: &Sight<'_>, pinned: &Pinned, version: &VersionEntry) -> Option<RunId> {
    let amendment = sight.state.amendments.get(&version.amendment?)?;
    let its = |id: &&RunId| {
        let run = sight.state.runs.get(id);
        run.is_some_and(|r| r.pinned.job == pinned.job && r.status == RunStatus::Ended(RunOutcome::Succeeded))
    };
    amendment.runs.iter().rev().find(its).copied()
}

/// What changed since a run of what some of its slices read; none if that cannot be said, or is too much to compare.
fn group(about: &About<'_>, run: &Run, outputs: Vec<(SliceKey, Known)>) -> Option<Group> {
    let (sight, pinned) = (about.sight, about.pinned);
    if run.pinned.code != pinned.code || is_widened(run) {
        return None;
    }
    if about.engine_matters && run.pinned.engine != pinned.engine {
        return None;
    }
    if (pinned.scope == Scope::Whole) != (run.pinned.scope == Scope::Whole) {
        return None;
    }
    let line = crate::replay::side(sight, run).ok()?;
    let then = Sight {
        state: sight.state,
        line,
        branch: run.pinned.branch.as_ref(),
    };
    let both = |slices: &[SliceKey]| -> Vec<ReadBy> {
        let slices = (pinned.scope != Scope::Whole).then_some(slices);
        let now = ReadBy::of(sight, about.spec, pinned, slices);
        vec![ReadBy::of(&then, about.spec, &run.pinned, slices), now]
    };
    let keys: Vec<SliceKey> = outputs.iter().map(|(k, _)| k.clone()).collect();
    let read = both(&keys);
    let mut changes = Vec::new();
    for input in &pinned.inputs {
        let before = run.pinned.inputs.iter().find(|i| i.dataset == input.dataset)?;
        if before.reads != input.reads {
            return None;
        }
        let sides = (at(line, before)?, at(sight.line, input)?);
        changed(input, sides, &read, &mut changes)?;
    }
    if run.pinned.inputs.len() != pinned.inputs.len() {
        return None;
    }
    let apart = changes.len() > 1 && keys.len() <= MOST_APART && pinned.scope != Scope::Whole;
    let reads = if apart {
        keys.iter().map(|k| both(std::slice::from_ref(k))).collect()
    } else {
        Vec::new()
    };
    Some(Group {
        outputs,
        reads,
        changes,
    })
}

/// A dataset at a version.
type Side<'a> = (&'a Dataset, u64);

fn at<'a>(line: &'a Line, input: &Input) -> Option<Side<'a>> {
    Some((line.dataset(&input.dataset)?, input.version))
}

/// Collects what changed of an input; none if it cannot be compared.
fn changed(
    input: &Input,
    ((old, then), (new, now)): (Side<'_>, Side<'_>),
    read: &[ReadBy],
    changes: &mut Vec<Change>,
) -> Option<()> {
    if old.slice_columns != new.slice_columns || schema_at(old, then) != schema_at(new, now) {
        return None;
    }
    let lists: Option<Vec<&[SliceKey]>> = read.iter().map(|r| r.slices(&input.dataset)).collect();
    let keys: BTreeSet<&SliceKey> = match lists {
        Some(lists) if input.reads != Reads::All => lists.into_iter().flatten().collect(),
        // What has its newest content from before both versions has the same one at both.
        _ if std::ptr::eq(old, new) => {
            let since = then.min(now);
            let moved = new.slices.iter().filter(|(_, h)| h.since() > since);
            moved.map(|(k, _)| k).collect()
        }
        _ => old.slices.keys().chain(new.slices.keys()).collect(),
    };
    for key in keys {
        let content = |d: &'_ Dataset, version: u64| {
            let content = d.slices.get(key)?.content_at(version)?.clone();
            Some(content)
        };
        let (before, after) = (content(old, then), content(new, now));
        let given_up = [&before, &after]
            .into_iter()
            .flatten()
            .any(|c| c.vacuumed.is_some());
        let files = |c: Option<mainstay_control::Content>| c.and_then(|c| c.files).map(|f| (*f).clone());
        let (before, after) = (files(before), files(after));
        if before.as_ref().map(SliceVersion::digest) == after.as_ref().map(SliceVersion::digest) {
            continue;
        }
        if given_up || changes.len() >= MOST_CHANGED {
            return None;
        }
        changes.push(Change {
            input: input.dataset.clone(),
            slice: key.clone(),
            before: before.unwrap_or_default(),
            after: after.unwrap_or_default(),
        });
    }
    Some(())
}

#[cfg(test)]
mod tests;
