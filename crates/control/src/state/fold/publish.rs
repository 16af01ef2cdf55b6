//! Folding publishes: pointers move, and what they pointed to before stays known.

use std::sync::Arc;

use mainstay_base::Timestamp;
use mainstay_model::fact::{Layer, Published, PublishedDataset, PublishedSlice, Vacuumed};
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::{BranchName, DatasetName, SliceKey};

use super::Header;
use crate::state::{Content, Dataset, SliceHistory, State, VersionEntry};

/// What made a version.
struct Maker {
    seq: u64,
    time: Timestamp,
    run: Option<RunId>,
    amendment: Option<AmendmentId>,
    promotes: Option<BranchName>,
}

impl State {
    pub(super) fn published(&mut self, header: &Header<'_>, f: Published) {
        let maker = Maker {
            seq: header.seq,
            time: header.time,
            run: f.run,
            amendment: f.amendment,
            promotes: f.promotes,
        };
        if let Some(id) = f.run {
            self.runs.change(id, |run| {
                for d in f.datasets.iter().filter(|d| d.dataset == run.pinned.job) {
                    let slices = d.slices.iter().map(|s| &s.slice).chain(&d.removed);
                    run.slices = slices.cloned().collect();
                    // Readers see what is shown; the base comes first where there are both.
                    run.published = Some(d.version);
                    if d.layer == Layer::Base {
                        break;
                    }
                }
            });
        }
        if f.branch.is_none() {
            let shown = f.datasets.iter().filter(|d| d.layer.is_shown());
            let new = shown.flat_map(|d| &d.slices).filter(|s| s.content.is_some());
            self.totals.slices += new.count() as u64;
        }
        let Some(line) = self.side(f.branch.as_ref()) else {
            return;
        };
        for d in f.datasets {
            let name: DatasetName = d.dataset.clone();
            let held = Arc::make_mut(line.datasets.entry(name).or_default());
            match d.layer {
                Layer::Shown => {
                    if let Some(overlay) = &d.overlay {
                        if held.base.is_none() {
                            held.base = Some(Arc::new(held.clone()));
                        }
                        held.overlay.clone_from(overlay);
                    }
                    held.publish(&maker, d);
                }
                Layer::Base => {
                    if held.base.is_none() {
                        held.base = Some(Arc::new(held.clone()));
                    }
                    if let Some(base) = held.base.as_mut() {
                        Arc::make_mut(base).publish(&maker, d);
                    }
                }
            }
        }
    }
}

impl State {
    pub(super) fn vacuumed(&mut self, header: &Header<'_>, f: Vacuumed) {
        let Some(held) = self.main.datasets.get_mut(&f.dataset) else {
            return;
        };
        let held = Arc::make_mut(held);
        held.give_up(&f.shown, header.seq);
        if let Some(base) = held.base.as_mut() {
            Arc::make_mut(base).give_up(&f.base, header.seq);
        }
    }
}

impl Dataset {
    fn give_up(&mut self, contents: &[(SliceKey, Vec<u64>)], seq: u64) {
        for (slice, versions) in contents {
            let Some(history) = self.slices.get_mut(slice) else {
                continue;
            };
            for content in history
                .contents
                .iter_mut()
                .filter(|c| versions.contains(&c.version))
            {
                content.files = None;
                content.fingerprints.clear();
                content.vacuumed = Some(seq);
            }
        }
    }

    fn publish(&mut self, maker: &Maker, d: PublishedDataset) {
        self.slice_columns = d.slice_columns;
        if d.version > self.version() {
            self.versions.push(VersionEntry {
                version: d.version,
                seq: maker.seq,
                time: maker.time,
                run: maker.run,
                amendment: maker.amendment,
                promotes: maker.promotes.clone(),
                schema: d.schema,
                whole: Vec::new(),
            });
        }
        for s in d.slices {
            let PublishedSlice {
                slice,
                fingerprint,
                content,
                run,
            } = s;
            let history = self.slices.entry(slice).or_default();
            history.publish(d.version, run.or(maker.run), content);
            if let Some(fingerprint) = fingerprint {
                history.confirm(fingerprint);
            }
        }
        for removed in d.removed {
            if let Some(history) = self.slices.get_mut(&removed) {
                history.publish(
                    d.version,
                    maker.run,
                    Some(mainstay_model::SliceVersion::default()),
                );
            }
        }
        if let (Some(whole), Some(newest)) = (d.whole, self.versions.last_mut())
            && !newest.whole.contains(&whole)
        {
            newest.whole.push(whole);
        }
    }
}

impl SliceHistory {
    /// Takes a new content, if there is one; a slice that was never there begins as one without rows.
    fn publish(&mut self, version: u64, run: Option<RunId>, content: Option<mainstay_model::SliceVersion>) {
        if content.is_none() && !self.contents.is_empty() {
            return;
        }
        let files = content.filter(|c| !c.files.is_empty()).map(Arc::new);
        self.contents.push(Content {
            version,
            run,
            fingerprints: Vec::new(),
            files,
            vacuumed: None,
        });
    }
}
