//! Checks of a dataset as its readers would see it, asked of files that are staged and not published yet.
//!
//! Owns what is new in such a dataset and what stays; what a check asks is the engine's matter.

use std::collections::BTreeMap;

use mainstay_api::Error;
use mainstay_engine::{Assignment, CancelToken, Mounted, Output};
use mainstay_model::run::{CheckOutcome, Scope};
use mainstay_model::spec::CheckSpec;
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

use crate::error;
use crate::instance::Instance;
use crate::run::{check_inputs, read_by_checks};

/// A dataset whose checks are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Examined<'a> {
    pub(crate) name: &'a DatasetName,
    pub(crate) schema: &'a Schema,
    pub(crate) slice_columns: &'a [String],
    pub(crate) checks: &'a [(String, CheckSpec)],
    /// What they read besides it; as it is now if left out.
    pub(crate) inputs: Option<&'a [Mounted]>,
}

impl Instance {
    /// Asks checks of a dataset as it would be with these contents: rules about single rows of what readers do not see yet.
    pub(crate) fn examine_shown(
        &self,
        about: Examined<'_>,
        contents: BTreeMap<SliceKey, SliceVersion>,
        cancel: &CancelToken,
    ) -> Result<Vec<CheckOutcome>, Error> {
        if about.checks.is_empty() {
            return Ok(Vec::new());
        }
        let (stays, new) = self.with(|sight| {
            let held = sight.dataset(about.name);
            let now = |slice: &SliceKey| held.and_then(|d| d.slices.get(slice)).and_then(|h| h.newest());
            contents
                .into_iter()
                .partition(|(slice, content)| now(slice) == Some(content))
        });
        self.examine(about, new, stays, cancel)
    }

    /// Asks checks of staged slices; with those that stay they are the dataset.
    pub(crate) fn examine(
        &self,
        about: Examined<'_>,
        staged: Vec<(SliceKey, SliceVersion)>,
        stays: Vec<(SliceKey, SliceVersion)>,
        cancel: &CancelToken,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let store = self.store()?;
        let now = || {
            self.with(|sight| {
                let names = read_by_checks(about.checks, about.name);
                let now = names.into_iter().map(|n| (n, u64::MAX)).collect();
                check_inputs(self, sight, &store, &now)
            })
        };
        let inputs = about.inputs.map_or_else(now, <[Mounted]>::to_vec);
        let assignment = Assignment {
            query: String::new(),
            label: about.name.to_string(),
            inputs: Vec::new(),
            output: Output {
                dataset: about.name.clone(),
                table: self.table(about.name),
                store,
                schema: about.schema.clone(),
                slice_columns: about.slice_columns.to_vec(),
                attempt_prefix: String::new(),
            },
            scope: Scope::Whole,
            as_of: self.clock.now(),
            checks: about.checks.to_vec(),
            check_inputs: inputs,
            previous: stays,
            time_limit: None,
        };
        let asked = self.engine()?.examine(assignment, staged, cancel);
        asked.map_err(|e| error::engine(&e))
    }
}
