//! Window functions for which it matters which of two equal rows comes first: all columns decide.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlan, Projection, Window, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::{aggregate, order};
use crate::problem::{NEEDS_ORDER, Problem};

/// Completes the orders of window functions.
pub(crate) fn rewrite(old: Window, problems: &mut Vec<Problem>) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    let mut unique: Vec<Expr> = Vec::new();
    let mut places = Vec::new();
    for expr in &old.window_expr {
        let new = function(expr.clone(), below(&old.input).schema(), problems);
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
        return Ok(Transformed::no(LogicalPlan::Window(old)));
    }
    let inputs = old.input.schema().fields().len();
    let (plan, order) = by_sort_key(&unique, old.input)?;
    let moved: Vec<usize> = places
        .iter()
        .filter_map(|at| order.iter().position(|o| o == at))
        .collect();
    let columns = aggregate::restored(plan.schema(), &old.schema, inputs, &moved);
    let projection = Projection::try_new(columns, Arc::new(plan))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

/// The rows that windows over windows are about: what the functions below compute follows from them, and breaks no tie.
fn below(input: &LogicalPlan) -> &LogicalPlan {
    let mut rows = input;
    while let LogicalPlan::Window(window) = rows {
        rows = &window.input;
    }
    rows
}

/// Puts window functions over a plan, one node for those that are partitioned and ordered alike: what was alike may no longer
/// be, and the engine sorts once for each node. Also returns which function stands where.
fn by_sort_key(functions: &[Expr], input: Arc<LogicalPlan>) -> Result<(LogicalPlan, Vec<usize>)> {
    let key = |e: &Expr| match e.clone().unalias() {
        Expr::WindowFunction(call) => Some((call.params.partition_by, call.params.order_by)),
        _ => None,
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, expr) in functions.iter().enumerate() {
        let alike = |g: &&mut Vec<usize>| {
            g.first()
                .and_then(|f| functions.get(*f))
                .is_some_and(|f| key(f) == key(expr))
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let mut plan = Arc::unwrap_or_clone(input);
    for group in &groups {
        let functions = group.iter().filter_map(|i| functions.get(*i).cloned()).collect();
        plan = LogicalPlan::Window(Window::try_new(functions, Arc::new(plan))?);
    }
    Ok((plan, groups.concat()))
}

fn function(expr: Expr, rows: &DFSchema, problems: &mut Vec<Problem>) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = function(*alias.expr, rows, problems);
            Expr::Alias(alias)
        }
        Expr::WindowFunction(mut call) => {
            ordered(&mut call, rows, problems);
            Expr::WindowFunction(call)
        }
        other => other,
    }
}

fn ordered(call: &mut WindowFunction, rows: &DFSchema, problems: &mut Vec<Problem>) {
    let name = call.fun.name().to_owned();
    if let Some(problem) = order::approximate(&name) {
        problems.push(problem);
        return;
    }
    let aggregate = matches!(call.fun, WindowFunctionDefinition::AggregateUDF(_));
    let need = need(&name, aggregate, &call.params);
    if need == Need::Nothing {
        return;
    }
    let mut keys = call.params.order_by.clone();
    let before = keys.len();
    order::complete(&mut keys, rows, &format!("{name} OVER"), problems);
    if keys.len() == before {
        return;
    }
    if need == Need::Rows {
        problems.push(
            Problem::new(
                NEEDS_ORDER,
                format!("`{name}` has more than one right answer where rows tie in its ORDER BY"),
            )
            .help("add ROWS BETWEEN … AND … to its OVER; the default frame ends with all rows that tie"),
        );
        return;
    }
    call.params.order_by = keys;
}

/// What a window function needs to have one right answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It has one.
    Nothing,
    /// An order without ties; more keys change nothing else.
    Order,
    /// A frame by rows: in its frame ties belong together, so more keys would change what it means.
    Rows,
}

fn need(name: &str, aggregate: bool, params: &WindowFunctionParams) -> Need {
    let frame = &params.window_frame;
    let rows = frame.units == WindowFrameUnits::Rows;
    let first = unbounded_before(&frame.start_bound);
    let last = unbounded_after(&frame.end_bound);
    let skips_nulls = params.null_treatment == Some(NullTreatment::IgnoreNulls) || params.filter.is_some();
    let order_if = |fine: bool| if rows || fine { Need::Order } else { Need::Rows };
    match name {
        "rank" | "dense_rank" | "percent_rank" | "cume_dist" => Need::Nothing,
        "row_number" | "ntile" | "lag" | "lead" => Need::Order,
        "first_value" => order_if(first && (last || (here(&frame.end_bound) && !skips_nulls))),
        "last_value" => order_if(last && (first || (here(&frame.start_bound) && !skips_nulls))),
        _ if !aggregate || order::depends_on_order(name) => order_if(first && last),
        _ if rows && !(first && last) => Need::Order,
        _ => Need::Nothing,
    }
}

fn unbounded_before(bound: &WindowFrameBound) -> bool {
    matches!(bound, WindowFrameBound::Preceding(n) if n.is_null())
}

fn unbounded_after(bound: &WindowFrameBound) -> bool {
    matches!(bound, WindowFrameBound::Following(n) if n.is_null())
}

fn here(bound: &WindowFrameBound) -> bool {
    matches!(bound, WindowFrameBound::CurrentRow)
}
