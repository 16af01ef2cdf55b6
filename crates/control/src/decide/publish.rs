//! Publishes: what moves, of what was computed or delivered, and of what amendments make of it.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::amendment::Overlay;
use mainstay_model::dataset::SliceVersion;
use mainstay_model::fact::{Layer, PublishedDataset, PublishedSlice};
use mainstay_model::{DatasetName, SliceKey};

use crate::command::{Overlaid, Refusal, RefusalKind, StagedDataset, StagedSlices};
use crate::state::Dataset;

/// Returns what a job's dataset holds, before amendments, once an output is published.
pub fn base_after_run(
    held: Option<&Dataset>,
    name: &DatasetName,
    staged: &StagedDataset,
) -> BTreeMap<SliceKey, SliceVersion> {
    let empty = Dataset::default();
    let base = held.map_or(&empty, Dataset::base);
    after(base, &computed(base, name, staged.clone()))
}

/// The publish of a job's output.
pub(super) fn output(
    held: Option<&Dataset>,
    name: &DatasetName,
    staged: StagedDataset,
    overlaid: Option<Overlaid>,
) -> Result<Vec<PublishedDataset>, Refusal> {
    let empty = Dataset::default();
    let base = held.map_or(&empty, Dataset::base);
    layered(held, computed(base, name, staged), overlaid)
}

/// Adds to a publish what the amendments make of it, where there are any.
pub(super) fn layered(
    held: Option<&Dataset>,
    mut base: PublishedDataset,
    overlaid: Option<Overlaid>,
) -> Result<Vec<PublishedDataset>, Refusal> {
    let Some(held) = held.filter(|d| d.base.is_some()) else {
        return Ok(vec![base]);
    };
    let overlaid = match overlaid {
        Some(overlaid) if overlaid.overlay.amendments == held.overlay.amendments => overlaid,
        None if held.overlay.amendments.is_empty() => Overlaid::default(),
        _ => {
            return Err(Refusal {
                kind: RefusalKind::OutOfDate,
                code: "MS0406",
                message: format!("the amendments of {} changed meanwhile", base.dataset),
                help: Some("repeat the command".to_owned()),
            });
        }
    };
    base.layer = Layer::Base;
    let contents = after(held.base(), &base);
    // Other columns, or other slice columns: nothing that is there can stay.
    let reshaped = held.schema() != Some(&base.schema) || held.slice_columns != base.slice_columns;
    let mut shown = shown_as(held, &base.dataset, overlaid, contents, reshaped);
    shown.schema.clone_from(&base.schema);
    shown.slice_columns.clone_from(&base.slice_columns);
    Ok(vec![base, shown])
}

/// Publishes what amendments make of a base: what is as it was stays.
pub(super) fn shown(
    held: &Dataset,
    name: &DatasetName,
    overlaid: Overlaid,
    base: BTreeMap<SliceKey, SliceVersion>,
) -> PublishedDataset {
    shown_as(held, name, overlaid, base, false)
}

fn shown_as(
    held: &Dataset,
    name: &DatasetName,
    overlaid: Overlaid,
    base: BTreeMap<SliceKey, SliceVersion>,
    reshaped: bool,
) -> PublishedDataset {
    let Overlaid { overlay, rows } = overlaid;
    let contents = amended(base, &overlay, rows);
    let same = |slice: &SliceKey, content: &SliceVersion| {
        let now = held.slices.get(slice).and_then(|h| h.newest());
        now.is_some_and(|now| now.digest() == content.digest() && now.rows() == content.rows()) && !reshaped
    };
    let removed: Vec<SliceKey> = held
        .newest()
        .filter(|(k, _)| !contents.contains_key(*k))
        .map(|(k, _)| k.clone())
        .collect();
    let slices: Vec<PublishedSlice> = contents
        .into_iter()
        .filter(|(slice, content)| !same(slice, content))
        .map(|(slice, content)| PublishedSlice {
            slice,
            fingerprint: None,
            content: Some(content),
            run: None,
        })
        .collect();
    let moved = !slices.is_empty() || !removed.is_empty();
    PublishedDataset {
        dataset: name.clone(),
        version: held.version() + u64::from(moved),
        schema: held.schema().cloned().unwrap_or_default(),
        slice_columns: held.slice_columns.clone(),
        slices,
        removed,
        whole: None,
        layer: Layer::Shown,
        overlay: Some(overlay),
    }
}

/// What everybody reads of a base under amendments: its slices, but for those that the amendments touch, and what the
/// amendments made of them.
pub fn shown_under(
    base: BTreeMap<SliceKey, SliceVersion>,
    overlaid: &Overlaid,
) -> BTreeMap<SliceKey, SliceVersion> {
    amended(base, &overlaid.overlay, overlaid.rows.clone())
}

fn amended(
    base: BTreeMap<SliceKey, SliceVersion>,
    overlay: &Overlay,
    rows: BTreeMap<SliceKey, SliceVersion>,
) -> BTreeMap<SliceKey, SliceVersion> {
    let touched: BTreeSet<&SliceKey> = overlay.touched.iter().collect();
    let mut contents: BTreeMap<SliceKey, SliceVersion> =
        base.into_iter().filter(|(k, _)| !touched.contains(k)).collect();
    for (slice, made) in rows {
        if !made.files.is_empty() {
            contents.entry(slice).or_default().files.extend(made.files);
        }
    }
    contents
}

/// Returns what a dataset holds once something is published.
pub(super) fn after(held: &Dataset, publish: &PublishedDataset) -> BTreeMap<SliceKey, SliceVersion> {
    let mut contents: BTreeMap<SliceKey, SliceVersion> =
        held.newest().map(|(k, v)| (k.clone(), v.clone())).collect();
    for slice in &publish.slices {
        if let Some(content) = &slice.content {
            contents.insert(slice.slice.clone(), content.clone());
        }
    }
    for removed in &publish.removed {
        contents.remove(removed);
    }
    contents.retain(|_, c| !c.files.is_empty());
    contents
}

/// Makes the publish of an output: what is as it was is confirmed, not written again.
fn computed(held: &Dataset, name: &DatasetName, staged: StagedDataset) -> PublishedDataset {
    let content_if_new = |slice: &SliceKey, content: SliceVersion| {
        let now = held.slices.get(slice).and_then(|h| h.newest());
        let same = match now {
            Some(now) => now.digest() == content.digest() && now.rows() == content.rows(),
            None => content.files.is_empty(),
        };
        (!same).then_some(content)
    };
    // Other columns, or other slice columns: nothing that is there can stay.
    let reshaped = held
        .versions
        .last()
        .is_some_and(|v| v.schema != staged.schema || held.slice_columns != staged.slice_columns);
    let resliced = !held.is_sliced_by(&staged.slice_columns, &staged.schema);
    let keep = |slice: &SliceKey, content: SliceVersion| {
        if reshaped {
            Some(content)
        } else {
            content_if_new(slice, content)
        }
    };
    let (mut slices, mut removed, mut whole) = (Vec::new(), Vec::new(), None);
    match staged.slices {
        StagedSlices::Whole {
            fingerprint,
            slices: computed,
        } => {
            whole = Some(fingerprint);
            let gone = held
                .slices
                .iter()
                .filter(|(k, h)| h.newest().is_some() && !computed.contains_key(*k));
            removed.extend(gone.map(|(k, _)| k.clone()));
            for (slice, content) in computed {
                let content = keep(&slice, content);
                slices.push(PublishedSlice {
                    slice,
                    fingerprint: None,
                    content,
                    run: None,
                });
            }
        }
        StagedSlices::Some(computed) => {
            // Slices with names of another kind are left from before the slice columns changed.
            let gone = held.slices.iter().filter(|(k, h)| {
                let known = h.newest().is_some() || !h.fingerprints().is_empty();
                known && resliced && !computed.contains_key(*k)
            });
            removed.extend(gone.map(|(k, _)| k.clone()));
            for (slice, (fingerprint, content)) in computed {
                let content = keep(&slice, content);
                slices.push(PublishedSlice {
                    slice,
                    fingerprint: Some(fingerprint),
                    content,
                    run: None,
                });
            }
        }
    }
    let moved = reshaped
        || !removed.is_empty()
        || held.versions.is_empty()
        || slices.iter().any(|s| s.content.is_some());
    PublishedDataset {
        dataset: name.clone(),
        version: held.version() + u64::from(moved),
        schema: staged.schema,
        slice_columns: staged.slice_columns,
        slices,
        removed,
        whole,
        layer: Layer::Shown,
        overlay: None,
    }
}
