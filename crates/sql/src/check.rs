//! What can be said about a query from its syntax alone: functions that are not there or must not be used, joins whose meaning
//! the planner gets wrong.

use std::ops::ControlFlow;

use datafusion::logical_expr::Volatility;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, JoinConstraint, JoinOperator, Query, Select,
    Spanned, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use mainstay_base::text::nearest;

use crate::ast;
use crate::deterministic::order;
use crate::problem::{OUTER_USING, Problem, UNKNOWN_FUNCTION, VOLATILE};
use crate::session;

/// Names that the planner knows without a registry.
const SPECIAL: &[&str] = &["unnest"];

/// Checks a query.
pub(crate) fn check(query: &Query) -> Vec<Problem> {
    let mut checker = Checker::default();
    let _ = query.visit(&mut checker);
    checker.problems
}

/// Replaces calls of functions that are not there by NULL, so that the rest of the query can be looked at.
pub(crate) fn without_unknown_functions(query: &mut Query) {
    let _ = query.visit(&mut Remover);
}

struct Remover;

impl VisitorMut for Remover {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(f) if unknown(f).is_some()) {
            *expr = Expr::value(Value::Null);
        }
        ControlFlow::Continue(())
    }
}

/// The name of a call that no function has.
fn unknown(call: &Function) -> Option<String> {
    // Without parentheses it may be a column.
    if matches!(call.args, FunctionArguments::None) {
        return None;
    }
    let name = ast::parts(&call.name)?.join(".");
    let state = session::state();
    let known = state.scalar_functions().contains_key(&name)
        || state.aggregate_functions().contains_key(&name)
        || state.window_functions().contains_key(&name)
        || state.higher_order_functions().contains_key(&name)
        || SPECIAL.contains(&name.as_str());
    (!known).then_some(name)
}

#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Visitor for Checker {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr {
            self.problems.extend(function(call));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name, args: Some(_), ..
        } = factor
        {
            let functions = session::state().table_functions();
            let called = ast::parts(name).unwrap_or_default().join(".");
            if !functions.contains_key(&called) {
                let near = nearest(&called, functions.keys().map(String::as_str));
                let problem =
                    Problem::new(UNKNOWN_FUNCTION, format!("there is no table function `{called}`"));
                self.problems.push(problem.at(ast::span_of(name)).perhaps(near));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for join in select.from.iter().flat_map(|t| &t.joins) {
            let (kind, constraint) = match &join.join_operator {
                JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("RIGHT", c),
                JoinOperator::FullOuter(c) => ("FULL", c),
                _ => continue,
            };
            let (how, columns) = match constraint {
                JoinConstraint::Using(names) => (
                    "USING",
                    names
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
                JoinConstraint::Natural => ("NATURAL", "k".to_owned()),
                _ => continue,
            };
            self.problems.push(
                Problem::new(OUTER_USING, format!("{kind} JOIN with {how} would give NULL for `{columns}` in rows that only the right side has"))
                    .at(ast::span(join.span()))
                    .help(format!("write ON with both columns, and COALESCE(left.{columns}, right.{columns}) AS {columns}")),
            );
        }
        ControlFlow::Continue(())
    }
}

/// What is wrong with a call.
fn function(call: &Function) -> Option<Problem> {
    let span = ast::span_of(&call.name);
    let name = ast::parts(&call.name)?.join(".");
    let state = session::state();
    if unknown(call).is_some() {
        let names = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys());
        let mut names: Vec<&str> = names
            .chain(state.window_functions().keys())
            .chain(state.higher_order_functions().keys())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        let problem = Problem::new(UNKNOWN_FUNCTION, format!("there is no function `{name}`"));
        return Some(problem.at(span).perhaps(nearest(&name, names)));
    }
    if let Some(scalar) = state.scalar_functions().get(&name)
        && scalar.signature().volatility == Volatility::Volatile
    {
        return Some(volatile(&name).at(span));
    }
    // What it is called besides an alias.
    let name = state
        .aggregate_functions()
        .get(&name)
        .map_or(name, |f| f.name().to_owned());
    if let Some(problem) = order::approximate(&name) {
        return Some(problem.at(span));
    }
    let ordered = match &call.args {
        FunctionArguments::List(list) => list
            .clauses
            .iter()
            .any(|c| matches!(c, FunctionArgumentClause::OrderBy(_))),
        _ => false,
    };
    if call.over.is_none() && !ordered && call.within_group.is_empty() && order::depends_on_order(&name) {
        return Some(order::needs_order(&name).at(span));
    }
    None
}

/// Refuses a function that gives something else each time.
pub(crate) fn volatile(name: &str) -> Problem {
    Problem::new(
        VOLATILE,
        format!("`{name}` gives something else each time, so the result could never be computed again"),
    )
    .help("derive it from the data, for example md5 or sha256 of a key")
}
