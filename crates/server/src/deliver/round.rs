//! Reading the files of one delivery to one source: several at once, each staged below a prefix of its own.
//!
//! Owns what a file is fitted to. Invariant: what comes of a file depends on the files and their names, not on which thread was
//! faster.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use mainstay_api::{Error, Progress};
use mainstay_base::Hash;
use mainstay_control::Taken;
use mainstay_engine::CancelToken;
use mainstay_ingest::{Arrival, Found, Intake, Taking, Watch};
use mainstay_model::delivery::{FileError, Reapplied};
use mainstay_model::spec::SourceSpec;
use mainstay_model::{DatasetName, Schema};

use crate::error;
use crate::instance::{Instance, Watch as Watcher};
use crate::stage::SliceStage;

/// What is the same for all files of one delivery to one source.
pub(super) struct Round<'a> {
    instance: &'a Instance,
    name: &'a DatasetName,
    place: Watch,
    intake: Intake,
    /// What is there already, read as it would be read now, by content.
    held: BTreeSet<Hash>,
    /// The dataset's columns before these files; none if they are not known.
    known: Option<Schema>,
    /// Where this delivery's files go; no other ever writes there.
    prefix: String,
    cancel: &'a CancelToken,
}

/// A file that was looked at.
pub(super) struct Incoming {
    pub(super) found: Found,
    pub(super) content: Hash,
    /// The columns that it makes of the dataset's, and its rows, staged; or why it could not be read. None if its content is
    /// there already.
    pub(super) result: Option<Result<(Schema, Taken), FileError>>,
    /// The amendments that change other rows after it than before.
    pub(super) reapplied: Vec<Reapplied>,
}

/// What came of one file.
enum Came {
    /// It was read, or seen to be there already, or found to be bad.
    In(Box<Incoming>),
    /// It was still being written.
    Moving(String),
}

/// What came of the files of a round.
pub(super) struct Read {
    /// The dataset's columns before these files, or as the first of them has them.
    pub(super) known: Schema,
    /// The files, in the order of their names.
    pub(super) files: Vec<Incoming>,
    /// Those that were still being written.
    pub(super) moving: Vec<String>,
}

impl<'a> Round<'a> {
    /// Prepares a round; if files are read anew because their source says so, what is there says nothing about columns.
    pub(super) fn new(
        instance: &'a Instance,
        name: &'a DatasetName,
        spec: &'a SourceSpec,
        place: Watch,
        anew: bool,
        cancel: &'a CancelToken,
    ) -> Result<Self, Error> {
        let reading = spec.reading();
        let (held, known, prefix) = {
            let epoch = instance.epoch();
            instance.with(|sight| {
                let files = sight.state.sources.get(name).into_iter().flat_map(|f| f.values());
                let held = files
                    .filter(|f| f.reading.is_none_or(|r| r == reading))
                    .filter_map(|f| f.active.map(|(_, content)| content));
                let schema = sight.dataset(name).and_then(|d| d.base().schema());
                (
                    held.collect(),
                    schema.filter(|_| !anew).cloned(),
                    format!("d{}-{epoch}", sight.state.last_delivery + 1),
                )
            })
        };
        let declared = match (known, &spec.columns) {
            (Some(known), _) => Some(known),
            (None, Some(columns)) => mainstay_ingest::check_slice(spec, columns).ok(),
            (None, None) => None,
        };
        Ok(Self {
            instance,
            name,
            place,
            intake: Intake::new(spec.clone()),
            held,
            known: declared,
            prefix,
            cancel,
        })
    }

    /// Says how often the same was tried already; each try has files of its own.
    pub(super) fn tried(&mut self, times: usize) {
        if times > 0 {
            self.prefix.push_str(&format!("-n{times}"));
        }
    }

    /// Returns the prefix below which its files are staged.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes the files in, several at once.
    pub(super) fn take_all(self, files: &[Found], watch: Watcher<'_>) -> Result<Read, Error> {
        let mut came = Vec::new();
        let mut known = self.known.clone();
        // Until the columns are known, one file after the other: the first that can be read has them.
        while let Some(file) = files.get(came.len()).filter(|_| known.is_none()) {
            let one = self.take(came.len(), file, None)?;
            if let Came::In(incoming) = &one
                && let Some(Ok((schema, _))) = &incoming.result
            {
                known = Some(schema.clone());
            }
            came.push(one);
        }
        let first = came.len();
        let rest = files.get(first..).unwrap_or_default();
        let results: Vec<Mutex<Option<Result<Came, Error>>>> =
            rest.iter().map(|_| Mutex::default()).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(first));
        let threads = self.instance.parallel().min(rest.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !self.cancel.is_cancelled() {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(file), Some(slot)) = (rest.get(i), results.get(i)) else {
                            break;
                        };
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(self.take(first + i, file, known.as_ref()));
                        watch(Progress::At {
                            what: self.name.to_string(),
                            done: (done.fetch_add(1, Ordering::Relaxed) + 1) as u64,
                        });
                    }
                });
            }
        });
        if self.cancel.is_cancelled() {
            return Err(error::stopped());
        }
        for result in results {
            came.extend(
                result
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner)
                    .transpose()?,
            );
        }
        let mut read = Read {
            known: known.unwrap_or_default(),
            files: Vec::new(),
            moving: Vec::new(),
        };
        for one in came {
            match one {
                Came::In(file) => read.files.push(*file),
                Came::Moving(name) => read.moving.push(name),
            }
        }
        Ok(read)
    }

    fn take(&self, index: usize, found: &Found, known: Option<&Schema>) -> Result<Came, Error> {
        let came = |content, result| {
            Came::In(Box::new(Incoming {
                found: found.clone(),
                content,
                result,
                reapplied: Vec::new(),
            }))
        };
        let scratch = &self.instance.options.home;
        let fetch = self.place.fetch(found, scratch);
        let arrival = self.instance.until(self.cancel, fetch)?;
        let content = match arrival.map_err(|e| error::place(self.name, &e))? {
            Arrival::Complete(content) => {
                let cancel = self.cancel.clone();
                content.until(move || cancel.is_cancelled())
            }
            Arrival::Unstable => return Ok(Came::Moving(found.file.clone())),
        };
        if self.held.contains(&content.hash()) {
            return Ok(came(content.hash(), None));
        }
        let slice = &self.intake.spec().slice;
        let slice_columns: Vec<String> = slice.iter().map(|s| s.name.clone()).collect();
        let prefix = format!("{}-{index}", self.prefix);
        let stage = SliceStage::new(self.instance, self.name, &slice_columns, prefix, self.cancel);
        let taking = Taking {
            known,
            file: &found.file,
            content: &content,
            stage: &stage,
        };
        let result = match self.intake.take(taking) {
            Ok(taken) => Ok((
                taken.schema,
                Taken {
                    rows: taken.rows,
                    files: taken.files,
                },
            )),
            Err(_) if self.cancel.is_cancelled() => return Err(error::stopped()),
            Err(mainstay_ingest::Error::File(error)) => Err(error),
            Err(e @ mainstay_ingest::Error::Failed(_)) => {
                return Err(error::intake(self.name, &found.file, &e));
            }
        };
        Ok(came(content.hash(), Some(result)))
    }
}

impl Read {
    /// Adds the new columns of all files to the dataset's, in the order of the files' names. A file whose column has another
    /// type than an earlier one gave it is set aside.
    pub(super) fn schema(&mut self) -> Schema {
        let mut schema = self.known.clone();
        for file in &mut self.files {
            let Some(Ok((own, _))) = &file.result else {
                continue;
            };
            match joined(&schema, own) {
                Ok(both) => schema = both,
                Err(error) => file.result = Some(Err(error)),
            }
        }
        schema
    }
}

fn joined(schema: &Schema, own: &Schema) -> Result<Schema, FileError> {
    let mut both = schema.clone();
    for column in &own.0 {
        match both.column(&column.name) {
            None => both.0.push(column.clone()),
            Some(same) if same.column_type == column.column_type => {}
            Some(other) => {
                return Err(FileError {
                    code: "MS0265".to_owned(),
                    message: format!(
                        "column `{}` is {} here and {} in another file of this delivery",
                        column.name, column.column_type, other.column_type
                    ),
                    row: None,
                    column: Some(column.name.clone()),
                    help: Some(
                        "declare the column's type in the source, or deliver files that agree".to_owned(),
                    ),
                });
            }
        }
    }
    Ok(both)
}
