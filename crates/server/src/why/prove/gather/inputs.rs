//! The differences of a run's inputs: delivered files, and publishes where rows do not say from which file they came.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_control::{Dataset, SliceHistory};
use mainstay_model::run::{Input, Scope};
use mainstay_model::spec::{JobSpec, Reads};
use mainstay_model::{DatasetName, SliceKey, SliceVersion};

use super::Gather;
use crate::mount::schema_at;
use crate::why::baseline::{Point, version_read};
use crate::why::prove::case::{Both, InputCase, Part, SliceCase, moved_files};
use crate::why::steps::differs;

impl Gather<'_> {
    pub(super) fn inputs(&mut self, spec: &Both<JobSpec>, slices: Option<&[SliceKey]>) -> Vec<InputCase> {
        let run = self.run;
        let mut all: Vec<InputCase> = Vec::new();
        for input in &run.pinned.inputs {
            let whole = slices.is_none()
                || input.reads == Reads::All
                || spec.old.compiled.reads.get(&input.dataset) == Some(&Reads::All);
            let part = slices.filter(|_| !whole);
            let case = self.input(input, part);
            all.extend(case);
        }
        // What only the former query read stays as it was.
        for input in self.good.map(|g| g.pinned.inputs.as_slice()).unwrap_or_default() {
            if all.iter().any(|i| i.dataset == input.dataset) {
                continue;
            }
            let line = self.good.and_then(|g| self.look.line(g));
            if let Some(dataset) = line.and_then(|l| l.dataset(&input.dataset)) {
                let contents = dataset.slices.iter();
                all.push(InputCase {
                    dataset: input.dataset.clone(),
                    schema: schema_at(dataset, input.version),
                    slice_columns: dataset.slice_columns.clone(),
                    same: contents
                        .filter_map(|(k, h)| Some((k.clone(), h.at(input.version)?.clone())))
                        .collect(),
                    moved: BTreeMap::new(),
                });
            }
        }
        all
    }

    /// The version of an input from which a slice was computed before; none if it was not read then.
    fn version_before(&self, input: &Input, slice: &SliceKey) -> Option<u64> {
        let sight = &self.look.sight;
        let point = Point::of(self.run);
        let in_scope = match &self.run.pinned.scope {
            Scope::Slices(list) => input.reads == Reads::Same && list.contains(slice),
            Scope::Whole => false,
        };
        let good = if in_scope {
            match self.before.of.get(slice) {
                Some(id) => sight.state.runs.get(id),
                // A slice that is computed for the first time had nothing to be computed from.
                None => return Some(0),
            }
        } else {
            self.good
        };
        match good {
            Some(good) => version_read(sight, point, good, &input.dataset),
            None => Some(0),
        }
    }

    fn input(&mut self, input: &Input, part: Option<&[SliceKey]>) -> Option<InputCase> {
        let name = &input.dataset;
        let Some(dataset) = self.line.dataset(name) else {
            let (schema, slice_columns) = crate::mount::declared_columns(&self.look.sight, name)?;
            return Some(InputCase {
                dataset: name.clone(),
                schema,
                slice_columns,
                same: Vec::new(),
                moved: BTreeMap::new(),
            });
        };
        let mut case = InputCase {
            dataset: name.clone(),
            schema: schema_at(dataset, input.version),
            slice_columns: dataset.slice_columns.clone(),
            same: Vec::new(),
            moved: BTreeMap::new(),
        };
        let keys: Vec<&SliceKey> = match part {
            Some(keys) => keys.iter().collect(),
            None => dataset.slices.keys().collect(),
        };
        let (mut files, mut publishes) = (BTreeSet::new(), BTreeSet::new());
        for key in keys {
            let Some(history) = dataset.slices.get(key) else {
                continue;
            };
            let new = history.at(input.version).cloned().unwrap_or_default();
            match self.version_before(input, key) {
                Some(from) if differs(history, from, input.version) => {
                    let slice = moved(history, from, input.version, new);
                    match moved_files(&slice.old, &slice.new).filter(|_| slice.between.is_empty()) {
                        Some(names) => files.extend(names),
                        None => publishes.extend(slice.between.iter().map(|(v, _)| *v)),
                    }
                    case.moved.insert(key.clone(), slice);
                }
                _ => case.same.push((key.clone(), new)),
            }
        }
        for origin in files {
            let text = format!("{origin} of {name}");
            let part = Part::File {
                dataset: name.clone(),
                origin,
            };
            self.parts.push((part, text));
        }
        for version in publishes {
            let text = publish_name(dataset, name, version);
            let part = Part::Publish {
                dataset: name.clone(),
                version,
            };
            self.parts.push((part, text));
        }
        Some(case)
    }
}

/// What a slice was and is; told apart by files where all rows say from which file they came.
fn moved(history: &SliceHistory, from: u64, to: u64, new: SliceVersion) -> SliceCase {
    let old = history.at(from).cloned().unwrap_or_default();
    let by_file = moved_files(&old, &new).is_some_and(|files| !files.is_empty());
    let between = if by_file {
        Vec::new()
    } else {
        let since = history
            .contents
            .iter()
            .filter(|c| c.version > from && c.version <= to);
        since
            .map(|c| (c.version, c.files.as_deref().cloned().unwrap_or_default()))
            .collect()
    };
    SliceCase { old, new, between }
}

/// Names a publish by what made it.
fn publish_name(dataset: &Dataset, name: &DatasetName, version: u64) -> String {
    let entry = dataset.versions.iter().find(|v| v.version == version);
    let by = entry.map(|v| match (v.run, v.amendment, &v.promotes) {
        (_, Some(id), _) => id.to_string(),
        (Some(id), ..) => id.to_string(),
        (.., Some(branch)) => format!("branch {branch}"),
        _ => "a delivery".to_owned(),
    });
    format!(
        "version {version} of {name}, by {}",
        by.unwrap_or_else(|| "a publish".to_owned())
    )
}
