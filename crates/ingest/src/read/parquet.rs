//! Parquet: typed rows from a file that is there as a whole.
//!
//! Owns footers, row groups and pages, and that a damaged file is an error and never a crash. Refuses to know what types a
//! dataset can hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::SchemaRef;
use mainstay_base::text::count;
use mainstay_model::delivery::FileError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::{BATCH_BYTES, BATCH_ROWS, Batch, Read, Stop};
use crate::content::{Content, Source};
use crate::fault;

pub(crate) struct ParquetReader {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    rows: u64,
    promised: u64,
    done: bool,
}

impl ParquetReader {
    pub(crate) fn open(content: &Content) -> Result<Self, Stop> {
        if content.length() == 0 {
            return Err(fault::not_parquet("it is empty", None).into());
        }
        match content.source()? {
            Source::Memory(bytes) => Self::over(bytes),
            Source::File(file) => Self::over(file),
        }
    }

    fn over<R: ChunkReader + 'static>(source: R) -> Result<Self, Stop> {
        let open = || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(source)?;
            let metadata = builder.metadata();
            let bytes: i64 = metadata
                .row_groups()
                .iter()
                .map(|g| g.total_byte_size().max(0))
                .sum();
            let rows = metadata.file_metadata().num_rows();
            let each = usize::try_from(bytes / rows.max(1)).unwrap_or(0).max(1);
            let schema = builder.schema().clone();
            let reader = builder
                .with_batch_size((BATCH_BYTES / each).clamp(64, BATCH_ROWS))
                .build()?;
            Ok((reader, schema, u64::try_from(rows).unwrap_or(0)))
        };
        let (reader, schema, promised) = guarded(open).map_err(|why| fault::not_parquet(&why, None))?;
        Ok(Self {
            reader,
            schema,
            rows: 0,
            promised,
            done: false,
        })
    }

    /// Returns the columns as they are in the file.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn broken(&mut self, why: &str) -> FileError {
        self.done = true;
        let read = if self.rows > 0 {
            format!("{why} (after {})", count(self.rows, "row"))
        } else {
            why.to_owned()
        };
        fault::not_parquet(&read, None)
    }
}

impl Read for ParquetReader {
    fn next(&mut self) -> Result<Option<Batch>, Stop> {
        if self.done {
            return Ok(None);
        }
        let reader = &mut self.reader;
        let next = guarded(|| {
            reader.next().transpose().map_err(|e| match e {
                arrow::error::ArrowError::ParquetError(text) => parquet::errors::ParquetError::General(text),
                other => parquet::errors::ParquetError::ArrowError(other.to_string()),
            })
        });
        match next {
            Ok(Some(batch)) => {
                let first_row = self.rows + 1;
                self.rows += batch.num_rows() as u64;
                Ok(Some(Batch {
                    first_row,
                    rows: batch.num_rows(),
                    columns: batch.columns().to_vec(),
                }))
            }
            Ok(None) if self.rows != self.promised => {
                let why = format!(
                    "it has {} of the {} that it promises",
                    self.rows,
                    count(self.promised, "row")
                );
                Err(self.broken(&why).into())
            }
            Ok(None) => {
                self.done = true;
                Ok(None)
            }
            Err(why) => Err(self.broken(&why).into()),
        }
    }
}

/// Runs a step of the Parquet library. Damaged bytes can break its assumptions; that, too, is a damaged file.
fn guarded<T>(step: impl FnOnce() -> Result<T, parquet::errors::ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => {
            let text = e.to_string();
            let plain = [
                "Parquet error: ",
                "Parquet argument error: ",
                "Arrow: ",
                "EOF: ",
                "External: ",
                "Invalid Parquet file. ",
            ];
            let mut rest = text.as_str();
            while let Some(shorter) = plain.iter().find_map(|p| rest.strip_prefix(p)) {
                rest = shorter;
            }
            Err(rest.to_owned())
        }
        Err(_) => Err("its pages contradict each other".to_owned()),
    }
}
