//! Syntax that the planner reads over: refused, for a query must not mean less than it says.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, LimitClause, OrderBy, OrderByKind, Query, Select, Statement, TableFactor, Value, Visit, Visitor,
};

use crate::ast;
use crate::problem::{NOT_SUPPORTED, Problem, Span};

/// Finds it.
pub(crate) fn ignored(query: &Query) -> Vec<Problem> {
    let mut finder = Finder::default();
    let _ = query.visit(&mut finder);
    finder.problems
}

#[derive(Default)]
struct Finder {
    problems: Vec<Problem>,
}

impl Finder {
    fn refuse(&mut self, found: bool, what: &str, span: Option<Span>) {
        if found {
            self.problems
                .push(Problem::new(NOT_SUPPORTED, format!("{what} is not supported")).at(span));
        }
    }

    fn order_by(&mut self, order: &OrderBy, span: Option<Span>) {
        self.refuse(order.interpolate.is_some(), "INTERPOLATE", span);
        if let OrderByKind::Expressions(keys) = &order.kind {
            self.refuse(keys.iter().any(|k| k.with_fill.is_some()), "WITH FILL", span);
        }
    }
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let span = ast::span_of(query);
        self.refuse(!query.locks.is_empty(), "FOR UPDATE or FOR SHARE", span);
        self.refuse(query.for_clause.is_some(), "FOR XML, JSON or BROWSE", span);
        self.refuse(query.settings.is_some(), "SETTINGS", span);
        self.refuse(query.format_clause.is_some(), "FORMAT", span);
        self.refuse(!query.pipe_operators.is_empty(), "|>", span);
        if let Some(order) = &query.order_by {
            self.order_by(order, span);
        }
        if let Some(LimitClause::LimitOffset { limit_by, .. }) = &query.limit_clause {
            self.refuse(!limit_by.is_empty(), "LIMIT … BY", span);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let span = ast::span_of(select);
        self.refuse(select.prewhere.is_some(), "PREWHERE", span);
        self.refuse(!select.connect_by.is_empty(), "CONNECT BY", span);
        self.refuse(!select.distribute_by.is_empty(), "DISTRIBUTE BY", span);
        self.refuse(select.value_table_mode.is_some(), "SELECT AS", span);
        self.refuse(select.select_modifiers.is_some(), "a modifier of SELECT", span);
        self.refuse(select.exclude.is_some(), "EXCLUDE behind the columns", span);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let span = ast::span_of(factor);
        match factor {
            TableFactor::Table {
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => {
                self.refuse(sample.is_some(), "TABLESAMPLE", span);
                self.refuse(version.is_some(), "a version of a table", span);
                self.refuse(!partitions.is_empty(), "PARTITION", span);
                self.refuse(*with_ordinality, "WITH ORDINALITY", span);
                self.refuse(json_path.is_some(), "a path into a table", span);
                self.refuse(!with_hints.is_empty() || !index_hints.is_empty(), "a hint", span);
            }
            TableFactor::Derived { sample, .. } => self.refuse(sample.is_some(), "TABLESAMPLE", span),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            let problem = Problem::new(
                NOT_SUPPORTED,
                format!("there is nothing to put in place of `{name}`"),
            );
            self.problems.push(
                problem
                    .at(ast::span(value.span))
                    .help("a job has no parameters: write the value itself"),
            );
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.refuse(true, "a statement inside a query", ast::span_of(statement));
        ControlFlow::Continue(())
    }
}
