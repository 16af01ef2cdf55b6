//! What a run is compared with: the last good run before it, slice by slice.
//!
//! A run computes only what is stale, so that the last run that computed a slice may be an older one than the last good run of
//! the job. What a branch computed counts as the live side's from its promotion on.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_control::{BranchStatus, Run, RunStatus, Sight};
use mainstay_model::id::RunId;
use mainstay_model::run::{RunOutcome, Scope};
use mainstay_model::{BranchName, DatasetName, SliceKey};

use super::look::Look;

/// The good runs before a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    /// The last one.
    pub(super) good: Option<RunId>,
    /// By slice, the last one that computed it; a slice that no run computed is not in it.
    pub(super) of: BTreeMap<SliceKey, RunId>,
}

/// What is compared with earlier runs: a run, or what a run would be now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'a> {
    pub(super) job: &'a DatasetName,
    pub(super) branch: Option<&'a BranchName>,
    /// The journal's number of its record; runs before it count.
    pub(super) seq: u64,
}

impl<'a> Point<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        Self {
            job: &run.pinned.job,
            branch: run.pinned.branch.as_ref(),
            seq: run.seq,
        }
    }
}

/// Returns the number of the publish by which a branch became the live side; none if it did not, or nothing was published.
fn promoted_at(sight: &Sight<'_>, branch: &BranchName) -> Option<u64> {
    let about = &sight.state.branches.get(branch)?.about;
    if about.status != BranchStatus::Promoted {
        return None;
    }
    let datasets = sight.state.main.datasets.values();
    let all = datasets.flat_map(|d| d.versions.iter().chain(&d.base().versions));
    all.filter(|v| v.promotes.as_ref() == Some(branch))
        .map(|v| v.seq)
        .min()
}

/// Says whether a run's results were there for another one to build upon.
fn seen_by(sight: &Sight<'_>, point: Point<'_>, run: &Run) -> bool {
    if run.seq >= point.seq || run.pinned.job != *point.job {
        return false;
    }
    let until = |branch: Option<&BranchName>| match branch.and_then(|b| sight.state.branches.get(b)) {
        Some(b) => b.about.forked,
        None => point.seq,
    };
    match (&run.pinned.branch, point.branch) {
        (a, b) if a.as_ref() == b => true,
        (None, other) => run.seq < until(other),
        (Some(branch), other) => promoted_at(sight, branch).is_some_and(|seq| seq < until(other)),
    }
}

/// Returns the good runs before a run (or before now), for some slices.
pub(super) fn baseline(look: &Look<'_>, point: Point<'_>, slices: &[SliceKey]) -> Baseline {
    let sight = &look.sight;
    let mut found = Baseline::default();
    let line = sight.state.line(point.branch).unwrap_or(&sight.state.main);
    let known = line.dataset(point.job).map(|d| &d.base().slices);
    let mut left: BTreeSet<&SliceKey> = slices
        .iter()
        .filter(|s| known.is_some_and(|k| k.contains_key(*s)))
        .collect();
    for (id, run) in sight.state.runs.of(point.job).rev() {
        let good = run.status == RunStatus::Ended(RunOutcome::Succeeded);
        if !good || !seen_by(sight, point, run) {
            continue;
        }
        found.good.get_or_insert(id);
        let computed: Vec<&SliceKey> = match &run.pinned.scope {
            Scope::Whole => left.iter().copied().collect(),
            Scope::Slices(_) => run.slices.iter().filter(|s| left.contains(s)).collect(),
        };
        for slice in computed {
            left.remove(slice);
            found.of.insert(slice.clone(), id);
        }
        if left.is_empty() {
            break;
        }
    }
    // Longer ago than the state has runs, the contents say which runs computed them.
    for slice in left {
        let contents = known.and_then(|k| k.get(slice)).map(|h| h.contents.as_slice());
        let makers = contents.unwrap_or_default().iter().rev().filter_map(|c| c.run);
        let maker = makers
            .filter(|id| !sight.state.runs.contains(*id))
            .find(|id| look.run(id).is_some_and(|run| seen_by(sight, point, run)));
        if let Some(id) = maker {
            found.good = found.good.max(Some(id));
            found.of.insert(slice.clone(), id);
        }
    }
    found
}

/// Returns the version of an input that a good run read, as the side of a later one counts; none if it did not read it.
pub(super) fn version_read(
    sight: &Sight<'_>,
    point: Point<'_>,
    good: &Run,
    dataset: &DatasetName,
) -> Option<u64> {
    let pinned = good.pinned.inputs.iter().find(|i| i.dataset == *dataset)?;
    let Some(branch) = good
        .pinned
        .branch
        .as_ref()
        .filter(|b| Some(*b) != point.branch && !b.is_of_amendment())
    else {
        return Some(pinned.version);
    };
    // A branch of people counts versions of its own; when it was promoted, the live side became what it read.
    let seq = promoted_at(sight, branch)?;
    let held = sight.state.main.dataset(dataset)?;
    let entry = held.versions.iter().rev().find(|v| v.seq <= seq);
    Some(entry.map_or(0, |v| v.version))
}
