//! The Delta logs follow the journal: every version of a dataset that its log does not show yet is written there, in order.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::Error;
use mainstay_catalog::Projection;
use mainstay_control::{Command, Dataset, Sight};
use mainstay_model::{DataFile, DatasetName, SliceKey};

use crate::error;
use crate::instance::Instance;
use crate::step;

impl Instance {
    /// Brings a dataset's Delta log up to the journal. Repeating it changes nothing.
    pub(crate) fn project(&self, name: &DatasetName) -> Result<(), Error> {
        self.project_all(&BTreeSet::from([name.clone()]))
    }

    /// Brings the Delta logs of datasets up to the journal, side by side. Repeating it changes nothing.
    pub(crate) fn project_all(&self, names: &BTreeSet<DatasetName>) -> Result<(), Error> {
        let tables = self.tables()?;
        loop {
            let next: Vec<(DatasetName, Projection)> = self.with(|state| {
                let next = names
                    .iter()
                    .filter_map(|n| Some((n.clone(), self.next_projection(state, n)?)));
                next.collect()
            });
            if next.is_empty() {
                return Ok(());
            }
            let mut tasks = tokio::task::JoinSet::new();
            for (name, next) in next {
                let (tables, table) = (tables.clone(), self.table(&name));
                let project = async move {
                    let shown = tables.projector.project(&table, &next).await;
                    (name, next.version, shown)
                };
                tasks.spawn_on(project, self.runtime.handle());
            }
            // What one log shows is recorded, also if another one could not follow.
            let (mut shown, mut failure) = (BTreeMap::new(), None);
            for (name, version, done) in self.runtime.block_on(tasks.join_all()) {
                match done {
                    Ok(log) => drop(shown.insert(name, (version, log.version))),
                    Err(e) => failure = Some(error::catalog(&name, &e)),
                }
            }
            step::at("publish.projected");
            self.submit(Command::Projected { shown })?;
            step::at("projection.recorded");
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
    }

    fn next_projection(&self, state: &Sight<'_>, name: &DatasetName) -> Option<Projection> {
        let dataset = state.datasets.get(name)?;
        let shown = dataset.projected.map_or(0, |(version, _)| version);
        // The log of a copy begins with the newest version of the original: of earlier ones there may be files no more.
        let restored = state.state.restored.as_ref().filter(|_| shown == 0);
        let first = restored.and_then(|r| dataset.versions.iter().rev().find(|v| v.seq <= r.seq));
        let (entry, (add, remove)) = match first {
            Some(entry) => (entry, (held(dataset, entry.version), Files::new())),
            None => {
                let entry = dataset.versions.iter().find(|v| v.version > shown)?;
                (entry, moved(dataset, entry.version))
            }
        };
        Some(Projection {
            account: self.account().to_owned(),
            dataset: name.clone(),
            version: entry.version,
            seq: entry.seq,
            schema: entry.schema.clone(),
            slice_columns: dataset.slice_columns.clone(),
            add,
            remove,
            timestamp: entry.time,
            run: entry.run,
        })
    }
}

pub(crate) type Files = Vec<(SliceKey, DataFile)>;

/// Returns all files of a version.
fn held(dataset: &Dataset, version: u64) -> Files {
    let slices = dataset.slices.iter();
    let files = slices.filter_map(|(slice, history)| Some((slice, history.at(version)?)));
    files
        .flat_map(|(slice, v)| v.files.iter().map(|f| (slice.clone(), f.clone())))
        .collect()
}

/// Returns the files that a version added and those that it took away.
pub(crate) fn moved(dataset: &Dataset, version: u64) -> (Files, Files) {
    let (mut add, mut remove) = (Files::new(), Files::new());
    for (slice, history) in &dataset.slices {
        let Some(at) = history.contents.iter().position(|c| c.version == version) else {
            continue;
        };
        let files = |i: Option<usize>| {
            let content = i
                .and_then(|i| history.contents.get(i))
                .and_then(|c| c.files.as_ref());
            content.map(|c| c.files.as_slice()).unwrap_or_default()
        };
        let (now, before) = (files(Some(at)), files(at.checked_sub(1)));
        let not_in = |file: &&DataFile, other: &[DataFile]| !other.iter().any(|o| o.path == file.path);
        add.extend(
            now.iter()
                .filter(|f| not_in(f, before))
                .map(|f| (slice.clone(), f.clone())),
        );
        remove.extend(
            before
                .iter()
                .filter(|f| not_in(f, now))
                .map(|f| (slice.clone(), f.clone())),
        );
    }
    (add, remove)
}
