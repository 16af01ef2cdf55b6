//! `query`: reading data and `system.*`, as of now, a version or a time.

mod json;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Bytes, Timestamp};
use mainstay_control::Dataset;
use mainstay_engine::{CancelToken, Question};
use mainstay_model::DatasetName;
use mainstay_project::{Mistake, SourceFile};
use mainstay_sql::InputTable;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::error;
use crate::instance::Instance;

/// An answer is held whole, and may take this part of the memory that there is: it is written from there.
const ANSWER: u64 = 4;

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
    /// Whether the excerpt of a wrong query is coloured.
    pub color: bool,
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
        let names = match mainstay_sql::references(sql) {
            Ok(names) => names,
            Err(problems) => return Err(self.wrong_query(sql, options, problems)?),
        };
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
        let (mut batches, mut held, most) = (Vec::new(), 0, self.memory().0 / ANSWER);
        let answer = self.engine()?.query(question, cancel, &mut |batch: RecordBatch| {
            held += batch.get_array_memory_size() as u64;
            batches.push(batch);
            if held > most { Err(too_long(most)) } else { Ok(()) }
        });
        let answer = match answer {
            Ok(answer) => answer,
            // What is wrong with its text is said with its place.
            Err(e) if e.code == "MS0312" => {
                let wrong = self.wrong_query(sql, options, Vec::new())?;
                let said = if wrong.mistakes.is_empty() {
                    error::engine(&e)
                } else {
                    wrong
                };
                return Err(Error {
                    kind: ErrorKind::Invalid,
                    ..said
                });
            }
            Err(e) => return Err(error::engine(&e)),
        };
        Ok(QueryResult {
            schema: answer.schema,
            batches,
        })
    }

    /// Makes the error of a query whose text is wrong, from what can be found out about it or else from what was found.
    fn wrong_query(
        &self,
        sql: &str,
        options: QueryOptions,
        found: Vec<mainstay_sql::Problem>,
    ) -> Result<Error, Error> {
        let store = self.store()?;
        let mounted = self.with(|state| self.mount_all(state, &store, |_| u64::MAX))?;
        let mut tables: BTreeMap<DatasetName, InputTable> = mounted
            .into_iter()
            .map(|m| {
                let table = InputTable {
                    schema: m.schema,
                    slice_columns: m.slice_columns,
                };
                (m.name, table)
            })
            .collect();
        tables.extend(crate::system::columns());
        let problems = match mainstay_sql::problems(sql, &tables) {
            none if none.is_empty() => found,
            some => some,
        };
        let file = SourceFile {
            path: "query".to_owned(),
            text: sql.to_owned(),
        };
        let text = mainstay_project::Text::of(&file.path, sql);
        let mistakes: Vec<Mistake> = problems
            .into_iter()
            .map(|p| crate::compile::mistake(&text, p, &[]))
            .collect();
        let first = mistakes.first();
        let code = first.map_or("MS0201", |m| m.code);
        let message = first.map_or_else(|| "the query is wrong".to_owned(), |m| m.message.clone());
        let mut error = Error::new(ErrorKind::Invalid, code, message);
        if !mistakes.is_empty() {
            error.excerpt = Some(mainstay_project::render_each(&mistakes, &[file], options.color));
        }
        error.help = first.and_then(|m| m.help.clone());
        error.mistakes = crate::report::mistakes(&mistakes);
        Ok(error)
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

/// The error of an answer that does not fit into memory.
fn too_long(most: u64) -> mainstay_engine::Error {
    mainstay_engine::Error {
        kind: mainstay_engine::Kind::Resources,
        code: "MS0301",
        message: format!("the answer is longer than an answer may be: it has more than {}", Bytes(most)),
        help: Some(
            "ask for less (a condition, a LIMIT, an aggregate), or make it a dataset by a job; an answer may take a quarter of \
             `memory` in [project]"
                .to_owned(),
        ),
        transient: false,
        usage: Box::default(),
    }
}

/// The error of a version that is not there any more.
pub(crate) fn gone(name: &DatasetName, version: u64, seq: u64) -> Error {
    let message = format!("version {version} of {name} was given up by vacuum (fact {seq} of the journal)");
    Error::new(ErrorKind::NotFound, "MS0432", message).help(format!(
        "mainstay history {name} shows its versions; `retain` says which are kept"
    ))
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
        serde_json::from_slice(&self.compact()?).map_err(|e| error::defect("write rows as JSON", &e))
    }

    /// Writes the rows as a JSON array of objects, their keys in the order of the columns.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as JSON.
    pub fn write_json(&self, out: &mut dyn Write) -> Result<(), Error> {
        json::indent(&self.compact()?, out)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|e| error::defect("write rows as JSON", &e))
    }

    fn compact(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = builder.build::<_, arrow_json::writer::JsonArray>(&mut bytes);
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let written = writer.write_batches(&batches).and_then(|()| writer.finish());
        written.map_err(|e| error::defect("write rows as JSON", &e))?;
        drop(writer);
        if bytes.is_empty() {
            bytes.extend_from_slice(b"[]");
        }
        Ok(bytes)
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
        self.write_parquet(file).map_err(|e| {
            let mut error = Error::new(
                ErrorKind::Failed,
                "MS0702",
                format!("cannot write {}", path.display()),
            );
            error.causes = e.causes;
            error
        })
    }

    /// Writes the rows as Parquet.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn write_parquet(&self, out: impl Write + Send) -> Result<(), Error> {
        let write = || {
            let mut writer = ArrowWriter::try_new(out, self.schema.clone(), None)?;
            for batch in &self.batches {
                writer.write(batch)?;
            }
            writer.close()
        };
        write()
            .map(|_| ())
            .map_err(|e| error::defect("write rows as Parquet", &e))
    }

    /// Reads rows that were written as Parquet.
    ///
    /// # Errors
    ///
    /// If that is not what these bytes are.
    pub fn read_parquet(bytes: Vec<u8>) -> Result<Self, Error> {
        use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
        let wrong = |e: &dyn std::error::Error| {
            Error::new(
                ErrorKind::Unavailable,
                "MS0816",
                "the server's rows cannot be read",
            )
            .because(e)
        };
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|e| wrong(&e))?;
        let schema = builder.schema().clone();
        let reader = builder.build().map_err(|e| wrong(&e))?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| wrong(&e))?;
        Ok(Self { schema, batches })
    }
}
