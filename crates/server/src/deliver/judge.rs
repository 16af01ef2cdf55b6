//! The checks of a source: asked of the dataset as it would be with the files that came, before anything is recorded.
//!
//! Where a rule is about single rows, the files that break it can be told from the others and are set aside alone. Where it is
//! about the dataset as a whole they cannot, and all files of the round are.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::Error;
use mainstay_base::text;
use mainstay_control::{DeliveredFile, Taken, base_after_delivery};
use mainstay_engine::{Assignment, CancelToken, Mounted, Output};
use mainstay_model::delivery::FileError;
use mainstay_model::run::{CheckOutcome, Scope};
use mainstay_model::spec::{CheckSpec, Rule, Severity};
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

use super::again::{BROKE_A_CHECK, Grounds};
use super::round::{Incoming, Read};
use crate::error;
use crate::instance::Instance;
use crate::run::{check_inputs, checks_of};

type Checks = [(String, CheckSpec)];

/// Files that were read and judged: what is to be recorded.
pub(super) struct Judged {
    pub(super) schema: Schema,
    pub(super) files: Vec<DeliveredFile>,
    /// How the checks ended for what is to be published.
    pub(super) checks: Vec<CheckOutcome>,
}

impl Instance {
    /// Asks a source's checks of what was read, and sets aside what breaks them.
    pub(super) fn judge_files(
        &self,
        name: &DatasetName,
        slice_columns: &[String],
        grounds: &Grounds,
        mut read: Read,
    ) -> Result<Judged, Error> {
        let checks = self.with(|sight| checks_of(sight, name));
        loop {
            let schema = read.schema();
            let files: Vec<DeliveredFile> = read.files.iter().map(|f| delivered(f, grounds)).collect();
            let judged = Judged {
                schema,
                files,
                checks: Vec::new(),
            };
            if checks.is_empty() || !read.files.iter().any(|f| taken(f).is_some()) {
                return Ok(judged);
            }
            let examined = self.examine(name, slice_columns, &judged, &checks)?;
            let failed: Vec<&CheckOutcome> = examined.iter().filter(|c| breaks(c)).collect();
            if failed.is_empty() {
                return Ok(Judged {
                    checks: examined,
                    ..judged
                });
            }
            if !self.set_culprits_aside(name, slice_columns, &judged.schema, &checks, &failed, &mut read)? {
                let came = read.files.iter().filter(|f| taken(f).is_some()).count();
                let error = broke(&failed, (came > 1).then_some(came));
                for file in read.files.iter_mut().filter(|f| taken(f).is_some()) {
                    file.result = Some(Err(error.clone()));
                }
            }
        }
    }

    /// Asks all checks of the dataset as it would be with these files.
    fn examine(
        &self,
        name: &DatasetName,
        slice_columns: &[String],
        judged: &Judged,
        checks: &Checks,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let (contents, before) = self.with(|sight| {
            let contents = base_after_delivery(sight, name, &judged.schema, slice_columns, &judged.files);
            let held = sight.dataset(name).into_iter().flat_map(|d| d.base().newest());
            let before: BTreeMap<SliceKey, SliceVersion> =
                held.map(|(k, v)| (k.clone(), v.clone())).collect();
            (contents, before)
        });
        let (stays, new) = contents.into_iter().partition(|(k, v)| before.get(k) == Some(v));
        self.ask_checks(name, slice_columns, &judged.schema, checks, new, stays)
    }

    /// Sets those files aside of which single rows break a check; says whether there are any.
    fn set_culprits_aside(
        &self,
        name: &DatasetName,
        slice_columns: &[String],
        schema: &Schema,
        checks: &Checks,
        failed: &[&CheckOutcome],
        read: &mut Read,
    ) -> Result<bool, Error> {
        let failed: BTreeSet<&str> = failed.iter().map(|c| c.check.as_str()).collect();
        let by_row = checks
            .iter()
            .filter(|(name, spec)| failed.contains(name.as_str()) && is_by_row(&spec.rule));
        let by_row: Vec<(String, CheckSpec)> = by_row.cloned().collect();
        let mut found = false;
        for file in &mut read.files {
            let Some(taken) = taken(file).filter(|_| !by_row.is_empty()) else {
                continue;
            };
            let mut slices: BTreeMap<SliceKey, SliceVersion> = BTreeMap::new();
            for (slice, staged) in &taken.files {
                slices
                    .entry(slice.clone())
                    .or_default()
                    .files
                    .push(staged.clone());
            }
            let alone = self.ask_checks(
                name,
                slice_columns,
                schema,
                &by_row,
                slices.into_iter().collect(),
                Vec::new(),
            )?;
            let broken: Vec<&CheckOutcome> = alone.iter().filter(|c| breaks(c)).collect();
            if !broken.is_empty() {
                file.result = Some(Err(broke(&broken, None)));
                found = true;
            }
        }
        Ok(found)
    }

    fn ask_checks(
        &self,
        name: &DatasetName,
        slice_columns: &[String],
        schema: &Schema,
        checks: &Checks,
        staged: Vec<(SliceKey, SliceVersion)>,
        stays: Vec<(SliceKey, SliceVersion)>,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let store = self.store()?;
        let inputs: Vec<Mounted> = self.with(|sight| check_inputs(self, sight, &store, checks, name));
        let assignment = Assignment {
            query: String::new(),
            label: name.to_string(),
            inputs: Vec::new(),
            output: Output {
                dataset: name.clone(),
                table: self.table(name),
                store,
                schema: schema.clone(),
                slice_columns: slice_columns.to_vec(),
                attempt_prefix: String::new(),
            },
            scope: Scope::Whole,
            as_of: self.clock.now(),
            checks: checks.to_vec(),
            check_inputs: inputs,
            previous: stays,
            time_limit: None,
        };
        let asked = self.engine()?.examine(assignment, staged, &CancelToken::new());
        asked.map_err(|e| error::engine(&e))
    }
}

fn taken(file: &Incoming) -> Option<&Taken> {
    match &file.result {
        Some(Ok((_, taken))) => Some(taken),
        _ => None,
    }
}

fn delivered(file: &Incoming, grounds: &Grounds) -> DeliveredFile {
    DeliveredFile {
        file: file.found.file.clone(),
        observed: file.found.observed.clone(),
        content: file.content,
        reading: grounds.of(file.result.as_ref()),
        result: file.result.as_ref().map(|r| match r {
            Ok((_, taken)) => Ok(taken.clone()),
            Err(e) => Err(e.clone()),
        }),
    }
}

fn breaks(outcome: &CheckOutcome) -> bool {
    outcome.violations > 0 && outcome.severity == Severity::Error
}

/// Says whether a rule is about each row for itself.
fn is_by_row(rule: &Rule) -> bool {
    matches!(
        rule,
        Rule::NotNull { .. } | Rule::Accepted { .. } | Rule::Range { .. }
    )
}

/// Why files are set aside: the checks that they broke, with a row; and whether it is not known which of several is at fault.
fn broke(failed: &[&CheckOutcome], of: Option<usize>) -> FileError {
    let said: Vec<String> = failed
        .iter()
        .map(|c| {
            let row = c.sample.first().map(|row| {
                let value = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                let fields: Vec<String> = row.iter().map(|(k, v)| format!("{k}={}", value(v))).collect();
                format!(", for example {}", fields.join(" "))
            });
            format!(
                "check {} failed: {}{}",
                c.check,
                c.message,
                row.unwrap_or_default()
            )
        })
        .collect();
    let together = of.map(|n| {
        let files = text::count(n as u64, "file");
        format!(" (the dataset with these {files} together; which of them is at fault cannot be told)")
    });
    FileError {
        code: BROKE_A_CHECK.to_owned(),
        message: format!("{}{}", said.join("; "), together.unwrap_or_default()),
        row: None,
        column: None,
        help: Some(
            "correct the file or the check; the file is tried again then, and whenever others come"
                .to_owned(),
        ),
    }
}
