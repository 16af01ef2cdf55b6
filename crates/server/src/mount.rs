//! Datasets of the state as the engine may see them.

use mainstay_api::Error;
use mainstay_control::{Dataset, Sight};
use mainstay_engine::Mounted;
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};
use mainstay_storage::Store;

use crate::instance::Instance;

/// Which part of a dataset is mounted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// All of it.
    All,
    /// Only these slices.
    Slices(&'a [SliceKey]),
}

/// Returns the slices of a dataset at a version, with their files.
pub(crate) fn slices_at(dataset: &Dataset, version: u64, part: Part<'_>) -> Vec<(SliceKey, SliceVersion)> {
    match part {
        Part::All => dataset
            .slices
            .iter()
            .filter_map(|(k, h)| Some((k.clone(), h.at(version)?.clone())))
            .collect(),
        Part::Slices(keys) => keys
            .iter()
            .filter_map(|k| Some((k.clone(), dataset.slices.get(k)?.at(version)?.clone())))
            .collect(),
    }
}

/// Returns the columns of a dataset at a version.
pub(crate) fn schema_at(dataset: &Dataset, version: u64) -> Schema {
    let entry = dataset
        .versions
        .iter()
        .rev()
        .find(|v| v.version <= version)
        .or_else(|| dataset.versions.first());
    entry.map(|v| v.schema.clone()).unwrap_or_default()
}

impl Instance {
    /// Mounts a dataset at a version; none if nothing of it was ever published and its columns are unknown.
    pub(crate) fn mount(
        &self,
        state: &Sight<'_>,
        store: &Store,
        name: &DatasetName,
        version: u64,
        part: Part<'_>,
    ) -> Option<Mounted> {
        let (schema, slice_columns, slices) = match state.datasets.get(name) {
            Some(d) => (
                schema_at(d, version),
                d.slice_columns.clone(),
                slices_at(d, version, part),
            ),
            None => {
                let (schema, slice_columns) = declared_columns(state, name)?;
                (schema, slice_columns, Vec::new())
            }
        };
        Some(Mounted {
            name: name.clone(),
            store: store.clone(),
            table: self.table(name),
            schema,
            slice_columns,
            slices,
        })
    }

    /// Mounts everything that is there now; for queries of people.
    pub(crate) fn mount_all(
        &self,
        state: &Sight<'_>,
        store: &Store,
        version: impl Fn(&DatasetName) -> u64,
    ) -> Result<Vec<Mounted>, Error> {
        let mut names: std::collections::BTreeSet<DatasetName> = state.datasets.keys().cloned().collect();
        names.extend(state.declared().filter_map(|(k, ..)| k.name.parse().ok()));
        Ok(names
            .iter()
            .filter_map(|n| self.mount(state, store, n, version(n), Part::All))
            .collect())
    }
}

/// Returns the columns of a dataset that was never published, as far as its declaration tells.
pub(crate) fn declared_columns(state: &Sight<'_>, name: &DatasetName) -> Option<(Schema, Vec<String>)> {
    use mainstay_model::resource::{Kind, ResourceKey, Spec};
    let find = |kind| {
        state
            .resources
            .get(&ResourceKey::new(kind, name))
            .and_then(|h| h.resource())
    };
    if let Some(Spec::Job(job)) = find(Kind::Job).map(|r| &r.spec) {
        return Some((job.compiled.columns.clone(), job.slice.clone()));
    }
    let Some(Spec::Source(source)) = find(Kind::Source).map(|r| &r.spec) else {
        return None;
    };
    let columns = source.columns.as_ref()?;
    let schema = mainstay_ingest::check_slice(source, columns).ok()?;
    Some((schema, source.slice.iter().map(|s| s.name.clone()).collect()))
}
