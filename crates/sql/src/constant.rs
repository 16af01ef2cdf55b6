//! Constants that cannot be what they stand for: `DATE '2013-13-01'`, `LIMIT -1`. The planner finds them when the query runs.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::arrow_types;
use crate::problem::{NOT_SUPPORTED, Problem, WRONG_TYPE};

/// Checks the constants of a plan whose types were coerced.
pub(crate) fn check(plan: &LogicalPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    // The closures never fail, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            for (what, expr) in [("LIMIT", &limit.fetch), ("OFFSET", &limit.skip)] {
                if expr.as_deref().is_some_and(negative) {
                    problems.push(Problem::new(NOT_SUPPORTED, format!("{what} cannot be negative")));
                }
            }
        }
        node.apply_expressions(|expr| casts(expr, &mut problems))
    });
    problems
}

fn negative(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(inner) => {
            matches!(inner.as_ref(), Expr::Literal(value, _) if *value != ScalarValue::Int64(Some(0)))
        }
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => *n < 0,
        _ => false,
    }
}

fn casts(expr: &Expr, problems: &mut Vec<Problem>) -> Result<TreeNodeRecursion> {
    expr.apply(|e| {
        if let Expr::Cast(cast) = e
            && let Expr::Literal(value, _) = cast.expr.as_ref()
            && let Ok(wanted) = e.get_type(&datafusion::common::DFSchema::empty())
            && let Err(_) = value.cast_to(&wanted)
        {
            let name = arrow_types::spoken(&wanted);
            let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
                "an"
            } else {
                "a"
            };
            let text = format!("`{value}` is not {article} {name}");
            problems.push(Problem::new(WRONG_TYPE, text));
        }
        Ok(TreeNodeRecursion::Continue)
    })
}
