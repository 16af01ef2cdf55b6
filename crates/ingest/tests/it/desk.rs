//! A place to take files in at: a store in memory, the catalog's writer, and what was staged.

use std::path::Path;
use std::sync::Mutex;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_base::MultisetHash;
use mainstay_ingest::{Content, Error, Intake, Stage, Taken, Taking};
use mainstay_model::delivery::FileError;
use mainstay_model::spec::{Format, OnSchemaChange, SliceColumn, SourceSpec};
use mainstay_model::{DataFile, Schema, SliceKey};
use mainstay_storage::Store;

pub(crate) fn spec(format: Format) -> SourceSpec {
    SourceSpec {
        description: None,
        files: "in/*".to_owned(),
        format,
        null: Vec::new(),
        rename: std::collections::BTreeMap::new(),
        delimiter: None,
        columns: None,
        slice: Vec::new(),
        on_schema_change: OnSchemaChange::Refuse,
        approve: 0,
        retain: None,
        on_redelivery: mainstay_model::spec::OnRedelivery::Apply,
    }
}

pub(crate) fn sliced(mut spec: SourceSpec, slice: &[(&str, Option<&str>)]) -> SourceSpec {
    let column = |(name, e): &(&str, Option<&str>)| SliceColumn {
        name: (*name).to_owned(),
        expression: e.map(str::to_owned),
    };
    spec.slice = slice.iter().map(column).collect();
    spec
}

pub(crate) fn with_policy(mut spec: SourceSpec, policy: OnSchemaChange) -> SourceSpec {
    spec.on_schema_change = policy;
    spec
}

/// `a: long, b: string`
pub(crate) fn schema(text: &str) -> Schema {
    let t: mainstay_model::ColumnType = format!("struct<{text}>").parse().expect(text);
    let mainstay_model::ColumnType::Struct(fields) = t else {
        panic!("{text}")
    };
    Schema(
        fields
            .into_iter()
            .map(|(name, column_type)| mainstay_model::Column { name, column_type })
            .collect(),
    )
}

pub(crate) fn columns(schema: &Schema) -> String {
    let parts: Vec<String> = schema
        .0
        .iter()
        .map(|c| format!("{}: {}", c.name, c.column_type))
        .collect();
    parts.join(", ")
}

/// Stages through the catalog, and keeps the rows to look at.
pub(crate) struct Desk {
    runtime: tokio::runtime::Runtime,
    store: Store,
    slice: Vec<String>,
    rows: Mutex<Vec<(SliceKey, RecordBatch)>>,
    count: Mutex<u32>,
}

impl Desk {
    pub(crate) fn new(spec: &SourceSpec) -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime"),
            store: mainstay_storage::open("memory:", Path::new("/")).expect("a store"),
            slice: spec.slice.iter().map(|s| s.name.clone()).collect(),
            rows: Mutex::default(),
            count: Mutex::default(),
        }
    }

    /// The staged rows as text, `slice | a | b`.
    pub(crate) fn rows(&self) -> Vec<String> {
        let options = FormatOptions::new().with_null("NULL");
        let mut out = Vec::new();
        for (key, batch) in self.rows.lock().expect("rows").iter() {
            for row in 0..batch.num_rows() {
                let value = |c| {
                    ArrayFormatter::try_new(c, &options)
                        .expect("a formatter")
                        .value(row)
                        .to_string()
                };
                let values: Vec<String> = batch.columns().iter().map(|c| value(c.as_ref())).collect();
                out.push(format!("{} | {}", key.text(&self.slice), values.join(" | ")));
            }
        }
        out
    }
}

impl Stage for Desk {
    fn stage(&self, slice: &SliceKey, rows: &RecordBatch) -> Result<DataFile, Error> {
        let schema = mainstay_catalog::types::from_arrow_schema(&rows.schema()).map_err(Error::failed)?;
        let attempt = {
            let mut count = self.count.lock().expect("a count");
            *count += 1;
            format!("t-{count}")
        };
        self.rows
            .lock()
            .expect("rows")
            .push((slice.clone(), rows.clone()));
        let stage = mainstay_catalog::Stage::new(&self.store, "t", &attempt, &schema, &self.slice)
            .map_err(Error::failed)?;
        self.runtime.block_on(async {
            let mut writer = stage.slice(slice).map_err(Error::failed)?;
            writer.write(rows).await.map_err(Error::failed)?;
            let files = writer.finish().await.map_err(Error::failed)?;
            files.into_iter().next().ok_or_else(|| Error::failed("no file"))
        })
    }
}

/// What came of a file, and its rows as text.
pub(crate) struct Outcome {
    pub(crate) taken: Taken,
    pub(crate) rows: Vec<String>,
}

/// Takes one file in.
pub(crate) fn take(
    spec: &SourceSpec,
    known: Option<&Schema>,
    file: &str,
    bytes: impl AsRef<[u8]>,
) -> Result<Outcome, FileError> {
    let desk = Desk::new(spec);
    match take_at(&desk, &Intake::new(spec.clone()), known, file, bytes.as_ref()) {
        Ok(taken) => Ok(Outcome {
            taken,
            rows: desk.rows(),
        }),
        Err(Error::File(e)) => Err(e),
        Err(e) => panic!("{file}: {e}"),
    }
}

pub(crate) fn take_at(
    desk: &Desk,
    intake: &Intake,
    known: Option<&Schema>,
    file: &str,
    bytes: &[u8],
) -> Result<Taken, Error> {
    let content = Content::from_bytes(bytes.to_vec());
    intake.take(Taking {
        known,
        file,
        content: &content,
        stage: desk,
    })
}

pub(crate) fn digest(taken: &Taken) -> MultisetHash {
    taken.files.iter().map(|(_, f)| f.digest).collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("gzip");
    out.finish().expect("gzip")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("zstd")
}

pub(crate) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut out, batch.schema(), None).expect("a writer");
    writer.write(batch).expect("rows");
    writer.close().expect("a file");
    out
}
