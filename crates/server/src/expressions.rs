//! Expressions of relations over slices, evaluated by `sql` for the planner.
//!
//! Owns which dataset has which slice columns of which types: those of a job as it is declared, else as published.

use std::collections::BTreeMap;

use mainstay_control::Sight;
use mainstay_model::relation::Values;
use mainstay_model::resource::{Kind, Resource, ResourceKey, Spec};
use mainstay_model::spec::JobSpec;
use mainstay_model::{Column, DatasetName, Schema, SliceKey};
use mainstay_planner::{Expressions, Job, SliceValues};
use mainstay_sql::SliceTable;

use crate::mount::declared_columns;

/// The slice columns of datasets, with their types.
#[derive(Clone, Debug, Default)]
pub struct SliceColumns(BTreeMap<DatasetName, Vec<Column>>);

impl SliceColumns {
    /// Those of a state, with jobs as these resources declare them.
    pub(crate) fn of<'a>(state: &Sight<'_>, resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        let mut all = BTreeMap::new();
        for (name, dataset) in &state.datasets {
            if let Some(schema) = dataset.schema() {
                all.insert(name.clone(), columns(schema, &dataset.slice_columns));
            }
        }
        for resource in resources {
            let Ok(name) = resource.name.parse::<DatasetName>() else {
                continue;
            };
            match &resource.spec {
                Spec::Job(job) => {
                    all.insert(name, columns(&job.compiled.columns, &job.slice));
                }
                Spec::Source(_) if !all.contains_key(&name) => {
                    if let Some((schema, slice)) = declared_columns(state, &name) {
                        all.insert(name, columns(&schema, &slice));
                    }
                }
                _ => {}
            }
        }
        Self(all)
    }

    /// Those of a state.
    pub fn now(state: &Sight<'_>) -> Self {
        Self::of(state, state.declared().map(|(_, _, r)| r))
    }

    /// Those of a job as a state declares it, and of what it reads and comes from.
    pub(crate) fn of_job(state: &Sight<'_>, job: &Job) -> Self {
        let origins = job.origins.iter().flatten().filter_map(|o| o.dataset.as_ref());
        let names = std::iter::once(&job.dataset)
            .chain(job.reads.keys())
            .chain(origins);
        let one = |name: &DatasetName| {
            let declared = state
                .resource(&ResourceKey::new(Kind::Job, name))
                .map(|r| &r.spec);
            let published = state
                .dataset(name)
                .and_then(|d| Some((d.schema()?, &d.slice_columns)));
            let found = match (declared, published) {
                (Some(Spec::Job(job)), _) => columns(&job.compiled.columns, &job.slice),
                (_, Some((schema, slice))) => columns(schema, slice),
                _ => declared_columns(state, name).map(|(schema, slice)| columns(&schema, &slice))?,
            };
            Some((name.clone(), found))
        };
        Self(names.filter_map(one).collect())
    }

    /// Takes a job as a recorded spec declares it.
    pub(crate) fn declare(&mut self, job: &DatasetName, spec: &JobSpec) {
        self.0
            .insert(job.clone(), columns(&spec.compiled.columns, &spec.slice));
    }
}

fn columns(schema: &Schema, slice: &[String]) -> Vec<Column> {
    slice
        .iter()
        .filter_map(|name| schema.column(name).cloned())
        .collect()
}

impl Expressions for SliceColumns {
    fn over(&self, dataset: Option<&DatasetName>, slices: &[&SliceKey]) -> Option<Box<dyn SliceValues + '_>> {
        let columns = match dataset {
            Some(name) => self.0.get(name)?.as_slice(),
            None => &[],
        };
        let table = SliceTable::new(columns, slices)?;
        Some(Box::new(Prepared {
            all: self,
            columns,
            table,
        }))
    }

    fn columns(&self, dataset: &DatasetName) -> &[Column] {
        self.0.get(dataset).map(Vec::as_slice).unwrap_or_default()
    }
}

struct Prepared<'a> {
    all: &'a SliceColumns,
    columns: &'a [Column],
    table: SliceTable,
}

impl SliceValues for Prepared<'_> {
    fn values(&self, expression: &str) -> Option<Values> {
        self.table.values(expression)
    }

    fn holds(&self, condition: &str) -> Option<Vec<bool>> {
        self.table.holds(condition)
    }

    fn keys(&self, expressions: &[String], of: &DatasetName) -> Option<Vec<SliceKey>> {
        let wanted = self.all.0.get(of)?;
        if wanted.len() != expressions.len() {
            return None;
        }
        let columns: Option<Vec<Vec<Option<String>>>> = expressions
            .iter()
            .zip(wanted)
            .map(|(e, c)| self.table.texts(e, &c.column_type))
            .collect();
        let columns = columns?;
        let rows = columns.first().map_or(0, Vec::len);
        let key = |row: usize| SliceKey(columns.iter().map(|c| c.get(row).cloned().flatten()).collect());
        Some((0..rows).map(key).collect())
    }

    fn same_keys(&self, expressions: &[String], of: &DatasetName) -> bool {
        let Some(wanted) = self.all.0.get(of) else {
            return false;
        };
        let each = || expressions.iter().zip(wanted).zip(self.columns);
        expressions.len() == wanted.len()
            && wanted.len() == self.columns.len()
            && each().all(|((e, w), own)| {
                mainstay_sql::column_text(&own.name) == *e && w.column_type == own.column_type
            })
    }
}
