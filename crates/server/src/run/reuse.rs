//! Results that are known: what has the same fingerprint was computed before, here or on another side, and is taken as it is.

use std::collections::BTreeMap;

use mainstay_base::Hash;
use mainstay_control::{Content, Dataset, Line, Sight};
use mainstay_model::{DatasetName, RunId, SliceKey, SliceVersion};

/// A known result.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its files; none for a slice without rows.
    pub(super) content: SliceVersion,
    /// The run that computed it.
    pub(super) run: Option<RunId>,
}

impl Known {
    pub(super) fn of(content: &Content) -> Self {
        Self {
            content: content.files.as_deref().cloned().unwrap_or_default(),
            run: content.run,
        }
    }
}

/// All sides on which a dataset may have been computed, this one first.
fn sides<'a>(sight: &'a Sight<'a>) -> impl Iterator<Item = &'a Line> {
    let branches = sight.state.branches.values().flat_map(|b| [&b.line, &b.former]);
    [sight.line, &sight.state.main].into_iter().chain(branches)
}

fn held<'a>(sight: &'a Sight<'a>, name: &DatasetName) -> impl Iterator<Item = &'a Dataset> {
    sides(sight)
        .filter_map(move |line| line.dataset(name))
        .map(Dataset::base)
}

/// Returns those of some slices whose result is known, by what they would be computed from.
pub(super) fn slices(
    sight: &Sight<'_>,
    name: &DatasetName,
    wanted: &BTreeMap<SliceKey, Hash>,
) -> BTreeMap<SliceKey, Known> {
    let known = |(slice, fingerprint): (&SliceKey, &Hash)| {
        let contents = held(sight, name)
            .filter_map(|d| d.slices.get(slice))
            .flat_map(|h| h.contents.iter().rev());
        let found = contents
            .into_iter()
            .find(|c| c.fingerprints.contains(fingerprint))?;
        Some((slice.clone(), Known::of(found)))
    };
    wanted.iter().filter_map(known).collect()
}

/// Returns a whole dataset's result if it is known, by what it would be computed from.
pub(super) fn whole(
    sight: &Sight<'_>,
    name: &DatasetName,
    wanted: Hash,
) -> Option<BTreeMap<SliceKey, Known>> {
    held(sight, name).find_map(|d| {
        let entry = d.versions.iter().rev().find(|v| v.whole.contains(&wanted))?;
        let at = |(k, h): (&SliceKey, &mainstay_control::SliceHistory)| {
            let content = h.content_at(entry.version)?;
            content.files.as_ref()?;
            Some((k.clone(), Known::of(content)))
        };
        Some(d.slices.iter().filter_map(at).collect())
    })
}
