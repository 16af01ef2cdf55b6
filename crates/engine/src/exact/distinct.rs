//! DISTINCT in front of an exact aggregate of one column.
//!
//! Owns the set of distinct values of one state. Refuses to know the statistic. Invariants: values are told apart by
//! their bits, as DataFusion does (so -0.0 and 0.0 are two); the result is worked out of the exact moments of the set,
//! so the order of the set does not matter. The partial state is a list of the values, as in DataFusion.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{HashSet, Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::Accumulator;

use super::moments::Moments;

/// The distinct values of one column.
#[derive(Debug)]
pub(crate) struct Distinct<M: Moments<Row = f64>> {
    seen: HashSet<u64>,
    statistic: M::Statistic,
}

impl<M: Moments<Row = f64>> Distinct<M> {
    pub(crate) fn new(statistic: M::Statistic) -> Self {
        Distinct {
            seen: HashSet::default(),
            statistic,
        }
    }

    fn insert(&mut self, column: &ArrayRef) -> Result<()> {
        let column = column.as_primitive_opt::<Float64Type>().ok_or_else(|| {
            internal_datafusion_err!("a distinct aggregate got a column that is not Float64")
        })?;
        self.seen.extend(column.iter().flatten().map(f64::to_bits));
        Ok(())
    }
}

impl<M: Moments<Row = f64>> Accumulator for Distinct<M> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |column| self.insert(column))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut moments = M::default();
        // Exact moments do not depend on the order of their rows.
        for &bits in &self.seen {
            moments.add(f64::from_bits(bits));
        }
        Ok(ScalarValue::Float64(moments.statistic(self.statistic)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.capacity() * (size_of::<u64>() + 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Float64Array = self.seen.iter().map(|&bits| Some(f64::from_bits(bits))).collect();
        let list = ListArray::new(
            Arc::new(Field::new_list_field(DataType::Float64, true)),
            OffsetBuffer::from_lengths([values.len()]),
            Arc::new(values),
            None,
        );
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states
            .first()
            .and_then(|column| column.as_list_opt::<i32>())
            .ok_or_else(|| internal_datafusion_err!("a distinct aggregate got a state that is not a list"))?;
        for list in lists.iter().flatten() {
            self.insert(&list)?;
        }
        Ok(())
    }
}
