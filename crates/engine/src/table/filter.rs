//! Which slices a filter leaves, decided by slice values alone.
//!
//! A filter that mentions only slice columns is evaluated once over one row for each slice. Invariant: a slice is left out only
//! if the filter is false or NULL for it; a filter that cannot be evaluated leaves everything in.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::and_kleene;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Operator, Volatility};
use datafusion::physical_expr::create_physical_expr;
use mainstay_model::SliceKey;

use super::slice_value;

/// The values of the slice columns: a column for each, a row for each slice.
#[derive(Debug)]
pub(super) struct SliceValues {
    columns: Vec<Vec<ScalarValue>>,
    rows: usize,
}

impl SliceValues {
    /// Reads the values of slices.
    pub(super) fn new<'a>(fields: &[Arc<Field>], keys: impl Iterator<Item = &'a SliceKey>) -> Result<Self> {
        let mut columns = vec![Vec::new(); fields.len()];
        let mut rows = 0;
        for key in keys {
            rows += 1;
            for (i, (column, field)) in columns.iter_mut().zip(fields).enumerate() {
                column.push(slice_value(key.0.get(i).and_then(|v| v.as_deref()), field)?);
            }
        }
        Ok(Self { columns, rows })
    }

    /// Returns the values of one slice.
    pub(super) fn row(&self, row: usize) -> Vec<ScalarValue> {
        self.columns.iter().filter_map(|c| c.get(row).cloned()).collect()
    }

    /// Says which slices may have rows that meet all filters; none: all of them.
    pub(super) fn kept(&self, fields: &[Arc<Field>], filters: &[Expr]) -> Result<Option<BooleanArray>> {
        if fields.is_empty() || self.rows == 0 {
            return Ok(None);
        }
        let filters: Vec<&Expr> = filters.iter().filter(|f| mentions_only(f, fields)).collect();
        if filters.is_empty() {
            return Ok(None);
        }
        let schema = Arc::new(Schema::new(fields.iter().cloned().collect::<Fields>()));
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|c| ScalarValue::iter_to_array(c.iter().cloned()))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
        let columns = DFSchema::try_from(schema)?;
        let mut kept: Option<BooleanArray> = None;
        for filter in filters {
            let Some(holds) = evaluate(filter, &columns, &batch) else {
                continue;
            };
            kept = Some(match kept {
                Some(before) => and_kleene(&before, &holds)?,
                None => holds,
            });
        }
        Ok(kept)
    }
}

/// The filter's value for each slice; none if it cannot be said.
fn evaluate(filter: &Expr, columns: &DFSchema, batch: &RecordBatch) -> Option<BooleanArray> {
    let expr = create_physical_expr(
        filter,
        columns,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )
    .ok()?;
    let value = expr
        .evaluate(batch)
        .and_then(|v| v.into_array(batch.num_rows()))
        .ok()?;
    (value.data_type() == &DataType::Boolean).then(|| value.as_boolean().clone())
}

/// Says whether a filter's value follows from slice values, without subqueries and functions that depend on more.
fn mentions_only(filter: &Expr, fields: &[Arc<Field>]) -> bool {
    every_part(filter, &|e| match e {
        Expr::Column(c) => fields.iter().any(|f| f.name() == &c.name),
        Expr::ScalarFunction(f) => f.func.signature().volatility == Volatility::Immutable,
        Expr::Literal(..)
        | Expr::Alias(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::BinaryExpr(_)
        | Expr::Between(_)
        | Expr::Like(_)
        | Expr::InList(_)
        | Expr::Case(_) => true,
        _ => false,
    })
}

/// Says whether slice values decide a filter and evaluating it can never fail, so that rows need not be asked again.
pub(super) fn decided_by(filter: &Expr, fields: &[Arc<Field>]) -> bool {
    !fields.is_empty()
        && every_part(filter, &|e| match e {
            Expr::Column(c) => fields.iter().any(|f| f.name() == &c.name),
            Expr::BinaryExpr(b) => matches!(
                b.op,
                Operator::Eq
                    | Operator::NotEq
                    | Operator::Lt
                    | Operator::LtEq
                    | Operator::Gt
                    | Operator::GtEq
                    | Operator::And
                    | Operator::Or
                    | Operator::IsDistinctFrom
                    | Operator::IsNotDistinctFrom
            ),
            Expr::Literal(..)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::InList(_) => true,
            _ => false,
        })
}

fn every_part(expr: &Expr, allowed: &dyn Fn(&Expr) -> bool) -> bool {
    let mut all = true;
    let walked = expr.apply(|e| {
        all &= allowed(e);
        Ok(if all {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    walked.is_ok() && all
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;
    use datafusion::logical_expr::{col, lit};

    fn days() -> (Vec<Arc<Field>>, SliceValues) {
        let fields = vec![Arc::new(Field::new("day", DataType::Date32, true))];
        let keys = [
            SliceKey::of("2013-02-01"),
            SliceKey::of("2013-02-02"),
            SliceKey(vec![None]),
        ];
        let values = SliceValues::new(&fields, keys.iter()).expect("days");
        (fields, values)
    }

    fn kept(filters: &[Expr]) -> Option<Vec<bool>> {
        let (fields, values) = days();
        let kept = values.kept(&fields, filters).expect("evaluated")?;
        Some(
            (0..kept.len())
                .map(|i| kept.is_valid(i) && kept.value(i))
                .collect(),
        )
    }

    fn day(n: i32) -> Expr {
        lit(ScalarValue::Date32(Some(15_736 + n)))
    }

    #[test]
    fn slices_are_chosen_by_value_and_null_is_a_value() {
        assert_eq!(
            kept(&[col("day").eq(day(2) - lit(0i32))]),
            None,
            "an expression that does not type is not decided here"
        );
        assert_eq!(kept(&[col("day").gt(day(1))]), Some(vec![false, true, false]));
        assert_eq!(kept(&[col("day").is_null()]), Some(vec![false, false, true]));
        assert_eq!(
            kept(&[col("day").is_null().or(col("day").lt_eq(day(1)))]),
            Some(vec![true, false, true])
        );
        assert_eq!(
            kept(&[col("day").gt_eq(day(1)), col("day").not_eq(day(2))]),
            Some(vec![true, false, false])
        );
        assert_eq!(
            kept(&[col("carrier").eq(lit("AA"))]),
            None,
            "other columns decide nothing"
        );
    }

    #[test]
    fn only_what_cannot_fail_is_decided_for_good() {
        let (fields, _) = days();
        assert!(decided_by(
            &col("day").gt(day(1)).and(col("day").is_not_null()),
            &fields
        ));
        assert!(!decided_by(&(lit(1i64) / lit(0i64)).eq(lit(1i64)), &fields));
        assert!(!decided_by(&col("carrier").eq(lit("AA")), &fields));
    }
}
