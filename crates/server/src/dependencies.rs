//! `deps`: which slices of its inputs a job's slices read, by which rule, and where that is more than might be necessary.

use std::collections::BTreeMap;

use mainstay_api::{DependenciesReport, Error, Fallback};
use mainstay_control::{At, Sight};
use mainstay_model::address::Selection;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::{DatasetName, SliceKey};
use mainstay_planner::{Job, Read, Resolution, all_slices};
use serde_json::{Value, json};

use crate::expressions::SliceColumns;
use crate::instance::Instance;
use crate::jobs::{self, WRONG_DEPENDENCIES};
use crate::show::not_computed;

impl Instance {
    /// Says which slices of its inputs a job's slices read.
    ///
    /// # Errors
    ///
    /// `NotFound` if no job computes the dataset.
    pub fn dependencies(
        &self,
        name: &DatasetName,
        selection: &Selection,
    ) -> Result<DependenciesReport, Error> {
        let found = self.with(|state| {
            let key = ResourceKey::new(Kind::Job, name);
            let resource = state.resources.get(&key)?.resource()?;
            let (job, Spec::Job(spec)) = (jobs::declared(state, name)?, &resource.spec) else {
                return None;
            };
            let (now, columns) = (At::now(state), SliceColumns::now(state));
            // Without origins, the slices that it had when it was computed last.
            let held = || {
                let dataset = state.datasets.get(name);
                let keys = dataset.into_iter().flat_map(|d| d.slices.keys());
                keys.filter(|k| k.0.len() == job.slice_columns.len())
                    .cloned()
                    .collect()
            };
            let outputs: Vec<SliceKey> = if job.slice_columns.is_empty() {
                vec![SliceKey::whole()]
            } else {
                all_slices(&job, &now, &columns).unwrap_or_else(held)
            };
            let selected: Vec<&SliceKey> = outputs
                .iter()
                .filter(|k| selection.matches(k, &job.slice_columns))
                .collect();
            let resolution = Resolution::new(name, &job.reads, &now, &columns, &selected);
            let slice_columns = |input: &DatasetName| {
                let dataset = state.datasets.get(input);
                dataset.map(|d| d.slice_columns.clone()).unwrap_or_default()
            };
            let reads = |i: usize| -> BTreeMap<String, Value> {
                let each = |(input, read): (&DatasetName, Read)| {
                    let value = match read {
                        Read::All => json!("all"),
                        Read::Slices(list) => {
                            let columns = slice_columns(input);
                            list.iter().map(|s| s.text(&columns)).collect()
                        }
                    };
                    (input.to_string(), value)
                };
                resolution.reads(i).into_iter().map(each).collect()
            };
            let slices = selected
                .iter()
                .enumerate()
                .map(|(i, s)| (s.text(&job.slice_columns), reads(i)))
                .collect();
            let fallbacks = spec.compiled.widened.iter().map(|w| Fallback {
                input: w.input.to_string(),
                operator: w.operator.clone(),
                message: w.message.clone(),
            });
            let fallbacks = fallbacks.chain(distrusted(state, &job));
            let rules = job
                .reads
                .iter()
                .map(|(input, reads)| (input.to_string(), reads.to_string()));
            Some(DependenciesReport {
                slices,
                rules: rules.collect(),
                fallbacks: fallbacks.collect(),
            })
        });
        found.ok_or_else(|| self.with(|sight| not_computed(sight, name)))
    }
}

/// What is read in full because less of it was found not to be enough.
fn distrusted(sight: &Sight<'_>, job: &Job) -> Vec<Fallback> {
    let Some(run) = jobs::broken(sight, job) else {
        return Vec::new();
    };
    let each = |input: &DatasetName| Fallback {
        input: input.to_string(),
        operator: "cross-check".to_owned(),
        message: format!(
            "{WRONG_DEPENDENCIES}: in {run} a slice came out otherwise from everything; until the query changes, all of it is read"
        ),
    };
    job.reads.keys().map(each).collect()
}
