//! The whole way from text to a checked plan, with all problems that can be found at once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SelectItem, Value, VisitMut, VisitorMut};
use mainstay_base::Hash;
use mainstay_base::text::nearest;
use mainstay_model::relation::{Origin, Reads, Widened};
use mainstay_model::{DatasetName, Schema};

use crate::ast;
use crate::input::{InputTable, Inputs, Placeholder};
use crate::locate::Culprit;
use crate::parse::Reference;
use crate::problem::{
    AMBIGUOUS_COLUMN, DUPLICATE_COLUMN, OUTER_USING, Problem, Span, UNKNOWN_COLUMN, UNKNOWN_DATASET,
    UNKNOWN_FUNCTION, in_order,
};
use crate::{
    check, constant, dependency, deterministic, explain, fingerprint, ignored, locate, output, parse, plan,
};

/// How many wrong names, and how many wrong types, are looked for in one query.
const MOST: usize = 20;

/// A query that was found to be right.
#[derive(Clone, Debug)]
pub struct Analysed {
    /// The datasets that it reads, and which slices of them a slice of the output needs.
    pub reads: BTreeMap<DatasetName, Reads>,
    /// Which slices the output has; none if only computing it tells.
    pub origins: Option<Vec<Origin>>,
    /// Where more is read than might be necessary.
    pub widened: Vec<Widened>,
    /// The columns that it yields, in order.
    pub columns: Schema,
    /// The hash of its normal form.
    pub code: Hash,
    /// The plan: deterministic, neither optimised nor type-coerced, the present not bound; scans are by name and have no data.
    pub plan: LogicalPlan,
}

/// Checks a query against the schemas of its inputs, and finds out what there is to know about it. `slice` names the slice
/// columns of the dataset that it computes.
///
/// # Errors
///
/// All problems that can be found at once, in the order of their places.
pub fn analyse(sql: &str, inputs: &dyn Inputs, slice: &[String]) -> Result<Analysed, Vec<Problem>> {
    let written = parse::parse(sql)?;
    let mut problems = check::check(&written);
    problems.extend(ignored::ignored(&written));
    let tables = match parse::references_of(&written) {
        Ok(references) => known(&references, inputs, &mut problems),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| meant(p, inputs)));
            None
        }
    };
    problems.extend(output::unnamed(&written));
    let mut query = written.clone();
    problems.extend(output::without_duplicates(&mut query));
    let Some(tables) = tables else {
        return Err(in_order(problems));
    };

    let sources = sources(&tables);
    let source = |name: &DatasetName| sources.get(name).cloned();
    check::without_unknown_functions(&mut query);
    let planned = planned(&mut query, &source, &mut problems);
    let Some(planned) = planned.filter(|_| problems.is_empty()) else {
        return Err(in_order(problems));
    };

    problems.extend(output::names(planned.schema(), &query));
    let coerced = coerced(&query, &planned, &source, &mut problems);
    let plan = match deterministic::deterministic(planned) {
        Ok(plan) => Some(plan),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| pointed(p, &query)));
            None
        }
    };
    let columns = coerced.and_then(|c| match output::columns(c.schema(), &query) {
        Ok(columns) => {
            problems.extend(output::slices(&columns, slice, &query));
            Some(columns)
        }
        Err(found) => {
            problems.extend(found);
            None
        }
    });
    match (plan, columns) {
        (Some(plan), Some(columns)) if problems.is_empty() => {
            let found = dependency::dependency(&plan, slice, &columns, &tables);
            let code = fingerprint::of(&written, fingerprint::structs(tables.values()));
            Ok(Analysed {
                reads: found.reads,
                origins: found.origins,
                widened: found.widened,
                columns,
                code,
                plan,
            })
        }
        _ => Err(in_order(problems)),
    }
}

/// Says what is wrong with a query that a person asks, whose rows are shown and not stored. Nothing is said of what is only
/// wrong for a job: columns without names, functions that give something else each time, more than one right answer.
pub fn problems(sql: &str, inputs: &dyn Inputs) -> Vec<Problem> {
    let mut query = match parse::parse(sql) {
        Ok(query) => query,
        Err(found) => return found,
    };
    let wrong = [UNKNOWN_FUNCTION, OUTER_USING];
    let mut problems = check::check(&query);
    problems.retain(|p| wrong.contains(&p.code));
    let tables = match parse::references_of(&query) {
        Ok(references) => known(&references, inputs, &mut problems),
        Err(found) => {
            problems.extend(found.into_iter().map(|p| meant(p, inputs)));
            None
        }
    };
    if let Some(tables) = tables {
        let sources = sources(&tables);
        let source = |name: &DatasetName| sources.get(name).cloned();
        check::without_unknown_functions(&mut query);
        if let Some(planned) = planned(&mut query, &source, &mut problems) {
            let _ = coerced(&query, &planned, &source, &mut problems);
        }
    }
    // Two columns of one name are often shown side by side; where they cannot be, the text says better where they are.
    let found = output::without_duplicates(&mut query);
    if !found.is_empty() && problems.iter().any(|p| p.code == DUPLICATE_COLUMN) {
        problems.retain(|p| p.code != DUPLICATE_COLUMN);
        problems.extend(found);
    }
    in_order(problems)
}

fn sources(tables: &BTreeMap<DatasetName, InputTable>) -> BTreeMap<&DatasetName, Arc<dyn TableSource>> {
    let each = tables.iter().map(|(name, table)| (name, Placeholder::of(table)));
    each.collect()
}

/// Adds to a name that is no dataset's, for lack of a schema, which dataset was perhaps meant.
fn meant(problem: Problem, inputs: &dyn Inputs) -> Problem {
    let Some(name) = problem.message.split('`').nth(1).filter(|n| !n.contains('.')) else {
        return problem;
    };
    let names = inputs.names();
    let near = nearest(name, names.iter().map(DatasetName::table));
    match names.iter().find(|n| Some(n.table()) == near) {
        Some(one) => problem.perhaps(Some(&one.to_string())),
        None => problem,
    }
}

/// Looks up the datasets that a query names; none if one of them is unknown.
fn known(
    references: &[Reference],
    inputs: &dyn Inputs,
    problems: &mut Vec<Problem>,
) -> Option<BTreeMap<DatasetName, InputTable>> {
    let mut tables = BTreeMap::new();
    let mut complete = true;
    for reference in references {
        if let Some(table) = inputs.table(&reference.name) {
            tables.insert(reference.name.clone(), table);
            continue;
        }
        complete = false;
        let names: Vec<String> = inputs.names().iter().map(ToString::to_string).collect();
        let problem = Problem::new(
            UNKNOWN_DATASET,
            format!("there is no dataset `{}`", reference.name),
        );
        let near = nearest(&reference.name.to_string(), names.iter().map(String::as_str));
        problems.push(problem.at(reference.span).perhaps(near));
    }
    complete.then_some(tables)
}

/// Plans a query. After a column that is not there, NULL is put in its place and planning goes on, so that all of them are
/// found; errors of another kind after that may be consequences, and are left out.
fn planned(query: &mut Query, tables: &dyn plan::Tables, problems: &mut Vec<Problem>) -> Option<LogicalPlan> {
    let mut clean = problems.is_empty();
    for _ in 0..MOST {
        let error = match plan::plan_query(query, tables) {
            Ok(plan) => return Some(plan),
            Err(e) => e,
        };
        let problem = explain::explain(&error, query);
        if [UNKNOWN_COLUMN, AMBIGUOUS_COLUMN].contains(&problem.code) {
            clean = false;
            let span = problem.span;
            problems.push(problem);
            if !span.is_some_and(|s| put_null(query, s)) {
                return None;
            }
            continue;
        }
        let culprit = culprit(query, &problem, &|q| plan::plan_query(q, tables));
        if clean {
            problems.push(placed(problem, culprit.as_ref()));
        }
        culprit?.remove_from(query);
    }
    None
}

/// Coerces the types of a planned query. After an expression whose types do not fit, NULL is put in its place and coercion goes on.
fn coerced(
    query: &Query,
    planned: &LogicalPlan,
    tables: &dyn plan::Tables,
    problems: &mut Vec<Problem>,
) -> Option<LogicalPlan> {
    let whole = |q: &Query| plan::plan_query(q, tables).and_then(plan::coerce);
    let mut result = plan::coerce(planned.clone());
    let mut query = query.clone();
    for round in 0..MOST {
        match result {
            Ok(plan) => {
                let wrong = constant::check(&plan);
                let right = wrong.is_empty() && round == 0;
                problems.extend(wrong.into_iter().map(|p| pointed(p, &query)));
                return right.then_some(plan);
            }
            Err(e) => {
                let problem = explain::explain(&e, &query);
                let culprit = culprit(&query, &problem, &whole);
                problems.push(placed(problem, culprit.as_ref()));
                culprit?.remove_from(&mut query);
                result = whole(&query);
            }
        }
    }
    None
}

/// Finds the expression that causes a problem of planning: without it the query has no such problem, perhaps another.
fn culprit(
    query: &Query,
    problem: &Problem,
    plan: &dyn Fn(&Query) -> Result<LogicalPlan, DataFusionError>,
) -> Option<Culprit> {
    let fails = |q: &Query| plan(q).is_err_and(|e| explain::explain(&e, q).message == problem.message);
    locate::culprit(query, &fails)
}

/// Adds the place to a problem that has none.
fn placed(problem: Problem, culprit: Option<&Culprit>) -> Problem {
    let span = problem.span.or(culprit.and_then(|c| c.span));
    problem.at(span)
}

/// Adds the place to a problem that has none and names what it is about first: a function, a constant or a clause.
fn pointed(problem: Problem, query: &Query) -> Problem {
    let named = problem
        .message
        .split('`')
        .nth(1)
        .unwrap_or_else(|| problem.message.split(' ').next().unwrap_or_default());
    let span = problem.span.or_else(|| locate::mention(query, named));
    problem.at(span)
}

/// Puts NULL where a column's name stands; false if none stands there.
fn put_null(query: &mut Query, at: Span) -> bool {
    struct PutNull {
        at: Span,
        done: bool,
    }
    impl PutNull {
        fn here(&self, expr: &Expr) -> bool {
            let within = |i: &datafusion::sql::sqlparser::ast::Ident| {
                ast::span(i.span).is_some_and(|s| s.0 == self.at.0 || s.1 == self.at.1)
            };
            ast::column(expr).is_some_and(|idents| idents.iter().any(within))
        }
    }
    impl VisitorMut for PutNull {
        type Break = ();
        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(e) = item
                    && self.here(e)
                    && let Some(alias) = ast::column(e).and_then(|c| c.last()).cloned()
                {
                    *item = SelectItem::ExprWithAlias {
                        expr: Expr::value(Value::Null),
                        alias,
                    };
                    self.done = true;
                }
            }
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if self.here(expr) {
                *expr = Expr::value(Value::Null);
                self.done = true;
            }
            ControlFlow::Continue(())
        }
    }
    let mut put = PutNull { at, done: false };
    let _ = query.visit(&mut put);
    put.done
}
