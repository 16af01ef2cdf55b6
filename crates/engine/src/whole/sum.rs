//! Sums of integers and decimals in 128 bits, checked against their type at the end.
//!
//! Owns accumulators for one group, for many, for windows that slide and for distinct values. Refuses to know which calls get
//! them. Invariants: sums of integers are exact whatever the order, since 2^64 of them fit 128 bits; a sum of decimals that
//! leaves 128 bits on the way is not a value any more, whatever comes after it.
//!
//! A partial state is one Decimal128 column, NULL where no row counted.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err, not_impl_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::NullState;

use super::too_large;

/// What takes the place of a sum that left 128 bits; no decimal is as small.
const LOST: i128 = i128::MIN;

/// The type of a sum, and the call that the error names.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    result: DataType,
    call: String,
}

impl Kind {
    /// The kind of a call whose result has the type `result`; none if DataFusion's own sum cannot be wrong, or is over
    /// something else.
    pub(crate) fn of(result: &DataType, call: &str) -> Option<Self> {
        let checked = match result {
            DataType::Int64 | DataType::UInt64 | DataType::Duration(_) => true,
            // Narrower ones have ten digits more than what is summed.
            DataType::Decimal128(precision, _) => *precision == DECIMAL128_MAX_PRECISION,
            _ => false,
        };
        checked.then(|| Self {
            result: result.clone(),
            call: call.to_owned(),
        })
    }

    /// The type of the column of a partial state.
    pub(crate) fn state(result: &DataType) -> DataType {
        match result {
            DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
            _ => DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
        }
    }

    fn check(&self, sum: i128) -> Result<()> {
        let fits = match self.result {
            DataType::UInt64 => u64::try_from(sum).is_ok(),
            DataType::Decimal128(precision, _) => {
                sum != LOST && sum.unsigned_abs() < 10u128.pow(u32::from(precision))
            }
            _ => i64::try_from(sum).is_ok(),
        };
        match fits {
            true => Ok(()),
            false if sum == LOST => Err(too_large(&self.call, "more than 38 digits")),
            false => Err(too_large(&self.call, &sum.to_string())),
        }
    }
}

/// A type that is summed in 128 bits.
trait Whole: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>> + Debug + Send + Sync {
    /// The sum of values.
    fn total(values: &[Self::Native]) -> i128;
}

/// Integers: the upper and lower halves of some values side by side, which the processor adds up in vectors
/// and which cannot overflow.
macro_rules! of_halves {
    ($($t:ty),*) => {$(
        impl Whole for $t {
            fn total(values: &[Self::Native]) -> i128 {
                values.chunks(1 << 20).map(|chunk| {
                    let (mut upper, mut lower) = (0i64, 0u64);
                    for value in chunk {
                        upper = upper.wrapping_add((*value >> 32) as i64);
                        lower = lower.wrapping_add((*value as u64) & u64::from(u32::MAX));
                    }
                    (i128::from(upper) << 32) + i128::from(lower)
                }).sum()
            }
        }
    )*};
}

of_halves!(
    Int64Type,
    UInt64Type,
    DurationSecondType,
    DurationMillisecondType,
    DurationMicrosecondType,
    DurationNanosecondType
);

impl Whole for Decimal128Type {
    fn total(values: &[i128]) -> i128 {
        values.iter().fold(0, |sum, value| plus(sum, *value))
    }
}

#[inline(always)]
fn plus(sum: i128, value: i128) -> i128 {
    match sum.checked_add(value) {
        Some(sum_of) if sum != LOST && value != LOST => sum_of,
        _ => LOST,
    }
}

/// The sum of the values that are not NULL, and how many there are.
fn total<T: Whole>(column: &ArrayRef) -> Result<(i128, usize)> {
    let column = values::<T>(column)?;
    let sum = match column.nulls().filter(|n| n.null_count() > 0) {
        None => T::total(column.values()),
        Some(nulls) => nulls.valid_slices().fold(0, |sum, (start, end)| {
            plus(sum, T::total(column.values().get(start..end).unwrap_or_default()))
        }),
    };
    Ok((sum, column.len() - column.null_count()))
}

fn values<T: ArrowPrimitiveType>(column: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    column
        .as_primitive_opt::<T>()
        .ok_or_else(|| internal_datafusion_err!("a sum got a column of another type"))
}

fn first(columns: &[ArrayRef]) -> Result<&ArrayRef> {
    columns
        .first()
        .ok_or_else(|| internal_datafusion_err!("a sum got no column"))
}

macro_rules! by_type {
    ($kind:expr, $make:ident) => {
        match &$kind.result {
            DataType::Int64 => Ok($make!(Int64Type)),
            DataType::UInt64 => Ok($make!(UInt64Type)),
            DataType::Decimal128(..) => Ok($make!(Decimal128Type)),
            DataType::Duration(TimeUnit::Second) => Ok($make!(DurationSecondType)),
            DataType::Duration(TimeUnit::Millisecond) => Ok($make!(DurationMillisecondType)),
            DataType::Duration(TimeUnit::Microsecond) => Ok($make!(DurationMicrosecondType)),
            DataType::Duration(TimeUnit::Nanosecond) => Ok($make!(DurationNanosecondType)),
            other => not_impl_err!("a checked sum of {other}"),
        }
    };
}

/// Returns the accumulator of one group; rows can be taken away again.
pub(crate) fn single(kind: Kind) -> Result<Box<dyn Accumulator>> {
    macro_rules! make {
        ($t:ty) => {
            Box::new(Single::<$t> {
                sum: 0,
                rows: 0,
                kind,
                of: PhantomData,
            })
        };
    }
    by_type!(kind, make)
}

/// Returns the accumulator of many groups.
pub(crate) fn groups(kind: Kind) -> Result<Box<dyn GroupsAccumulator>> {
    macro_rules! make {
        ($t:ty) => {
            Box::new(Groups::<$t> {
                sums: Vec::new(),
                seen: NullState::new(),
                kind,
                of: PhantomData,
            })
        };
    }
    by_type!(kind, make)
}

/// Returns an accumulator that keeps the distinct values as `inner`, DataFusion's own, does.
pub(crate) fn distinct(kind: Kind, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
    Box::new(Distinct { inner, kind })
}

#[derive(Debug)]
struct Single<T> {
    sum: i128,
    rows: usize,
    kind: Kind,
    of: PhantomData<T>,
}

impl<T: Whole> Accumulator for Single<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, rows) = total::<T>(first(values)?)?;
        self.sum = plus(self.sum, sum);
        self.rows += rows;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, rows) = total::<T>(first(values)?)?;
        self.sum = plus(self.sum, sum.checked_neg().unwrap_or(LOST));
        self.rows = self.rows.saturating_sub(rows);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (sum, rows) = total::<Decimal128Type>(first(states)?)?;
        self.sum = plus(self.sum, sum);
        self.rows += rows;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = match self.rows {
            0 => None,
            _ => {
                self.kind.check(self.sum)?;
                T::Native::try_from(self.sum).ok()
            }
        };
        ScalarValue::new_primitive::<T>(sum, &self.kind.result)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.rows > 0).then_some(self.sum);
        Ok(vec![ScalarValue::new_primitive::<Decimal128Type>(
            sum,
            &Kind::state(&self.kind.result),
        )?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.kind.call.capacity()
    }
}

#[derive(Debug)]
struct Groups<T> {
    sums: Vec<i128>,
    seen: NullState,
    kind: Kind,
    of: PhantomData<T>,
}

impl<T: Whole> Groups<T> {
    fn add<C: ArrowPrimitiveType<Native: Into<i128>> + Send>(
        &mut self,
        column: &ArrayRef,
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.sums.resize(groups, 0);
        let sums = self.sums.as_mut_slice();
        self.seen.accumulate(
            group_indices,
            values::<C>(column)?,
            filter,
            groups,
            |group, value| {
                if let Some(sum) = sums.get_mut(group) {
                    *sum = plus(*sum, value.into());
                }
            },
        );
        Ok(())
    }
}

impl<T: Whole> GroupsAccumulator for Groups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.add::<T>(first(values)?, group_indices, filter, total_num_groups)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.add::<Decimal128Type>(first(values)?, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let nulls = self.seen.build(emit_to);
        let mut out = Vec::with_capacity(sums.len());
        for (group, sum) in sums.into_iter().enumerate() {
            if nulls.as_ref().is_none_or(|n| n.is_valid(group)) {
                self.kind.check(sum)?;
            }
            out.push(T::Native::try_from(sum).unwrap_or_default());
        }
        let sums = PrimitiveArray::<T>::new(out.into(), nulls).with_data_type(self.kind.result.clone());
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        let sums = Decimal128Array::new(sums.into(), self.seen.build(emit_to));
        Ok(vec![Arc::new(
            sums.with_data_type(Kind::state(&self.kind.result)),
        )])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = values::<T>(first(columns)?)?;
        let kept = filter.map(|filter| match filter.nulls() {
            Some(nulls) => NullBuffer::new(filter.values() & nulls.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let nulls = NullBuffer::union(column.nulls(), kept.as_ref());
        let sums: Vec<i128> = column.values().iter().map(|value| (*value).into()).collect();
        let sums = Decimal128Array::new(sums.into(), nulls);
        Ok(vec![Arc::new(
            sums.with_data_type(Kind::state(&self.kind.result)),
        )])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.seen.size()
    }
}

/// Distinct values, kept by DataFusion's accumulator and summed here.
#[derive(Debug)]
struct Distinct {
    inner: Box<dyn Accumulator>,
    kind: Kind,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut sum = single(self.kind.clone())?;
        for state in self.inner.state()? {
            if let ScalarValue::List(values) = state {
                sum.update_batch(&[Arc::clone(values.values())])?;
            }
        }
        sum.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}
