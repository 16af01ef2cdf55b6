//! Vacuum: contents that no kept version, no branch and nobody who reads now needs.
//!
//! A version is kept if its dataset says nothing about that, if it is among the newest that are to be kept, or if everybody
//! read it within the time for which versions are kept, or if a run within the time for which replays are promised read or made
//! it. A content is kept with any kept version at which it holds. Files that another content still refers to stay.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::{Bytes, Timestamp};
use mainstay_model::fact::Vacuumed;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::spec::Retain;
use mainstay_model::{BranchName, DataFile, DatasetName, SliceKey};

use crate::state::{Dataset, Run, State};

/// Says what would be given up now, dataset by dataset; datasets of which nothing goes are left out.
pub fn vacuum(state: &State, now: Timestamp) -> Vec<Vacuumed> {
    let facts: Vec<Vacuumed> = state
        .main
        .datasets
        .iter()
        .filter_map(|(name, held)| {
            let retain = retain(state, name)?;
            let promised = promised(state, name, retain, now);
            of_dataset(name, held, retain, &promised, now)
        })
        .collect();
    if facts.is_empty() {
        return facts;
    }
    // What the state refers to afterwards, by folding the facts into a copy.
    let mut after = state.clone();
    for (seq, fact) in (state.seq + 1..).zip(&facts) {
        after.apply(seq, now, "", None, fact.clone().into());
    }
    let counted = facts.into_iter().map(|fact| {
        let needed = after.files_of(&fact.dataset);
        let gone = candidates(state, &fact).filter(|f| !needed.contains(&f.path));
        let gone: BTreeMap<&str, Bytes> = gone.map(|f| (f.path.as_str(), f.bytes)).collect();
        Vacuumed {
            files: gone.len() as u64,
            bytes: gone.values().copied().sum(),
            ..fact
        }
    });
    counted.collect()
}

fn retain(state: &State, name: &DatasetName) -> Option<Retain> {
    let spec = |kind| {
        state
            .main
            .resource(&ResourceKey::new(kind, name))
            .map(|r| &r.spec)
    };
    match (spec(Kind::Job), spec(Kind::Source)) {
        (Some(Spec::Job(job)), _) => job.retain,
        (_, Some(Spec::Source(source))) => source.retain,
        _ => None,
    }
}

/// The contents of a dataset that go, files not counted yet.
fn of_dataset(
    name: &DatasetName,
    held: &Dataset,
    retain: Retain,
    promised: &BTreeSet<u64>,
    now: Timestamp,
) -> Option<Vacuumed> {
    let surplus = |held| surplus(held, retain, promised, now);
    let shown = surplus(held);
    let base = held.base.as_deref().map(surplus).unwrap_or_default();
    (!shown.is_empty() || !base.is_empty()).then(|| Vacuumed {
        dataset: name.clone(),
        shown: shown.into_iter().collect(),
        base: base.into_iter().collect(),
        files: 0,
        bytes: Bytes(0),
    })
}

/// The files of contents that go; something else may still refer to them.
fn candidates<'a>(state: &'a State, fact: &'a Vacuumed) -> impl Iterator<Item = &'a DataFile> {
    let held = state.main.dataset(&fact.dataset);
    let layers = [
        (held, &fact.shown),
        (held.and_then(|d| d.base.as_deref()), &fact.base),
    ];
    let contents = layers.into_iter().flat_map(|(dataset, list)| {
        list.iter().flat_map(move |(slice, versions)| {
            let history = dataset.and_then(|d| d.slices.get(slice));
            let contents = history.into_iter().flat_map(|h| &h.contents);
            contents.filter(move |c| versions.contains(&c.version))
        })
    });
    contents.flat_map(|c| c.files.iter().flat_map(|v| &v.files))
}

type Surplus = BTreeMap<SliceKey, Vec<u64>>;

/// The contents that hold at no version that is kept.
fn surplus(held: &Dataset, retain: Retain, promised: &BTreeSet<u64>, now: Timestamp) -> Surplus {
    let mut kept = kept(held, retain, now);
    kept.extend(promised);
    let mut out = Surplus::new();
    for (slice, history) in &held.slices {
        for (i, content) in history.contents.iter().enumerate() {
            let until = history.contents.get(i + 1).map(|next| next.version);
            let Some(until) = until else { continue };
            let needed = kept.range(content.version..until).next().is_some();
            if !needed && content.vacuumed.is_none() && content.files.is_some() {
                out.entry(slice.clone()).or_default().push(content.version);
            }
        }
    }
    out
}

/// The versions of a dataset that runs read or made which are promised to be replayed. Those of branches of people have files of
/// their own, which the branch keeps.
fn promised(state: &State, name: &DatasetName, retain: Retain, now: Timestamp) -> BTreeSet<u64> {
    let Some(time) = retain.replay_ms else {
        return BTreeSet::new();
    };
    let time = i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000);
    let of_live = |run: &&Run| run.pinned.branch.as_ref().is_none_or(BranchName::is_of_amendment);
    let runs = state.runs.iter().map(|(_, r)| r).filter(of_live);
    let runs = runs.filter(|r| now.micros_since(r.recorded) < time);
    runs.flat_map(|run| {
        let read = run.pinned.inputs.iter().filter(|i| i.dataset == *name);
        let made = run.published.filter(|_| run.pinned.job == *name);
        read.map(|i| i.version).chain(made)
    })
    .collect()
}

/// The versions that are kept; the newest always is.
fn kept(held: &Dataset, retain: Retain, now: Timestamp) -> BTreeSet<u64> {
    let newest = held.version();
    let count = retain.versions.unwrap_or(1).max(1);
    let mut kept = BTreeSet::new();
    for (i, entry) in held.versions.iter().enumerate() {
        let until = held.versions.get(i + 1).map(|next| next.time);
        let by_number = retain.versions.is_some() && newest.saturating_sub(entry.version) < count;
        let by_age = retain.age_ms.is_some_and(|age| {
            let age = i64::try_from(age).unwrap_or(i64::MAX).saturating_mul(1000);
            until.is_none_or(|until| now.micros_since(until) < age)
        });
        if by_number || by_age || until.is_none() {
            kept.insert(entry.version);
        }
    }
    kept
}
