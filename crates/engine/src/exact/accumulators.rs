//! DataFusion's two kinds of accumulators over exact moments: one state, or one state per group.
//!
//! Owns how rows, NULLs and filters reach the moments, and the columns in which partial states travel. Refuses to know
//! which statistic is asked for. Invariants: a row counts iff all its columns are valid and the filter is true; nothing
//! depends on the order of rows, batches and merges.
//!
//! A partial state has one Float64 column per argument and one Binary column. Either the Binary column holds encoded
//! moments and the rest is NULL, or it is NULL and the row is one plain row that was not aggregated yet: so a plan that
//! skips partial aggregation passes its input through untouched. A state of no rows is NULL in all columns.

use std::sync::Arc;

use arrow::array::new_null_array;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::moments::Moments;

/// One exact state: ungrouped aggregates and windows.
#[derive(Debug)]
pub(crate) struct Single<M: Moments> {
    moments: M,
    statistic: M::Statistic,
}

impl<M: Moments> Single<M> {
    pub(crate) fn new(statistic: M::Statistic) -> Self {
        Single {
            moments: M::default(),
            statistic,
        }
    }
}

impl<M: Moments> Accumulator for Single<M> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = Columns::<M>::new(values)?;
        match columns.valid(None) {
            None => {
                self.moments.add_all(&columns.values);
            }
            Some(valid) => {
                for (start, end) in valid.set_slices() {
                    let slices: Vec<&[f64]> =
                        columns.values.iter().map(|column| &column[start..end]).collect();
                    self.moments.add_all(&slices);
                }
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = Columns::<M>::new(values)?;
        let valid = columns.valid(None);
        for row in 0..columns.length {
            if valid.as_ref().is_none_or(|valid| valid.value(row)) {
                self.moments.remove(columns.row(row));
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.moments.statistic(self.statistic)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.moments.heap()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut bytes = Vec::new();
        self.moments.encode(&mut bytes);
        let mut state = vec![ScalarValue::Float64(None); M::ARITY];
        state.push(ScalarValue::Binary(Some(bytes)));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = States::<M>::new(states)?;
        for row in 0..states.encoded.len() {
            states.merge(row, &mut self.moments)?;
        }
        Ok(())
    }
}

/// One exact state per group.
#[derive(Debug)]
pub(crate) struct Groups<M: Moments> {
    groups: Vec<M>,
    heap: usize,
    statistic: M::Statistic,
}

impl<M: Moments> Groups<M> {
    pub(crate) fn new(statistic: M::Statistic) -> Self {
        Groups {
            groups: Vec::new(),
            heap: 0,
            statistic,
        }
    }

    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, M::default);
        }
    }

    fn add_rows(&mut self, columns: &Columns<'_, M>, group_indices: &[usize], filter: Option<&BooleanArray>) {
        match columns.valid(filter) {
            None => {
                for (row, &group) in group_indices.iter().enumerate() {
                    self.heap += self.groups[group].add(columns.row(row));
                }
            }
            Some(valid) => {
                for row in valid.set_indices() {
                    self.heap += self.groups[group_indices[row]].add(columns.row(row));
                }
            }
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<M> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.heap -= taken.iter().map(M::heap).sum::<usize>().min(self.heap);
        taken
    }
}

impl<M: Moments> GroupsAccumulator for Groups<M> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        self.add_rows(&Columns::new(values)?, group_indices, filter);
        Ok(())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let states = States::<M>::new(values)?;
        if states.encoded.null_count() == states.encoded.len() {
            self.add_rows(&states.plain, group_indices, None);
            return Ok(());
        }
        for (row, &group) in group_indices.iter().enumerate() {
            self.heap += states.merge(row, &mut self.groups[group])?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        let values = groups.iter().map(|group| group.statistic(self.statistic));
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        let mut encoded = BinaryBuilder::with_capacity(groups.len(), groups.len() * 28);
        let mut bytes = Vec::new();
        for group in &groups {
            bytes.clear();
            group.encode(&mut bytes);
            encoded.append_value(&bytes);
        }
        let mut state = vec![new_null_array(&DataType::Float64, groups.len()); M::ARITY];
        state.push(Arc::new(encoded.finish()));
        Ok(state)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let columns = Columns::<M>::new(values)?;
        let nulls = columns.valid(filter).map(NullBuffer::new);
        let mut state: Vec<ArrayRef> = columns
            .arrays
            .iter()
            .map(|array| Arc::new(Float64Array::new(array.values().clone(), nulls.clone())) as ArrayRef)
            .collect();
        state.push(Arc::new(BinaryArray::new_null(columns.length)));
        Ok(state)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<M>() + self.heap
    }
}

/// The argument columns of one batch.
struct Columns<'a, M: Moments> {
    arrays: Vec<&'a Float64Array>,
    values: Vec<&'a [f64]>,
    length: usize,
    moments: std::marker::PhantomData<M>,
}

impl<'a, M: Moments> Columns<'a, M> {
    fn new(columns: &'a [ArrayRef]) -> Result<Self> {
        let arrays = columns
            .iter()
            .take(M::ARITY)
            .map(|column| column.as_primitive_opt::<Float64Type>())
            .collect::<Option<Vec<_>>>()
            .filter(|arrays| arrays.len() == M::ARITY)
            .ok_or_else(|| internal_datafusion_err!("an exact aggregate got columns that are not Float64"))?;
        Ok(Columns {
            values: arrays.iter().map(|array| &array.values()[..]).collect(),
            length: arrays.first().map_or(0, |array| array.len()),
            arrays,
            moments: std::marker::PhantomData,
        })
    }

    #[inline(always)]
    fn row(&self, row: usize) -> M::Row {
        M::row(&self.values, row)
    }

    /// Returns which rows count; `None` when all do.
    fn valid(&self, filter: Option<&BooleanArray>) -> Option<BooleanBuffer> {
        let nulls = self.arrays.iter().filter(|array| array.null_count() > 0);
        let mut valid = nulls
            .filter_map(|array| array.nulls().map(|nulls| nulls.inner().clone()))
            .reduce(|a, b| &a & &b);
        if let Some(filter) = filter {
            let kept = match filter.nulls() {
                Some(nulls) => filter.values() & nulls.inner(),
                None => filter.values().clone(),
            };
            valid = Some(match valid {
                Some(valid) => &valid & &kept,
                None => kept,
            });
        }
        valid
    }
}

/// The columns of partial states.
struct States<'a, M: Moments> {
    plain: Columns<'a, M>,
    encoded: &'a BinaryArray,
}

impl<'a, M: Moments> States<'a, M> {
    fn new(columns: &'a [ArrayRef]) -> Result<Self> {
        let encoded = columns
            .get(M::ARITY)
            .and_then(|column| column.as_binary_opt::<i32>())
            .ok_or_else(|| internal_datafusion_err!("an exact aggregate got a state without its moments"))?;
        Ok(States {
            plain: Columns::new(columns)?,
            encoded,
        })
    }

    /// Merges one state and returns how many bytes the moments grew on the heap.
    #[inline]
    fn merge(&self, row: usize, into: &mut M) -> Result<usize> {
        if self.encoded.is_valid(row) {
            let mut bytes = self.encoded.value(row);
            let other = M::decode(&mut bytes)
                .filter(|_| bytes.is_empty())
                .ok_or_else(|| internal_datafusion_err!("an exact aggregate got damaged moments"))?;
            Ok(into.merge(&other))
        } else if self.plain.arrays.iter().all(|array| array.is_valid(row)) {
            Ok(into.add(self.plain.row(row)))
        } else {
            Ok(0)
        }
    }
}
