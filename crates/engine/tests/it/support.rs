//! A folder with tables, and assignments over them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use mainstay_base::{Bytes, Timestamp};
use mainstay_catalog::{Stage, types};
use mainstay_engine::{
    Answer, Assignment, CancelToken, Engine, EngineConfig, Error, Finished, Mounted, Output, Question,
};
use mainstay_model::run::Scope;
use mainstay_model::spec::{CheckSpec, Rule, Severity};
use mainstay_model::{Column, DatasetName, Schema, SliceKey, SliceVersion};
use mainstay_storage::Store;
use tempfile::TempDir;

/// A folder with a store and a place to spill to.
pub(crate) struct Lake {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    runtime: tokio::runtime::Runtime,
}

pub(crate) const AS_OF: i64 = 1_359_864_245_000_006;

pub(crate) fn lake() -> Lake {
    let dir = tempfile::tempdir().expect("a folder");
    let store = mainstay_storage::open("lake", dir.path()).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    Lake { dir, store, runtime }
}

pub(crate) fn schema(columns: &[(&str, &str)]) -> Schema {
    let column = |(name, t): &(&str, &str)| Column {
        name: (*name).to_owned(),
        column_type: t.parse().expect("a type"),
    };
    Schema(columns.iter().map(column).collect())
}

pub(crate) fn name(text: &str) -> DatasetName {
    text.parse().expect("a name")
}

impl Lake {
    pub(crate) fn engine(&self, threads: usize, memory: u64) -> Engine {
        Engine::new(EngineConfig {
            memory_limit: Bytes(memory),
            spill_dir: self.dir.path().join("spill"),
            spill_limit: Bytes(1 << 30),
            threads,
        })
        .expect("an engine")
    }

    /// Writes rows, given as JSON lines, one file for each text; the rows of a file are sorted out by slice.
    pub(crate) fn table(
        &self,
        dataset: &str,
        columns: &[(&str, &str)],
        slices: &[&str],
        files: &[&str],
    ) -> Mounted {
        let schema = schema(columns);
        let batches = files.iter().map(|text| {
            let reader = arrow_json::ReaderBuilder::new(types::arrow_schema(&schema))
                .build(text.as_bytes())
                .expect("a reader");
            reader.collect::<Result<Vec<_>, _>>().expect("rows")
        });
        let batches: Vec<_> = batches.collect();
        self.table_of(dataset, &schema, slices, &batches)
    }

    /// Writes batches, one file for each list and slice.
    pub(crate) fn table_of(
        &self,
        dataset: &str,
        schema: &Schema,
        slices: &[&str],
        files: &[Vec<RecordBatch>],
    ) -> Mounted {
        let slice_columns: Vec<String> = slices.iter().map(|s| (*s).to_owned()).collect();
        let table = dataset.replace('.', "/");
        let mut all: BTreeMap<SliceKey, SliceVersion> = BTreeMap::new();
        for (i, batches) in files.iter().enumerate() {
            let stage =
                Stage::new(&self.store, &table, &format!("in-{i}"), schema, &slice_columns).expect("a stage");
            let written = self.runtime.block_on(async {
                let mut writer = stage.table();
                for batch in batches {
                    writer.write(batch).await.expect("written");
                }
                writer.finish().await.expect("finished")
            });
            for (key, files) in written {
                all.entry(key).or_default().files.extend(files);
            }
        }
        let slices = all.into_iter().collect();
        Mounted {
            name: name(dataset),
            store: self.store.clone(),
            table,
            schema: schema.clone(),
            slice_columns,
            slices,
        }
    }

    pub(crate) fn job(
        &self,
        query: &str,
        inputs: &[&Mounted],
        columns: &[(&str, &str)],
        slices: &[&str],
    ) -> Assignment {
        Assignment {
            query: query.to_owned(),
            label: "job air.out".to_owned(),
            inputs: inputs.iter().map(|m| (*m).clone()).collect(),
            output: Output {
                dataset: name("air.out"),
                store: self.store.clone(),
                table: "air/out".to_owned(),
                schema: schema(columns),
                slice_columns: slices.iter().map(|s| (*s).to_owned()).collect(),
                attempt_prefix: "r1-1".to_owned(),
            },
            scope: Scope::Whole,
            as_of: Timestamp::from_micros(AS_OF),
            checks: Vec::new(),
            check_inputs: Vec::new(),
            previous: Vec::new(),
            time_limit: None,
        }
    }

    /// The files of the output's attempt that are there.
    pub(crate) fn staged(&self) -> Vec<String> {
        fn walk(dir: &Path, into: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.path().is_dir() {
                    true => walk(&entry.path(), into),
                    false => into.push(entry.path().display().to_string()),
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.dir.path().join("lake/air/out"), &mut files);
        files
    }

    /// The rows of finished slices as JSON lines, in the order of `columns` of the output.
    pub(crate) fn rows(&self, assignment: &Assignment, finished: &Finished, order: &str) -> Vec<String> {
        let out = mounted(assignment, finished);
        let engine = self.engine(2, 100 << 20);
        ask(
            &engine,
            &[out],
            &format!("SELECT * FROM air.out ORDER BY {order}"),
        )
        .expect("read back")
    }
}

/// What a run finished, as an input of another.
pub(crate) fn mounted(assignment: &Assignment, finished: &Finished) -> Mounted {
    let output = &assignment.output;
    Mounted {
        name: output.dataset.clone(),
        store: output.store.clone(),
        table: output.table.clone(),
        schema: output.schema.clone(),
        slice_columns: output.slice_columns.clone(),
        slices: finished.slices.clone(),
    }
}

pub(crate) fn run(engine: &Engine, assignment: &Assignment) -> Result<Finished, Error> {
    engine.run(assignment.clone(), &CancelToken::new(), &|_| {})
}

pub(crate) fn ask(engine: &Engine, inputs: &[Mounted], sql: &str) -> Result<Vec<String>, Error> {
    let question = Question {
        sql: sql.to_owned(),
        inputs: inputs.to_vec(),
        tables: Vec::new(),
        as_of: Timestamp::from_micros(AS_OF),
        time_limit: Some(Duration::from_secs(60)),
    };
    lines_of(engine, question).map(|(lines, _)| lines)
}

pub(crate) fn lines_of(engine: &Engine, question: Question) -> Result<(Vec<String>, Answer), Error> {
    let mut batches = Vec::new();
    let answer = engine.query(question, &CancelToken::new(), &mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    let mut writer = arrow_json::LineDelimitedWriter::new(Vec::new());
    batches.iter().for_each(|b| writer.write(b).expect("json"));
    writer.finish().expect("json");
    let text = String::from_utf8(writer.into_inner()).expect("text");
    Ok((text.lines().map(str::to_owned).collect(), answer))
}

pub(crate) fn check(rule: Rule, severity: Severity) -> (String, CheckSpec) {
    (
        "it".to_owned(),
        CheckSpec {
            dataset: name("air.out"),
            rule,
            severity,
        },
    )
}

/// Some days of flights: two files, three days and one flight without a day.
pub(crate) fn flights(lake: &Lake) -> Mounted {
    let columns = [
        ("day", "date"),
        ("carrier", "string"),
        ("delay", "double"),
        ("seats", "integer"),
    ];
    lake.table(
        "air.flights",
        &columns,
        &["day"],
        &[
            r#"{"day":"2013-02-01","carrier":"AA","delay":1.5,"seats":100}
               {"day":"2013-02-01","carrier":"UA","delay":-2.0,"seats":200}
               {"day":"2013-02-02","carrier":"AA","delay":null,"seats":100}"#,
            r#"{"day":"2013-02-02","carrier":"UA","delay":7.25,"seats":50}
               {"day":"2013-02-03","carrier":"DL","delay":0.5,"seats":180}
               {"carrier":"ZZ","delay":9.0,"seats":1}"#,
        ],
    )
}

/// A table of `rows` rows: `id`, `grp` (of `groups`), `x` (a double), `text` (some 40 bytes); cut into `files` files.
pub(crate) fn numbers(lake: &Lake, dataset: &str, rows: usize, groups: usize, files: usize) -> Mounted {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
    let schema = schema(&[
        ("id", "long"),
        ("grp", "long"),
        ("x", "double"),
        ("text", "string"),
    ]);
    let per_file = rows.div_ceil(files.max(1));
    let lists: Vec<Vec<RecordBatch>> = (0..files)
        .map(|f| {
            let ids: Vec<usize> = (f * per_file..((f + 1) * per_file).min(rows)).collect();
            let mix = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(ids.iter().map(|i| *i as i64))),
                Arc::new(Int64Array::from_iter_values(
                    ids.iter().map(|i| (mix(*i) % groups as u64) as i64),
                )),
                Arc::new(Float64Array::from_iter_values(
                    ids.iter().map(|i| mix(*i) as f64 / 1e9 - 4e6 + 0.1),
                )),
                Arc::new(StringArray::from_iter_values(
                    ids.iter().map(|i| format!("{:040x}", mix(*i))),
                )),
            ];
            vec![RecordBatch::try_new(types::arrow_schema(&schema), columns).expect("a batch")]
        })
        .collect();
    lake.table_of(dataset, &schema, &[], &lists)
}
