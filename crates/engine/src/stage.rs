//! Staged files as the engine writes them: the catalog's writers, with their memory counted against the run's.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use mainstay_catalog::{Stage, partition};
use mainstay_model::{DataFile, SliceKey};

use crate::assignment::Output;

/// Where the files of an attempt go.
#[derive(Debug)]
pub(crate) struct Target {
    stage: Stage,
    slice_columns: Vec<String>,
    pool: Arc<dyn MemoryPool>,
    /// What one writer may hold, in bytes.
    most: usize,
}

impl Target {
    /// The target of an output; its writers take their memory from `pool`, each at most `most` bytes.
    pub(crate) fn new(output: &Output, pool: Arc<dyn MemoryPool>, most: usize) -> Result<Self> {
        let stage = Stage::new(
            &output.store,
            &output.table,
            &output.attempt_prefix,
            &output.schema,
            &output.slice_columns,
        );
        Ok(Self {
            stage: stage.map_err(failed)?,
            slice_columns: output.slice_columns.clone(),
            pool,
            most,
        })
    }

    /// The slice columns of a batch.
    pub(crate) fn slice_arrays(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let schema = batch.schema_ref();
        self.slice_columns
            .iter()
            .map(|c| Ok(Arc::clone(batch.column(schema.index_of(c)?))))
            .collect()
    }

    /// The slice of a batch's first row.
    pub(crate) fn key_of_first(&self, batch: &RecordBatch) -> Result<SliceKey> {
        let arrays = self.slice_arrays(batch)?;
        let texts = self
            .slice_columns
            .iter()
            .zip(&arrays)
            .map(|(c, a)| partition::slice_text(c, a, 0));
        Ok(SliceKey(
            texts.collect::<mainstay_catalog::Result<_>>().map_err(failed)?,
        ))
    }
}

/// Writes the rows of one slice, cutting them into files of a bounded size.
#[derive(Debug)]
pub(crate) struct SliceWriter {
    key: SliceKey,
    writer: mainstay_catalog::SliceWriter,
    memory: MemoryReservation,
    most: usize,
}

impl SliceWriter {
    /// A writer that has no file yet.
    pub(crate) fn new(target: &Target, key: SliceKey) -> Result<Self> {
        let writer = target.stage.slice(&key).map_err(failed)?;
        Ok(Self {
            key,
            writer,
            memory: MemoryConsumer::new("writer").register(&target.pool),
            most: target.most,
        })
    }

    /// The slice.
    pub(crate) fn key(&self) -> &SliceKey {
        &self.key
    }

    /// Adds rows; the batch has all columns of the output.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).await.map_err(failed)?;
        if self.writer.memory() > self.most || self.memory.try_resize(self.writer.memory()).is_err() {
            // Writers cannot spill: a smaller row group is better than a sort that has no room.
            self.writer.flush().await.map_err(failed)?;
            self.memory.resize(self.writer.memory());
        }
        Ok(())
    }

    /// Completes the last file; returns all of them.
    pub(crate) async fn finish(self) -> Result<Vec<DataFile>> {
        self.writer.finish().await.map_err(failed)
    }
}

fn failed(e: mainstay_catalog::Error) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}
