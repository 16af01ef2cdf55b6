//! The planner's errors in plain words.
//!
//! Knows the planner's messages; whatever it does not know it passes on without names of types and without the request to
//! report a bug.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::ast::{Expr, Query, Visit, Visitor};
use mainstay_base::text::nearest;
use std::ops::ControlFlow;

use crate::arrow_types;
use crate::ast;
use crate::problem::{
    AMBIGUOUS_COLUMN, DUPLICATE_COLUMN, Location, NOT_SUPPORTED, Problem, Span, UNKNOWN_COLUMN, WRONG_TYPE,
};

/// Says what an error of the planner means.
pub(crate) fn explain(error: &DataFusionError, query: &Query) -> Problem {
    let place = error.diagnostic().and_then(|d| d.span).map(|s| {
        let at = |l: datafusion::common::Location| Location { line: l.line, column: l.column };
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
            unknown_column(field, valid_fields).at(place)
        }
        SchemaError::AmbiguousReference { field } => {
            let place = place.or_else(|| find_column(query, field));
            Problem::new(AMBIGUOUS_COLUMN, format!("more than one table has a column `{}`", field.name))
                .at(place)
                .help("say which, as in table.column")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Problem::new(DUPLICATE_COLUMN, format!("two columns are called `{name}`"))
                .at(place)
                .help("give one of them another name with AS")
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column]) -> Problem {
    let tables: Vec<String> = valid.iter().filter_map(|c| c.relation.as_ref()).map(ToString::to_string).collect();
    let problem = match &field.relation {
        Some(table) if tables.iter().any(|t| *t == table.to_string()) => {
            let own = valid.iter().filter(|c| c.relation.as_ref() == Some(table)).map(|c| c.name.as_str());
            return Problem::new(UNKNOWN_COLUMN, format!("`{table}` has no column `{}`", field.name))
                .perhaps(nearest(&field.name, own));
        }
        Some(table) => {
            let text = table.to_string();
            let problem = Problem::new(UNKNOWN_COLUMN, format!("there is no `{text}` here to take `{}` from", field.name));
            return problem.perhaps(nearest(&text, tables.iter().map(String::as_str)));
        }
        None => Problem::new(UNKNOWN_COLUMN, format!("there is no column `{}` here", field.name)),
    };
    let names: Vec<&str> = valid.iter().map(|c| c.name.as_str()).collect();
    if let Some(exact) = names.iter().find(|n| n.eq_ignore_ascii_case(&field.name) && **n != field.name) {
        return problem.help(format!("it is written `\"{exact}\"`: names with capitals need quotes"));
    }
    problem.perhaps(nearest(&field.name, names))
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

/// A problem from a message.
fn words(text: &str) -> Problem {
    let text = plain(text);
    if let Some(rest) = text.strip_prefix("Failed to coerce arguments to satisfy a call to '")
        && let Some((function, _)) = rest.split_once('\'')
    {
        let given = after(&text, "argument types '").and_then(|t| t.split_once("'.").map(|(types, _)| types.to_owned()));
        let message = match given {
            Some(call) => format!("`{function}` does not take these types: {call}"),
            None => format!("`{function}` does not take these types"),
        };
        return Problem::new(WRONG_TYPE, message).help("CAST the arguments to the types that it takes");
    }
    if let Some(rest) = text.strip_prefix("Cannot coerce arithmetic expression ") {
        let types = rest.strip_suffix(" to valid types").unwrap_or(rest);
        return Problem::new(WRONG_TYPE, format!("these types cannot be computed with: {types}"))
            .help("CAST one side to the type of the other");
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for comparison operation ") {
        return Problem::new(WRONG_TYPE, format!("these types cannot be compared: {types}"))
            .help("CAST one side to the type of the other");
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for logical boolean operation ") {
        return Problem::new(WRONG_TYPE, format!("AND and OR take booleans, not {types}")).help("compare the value with something");
    }
    if text.contains("must be in the GROUP BY clause or an aggregate function")
        || text.contains("must appear in the GROUP BY clause or must be part of an aggregate function")
    {
        let column = text.split('"').nth(1).unwrap_or("a column");
        return Problem::new(NOT_SUPPORTED, format!("`{column}` is neither in GROUP BY nor inside an aggregate function"))
            .help("add it to GROUP BY, or say which of its values, for example max or min");
    }
    let code = if ["coerce", "type", "cast"].iter().any(|w| text.to_lowercase().contains(w)) { WRONG_TYPE } else { NOT_SUPPORTED };
    Problem::new(code, lower_first(&text))
}

fn after(text: &str, mark: &str) -> Option<String> {
    text.split_once(mark).map(|(_, rest)| rest.to_owned())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// Takes out of a message what only programmers understand, and keeps one line.
pub(crate) fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for prefix in ["Error during planning: ", "type_coercion", "caused by", "Schema error: ", "Execution error: ", "Arrow error: "] {
        text = text.trim_start().strip_prefix(prefix).map(str::to_owned).unwrap_or(text);
    }
    for end in ["\nThis issue was likely caused by a bug", "This was likely caused by a bug", "This issue was likely", "\n\nbacktrace", "\n"] {
        if let Some((before, _)) = text.split_once(end)
            && !before.trim().is_empty()
        {
            text = before.trim().to_owned();
        }
    }
    spoken_types(text.trim().trim_end_matches('.'))
}

/// Writes the names of arrow's types as those of column types.
fn spoken_types(text: &str) -> String {
    let units = [("ns", TimeUnit::Nanosecond), ("µs", TimeUnit::Microsecond), ("ms", TimeUnit::Millisecond), ("s", TimeUnit::Second)];
    let mut out = text.to_owned();
    for (short, unit) in units {
        for (written, t) in [
            (format!("Timestamp({short}, \"UTC\")"), DataType::Timestamp(unit, Some("UTC".into()))),
            (format!("Timestamp({short})"), DataType::Timestamp(unit, None)),
        ] {
            out = out.replace(&written, &arrow_types::spoken(&t));
        }
        for (name, said) in [("Duration", "duration"), ("Time64", "time"), ("Time32", "time")] {
            out = out.replace(&format!("{name}({short})"), said);
        }
    }
    for name in ["Decimal32", "Decimal64", "Decimal128", "Decimal256"] {
        out = out.replace(&format!("{name}("), "decimal(");
    }
    for unit in ["MonthDayNano", "YearMonth", "DayTime"] {
        out = out.replace(&format!("Interval({unit})"), "interval");
    }
    let plain = [
        ("LargeUtf8", "string"), ("Utf8View", "string"), ("Utf8", "string"), ("LargeBinary", "binary"), ("BinaryView", "binary"),
        ("Binary", "binary"), ("UInt64", "decimal(20,0)"), ("UInt32", "long"), ("UInt16", "integer"), ("UInt8", "short"), ("Int64", "long"),
        ("Int32", "integer"), ("Int16", "short"), ("Int8", "byte"), ("Float64", "double"), ("Float32", "float"), ("Float16", "float"),
        ("Date32", "date"), ("Date64", "date"), ("Boolean", "boolean"), ("List(", "array("), ("Struct(", "struct("),
    ];
    for (from, to) in plain {
        out = out.replace(from, to);
    }
    out
}
