//! What is known of files before they are read: rows, bytes, ranges of columns.
//!
//! Rows come from the file list, ranges from the footers, through the process-wide cache of footers; of many small files the ranges
//! are not known. Invariant: what is said to
//! be exact is exact for every reader: ranges of floating-point columns are not, because footers leave NaN out and do not tell
//! the zeros apart.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};

use super::PinnedFile;

/// From so many rows on the ranges of a file's columns are worth its footer. A smaller file is read as fast as it is described,
/// and many of them are a small table still.
const WORTH_RANGES: usize = 8192;
/// So many small files are described all the same: what joins are ordered by is then known of every small table.
const FEW: usize = 16;

/// Adds statistics of file columns and slice columns to files, keeping their order.
pub(super) async fn describe(
    state: &dyn Session,
    format: &ParquetFormat,
    url: &ObjectStoreUrl,
    file_schema: &SchemaRef,
    files: Vec<PinnedFile>,
) -> Result<Vec<PartitionedFile>> {
    let store = state.runtime_env().object_store(url)?;
    let at_once = state.config_options().execution.meta_fetch_concurrency.get();
    let collect = state.config_options().execution.collect_statistics;
    let few = files.len() <= FEW;
    let described = files.into_iter().map(|pinned| {
        let (store, file_schema) = (Arc::clone(&store), Arc::clone(file_schema));
        async move {
            let mut statistics = match collect && (few || pinned.rows >= WORTH_RANGES) {
                true => {
                    format
                        .infer_stats(state, &store, Arc::clone(&file_schema), &pinned.file.object_meta)
                        .await?
                }
                false => Statistics::new_unknown(&file_schema),
            };
            statistics.num_rows = Precision::Exact(pinned.rows);
            for (column, field) in statistics.column_statistics.iter_mut().zip(file_schema.fields()) {
                if is_float(field.data_type()) {
                    column.min_value = std::mem::take(&mut column.min_value).to_inexact();
                    column.max_value = std::mem::take(&mut column.max_value).to_inexact();
                }
            }
            let mut file = pinned.file;
            statistics.column_statistics.extend(
                file.partition_values
                    .iter()
                    .map(|value| of_slice(value, pinned.rows)),
            );
            file.statistics = Some(Arc::new(statistics));
            Ok::<_, datafusion::error::DataFusionError>(file)
        }
    });
    futures::stream::iter(described)
        .buffered(at_once)
        .try_collect()
        .await
}

/// The statistics of all files together.
pub(super) fn summary(files: &[PartitionedFile], columns: &SchemaRef) -> Result<Statistics> {
    Statistics::try_merge_iter(files.iter().filter_map(|f| f.statistics.as_deref()), columns)
}

/// The statistics of a column that has one value in a whole file.
fn of_slice(value: &datafusion::common::ScalarValue, rows: usize) -> ColumnStatistics {
    let bytes = value
        .data_type()
        .primitive_width()
        .map_or(Precision::Absent, |w| Precision::Exact(w.saturating_mul(rows)));
    if value.is_null() {
        return ColumnStatistics {
            null_count: Precision::Exact(rows),
            byte_size: bytes,
            ..ColumnStatistics::new_unknown()
        };
    }
    ColumnStatistics {
        null_count: Precision::Exact(0),
        max_value: Precision::Exact(value.clone()),
        min_value: Precision::Exact(value.clone()),
        distinct_count: Precision::Exact(1),
        byte_size: bytes,
        ..ColumnStatistics::new_unknown()
    }
}

fn is_float(t: &DataType) -> bool {
    match t {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::Struct(fields) => fields.iter().any(|f| is_float(f.data_type())),
        DataType::List(f) | DataType::Map(f, _) => is_float(f.data_type()),
        _ => false,
    }
}
