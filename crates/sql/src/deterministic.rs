//! Rewrites a plan so that it has one right answer: wherever SQL leaves open which of several rows comes first, all columns
//! decide.
//!
//! What is left open is asked for: a function that depends on order without an ORDER BY is a problem, not a guess. Results
//! are the same as one of those that SQL allows; `rank` and its kin, and frames by RANGE or GROUPS, see ties as ties.
//! Rounding of floating point sums is not decided here.

pub(crate) mod aggregate;
pub(crate) mod order;
pub(crate) mod window;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Distinct, Expr, Limit, LogicalPlan, Projection, Sort, SortExpr, SubqueryAlias, Volatility,
};

use crate::check;
use crate::problem::{NOT_SUPPORTED, Problem, in_order};

/// Makes the result of a plan independent of the order in which its inputs' rows arrive, also in subqueries.
///
/// A LIMIT orders by all columns after what it is ordered by; DISTINCT ON, `row_number`, `lag`, frames by ROWS and the like
/// too; `array_agg` and its kin by their own arguments. Names, types and qualifiers of the columns stay. The plan is one
/// from the planner, before optimisation; a plan that has been through here is not changed again.
///
/// # Errors
///
/// Functions that give something else each time, that depend on order and have none, or that approximate by order; rows to be ordered
/// by a column that has no order.
pub fn deterministic(plan: LogicalPlan) -> Result<LogicalPlan, Vec<Problem>> {
    let mut problems = Vec::new();
    let result = plan.transform_up_with_subqueries(|node| {
        volatile(&node, &mut problems);
        let node = without_limits_in_exists(node)?;
        match node {
            LogicalPlan::Limit(limit) => limited(limit, &mut problems),
            LogicalPlan::Sort(sort) if sort.fetch.is_some() => Ok(Transformed::yes(LogicalPlan::Sort(
                completed(sort, &mut problems),
            ))),
            LogicalPlan::Distinct(Distinct::On(mut on)) => {
                let mut keys = on.sort_expr.take().unwrap_or_else(|| {
                    on.on_expr
                        .iter()
                        .map(|e| SortExpr::new(e.clone(), true, false))
                        .collect()
                });
                order::complete(&mut keys, on.input.schema(), "DISTINCT ON", &mut problems);
                on.sort_expr = Some(keys);
                Ok(Transformed::yes(LogicalPlan::Distinct(Distinct::On(on))))
            }
            LogicalPlan::Window(window) => window::rewrite(window, &mut problems),
            LogicalPlan::Aggregate(aggregate) => aggregate::rewrite(aggregate, &mut problems),
            other => Ok(Transformed::no(other)),
        }
    });
    match result {
        Ok(plan) if problems.is_empty() => Ok(plan.data),
        Ok(_) => Err(in_order(problems)),
        Err(e) => Err(vec![Problem::new(
            NOT_SUPPORTED,
            crate::explain::plain(&e.strip_backtrace()),
        )]),
    }
}

/// Refuses functions that give something else each time.
fn volatile(node: &LogicalPlan, problems: &mut Vec<Problem>) {
    for expr in node.expressions() {
        let _ = expr.apply(|e| {
            if let Expr::ScalarFunction(call) = e
                && call.func.signature().volatility == Volatility::Volatile
            {
                problems.push(check::volatile(call.func.name()));
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        });
    }
}

/// `EXISTS (… LIMIT 1)` is `EXISTS (…)`: which row is found does not matter.
fn without_limits_in_exists(node: LogicalPlan) -> Result<LogicalPlan> {
    let changed = node.map_expressions(|expr| {
        expr.transform_up(|e| match e {
            Expr::Exists(mut exists) => {
                let inner = match exists.subquery.subquery.as_ref() {
                    // A sort was put under the limit on the way up; it goes with it.
                    LogicalPlan::Limit(limit) if takes_some(limit) => match limit.input.as_ref() {
                        LogicalPlan::Sort(sort) => Some(Arc::clone(&sort.input)),
                        _ => Some(Arc::clone(&limit.input)),
                    },
                    _ => None,
                };
                let found = inner.is_some();
                if let Some(inner) = inner {
                    exists.subquery.subquery = inner;
                }
                let e = Expr::Exists(exists);
                Ok(if found {
                    Transformed::yes(e)
                } else {
                    Transformed::no(e)
                })
            }
            other => Ok(Transformed::no(other)),
        })
    })?;
    Ok(changed.data)
}

/// Says whether a limit skips nothing and lets at least one row through.
fn takes_some(limit: &Limit) -> bool {
    let number = |e: &Option<Box<Expr>>| match e.as_deref() {
        Some(Expr::Literal(ScalarValue::Int64(Some(n)), _)) => Some(*n),
        _ => None,
    };
    (limit.skip.is_none() || number(&limit.skip) == Some(0)) && number(&limit.fetch).is_some_and(|n| n > 0)
}

fn limited(mut limit: Limit, problems: &mut Vec<Problem>) -> Result<Transformed<LogicalPlan>> {
    let input = Arc::unwrap_or_clone(limit.input);
    let ordered = match order_below(input, problems)? {
        Ok(ordered) => ordered,
        Err(input) => {
            let mut keys = distinct_keys(&input);
            order::complete(&mut keys, input.schema(), "LIMIT", problems);
            LogicalPlan::Sort(Sort {
                expr: keys,
                input: Arc::new(input),
                fetch: None,
            })
        }
    };
    limit.input = Arc::new(ordered);
    Ok(Transformed::yes(LogicalPlan::Limit(limit)))
}

/// Completes the sort that orders the rows of a plan; gives the plan back if none does.
fn order_below(plan: LogicalPlan, problems: &mut Vec<Problem>) -> Result<Result<LogicalPlan, LogicalPlan>> {
    Ok(match plan {
        LogicalPlan::Sort(sort) => Ok(LogicalPlan::Sort(completed(sort, problems))),
        LogicalPlan::Projection(p) => match order_below(Arc::unwrap_or_clone(p.input), problems)? {
            Ok(input) => Ok(LogicalPlan::Projection(Projection::try_new_with_schema(
                p.expr,
                Arc::new(input),
                p.schema,
            )?)),
            Err(input) => Err(LogicalPlan::Projection(Projection::try_new_with_schema(
                p.expr,
                Arc::new(input),
                p.schema,
            )?)),
        },
        LogicalPlan::SubqueryAlias(a) => match order_below(Arc::unwrap_or_clone(a.input), problems)? {
            Ok(input) => Ok(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(
                Arc::new(input),
                a.alias,
            )?)),
            Err(input) => Err(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(
                Arc::new(input),
                a.alias,
            )?)),
        },
        // A limit below was given its order already, and keeps it.
        LogicalPlan::Limit(limit) => Ok(LogicalPlan::Limit(limit)),
        other => Err(other),
    })
}

fn completed(mut sort: Sort, problems: &mut Vec<Problem>) -> Sort {
    order::complete(&mut sort.expr, sort.input.schema(), "LIMIT", problems);
    sort
}

/// The order that DISTINCT ON was asked to give its rows, as far as its columns show it.
fn distinct_keys(plan: &LogicalPlan) -> Vec<SortExpr> {
    let LogicalPlan::Distinct(Distinct::On(on)) = plan else {
        return Vec::new();
    };
    let asked = on.sort_expr.iter().flatten().take(on.on_expr.len());
    let key = |s: &SortExpr| {
        let at = on
            .select_expr
            .iter()
            .position(|e| *e == s.expr || matches!(e, Expr::Alias(a) if *a.expr == s.expr))?;
        let column = Expr::Column(Column::from(on.schema.qualified_field(at)));
        Some(SortExpr::new(column, s.asc, s.nulls_first))
    };
    asked.map_while(key).collect()
}
