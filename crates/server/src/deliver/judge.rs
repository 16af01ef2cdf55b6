//! The checks of a source: asked of the dataset as its readers would see it with the files that came, under the amendments that
//! hold, before anything is recorded.
//!
//! Where a rule is about single rows, the files that break it can be told from the others and are set aside alone. Where it is
//! about the dataset as a whole they cannot, and all files of the round are.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{Error, ErrorKind};
use mainstay_base::text;
use mainstay_control::{DeliveredFile, Taken, base_after_delivery, is_held, shown_under};
use mainstay_engine::CancelToken;
use mainstay_model::delivery::FileError;
use mainstay_model::run::CheckOutcome;
use mainstay_model::spec::{CheckSpec, Rule, Severity};
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

use super::again::{BROKE_A_CHECK, Grounds};
use super::round::{Incoming, Read};
use crate::amend::Laid;
use crate::examine::Examined;
use crate::instance::Instance;
use crate::run::checks_of;

type Checks = [(String, CheckSpec)];

/// Files that were read and judged: what is to be recorded.
pub(super) struct Judged {
    pub(super) schema: Schema,
    pub(super) files: Vec<DeliveredFile>,
    /// What the source's amendments make of it; none if it has none, or if nothing changes.
    pub(super) laid: Option<Laid>,
    /// How the checks ended for what is to be published.
    pub(super) checks: Vec<CheckOutcome>,
}

/// The source that files came to.
pub(super) struct Judging<'a> {
    pub(super) name: &'a DatasetName,
    pub(super) slice_columns: &'a [String],
    pub(super) grounds: &'a Grounds,
    /// The prefix of this delivery's files.
    pub(super) prefix: &'a str,
    pub(super) cancel: &'a CancelToken,
}

impl Instance {
    /// Says which files amendments meet otherwise than before, asks a source's checks of what readers would see, and sets aside
    /// what breaks them.
    pub(super) fn judge_files(&self, about: &Judging<'_>, mut read: Read) -> Result<Judged, Error> {
        let &Judging {
            name,
            slice_columns,
            grounds,
            prefix,
            cancel,
        } = about;
        let checks = self.with(|sight| checks_of(sight, name));
        let schema = read.schema();
        let files: Vec<DeliveredFile> = read.files.iter().map(|f| delivered(f, grounds)).collect();
        let reapplied = self.reapplied(name, (&schema, slice_columns), &files)?;
        for (file, reapplied) in read.files.iter_mut().zip(reapplied) {
            file.reapplied = reapplied;
        }
        for round in 1.. {
            let schema = read.schema();
            let files: Vec<DeliveredFile> = read.files.iter().map(|f| delivered(f, grounds)).collect();
            let comes: Vec<bool> = self.with(|sight| {
                let taken = |f: &&DeliveredFile| matches!(f.result, Some(Ok(_)));
                let comes = |f| taken(&f) && !is_held(sight, name, f);
                files.iter().map(comes).collect()
            });
            let laid = self.lay_over_delivery(
                name,
                (&schema, slice_columns),
                &files,
                &format!("{prefix}-a{round}"),
                cancel,
            )?;
            let judged = Judged {
                schema,
                files,
                laid,
                checks: Vec::new(),
            };
            if checks.is_empty() || !comes.contains(&true) {
                return Ok(judged);
            }
            let examined = self.examine_judged(about, &judged, &checks)?;
            let failed: Vec<&CheckOutcome> = examined.iter().filter(|c| breaks(c)).collect();
            if failed.is_empty() {
                return Ok(Judged {
                    checks: examined,
                    ..judged
                });
            }
            if let Some(laid) = &judged.laid {
                self.discard(name, &laid.files());
            }
            if !self.set_culprits_aside(about, &judged.schema, &checks, &failed, &mut read)? {
                let came = comes.iter().filter(|c| **c).count();
                let error = broke(&failed, (came > 1).then_some(came));
                for (file, _) in read.files.iter_mut().zip(&comes).filter(|(_, comes)| **comes) {
                    file.result = Some(Err(error.clone()));
                }
            }
        }
        // Each round sets at least one file aside, and there are finitely many.
        Err(Error::new(
            ErrorKind::Failed,
            "MS0901",
            "files were judged without end",
        ))
    }

    /// Asks all checks of the dataset as readers would see it with these files.
    fn examine_judged(
        &self,
        about: &Judging<'_>,
        judged: &Judged,
        checks: &Checks,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let contents = self.with(|sight| {
            let (schema, columns) = (&judged.schema, about.slice_columns);
            base_after_delivery(sight, about.name, schema, columns, &judged.files)
        });
        let contents = match &judged.laid {
            Some(laid) => shown_under(contents, &laid.overlaid),
            None => contents,
        };
        self.examine_shown(about.examined(&judged.schema, checks), contents, about.cancel)
    }

    /// Sets those files aside of which single rows break a check; says whether there are any.
    fn set_culprits_aside(
        &self,
        about: &Judging<'_>,
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
        for (i, file) in read.files.iter_mut().enumerate() {
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
            let prefix = format!("{}-c{i}", about.prefix);
            let laid = self.lay_over_file(
                about.name,
                (schema, about.slice_columns),
                &slices,
                &prefix,
                about.cancel,
            )?;
            let (slices, laid) = match laid {
                Some(laid) => (shown_under(slices, &laid.overlaid), laid.files()),
                None => (slices, Vec::new()),
            };
            let alone = self.examine(
                about.examined(schema, &by_row),
                slices.into_iter().collect(),
                Vec::new(),
                about.cancel,
            );
            self.discard(about.name, &laid);
            let alone = alone?;
            let broken: Vec<&CheckOutcome> = alone.iter().filter(|c| breaks(c)).collect();
            if !broken.is_empty() {
                file.result = Some(Err(broke(&broken, None)));
                found = true;
            }
        }
        Ok(found)
    }
}

impl<'a> Judging<'a> {
    const fn examined(&self, schema: &'a Schema, checks: &'a Checks) -> Examined<'a> {
        Examined {
            name: self.name,
            schema,
            slice_columns: self.slice_columns,
            checks,
            inputs: None,
        }
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
        reapplied: file.reapplied.clone(),
        grounds: grounds.held(),
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
