//! Taking a file in: its format's reader, the fit of its columns, its slices, the files that are staged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::DataType;
use mainstay_base::Rows;
use mainstay_model::spec::{Format, OnSchemaChange, SourceSpec};
use mainstay_model::{DataFile, Schema, SliceKey};
use mainstay_sql::arrow_types;

use crate::columns::{Delivered, Fit, Known, Output, fit};
use crate::content::Content;
use crate::error::Error;
use crate::fault;
use crate::infer::{self, check_names, infer, odd, stopped};
use crate::read::csv::CsvReader;
use crate::read::ndjson::NdjsonReader;
use crate::read::parquet::ParquetReader;
use crate::read::{Read, Stop};
use crate::round::{ROUND_BYTES, Round, Stage};
use crate::slices::{Slicer, check_slice};

/// A source that takes files in; what is compiled for one file serves the next. Files may be taken on several threads.
#[derive(Debug)]
pub struct Intake {
    spec: SourceSpec,
    round_bytes: usize,
    slicers: Mutex<HashMap<Schema, Arc<Slicer>>>,
}

/// A file that is to be taken in.
#[derive(Clone, Copy)]
pub struct Taking<'a> {
    /// The dataset's columns, slice columns included; none before the first file.
    pub known: Option<&'a Schema>,
    /// The file, relative to the project or as a URL; its ending says how it is compressed.
    pub file: &'a str,
    /// Its bytes.
    pub content: &'a Content,
    /// Where its rows go.
    pub stage: &'a dyn Stage,
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The dataset's columns with this file: as they were, or more if the policy is `add`.
    pub schema: Schema,
    /// The staged files, by slice; each names the delivered file as its origin. None for a file without rows.
    pub files: Vec<(SliceKey, DataFile)>,
    /// The file's rows.
    pub rows: Rows,
}

impl Intake {
    /// Makes the intake of a source.
    pub fn new(spec: SourceSpec) -> Self {
        Self {
            spec,
            round_bytes: ROUND_BYTES,
            slicers: Mutex::default(),
        }
    }

    /// Stages rows as soon as this many bytes of them are in memory, instead of 128 MiB.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.round_bytes = bytes;
        self
    }

    /// Returns the source's spec.
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Takes a file in: its rows are staged by slice. After an error some files may be staged; nothing refers to them.
    /// Reads and computes as it goes: call it where blocking is fine.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the place of the first bad value, or what else is wrong with the file; [`Error::Failed`] if the
    /// store or the local disk fails.
    pub fn take(&self, taking: Taking<'_>) -> Result<Taken, Error> {
        let mut types = None;
        let known = match taking.known {
            Some(known) => known.clone(),
            None => {
                let delivered = match &self.spec.columns {
                    Some(declared) => declared.clone(),
                    None => {
                        let inferred = infer(&self.spec, taking.file, taking.content)?;
                        types = Some(inferred.clone());
                        inferred
                    }
                };
                check_slice(&self.spec, &delivered).map_err(|why| fault::bad_slice(&why))?
            }
        };
        match self.spec.format {
            Format::Parquet => self.take_parquet(&known, taking),
            Format::Csv => self.take_csv(&known, types, taking),
            Format::Ndjson => self.take_ndjson(&known, types, taking),
        }
    }

    fn take_parquet(&self, known: &Schema, taking: Taking<'_>) -> Result<Taken, Error> {
        let mut reader = ParquetReader::open(taking.content).map_err(stopped)?;
        let names = reader.schema().fields().iter();
        check_names(names.map(|f| self.spec.column_of(f.name())))?;
        let columns = reader.schema().fields().iter().map(|f| {
            // A column that was written without a type has nothing but NULLs, and is one of any type.
            let kind = match arrow_types::column_type(f.data_type()) {
                _ if *f.data_type() == DataType::Null => Known::Text(None),
                Ok(t) => Known::Typed(t),
                Err(e) => Known::Odd(odd(&e)),
            };
            (self.spec.column_of(f.name()).to_owned(), kind)
        });
        let delivered = Delivered {
            columns: columns.collect(),
            any_case: false,
            sparse: false,
        };
        let fit = fit(&self.spec, known, &delivered)?;
        self.pour(&mut reader, &fit, taking).map_err(stopped_or)
    }

    fn take_csv(&self, known: &Schema, types: Option<Schema>, taking: Taking<'_>) -> Result<Taken, Error> {
        let mut reader = CsvReader::open(taking.content, taking.file, &self.spec).map_err(stopped)?;
        check_names(reader.header().iter().map(String::as_str))?;
        let mut delivered = Delivered {
            columns: reader
                .header()
                .iter()
                .map(|n| (n.clone(), Known::Text(None)))
                .collect(),
            any_case: true,
            sparse: false,
        };
        // Columns that the dataset does not have as they come need a type of their own.
        let own = |name: &String| {
            let computed = self
                .spec
                .slice
                .iter()
                .any(|s| s.expression.is_some() && s.name == *name);
            computed || !known.names().any(|k| k.to_lowercase() == name.to_lowercase())
        };
        let open: Vec<String> = reader.header().iter().filter(|n| own(n)).cloned().collect();
        if !open.is_empty() {
            let types = match types {
                Some(types) => types,
                None if open.iter().all(|n| self.declared(n).is_some()) => Schema::default(),
                None => infer::csv(&self.spec, taking.file, taking.content, Some(&open)).map_err(stopped)?,
            };
            for (name, kind) in &mut delivered.columns {
                if open.contains(name) {
                    let declared = self.declared(name).or_else(|| types.column(name));
                    *kind = Known::Text(declared.map(|c| c.column_type.clone()));
                }
            }
        }
        let fit = fit(&self.spec, known, &delivered)?;
        self.pour(&mut reader, &fit, taking).map_err(stopped_or)
    }

    fn take_ndjson(&self, known: &Schema, types: Option<Schema>, taking: Taking<'_>) -> Result<Taken, Error> {
        let computed = |name: &str| {
            self.spec
                .slice
                .iter()
                .any(|s| s.expression.is_some() && s.name == name)
        };
        // The names are known only when every line has been read. Try with those that are expected; a key that is not one
        // of them stops the reader, and then the whole file is looked at first.
        let expected = || {
            let declared = self
                .spec
                .columns
                .iter()
                .flat_map(|d| d.0.iter())
                .filter(|c| computed(&c.name));
            let mut columns: Vec<_> = known.0.iter().filter(|c| !computed(&c.name)).cloned().collect();
            columns.extend(declared.cloned());
            Schema(columns)
        };
        let strict = self.spec.on_schema_change != OnSchemaChange::Cast;
        let mut types = types;
        loop {
            let seen = types.clone().unwrap_or_else(expected);
            check_names(
                seen.names()
                    .chain(known.names().filter(|n| seen.column(n).is_none())),
            )?;
            let columns = seen
                .0
                .iter()
                .map(|c| (c.name.clone(), Known::Text(Some(c.column_type.clone()))));
            let delivered = Delivered {
                columns: columns.collect(),
                any_case: false,
                sparse: true,
            };
            let fit = fit(&self.spec, known, &delivered)?;
            if types.is_none() && self.slicer(&fit.inputs).is_err() {
                // An expression reads a column that it replaces.
                types = Some(infer(&self.spec, taking.file, taking.content)?);
                continue;
            }
            // The reader has to know the shapes of the values, which are the dataset's where it has the column.
            let shapes = seen.0.iter().map(|c| mainstay_model::Column {
                name: self.spec.delivered_as(&c.name).to_owned(),
                ..fit.inputs.column(&c.name).unwrap_or(c).clone()
            });
            let shapes = Schema(shapes.collect());
            let reader = NdjsonReader::open(taking.content, taking.file, &shapes, strict);
            match reader
                .map_err(Poured::Stop)
                .and_then(|mut r| self.pour(&mut r, &fit, taking))
            {
                Err(Poured::Stop(Stop::UnknownColumn)) if types.is_none() => {
                    types = Some(infer(&self.spec, taking.file, taking.content)?);
                }
                other => return other.map_err(stopped_or),
            }
        }
    }

    fn declared(&self, name: &str) -> Option<&mainstay_model::Column> {
        self.spec.columns.as_ref().and_then(|d| d.column(name))
    }

    /// Reads all rows, brings them to the dataset's columns, and stages them.
    fn pour(&self, reader: &mut dyn Read, fit: &Fit, taking: Taking<'_>) -> Result<Taken, Poured> {
        let slicer = self.slicer(&fit.inputs)?;
        let slice: Option<Vec<usize>> = self
            .spec
            .slice
            .iter()
            .map(|s| fit.dataset.0.iter().position(|c| c.name == s.name))
            .collect();
        let slice = slice.ok_or_else(|| fault::bad_slice("a slice column is not a column of the dataset"))?;
        let mut round = Round::new(fit.arrow().clone(), slice, self.round_bytes, taking.stage);
        let mut rows = 0;
        while let Some(batch) = reader.next()? {
            let inputs = fit.inputs(&batch)?;
            let computed = slicer.evaluate(
                &self.spec,
                &fit.dataset,
                inputs.clone(),
                batch.rows,
                batch.first_row,
            )?;
            let columns = fit.outputs.iter().filter_map(|o| match o {
                Output::Input(i) => inputs.get(*i).cloned(),
                Output::Slice(i) => computed.get(*i).cloned().flatten(),
            });
            let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
            let out = RecordBatch::try_new_with_options(fit.arrow().clone(), columns.collect(), &options);
            round.push(out.map_err(Error::from)?)?;
            rows += batch.rows as u64;
        }
        round.flush()?;
        let mut files = round.staged;
        for (_, file) in &mut files {
            file.origin = Some(taking.file.to_owned());
        }
        Ok(Taken {
            schema: fit.dataset.clone(),
            files,
            rows: Rows(rows),
        })
    }

    fn slicer(&self, inputs: &Schema) -> Result<Arc<Slicer>, Error> {
        let mut slicers = self.slicers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slicer) = slicers.get(inputs) {
            return Ok(slicer.clone());
        }
        let slicer = Arc::new(Slicer::compile(&self.spec, inputs).map_err(|why| fault::bad_slice(&why))?);
        slicers.insert(inputs.clone(), slicer.clone());
        Ok(slicer)
    }
}

/// Why pouring stopped: in the reader, or behind it.
enum Poured {
    Stop(Stop),
    Error(Error),
}

impl From<Stop> for Poured {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl<E: Into<Error>> From<E> for Poured {
    fn from(e: E) -> Self {
        Self::Error(e.into())
    }
}

fn stopped_or(poured: Poured) -> Error {
    match poured {
        Poured::Stop(stop) => stopped(stop),
        Poured::Error(e) => e,
    }
}

impl std::fmt::Debug for Taking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Taking")
            .field("file", &self.file)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}
