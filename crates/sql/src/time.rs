//! Binding a query to a moment: what it calls the present is an input that was recorded.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use mainstay_base::Timestamp;

/// Replaces `now()`, `current_timestamp`, `current_date`, `today()` and `current_time` by the values that they have at `as_of` in
/// UTC, everywhere in a plan. Names of columns stay.
///
/// # Errors
///
/// If the plan cannot be put together again, which would be a defect.
pub fn bind_time(plan: LogicalPlan, as_of: Timestamp) -> Result<LogicalPlan> {
    let bound = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let bound = expr.transform_up(|e| {
                Ok(match present(&e, as_of) {
                    Some(value) => Transformed::yes(Expr::Literal(value, None)),
                    None => Transformed::no(e),
                })
            })?;
            Ok(bound.update_data(|e| name.restore(e)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(bound.data)
}

/// The value of an expression that asks for the present; none for any other expression.
fn present(expr: &Expr, as_of: Timestamp) -> Option<ScalarValue> {
    const DAY: i64 = 86_400_000_000;
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let micros = as_of.as_micros();
    match call.func.name() {
        "now" => Some(ScalarValue::TimestampNanosecond(
            micros.checked_mul(1000),
            Some("UTC".into()),
        )),
        "current_date" => Some(ScalarValue::Date32(i32::try_from(micros.div_euclid(DAY)).ok())),
        "current_time" => Some(ScalarValue::Time64Nanosecond(Some(micros.rem_euclid(DAY) * 1000))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn the_present_is_bound_also_in_subqueries_and_keeps_the_names() {
        let sql = "SELECT now() AS a, today() AS b, current_time AS c, (SELECT max(x) FROM (SELECT current_date) AS t(x)) AS d \
                   FROM (SELECT current_timestamp) AS s";
        let planned = plan(sql, &|_: &_| None).expect("a plan");
        let bound = bind_time(planned.clone(), Timestamp::from_micros(1_359_864_245_000_006)).expect("bound");
        let columns = |p: &LogicalPlan| -> Vec<_> {
            p.schema()
                .fields()
                .iter()
                .map(|f| (f.name().clone(), f.data_type().clone()))
                .collect()
        };
        assert_eq!(columns(&bound), columns(&planned));
        let text = bound.display_indent().to_string();
        assert!(
            text.contains("TimestampNanosecond(1359864245000006000, Some(\"UTC\"))"),
            "{text}"
        );
        assert!(text.contains("Date32(\"2013-02-03\")"), "{text}");
        for gone in [
            "now() AS a",
            "current_date() AS b",
            "current_time() AS c",
            "Projection: now()",
        ] {
            assert!(!text.contains(gone), "{gone}\n{text}");
        }
    }
}
