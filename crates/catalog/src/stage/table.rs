//! The files of many slices at once: rows are sorted out by their slice columns.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use mainstay_model::{DataFile, SliceKey};

use super::{SliceWriter, Stage};
use crate::error::Result;
use crate::partition::split;
use crate::types::coerce_to;

/// How much memory the open files of a writer may take together before the largest is flushed, in bytes.
const MEMORY_LIMIT: usize = 256 << 20;

/// How many files are finished at once.
const UPLOADS: usize = 16;

/// Writes rows of any slices. Within a slice, rows keep their order.
#[derive(Debug)]
pub struct TableWriter {
    stage: Stage,
    slices: BTreeMap<SliceKey, SliceWriter>,
    memory_limit: usize,
}

impl TableWriter {
    pub(super) fn new(stage: Stage) -> Self {
        Self {
            stage,
            slices: BTreeMap::new(),
            memory_limit: MEMORY_LIMIT,
        }
    }

    /// Sets how much memory the open files may take together, in bytes.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Takes in rows, slice columns included. They are encoded here and now, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`Error::Columns`](crate::Error::Columns), [`Error::Value`](crate::Error::Value) or [`Error::Slice`](crate::Error::Slice)
    /// if the rows are not the dataset's, otherwise as the store says.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = coerce_to(batch, &self.stage.0.row_schema)?;
        for (key, part) in split(&batch, &self.stage.0.slice_columns)? {
            if !self.slices.contains_key(&key) {
                self.slices.insert(key.clone(), self.stage.slice(&key)?);
            }
            if let Some(writer) = self.slices.get_mut(&key) {
                writer.write(&part).await?;
            }
        }
        self.make_room().await
    }

    /// Finishes all files and returns them by slice.
    ///
    /// # Errors
    ///
    /// As the store says; then the attempt's prefix is to be removed.
    pub async fn finish(self) -> Result<BTreeMap<SliceKey, Vec<DataFile>>> {
        let finishing = self
            .slices
            .into_iter()
            .map(async |(key, writer)| Ok((key, writer.finish().await?)));
        futures::stream::iter(finishing)
            .buffer_unordered(UPLOADS)
            .try_collect()
            .await
    }

    /// Flushes the largest files until the rest fits.
    async fn make_room(&mut self) -> Result<()> {
        loop {
            let total: usize = self.slices.values().map(SliceWriter::memory).sum();
            let largest = self.slices.values_mut().max_by_key(|w| w.memory());
            match largest {
                Some(writer) if total > self.memory_limit && writer.memory() > 0 => {
                    let before = writer.memory();
                    writer.flush().await?;
                    if writer.memory() >= before {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}
