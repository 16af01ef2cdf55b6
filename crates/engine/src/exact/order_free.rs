//! Extremes and medians of floats that do not depend on the order of the rows.
//!
//! DataFusion compares floats by their total order (-NaN, -∞, …, -0.0, 0.0, …, ∞, NaN) nearly everywhere, but grouped `min`
//! and `max` keep the later of two values when one is NaN, keep the earlier of -0.0 and 0.0, and know no infinities
//! beyond the largest number; and `median` takes the largest number below the middle with a comparison that depends
//! on the order when there are NaN with their sign set, as x86 makes of 0.0 / 0.0.
//!
//! Owns grouped accumulators that go by the total order, and a median in which all NaN are the largest number. Refuses
//! to know other statistics.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// Returns the grouped accumulator of the least or the greatest float in the total order.
pub(crate) fn extreme(data_type: &DataType, greatest: bool) -> Result<Box<dyn GroupsAccumulator>> {
    fn of<T: ArrowPrimitiveType + Send>(data_type: &DataType, greatest: bool) -> Box<dyn GroupsAccumulator>
    where
        T::Native: ArrowNativeTypeOp,
    {
        if greatest {
            let keep = |kept: &mut T::Native, new: T::Native| {
                if new.is_gt(*kept) {
                    *kept = new;
                }
            };
            let groups = PrimitiveGroupsAccumulator::<T, _>::new(data_type, keep);
            Box::new(groups.with_starting_value(T::Native::MIN_TOTAL_ORDER))
        } else {
            let keep = |kept: &mut T::Native, new: T::Native| {
                if new.is_lt(*kept) {
                    *kept = new;
                }
            };
            let groups = PrimitiveGroupsAccumulator::<T, _>::new(data_type, keep);
            Box::new(groups.with_starting_value(T::Native::MAX_TOTAL_ORDER))
        }
    }
    match data_type {
        DataType::Float16 => Ok(of::<Float16Type>(data_type, greatest)),
        DataType::Float32 => Ok(of::<Float32Type>(data_type, greatest)),
        DataType::Float64 => Ok(of::<Float64Type>(data_type, greatest)),
        other => not_impl_err!("extremes in total order of {other}"),
    }
}

/// Says whether a type is a float that [`extreme`] and [`OneNan`] know.
pub(crate) fn is_float(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Float16 | DataType::Float32 | DataType::Float64
    )
}

/// An accumulator that sees only one NaN, the largest number.
#[derive(Debug)]
pub(crate) struct OneNan<A: ?Sized>(pub(crate) Box<A>);

impl Accumulator for OneNan<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&with_one_nan(values))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&with_one_nan(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }
}

impl GroupsAccumulator for OneNan<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.0
            .update_batch(&with_one_nan(values), group_indices, filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.0.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.0.merge_batch(values, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&with_one_nan(values), filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// Replaces every NaN by the one with a clear sign and the usual payload.
fn with_one_nan(columns: &[ArrayRef]) -> Vec<ArrayRef> {
    fn of<T: ArrowPrimitiveType>(column: &ArrayRef, nan: T::Native) -> ArrayRef
    where
        T::Native: PartialOrd,
    {
        let column: &PrimitiveArray<T> = column.as_primitive();
        let is_nan = |x: T::Native| x.partial_cmp(&x).is_none();
        Arc::new(column.unary::<_, T>(|x| if is_nan(x) { nan } else { x }))
    }
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let replaced = columns.iter().map(|column| match column.data_type() {
        DataType::Float16 => of::<Float16Type>(column, Half::NAN),
        DataType::Float32 => of::<Float32Type>(column, f32::NAN),
        DataType::Float64 => of::<Float64Type>(column, f64::NAN),
        _ => Arc::clone(column),
    });
    replaced.collect()
}
