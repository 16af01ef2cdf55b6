//! What moved a dataset from one version to another: its publishes, each with the slices that it changed.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_control::{Dataset, SliceHistory, VersionEntry};
use mainstay_model::{SliceKey, SliceVersion};

/// One publish of a dataset.
#[derive(Clone, Debug)]
pub(super) struct Step<'a> {
    pub(super) entry: &'a VersionEntry,
    /// The slices that it changed, of those that were asked about.
    pub(super) slices: Vec<SliceKey>,
}

/// Says whether a slice holds other rows at one version than at another.
pub(super) fn differs(history: &SliceHistory, from: u64, to: u64) -> bool {
    let rows = |v: Option<&SliceVersion>| v.map(|v| (v.digest(), v.rows()));
    rows(history.at(from)) != rows(history.at(to))
}

/// Returns the publishes that changed what is read of a dataset, the newest first. `part` names the slices that are read (all
/// if none are named), `from` the version of each that was read before (0 if it was not).
pub(super) fn steps<'a>(
    dataset: &'a Dataset,
    part: Option<&[SliceKey]>,
    from: &dyn Fn(&SliceKey) -> u64,
    to: u64,
) -> Vec<Step<'a>> {
    let mut by_version: BTreeMap<u64, Vec<SliceKey>> = BTreeMap::new();
    let mut look = |key: &SliceKey, history: &SliceHistory| {
        let before = from(key);
        if !differs(history, before, to) {
            return;
        }
        let since = history
            .contents
            .iter()
            .filter(|c| c.version > before && c.version <= to);
        for content in since {
            by_version.entry(content.version).or_default().push(key.clone());
        }
    };
    match part {
        Some(keys) => keys
            .iter()
            .filter_map(|k| Some((k, dataset.slices.get(k)?)))
            .for_each(|(k, h)| look(k, h)),
        None => dataset.slices.iter().for_each(|(k, h)| look(k, h)),
    }
    let entries = dataset.versions.iter().rev();
    entries
        .filter_map(|entry| {
            let slices = by_version.remove(&entry.version)?;
            Some(Step { entry, slices })
        })
        .collect()
}

/// Returns the delivered files from which slices hold other rows after a publish than before it.
pub(super) fn origins(dataset: &Dataset, seq: u64, slices: &[SliceKey]) -> BTreeSet<String> {
    let base = dataset.base();
    let Some(entry) = base.versions.iter().find(|v| v.seq == seq) else {
        return BTreeSet::new();
    };
    let files = |version: u64, key: &SliceKey| -> BTreeSet<(String, String)> {
        let held = base.slices.get(key).and_then(|h| h.at(version));
        let files = held.into_iter().flat_map(|v| &v.files);
        files
            .filter_map(|f| Some((f.origin.clone()?, f.path.clone())))
            .collect()
    };
    slices
        .iter()
        .flat_map(|key| {
            let before = files(entry.version.saturating_sub(1), key);
            let after = files(entry.version, key);
            let other: Vec<String> = before
                .symmetric_difference(&after)
                .map(|(origin, _)| origin.clone())
                .collect();
            other
        })
        .collect()
}
