//! What depends on the order of rows, and orders that leave nothing open.

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Aggregate, Expr, SortExpr};

use crate::problem::{APPROXIMATE, NEEDS_ORDER, Problem, UNSORTABLE};

/// Says whether an aggregate function's result depends on the order of its rows.
pub(crate) fn depends_on_order(function: &str) -> bool {
    [
        "array_agg",
        "string_agg",
        "first_value",
        "last_value",
        "nth_value",
        "any_value",
    ]
    .contains(&function)
}

/// Asks for an order.
pub(crate) fn needs_order(function: &str) -> Problem {
    if function == "any_value" {
        return Problem::new(
            NEEDS_ORDER,
            "`any_value` may take any row, so the result could differ each time",
        )
        .help("use min, max, or first_value(… ORDER BY …)");
    }
    Problem::new(
        NEEDS_ORDER,
        format!("`{function}` depends on the order of the rows, functions that depend on order need one"),
    )
    .help(format!(
        "write the order inside the call: {function}(… ORDER BY …)"
    ))
}

/// Refuses functions whose approximation depends on the order of rows; `approx_distinct` does not.
pub(crate) fn approximate(function: &str) -> Option<Problem> {
    let exact = match function {
        "approx_median" => "use median, which is exact",
        "approx_percentile_cont" => "use percentile_cont, which is exact",
        "approx_percentile_cont_with_weight" => "compute it from a sum of weights OVER (ORDER BY …)",
        _ => return None,
    };
    let problem = Problem::new(
        APPROXIMATE,
        format!("`{function}` gives a value that depends on the order of the rows"),
    );
    Some(problem.help(exact))
}

/// Appends to an order all columns that are not in it yet, so that only equal rows tie. `what` needs it.
pub(crate) fn complete(keys: &mut Vec<SortExpr>, schema: &DFSchema, what: &str, problems: &mut Vec<Problem>) {
    for (i, field) in schema.fields().iter().enumerate() {
        // The planner's own column; it is gone when `grouping` is resolved.
        if field.name() == Aggregate::INTERNAL_GROUPING_ID {
            continue;
        }
        let column = Expr::Column(Column::from(schema.qualified_field(i)));
        append(keys, column, field.data_type(), what, problems);
    }
}

/// Appends one key to an order unless it is there.
pub(crate) fn append(
    keys: &mut Vec<SortExpr>,
    key: Expr,
    t: &DataType,
    what: &str,
    problems: &mut Vec<Problem>,
) {
    if keys.iter().any(|k| k.expr == key) {
        return;
    }
    if !sortable(t) {
        let name = match &key {
            Expr::Column(c) => c.name.clone(),
            other => other.to_string(),
        };
        problems.push(
            Problem::new(
                UNSORTABLE,
                format!("`{what}` has to order by all columns to be unambiguous, and `{name}` has no order"),
            )
            .help(format!(
                "leave `{name}` out in a subquery, or take it apart there"
            )),
        );
        return;
    }
    keys.push(SortExpr::new(key, true, false));
}

/// Says whether values of a type can be ordered.
fn sortable(t: &DataType) -> bool {
    match t {
        DataType::Map(..) | DataType::Union(..) => false,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::ListView(f)
        | DataType::LargeListView(f) => sortable(f.data_type()),
        DataType::Struct(fields) => fields.iter().all(|f| sortable(f.data_type())),
        _ => true,
    }
}
