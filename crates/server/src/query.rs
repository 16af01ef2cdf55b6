//! `query`: reading data and `system.*`, as of now, a version or a time.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_api::{Error, ErrorKind};
use mainstay_base::Timestamp;
use mainstay_control::Dataset;
use mainstay_engine::{CancelToken, Question};
use mainstay_model::DatasetName;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::error;
use crate::instance::Instance;

/// As of when datasets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// As they are now.
    #[default]
    Now,
    /// As they were at a time.
    Time(Timestamp),
    /// The one dataset that the query reads, at a version.
    Version(u64),
}

/// How a query is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryOptions {
    /// As of when.
    pub when: When,
}

/// The rows of an answer.
#[derive(Debug)]
pub struct QueryResult {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Instance {
    /// Answers a query over the datasets and the tables of `system`.
    ///
    /// # Errors
    ///
    /// `Invalid` if the query is wrong, `NotFound` for a version that is not there, `Failed` if it cannot be computed.
    pub fn query(
        &self,
        sql: &str,
        options: QueryOptions,
        cancel: &CancelToken,
    ) -> Result<QueryResult, Error> {
        let names = mainstay_sql::references(sql).map_err(|problems| wrong_query(&problems))?;
        let system: Vec<DatasetName> = names
            .iter()
            .map(|r| r.name.clone())
            .filter(|n| n.schema() == "system")
            .collect();
        let read: Vec<DatasetName> = names
            .into_iter()
            .map(|r| r.name)
            .filter(|n| n.schema() != "system")
            .collect();
        let store = self.store()?;
        let version = self.versions(&read, options.when)?;
        self.with(|s| {
            let given_up = read.iter().find_map(|n| {
                let d = s.dataset(n)?;
                d.given_up(version(Some(d)))
                    .map(|(_, seq)| (n.clone(), version(Some(d)), seq))
            });
            given_up.map_or(Ok(()), |(name, version, seq)| Err(gone(&name, version, seq)))
        })?;
        let inputs = self.with(|state| self.mount_all(state, &store, |n| version(state.dataset(n))))?;
        let question = Question {
            sql: sql.to_owned(),
            inputs,
            tables: self.system_tables(&system)?,
            as_of: self.clock.now(),
            time_limit: None,
        };
        let mut batches = Vec::new();
        let answer = self.engine()?.query(question, cancel, &mut |batch| {
            batches.push(batch);
            Ok(())
        });
        let answer = answer.map_err(|e| {
            use mainstay_engine::Kind;
            let kind = match e.kind {
                Kind::Query if e.code == "MS0312" => ErrorKind::Invalid,
                Kind::Store => ErrorKind::Unavailable,
                Kind::Cancelled => ErrorKind::Interrupted,
                _ => ErrorKind::Failed,
            };
            let error = Error::new(kind, e.code, e.message.clone());
            match e.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        Ok(QueryResult {
            schema: answer.schema,
            batches,
        })
    }

    /// Returns which version of a dataset is read.
    fn versions(
        &self,
        read: &[DatasetName],
        when: When,
    ) -> Result<impl Fn(Option<&Dataset>) -> u64 + use<>, Error> {
        if let When::Version(version) = when {
            let [one] = read else {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "MS0004",
                    "a version is of one dataset, and the query reads several",
                )
                .help("use --as-of TIME: it is one moment for all of them"));
            };
            let newest = self.dataset(one)?.version;
            if version == 0 || version > newest {
                let message = format!("{one} has no version {version}; its versions are 1 to {newest}");
                return Err(Error::new(ErrorKind::NotFound, "MS0401", message));
            }
        }
        Ok(move |dataset: Option<&Dataset>| match when {
            When::Now => u64::MAX,
            When::Version(version) => version,
            When::Time(time) => {
                let versions = dataset.map(|d| d.versions.as_slice()).unwrap_or_default();
                versions
                    .iter()
                    .rev()
                    .find(|v| v.time <= time)
                    .map_or(0, |v| v.version)
            }
        })
    }
}

/// The error of a version that is not there any more.
pub(crate) fn gone(name: &DatasetName, version: u64, seq: u64) -> Error {
    let message = format!("version {version} of {name} was given up by vacuum (fact {seq} of the journal)");
    Error::new(ErrorKind::NotFound, "MS0432", message).help(format!(
        "mainstay history {name} shows its versions; `retain` says which are kept"
    ))
}

fn wrong_query(problems: &[mainstay_sql::Problem]) -> Error {
    let texts: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
    let code = problems.first().map_or("MS0201", |p| p.code);
    let error = Error::new(ErrorKind::Invalid, code, texts.join("; "));
    match problems.iter().find_map(|p| p.help.clone()) {
        Some(help) => error.help(help),
        None => error,
    }
}

impl QueryResult {
    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns the rows as JSON objects, every column in each.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn json(&self) -> Result<Vec<Value>, Error> {
        let mut bytes = Vec::new();
        let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = builder.build::<_, arrow_json::writer::JsonArray>(&mut bytes);
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let written = writer.write_batches(&batches).and_then(|()| writer.finish());
        written.map_err(|e| error::defect("write rows as JSON", &e))?;
        drop(writer);
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&bytes).map_err(|e| error::defect("write rows as JSON", &e))
    }

    /// Writes the rows as CSV, with a header.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or a column is nested.
    pub fn csv(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(out);
        let empty = RecordBatch::new_empty(self.schema.clone());
        let batches = if self.batches.is_empty() {
            std::slice::from_ref(&empty)
        } else {
            &self.batches
        };
        for batch in batches {
            writer.write(batch).map_err(|e| {
                Error::new(ErrorKind::Invalid, "MS0005", "the rows cannot be written as CSV")
                    .because(&e)
                    .help("use --format json")
            })?;
        }
        Ok(())
    }

    /// Writes the rows as a Parquet file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn parquet(&self, path: &Path) -> Result<(), Error> {
        let file = std::fs::File::create(path).map_err(|e| error::file("write", path, &e))?;
        let write = || {
            let mut writer = ArrowWriter::try_new(file, self.schema.clone(), None)?;
            for batch in &self.batches {
                writer.write(batch)?;
            }
            writer.close()
        };
        write().map(|_| ()).map_err(|e| {
            Error::new(
                ErrorKind::Failed,
                "MS0702",
                format!("cannot write {}", path.display()),
            )
            .because(&e)
        })
    }
}
