//! A table over exactly the files that a run may read.
//!
//! Owns how pinned files become a scan: slice columns are constants of a file, everything else comes from Parquet; filters on
//! slice columns choose files before any is opened; row counts and column ranges come from the file list and the footers, so
//! that joins are ordered as well as over a folder of files. Refuses to list folders or to ask what is newest. Invariants: the
//! rows are those of the given files and nothing else, however they are grouped; a column that a file lacks reads as NULL.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::Array;
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchemaBuilder;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use mainstay_model::DataFile;
use object_store::path::Path;

use crate::assignment::Mounted;

mod filter;
mod grouping;
mod statistics;

/// One pinned file.
#[derive(Clone, Debug)]
struct PinnedFile {
    /// Its place in the store, size and identity, without statistics.
    file: PartitionedFile,
    /// Which row of the table's slice values it belongs to.
    slice: usize,
    /// Its rows, as published.
    rows: usize,
}

/// The files of one dataset as a table.
#[derive(Debug)]
pub(crate) struct PinnedTable {
    /// Where the run finds the store; one address for each dataset, so that reading is counted by dataset.
    url: ObjectStoreUrl,
    /// The columns in declared order, as SQL sees them.
    schema: SchemaRef,
    /// The columns that files hold.
    file_schema: SchemaRef,
    /// The slice columns.
    slice_fields: Vec<Arc<Field>>,
    /// For each declared column, its place among file columns and then slice columns.
    order: Vec<usize>,
    /// The values of the slice columns, one row for each slice.
    slices: filter::SliceValues,
    files: Vec<PinnedFile>,
}

impl PinnedTable {
    /// Makes a table of what is mounted. With `views`, texts refer to the pages that they were read from: fast, but a few rows
    /// hold on to a whole page. Without, every batch has its own.
    ///
    /// # Errors
    ///
    /// If a slice value is not one of its column's type, or a slice column is not a column.
    pub(crate) fn new(mounted: &Mounted, url: ObjectStoreUrl, views: bool) -> Result<Self> {
        let schema = match views {
            true => mainstay_sql::arrow_types::schema(&mounted.schema),
            false => mainstay_catalog::types::arrow_schema(&mounted.schema),
        };
        let is_slice = |name: &str| mounted.slice_columns.iter().any(|c| c == name);
        let file_fields: Vec<_> = schema
            .fields()
            .iter()
            .filter(|f| !is_slice(f.name()))
            .cloned()
            .collect();
        let slice_fields: Vec<_> = mounted
            .slice_columns
            .iter()
            .map(|name| schema.field_with_name(name).map(|f| Arc::new(f.clone())))
            .collect::<Result<_, _>>()?;
        let file_schema: SchemaRef = Arc::new(ArrowSchema::new(file_fields));
        let order = schema
            .fields()
            .iter()
            .filter_map(|f| {
                let slice = slice_fields
                    .iter()
                    .position(|s| s.name() == f.name())
                    .map(|i| i + file_schema.fields().len());
                slice.or_else(|| file_schema.index_of(f.name()).ok())
            })
            .collect();
        let slices = filter::SliceValues::new(&slice_fields, mounted.slices.iter().map(|(key, _)| key))?;
        let mut files = Vec::new();
        for (slice, (_, version)) in mounted.slices.iter().enumerate() {
            for f in version.files.iter().filter(|f| f.rows.0 > 0) {
                let mut file = place(&mounted.table, f)?;
                file.partition_values = slices.row(slice);
                files.push(PinnedFile {
                    file,
                    slice,
                    rows: usize::try_from(f.rows.0).unwrap_or(usize::MAX),
                });
            }
        }
        Ok(Self {
            url,
            schema,
            file_schema,
            slice_fields,
            order,
            slices,
            files,
        })
    }

    /// The files of slices for which all of `filters` that can be decided by slice values alone may hold.
    fn kept(&self, filters: &[Expr]) -> Result<Vec<PinnedFile>> {
        let keep = self.slices.kept(&self.slice_fields, filters)?;
        let is_kept = |i: usize| keep.as_ref().is_none_or(|k| k.is_valid(i) && k.value(i));
        Ok(self.files.iter().filter(|f| is_kept(f.slice)).cloned().collect())
    }
}

#[async_trait]
impl TableProvider for PinnedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A filter that slice values decide without fail needs no second look; all others are offered to the reader later.
        Ok(filters
            .iter()
            .map(|f| match filter::decided_by(f, &self.slice_fields) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = self.kept(filters)?;
        if kept.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(
                &self.schema,
                projection,
            )?)));
        }
        let table_schema = TableSchemaBuilder::from(&self.file_schema)
            .with_table_partition_cols(self.slice_fields.clone())
            .build();
        let all_columns = Arc::clone(table_schema.table_schema());
        let mut options = state.default_table_options().parquet;
        // Conditions of the query itself cost less after decoding; what a join has found of its other side pays in the reader,
        // where the other columns of most rows are then never decoded.
        options.global.pushdown_filters = filters.iter().all(|f| filter::decided_by(f, &self.slice_fields));
        let format = ParquetFormat::default().with_options(options);
        let described = statistics::describe(state, &format, &self.url, &self.file_schema, kept).await?;
        let summary = statistics::summary(&described, &all_columns)?;
        let groups: Vec<FileGroup> = grouping::balanced(described, state.config().target_partitions());
        let indices = match projection {
            Some(wanted) => wanted
                .iter()
                .filter_map(|i| self.order.get(*i).copied())
                .collect(),
            None => self.order.clone(),
        };
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(ParquetSource::new(table_schema)))
            .with_file_groups(groups)
            .with_statistics(summary)
            .with_projection_indices(Some(indices))?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}

/// A file as the reader wants it described. The time is not the file's but follows from the digest of its rows, so that what
/// is cached of one file can never be taken for another's.
fn place(table: &str, file: &DataFile) -> Result<PartitionedFile> {
    let mut at = PartitionedFile::new("", file.bytes.0);
    at.object_meta.location =
        Path::parse(format!("{table}/{}", file.path)).map_err(object_store::Error::from)?;
    let digest = file.digest.to_bytes();
    let identity = digest.iter().take(6).fold(0u64, |n, b| n << 8 | u64::from(*b));
    at.object_meta.last_modified += Duration::from_micros(identity);
    Ok(at)
}

/// Reads a slice value as a value of the type with which its column is planned.
pub(crate) fn slice_value(text: Option<&str>, field: &Field) -> Result<ScalarValue> {
    let bad = |e: mainstay_catalog::Error| DataFusionError::External(Box::new(e));
    let column_type = mainstay_catalog::types::from_arrow(field.name(), field.data_type()).map_err(bad)?;
    let value = mainstay_catalog::partition::slice_scalar(field.name(), &column_type, text).map_err(bad)?;
    ScalarValue::try_from_array(&value, 0)?.cast_to(field.data_type())
}
