//! The planner's errors in plain words.
//!
//! Knows the planner's messages; whatever it does not know it passes on without names of types and without the request to
//! report a bug.

mod words;

pub(crate) use words::plain;

use std::ops::ControlFlow;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::ast::{Expr, Query, TableFactor, Visit, Visitor};
use mainstay_base::text::nearest;

use crate::ast;
use crate::explain::words::words;
use crate::problem::{
    AMBIGUOUS_COLUMN, DUPLICATE_COLUMN, Location, NOT_SUPPORTED, Problem, Span, UNKNOWN_COLUMN,
};

/// Says what an error of the planner means.
pub(crate) fn explain(error: &DataFusionError, query: &Query) -> Problem {
    let place = error.diagnostic().and_then(|d| d.span).map(|s| {
        let at = |l: datafusion::common::Location| Location {
            line: l.line,
            column: l.column,
        };
        (at(s.start), at(s.end))
    });
    match innermost(error) {
        DataFusionError::SchemaError(e, _) => schema(e, place, query),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) => words(text).at(place),
        DataFusionError::NotImplemented(text) | DataFusionError::Internal(text) => {
            Problem::new(NOT_SUPPORTED, format!("this is not supported: {}", plain(text))).at(place)
        }
        other => words(&other.strip_backtrace()).at(place),
    }
}

/// The error that is wrapped in contexts and diagnostics.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => innermost(inner),
        DataFusionError::Shared(inner) => innermost(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(error, innermost),
        _ => error,
    }
}

fn schema(error: &SchemaError, place: Option<Span>, query: &Query) -> Problem {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let place = place.or_else(|| find_column(query, field));
            unknown_column(field, valid_fields, query).at(place)
        }
        SchemaError::AmbiguousReference { field } => {
            let place = place.or_else(|| find_column(query, field));
            if place.is_none() {
                return duplicate(&field.name);
            }
            Problem::new(
                AMBIGUOUS_COLUMN,
                format!("more than one table has a column `{}`", field.name),
            )
            .at(place)
            .help("say which, as in table.column")
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => duplicate(name).at(place),
    }
}

fn duplicate(name: &str) -> Problem {
    Problem::new(DUPLICATE_COLUMN, format!("two columns are called `{name}`"))
        .help("give one of them another name with AS")
}

fn unknown_column(field: &Column, valid: &[Column], query: &Query) -> Problem {
    let tables: Vec<String> = valid
        .iter()
        .filter_map(|c| c.relation.as_ref())
        .map(ToString::to_string)
        .collect();
    let problem = match &field.relation {
        Some(table) if tables.iter().any(|t| *t == table.to_string()) => {
            let own = valid
                .iter()
                .filter(|c| c.relation.as_ref() == Some(table))
                .map(|c| c.name.as_str());
            return Problem::new(
                UNKNOWN_COLUMN,
                format!("`{table}` has no column `{}`", field.name),
            )
            .perhaps(nearest(&field.name, own));
        }
        Some(table) => {
            let text = table.to_string();
            // The planner lists only what the innermost query can see.
            if names_table(query, table.table()) {
                return Problem::new(UNKNOWN_COLUMN, format!("`{text}` has no column `{}`", field.name));
            }
            let problem = Problem::new(
                UNKNOWN_COLUMN,
                format!("there is no `{text}` here to take `{}` from", field.name),
            );
            return problem.perhaps(nearest(&text, tables.iter().map(String::as_str)));
        }
        None => Problem::new(
            UNKNOWN_COLUMN,
            format!("there is no column `{}` here", field.name),
        ),
    };
    let names: Vec<&str> = valid.iter().map(|c| c.name.as_str()).collect();
    if let Some(exact) = names
        .iter()
        .find(|n| n.eq_ignore_ascii_case(&field.name) && **n != field.name)
    {
        return problem.help(if exact.chars().any(char::is_uppercase) {
            format!("it is written `\"{exact}\"`: names with capitals need quotes")
        } else {
            format!("it is written `{exact}`")
        });
    }
    problem.perhaps(nearest(&field.name, names))
}

/// Says whether a query calls one of its tables so.
fn names_table(query: &Query, name: &str) -> bool {
    struct Find<'a>(&'a str);
    impl Visitor for Find<'_> {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let called = match factor {
                TableFactor::Table { alias: Some(a), .. } | TableFactor::Derived { alias: Some(a), .. } => {
                    Some(ast::name(&a.name))
                }
                TableFactor::Table {
                    name, alias: None, ..
                } => ast::parts(name).and_then(|p| p.last().cloned()),
                _ => None,
            };
            if called.as_deref() == Some(self.0) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    query.visit(&mut Find(name)).is_break()
}

/// Finds the first place where a column is named.
fn find_column(query: &Query, column: &Column) -> Option<Span> {
    struct Find<'a>(&'a Column);
    impl Visitor for Find<'_> {
        type Break = Option<Span>;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Option<Span>> {
            match ast::column(expr) {
                Some(idents) if idents.last().is_some_and(|i| ast::name(i) == self.0.name) => {
                    ControlFlow::Break(ast::column_span(idents))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match query.visit(&mut Find(column)) {
        ControlFlow::Break(span) => span,
        ControlFlow::Continue(()) => None,
    }
}
