//! Staging: rows to Parquet files below an attempt's prefix, where nobody looks until they are published.
//!
//! The slice columns are not in the files; their values are the file's partition values in the Delta log. The same rows in the
//! same batches give the same bytes.

mod file;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use mainstay_model::{DataFile, Schema, SliceKey};
use mainstay_storage::Store;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Type as PhysicalType, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

pub use file::SliceWriter;
pub use table::TableWriter;

use crate::cleanup::check_attempt;
use crate::error::{Error, Result};
use crate::partition::{check_type, slice_scalar};
use crate::types::{arrow_schema, check_names};

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Where an attempt writes the files of one table.
#[derive(Debug, Clone)]
pub struct Stage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    table: String,
    attempt: String,
    schema: Schema,
    slice_columns: Vec<String>,
    row_schema: SchemaRef,
    file_schema: SchemaRef,
    properties: WriterProperties,
    /// For files of a few rows.
    small: WriterProperties,
    names: Mutex<BTreeMap<String, u32>>,
}

impl Stage {
    /// Prepares to write files of the table at the path `table` of the store below its folder `attempt` (letters, digits and
    /// hyphens, as `r12-1`), with the dataset's columns, slice columns included.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnName`] and [`Error::Slice`] for columns that a table cannot have, [`Error::Columns`] for a slice column
    /// that is not one of them or if nothing else is left, [`Error::Misuse`] for a bad prefix. Nothing is written yet.
    pub fn new(
        store: &Store,
        table: &str,
        attempt: &str,
        schema: &Schema,
        slice_columns: &[String],
    ) -> Result<Self> {
        check_attempt(attempt)?;
        check_names(schema)?;
        for name in slice_columns {
            let column = schema.column(name).ok_or_else(|| Error::Columns {
                column: name.clone(),
                why: "is missing",
            })?;
            check_type(name, &column.column_type)?;
        }
        let row_schema = arrow_schema(schema);
        let fields: Vec<_> = row_schema
            .fields()
            .iter()
            .filter(|f| !slice_columns.contains(f.name()))
            .cloned()
            .collect();
        if let (true, Some(first)) = (fields.is_empty(), slice_columns.first()) {
            return Err(Error::Columns {
                column: first.clone(),
                why: "cannot slice a dataset that has no other column",
            });
        }
        let file_schema: SchemaRef = Arc::new(ArrowSchema::new(fields));
        let mut properties = WriterProperties::builder()
            .set_created_by("mainstay".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page);
        // Ranges of floats leave NaN out, so a reader that skips by them loses the rows in which it is.
        for column in ArrowSchemaConverter::new().convert(&file_schema)?.columns() {
            if matches!(column.physical_type(), PhysicalType::FLOAT | PhysicalType::DOUBLE) {
                properties =
                    properties.set_column_statistics_enabled(column.path().clone(), EnabledStatistics::None);
            }
        }
        // To open a file of a few rows, a reader spends more on making ready to decompress than on decompressing.
        let small = properties.clone().set_compression(Compression::SNAPPY).build();
        let properties = properties.build();
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            table: table.trim_matches('/').to_owned(),
            attempt: attempt.to_owned(),
            schema: schema.clone(),
            slice_columns: slice_columns.to_vec(),
            file_schema,
            row_schema,
            properties,
            small,
            names: Mutex::default(),
        })))
    }

    /// Begins the files of one slice.
    ///
    /// # Errors
    ///
    /// [`Error::Slice`] if the key is not one of this dataset.
    pub fn slice(&self, slice: &SliceKey) -> Result<SliceWriter> {
        SliceWriter::new(self.clone(), slice)
    }

    /// Begins the files of any slices: rows are sorted out by their slice columns.
    pub fn table(&self) -> TableWriter {
        TableWriter::new(self.clone())
    }

    /// Makes sure that files survive a power cut; to be called before they are published.
    ///
    /// # Errors
    ///
    /// As the store says.
    pub async fn persist(&self, files: &[DataFile]) -> Result<()> {
        let paths: Vec<String> = files
            .iter()
            .map(|f| format!("{}/{}", self.0.table, f.path))
            .collect();
        Ok(self.0.store.persist(&paths).await?)
    }

    /// Reads the values of a slice key, in the slice columns' own types.
    fn slice_values(&self, slice: &SliceKey) -> Result<Vec<(String, ArrayRef)>> {
        if slice.0.len() != self.0.slice_columns.len() {
            return Err(Error::Misuse(format!(
                "slice {slice} has another number of values than there are slice columns"
            )));
        }
        let values = self.0.slice_columns.iter().zip(&slice.0).map(|(name, text)| {
            let column = self.0.schema.column(name).ok_or_else(|| Error::Columns {
                column: name.clone(),
                why: "is missing",
            })?;
            Ok((
                name.clone(),
                slice_scalar(name, &column.column_type, text.as_deref())?,
            ))
        });
        values.collect()
    }

    /// Chooses a path relative to the table that was not chosen before: `r12-1/day=2013-02-03.parquet`.
    fn choose_path(&self, slice: &SliceKey) -> String {
        let label = self.label(slice);
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        let count = names.entry(label.to_ascii_lowercase()).or_insert(0);
        *count += 1;
        let number = if *count == 1 {
            String::new()
        } else {
            format!("~{count}")
        };
        format!("{}/{label}{number}.parquet", self.0.attempt)
    }

    /// A name for people: what is not plain in it is left out, and what tells two names apart is a number.
    fn label(&self, slice: &SliceKey) -> String {
        if slice.0.is_empty() {
            return "all".to_owned();
        }
        let plain = |s: &str| -> String {
            s.chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "-.".contains(c) {
                        c
                    } else {
                        '_'
                    }
                })
                .take(60)
                .collect()
        };
        let parts = self.0.slice_columns.iter().zip(&slice.0);
        let parts: Vec<String> = parts
            .map(|(c, v)| format!("{}={}", plain(c), v.as_deref().map_or("null".to_owned(), plain)))
            .collect();
        parts.join(",").trim_start_matches('_').to_owned()
    }
}
