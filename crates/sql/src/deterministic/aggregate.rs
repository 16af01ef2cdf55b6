//! Aggregate functions that depend on order: their own arguments decide after what they are ordered by.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, Projection};

use super::order;
use crate::problem::Problem;

/// Completes the orders inside an aggregation.
pub(crate) fn rewrite(old: Aggregate, problems: &mut Vec<Problem>) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    let mut unique: Vec<Expr> = Vec::new();
    let mut places = Vec::new();
    for expr in &old.aggr_expr {
        let new = function(expr.clone(), &old, problems)?;
        changed |= new != *expr;
        places.push(match unique.iter().position(|u| *u == new) {
            Some(at) => at,
            None => {
                unique.push(new);
                unique.len() - 1
            }
        });
    }
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Aggregate(old)));
    }
    let groups = old.schema.fields().len().saturating_sub(old.aggr_expr.len());
    let new = Aggregate::try_new(Arc::clone(&old.input), old.group_expr.clone(), unique)?;
    let columns = restored(&new.schema, &old.schema, groups, &places);
    let projection = Projection::try_new(columns, Arc::new(LogicalPlan::Aggregate(new)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

/// The columns of a rewritten node under the names of the node that it replaces. The first `kept` columns are where they were,
/// after that `places` says where each is.
pub(super) fn restored(new: &DFSchema, old: &DFSchema, kept: usize, places: &[usize]) -> Vec<Expr> {
    let column = |i: usize| {
        let at = i
            .checked_sub(kept)
            .and_then(|p| places.get(p))
            .map_or(i, |p| kept + p);
        let (column, name) = (
            Column::from(new.qualified_field(at)),
            Column::from(old.qualified_field(i)),
        );
        if column == name {
            Expr::Column(column)
        } else {
            Expr::Column(column).alias_qualified(name.relation, name.name)
        }
    };
    // The planner's own column is gone when `grouping` is resolved, and nobody else names it.
    let own = |i: &usize| {
        old.fields()
            .get(*i)
            .is_some_and(|f| f.name() != Aggregate::INTERNAL_GROUPING_ID)
    };
    (0..old.fields().len()).filter(own).map(column).collect()
}

fn function(expr: Expr, node: &Aggregate, problems: &mut Vec<Problem>) -> Result<Expr> {
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = function(*alias.expr, node, problems)?;
            Ok(Expr::Alias(alias))
        }
        Expr::AggregateFunction(mut call) => {
            ordered(&mut call, node, problems)?;
            Ok(Expr::AggregateFunction(call))
        }
        other => Ok(other),
    }
}

fn ordered(call: &mut AggregateFunction, node: &Aggregate, problems: &mut Vec<Problem>) -> Result<()> {
    let name = call.func.name().to_owned();
    if let Some(problem) = order::approximate(&name) {
        problems.push(problem);
    }
    if !order::depends_on_order(&name) {
        return Ok(());
    }
    if call.params.order_by.is_empty() {
        problems.push(order::needs_order(&name));
        return Ok(());
    }
    for argument in call.params.args.clone() {
        if !matches!(argument, Expr::Literal(..)) {
            let t = argument.get_type(node.input.schema())?;
            order::append(&mut call.params.order_by, argument, &t, &name, problems);
        }
    }
    Ok(())
}
