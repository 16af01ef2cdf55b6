//! Rows waiting to be staged, split by slice.
//!
//! The rule of memory: rows are collected, up to 128 MiB, in the order of the file. Then, or at its end, they are put in the
//! order of their slices (rows of one slice stay in the file's order) and staged, a slice after the other, with one writer
//! open at a time. So a slice gets one file of a delivered file, and one more for each further 128 MiB that has rows of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, partition, take_record_batch};
use arrow::datatypes::SchemaRef;
use mainstay_catalog::partition::slice_text;
use mainstay_model::{DataFile, SliceKey};

use crate::error::Error;
use crate::fault;

/// Rows beyond this many bytes are staged before more are read.
pub(crate) const ROUND_BYTES: usize = 128 << 20;

/// Where the rows of a slice are written, unseen by readers until they are published.
pub trait Stage: Sync {
    /// Writes rows of one slice as one file; the rows have all columns of the dataset, slice columns included, in its order.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the store fails.
    fn stage(&self, slice: &SliceKey, rows: &RecordBatch) -> Result<DataFile, Error>;
}

pub(crate) struct Round<'a> {
    schema: SchemaRef,
    /// The indices of the slice columns, in the order of the source's `slice`.
    slice: Vec<usize>,
    limit: usize,
    stage: &'a dyn Stage,
    batches: Vec<RecordBatch>,
    bytes: usize,
    pub(crate) staged: Vec<(SliceKey, DataFile)>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(schema: SchemaRef, slice: Vec<usize>, limit: usize, stage: &'a dyn Stage) -> Self {
        Self {
            schema,
            slice,
            limit,
            stage,
            batches: Vec::new(),
            bytes: 0,
            staged: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes >= self.limit {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Stages what is waiting.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let batches = std::mem::take(&mut self.batches);
        self.bytes = 0;
        let rows = match batches.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => concat_batches(&self.schema, many)?,
        };
        drop(batches);
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let (rows, slices) = self.split(rows)?;
        for (key, range) in slices {
            let part = rows.slice(range.start, range.len());
            let file = self.stage.stage(&key, &part)?;
            self.staged.push((key, file));
        }
        Ok(())
    }

    /// Puts rows in an order in which each slice is one range.
    fn split(&self, rows: RecordBatch) -> Result<(RecordBatch, BTreeMap<SliceKey, Range<usize>>), Error> {
        if self.slice.is_empty() {
            let all = 0..rows.num_rows();
            return Ok((rows, BTreeMap::from([(SliceKey::whole(), all)])));
        }
        if let Some(slices) = self.ranges(&rows)? {
            return Ok((rows, slices));
        }
        let count = u32::try_from(rows.num_rows()).map_err(Error::failed)?;
        let order: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..count));
        let by = self.slice_columns(&rows).into_iter().chain([order]);
        let by: Vec<SortColumn> = by
            .map(|values| SortColumn {
                values,
                options: None,
            })
            .collect();
        let rows = take_record_batch(&rows, &lexsort_to_indices(&by, None)?)?;
        let slices = self.ranges(&rows)?;
        slices
            .map(|s| (rows, s))
            .ok_or_else(|| Error::failed("two values of a slice column have the same text"))
    }

    /// Finds the range of each slice; none if the rows of a slice are not together.
    fn ranges(&self, rows: &RecordBatch) -> Result<Option<BTreeMap<SliceKey, Range<usize>>>, Error> {
        let columns = self.slice_columns(rows);
        let mut out = BTreeMap::new();
        for range in partition(&columns)?.ranges() {
            let values = columns.iter().zip(&self.slice).map(|(column, i)| {
                let name = self.schema.fields().get(*i).map_or("", |f| f.name());
                slice_text(name, column, range.start).map_err(|e| unnamable(name, e))
            });
            if out
                .insert(SliceKey(values.collect::<Result<_, Error>>()?), range)
                .is_some()
            {
                return Ok(None);
            }
        }
        Ok(Some(out))
    }

    fn slice_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.slice
            .iter()
            .filter_map(|i| rows.columns().get(*i).cloned())
            .collect()
    }
}

/// Says that a value cannot name a slice.
fn unnamable(column: &str, e: mainstay_catalog::Error) -> Error {
    match e {
        mainstay_catalog::Error::Slice { why, .. } => fault::slice_failed(column, None, &why).into(),
        other => Error::failed(other),
    }
}
