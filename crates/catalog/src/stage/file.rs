//! The files of one slice: rows in, files with their digests out.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch, Scalar};
use arrow::compute::kernels::cmp::not_distinct;
use bytes::Bytes;
use mainstay_base::Bytes as ByteCount;
use mainstay_model::{DataFile, SliceKey};
use mainstay_storage::object_store::buffered::BufWriter;
use mainstay_storage::object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use tokio::io::AsyncWriteExt as _;

use super::Stage;
use crate::digest::Digester;
use crate::error::{Error, Result};
use crate::types::coerce_to;

/// What is uploaded at once. Smaller files are one put, larger ones several parts.
const PART: usize = 10 << 20;

/// A file that has become this large is finished, and another one begun.
const FILE_LIMIT: u64 = 512 << 20;

/// Up to so many rows, and bytes of them in memory, a file is a small one.
const SMALL_ROWS: usize = 16_384;
const SMALL_BYTES: usize = 2 << 20;

/// Where the encoder leaves bytes until they are uploaded.
#[derive(Clone, Debug, Default)]
struct Outbox(Arc<Mutex<Vec<u8>>>);

impl Outbox {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
struct Open {
    path: String,
    encoder: ArrowWriter<Outbox>,
    outbox: Outbox,
    upload: BufWriter,
    uploaded: u64,
    digester: Digester,
}

/// Writes the rows of one slice, in the order in which they come. Nothing is there before [`SliceWriter::finish`]; dropping it
/// leaves at most a file that nobody refers to.
pub struct SliceWriter {
    stage: Stage,
    slice: SliceKey,
    values: Vec<(String, ArrayRef)>,
    open: Option<Open>,
    /// The first rows, until it is known whether there are only a few.
    first: Vec<RecordBatch>,
    done: Vec<DataFile>,
}

impl std::fmt::Debug for SliceWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SliceWriter")
            .field("slice", &self.slice)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl SliceWriter {
    pub(super) fn new(stage: Stage, slice: &SliceKey) -> Result<Self> {
        let values = stage.slice_values(slice)?;
        Ok(Self {
            stage,
            slice: slice.clone(),
            values,
            open: None,
            first: Vec::new(),
            done: Vec::new(),
        })
    }

    /// Takes in rows, with or without the slice columns; where they are there, they are compared with the slice. What is encoded
    /// is encoded here and now, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`Error::WrongSlice`] for a row of another slice, [`Error::Columns`] or [`Error::Value`] if the rows are not the
    /// dataset's, otherwise as the store says.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.without_slice_columns(batch)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.open.is_none() {
            self.first.push(batch);
            if self.is_small() {
                return Ok(());
            }
            return self.begin_with_first(false).await;
        }
        self.encode(&batch).await
    }

    async fn encode(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.digester.update(batch)?;
        open.encoder.write(batch)?;
        open.upload(&self.stage).await?;
        if open.uploaded >= FILE_LIMIT {
            self.close().await?;
        }
        Ok(())
    }

    fn is_small(&self) -> bool {
        let rows: usize = self.first.iter().map(RecordBatch::num_rows).sum();
        rows <= SMALL_ROWS && self.waiting() <= SMALL_BYTES
    }

    /// The memory of the rows that are not encoded yet, in bytes.
    fn waiting(&self) -> usize {
        self.first.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// Begins a file with the rows that waited for it.
    async fn begin_with_first(&mut self, small: bool) -> Result<()> {
        self.open = Some(self.begin(small)?);
        for batch in mem::take(&mut self.first) {
            // A file that became too large within these ended; the next one begins with what is left.
            if self.open.is_none() {
                self.open = Some(self.begin(small)?);
            }
            self.encode(&batch).await?;
        }
        Ok(())
    }

    /// Returns how much memory the rows take that are not uploaded yet, in bytes.
    pub fn memory(&self) -> usize {
        self.waiting() + self.open.as_ref().map_or(0, |o| o.encoder.memory_size())
    }

    /// Encodes the rows so far, to free their memory; costs a smaller row group.
    ///
    /// # Errors
    ///
    /// As the store says.
    pub async fn flush(&mut self) -> Result<()> {
        if self.open.is_none() && !self.first.is_empty() {
            self.begin_with_first(false).await?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.encoder.flush()?;
        open.upload(&self.stage).await
    }

    /// Finishes the slice's files and returns them in order; none if there were no rows.
    ///
    /// # Errors
    ///
    /// As the store says; then the attempt's prefix is to be removed.
    pub async fn finish(mut self) -> Result<Vec<DataFile>> {
        if self.open.is_none() && !self.first.is_empty() {
            self.begin_with_first(true).await?;
        }
        self.close().await?;
        Ok(mem::take(&mut self.done))
    }

    fn begin(&self, small: bool) -> Result<Open> {
        let inner = &self.stage.0;
        let path = self.stage.choose_path(&self.slice);
        let outbox = Outbox::default();
        // Readers take the types from the Delta log, so the Arrow schema need not be in every file.
        let options = ArrowWriterOptions::new()
            .with_properties(if small { &inner.small } else { &inner.properties }.clone())
            .with_skip_arrow_metadata(true);
        let encoder = ArrowWriter::try_new_with_options(outbox.clone(), inner.file_schema.clone(), options)?;
        let at = Path::parse(format!("{}/{path}", inner.table))
            .map_err(|e| mainstay_storage::Error::new("write", inner.store.place(&path), e))?;
        let upload = BufWriter::with_capacity(inner.store.object_store(), at, PART).with_max_concurrency(4);
        let digester = Digester::with_constants(&inner.file_schema, &self.values)?;
        Ok(Open {
            path,
            encoder,
            outbox,
            upload,
            uploaded: 0,
            digester,
        })
    }

    async fn close(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        open.encoder.finish()?;
        open.upload(&self.stage).await?;
        open.upload
            .shutdown()
            .await
            .map_err(|e| open.fail(&self.stage, e))?;
        let (digest, rows) = open.digester.finish();
        self.done.push(DataFile {
            path: open.path,
            rows,
            bytes: ByteCount(open.uploaded),
            digest,
            origin: None,
        });
        Ok(())
    }

    fn without_slice_columns(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut kept = Vec::with_capacity(batch.num_columns());
        for (i, field) in batch.schema_ref().fields().iter().enumerate() {
            let Some((name, value)) = self.values.iter().find(|(name, _)| name == field.name()) else {
                kept.push(i);
                continue;
            };
            let column = crate::types::coerce_column(name, batch.column(i), value.data_type())?;
            let same = not_distinct(&column, &Scalar::new(value.clone()))?;
            if same.true_count() != column.len() {
                let slice = self.slice.text(&self.stage.0.slice_columns);
                return Err(Error::WrongSlice {
                    slice,
                    column: name.clone(),
                });
            }
        }
        coerce_to(&batch.project(&kept)?, &self.stage.0.file_schema)
    }
}

impl Open {
    /// Hands the encoded bytes to the store; it sends them once they are enough for a part.
    async fn upload(&mut self, stage: &Stage) -> Result<()> {
        let bytes = self.outbox.take();
        if bytes.is_empty() {
            return Ok(());
        }
        self.uploaded += bytes.len() as u64;
        let put = self.upload.put(Bytes::from(bytes)).await;
        put.map_err(|e| self.fail(stage, e))
    }

    fn fail(&self, stage: &Stage, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let place = stage.0.store.place(&format!("{}/{}", stage.0.table, self.path));
        mainstay_storage::Error::new("write", place, e).into()
    }
}
