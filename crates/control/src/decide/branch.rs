//! Branches: made, begun anew, promoted, given up.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_model::fact::{
    AmendmentApplied, Applied, BranchCreated, BranchDropped, BranchPromoted, BranchRebased, Fact, Layer,
    Published, PublishedDataset, PublishedSlice,
};
use mainstay_model::id::ApplyId;
use mainstay_model::resource::Spec;
use mainstay_model::{BranchName, DatasetName, SliceKey, SliceVersion};

use super::{not_found, publish};
use crate::command::{Made, Rebased, Refusal, RefusalKind};
use crate::diff::change_of;
use crate::state::{Branch, BranchStatus, Dataset, Line, SliceHistory, State};

/// Returns a side that can be worked in.
pub(super) fn open<'a>(state: &'a State, branch: Option<&BranchName>) -> Result<&'a Line, Refusal> {
    match branch {
        None => Ok(&state.main),
        Some(name) => open_branch(state, name).map(|b| &b.line),
    }
}

fn open_branch<'a>(state: &'a State, name: &BranchName) -> Result<&'a Branch, Refusal> {
    let Some(branch) = state.branches.get(name) else {
        let mut refusal = not_found(format!("there is no branch `{name}`"));
        refusal.help = Some(format!("mainstay branch create {name} makes it"));
        return Err(refusal);
    };
    let what = match branch.about.status {
        BranchStatus::Open => return Ok(branch),
        BranchStatus::Promoted => "was promoted",
        BranchStatus::Dropped => "was dropped",
    };
    Err(Refusal {
        kind: RefusalKind::Invalid,
        code: "MS0408",
        message: format!("branch `{name}` {what} already"),
        help: Some("make a new one with another name: mainstay branch create NAME".to_owned()),
    })
}

pub(super) fn create(state: &State, branch: BranchName) -> Result<Vec<Fact>, Refusal> {
    match state.branches.get(&branch).map(|b| b.about.status) {
        Some(BranchStatus::Open) => Err(Refusal {
            kind: RefusalKind::Conflict,
            code: "MS0408",
            message: format!("there is a branch `{branch}` already"),
            help: Some(format!(
                "work in it with --branch {branch}, or drop it: mainstay branch drop {branch}"
            )),
        }),
        _ => Ok(vec![BranchCreated { branch }.into()]),
    }
}

pub(super) fn rebase(state: &State, branch: BranchName, amended: Vec<Rebased>) -> Result<Vec<Fact>, Refusal> {
    open_branch(state, &branch)?;
    let mut facts = vec![
        BranchRebased {
            branch: branch.clone(),
        }
        .into(),
    ];
    for rebased in amended {
        let Some(held) = state.main.dataset(&rebased.dataset) else {
            continue;
        };
        if (held.version(), held.base().version()) != rebased.over {
            return Err(Refusal {
                kind: RefusalKind::OutOfDate,
                code: "MS0406",
                message: format!("{} moved meanwhile", rebased.dataset),
                help: Some("repeat the command".to_owned()),
            });
        }
        let base = held.base().newest();
        let base = base.map(|(k, v)| (k.clone(), v.clone())).collect();
        let published = Published {
            run: None,
            deliveries: Vec::new(),
            datasets: vec![publish::shown(held, &rebased.dataset, rebased.overlaid, base)],
            branch: Some(branch.clone()),
            amendment: Some(rebased.amendment),
            promotes: None,
        };
        facts.push(published.into());
    }
    Ok(facts)
}

pub(super) fn drop(state: &State, branch: BranchName) -> Result<Vec<Fact>, Refusal> {
    open_branch(state, &branch)?;
    Ok(vec![BranchDropped { branch }.into()])
}

pub(super) fn promote(
    state: &State,
    name: BranchName,
    amendment: Option<Made>,
) -> Result<Vec<Fact>, Refusal> {
    let branch = open_branch(state, &name)?;
    let moved = moved(state, branch);
    if !moved.is_empty() {
        return Err(Refusal {
            kind: RefusalKind::OutOfDate,
            code: "MS0407",
            message: format!(
                "branch `{name}` cannot be promoted: the live side moved under what it read: {}",
                moved.join("; ")
            ),
            help: Some(format!(
                "mainstay branch rebase {name}, then mainstay run --branch {name}: what did not change is reused"
            )),
        });
    }
    let mut facts = Vec::new();
    let changes: Vec<_> = branch
        .line
        .resources
        .iter()
        .filter(|(key, held)| branch.fork.resources.get(*key) != Some(held))
        .filter_map(|(key, held)| change_of(&state.main, key, held.resource()))
        .collect();
    if !changes.is_empty() {
        let applied = Applied {
            apply: ApplyId(state.last_apply().map_or(0, |a| a.0) + 1),
            plan: None,
            reverts: None,
            branch: None,
            promotes: Some(name.clone()),
            changes,
        };
        facts.push(applied.into());
    }
    let datasets: Vec<PublishedDataset> = diverged(branch)
        .flat_map(|(dataset, held)| published(state.main.datasets.get(dataset), dataset, held))
        .collect();
    if !datasets.is_empty() {
        let published = Published {
            run: None,
            deliveries: Vec::new(),
            datasets,
            branch: None,
            amendment: amendment.as_ref().map(|m| m.amendment),
            promotes: Some(name.clone()),
        };
        facts.push(published.into());
    }
    if let Some(made) = amendment {
        let applied = AmendmentApplied {
            amendment: made.amendment,
            result: made.result,
            runs: made.runs,
        };
        facts.push(applied.into());
    }
    facts.push(BranchPromoted { branch: name }.into());
    Ok(facts)
}

/// The datasets in which a branch differs from the live side as it took it over.
fn diverged(branch: &Branch) -> impl Iterator<Item = (&DatasetName, &Arc<Dataset>)> {
    branch
        .line
        .datasets
        .iter()
        .filter(|(name, held)| match branch.fork.datasets.get(*name) {
            Some(fork) => !Arc::ptr_eq(fork, held) && fork != *held,
            None => true,
        })
}

/// Says what moved on the live side since a branch began, of what the branch read or changed.
fn moved(state: &State, branch: &Branch) -> Vec<String> {
    let mut out = Vec::new();
    let mut concerned: BTreeSet<&DatasetName> = BTreeSet::new();
    for (name, _) in diverged(branch) {
        concerned.insert(name);
        let key = mainstay_model::ResourceKey::new(mainstay_model::Kind::Job, name);
        if let Some(Spec::Job(job)) = branch.line.resource(&key).map(|r| &r.spec) {
            concerned.extend(job.compiled.reads.keys());
        }
    }
    for name in concerned {
        let version = |line: &Line| {
            let held = line.datasets.get(name);
            held.map_or((0, 0), |d| (d.version(), d.base().version()))
        };
        let (before, now) = (version(&branch.fork), version(&state.main));
        if before != now {
            out.push(format!(
                "{name} is at version {} and was at {}",
                now.0.max(now.1),
                before.0.max(before.1)
            ));
        }
    }
    for (key, held) in &branch.line.resources {
        let fork = branch.fork.resources.get(key);
        if fork != Some(held) && fork != state.main.resources.get(key) {
            out.push(format!("{key} was changed"));
        }
    }
    // A job that came or changed meanwhile and reads what the branch changes was not computed from that.
    let changes: BTreeSet<&DatasetName> = diverged(branch).map(|(name, _)| name).collect();
    for (key, held) in &state.main.resources {
        let Some(Spec::Job(job)) = held.resource().map(|r| &r.spec) else {
            continue;
        };
        let same = branch
            .fork
            .resources
            .get(key)
            .is_some_and(|f| f.resource() == held.resource());
        let own = branch.fork.resources.get(key) != branch.line.resources.get(key);
        if !same && !own && job.compiled.reads.keys().any(|n| changes.contains(n)) {
            out.push(format!(
                "{key}, which reads what the branch changes, was declared or changed"
            ));
        }
    }
    out
}

/// What the live side publishes so that a dataset is what it is in a branch.
fn published(main: Option<&Arc<Dataset>>, name: &DatasetName, held: &Dataset) -> Vec<PublishedDataset> {
    let empty = Dataset::default();
    let main = main.map_or(&empty, |d| &**d);
    let mut out = Vec::new();
    if let Some(base) = &held.base {
        let differs = difference(main.base(), name, base);
        let first = main.base.is_none() && differs.slices.is_empty() && differs.version == main.version();
        if !first && !differs.slices.is_empty() {
            out.push(PublishedDataset {
                layer: Layer::Base,
                ..differs
            });
        }
    }
    out.push(PublishedDataset {
        overlay: held.base.is_some().then(|| held.overlay.clone()),
        ..difference(main, name, held)
    });
    out
}

fn difference(main: &Dataset, name: &DatasetName, held: &Dataset) -> PublishedDataset {
    let empty = SliceHistory::default();
    let keys: BTreeSet<&SliceKey> = main.slices.keys().chain(held.slices.keys()).collect();
    let slices: Vec<PublishedSlice> = keys
        .into_iter()
        .filter_map(|key| {
            let before = main.slices.get(key).unwrap_or(&empty);
            let now = held.slices.get(key).unwrap_or(&empty);
            let content = (before.newest() != now.newest())
                .then(|| now.newest().cloned().unwrap_or_else(SliceVersion::default));
            let fingerprint = now.fingerprint().filter(|f| !before.fingerprints().contains(f));
            if content.is_none() && fingerprint.is_none() {
                return None;
            }
            Some(PublishedSlice {
                slice: key.clone(),
                fingerprint: now.fingerprint(),
                run: now.contents.last().and_then(|c| c.run),
                content,
            })
        })
        .collect();
    let reshaped = main.schema() != held.schema() || main.slice_columns != held.slice_columns;
    let moved = reshaped || slices.iter().any(|s| s.content.is_some());
    PublishedDataset {
        dataset: name.clone(),
        version: main.version() + u64::from(moved),
        schema: held.schema().cloned().unwrap_or_default(),
        slice_columns: held.slice_columns.clone(),
        slices,
        removed: Vec::new(),
        whole: held.whole().last().copied(),
        layer: Layer::Shown,
        overlay: None,
    }
}
