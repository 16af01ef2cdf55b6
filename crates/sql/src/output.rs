//! The columns that a query yields: each has a name of its own and a type that a table can hold, and the slice columns are
//! among them.

use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast::{Ident, Query, Select, SelectItem, SetExpr};
use mainstay_base::text::nearest;
use mainstay_model::{Column, ColumnType, Schema};

use crate::arrow_types;
use crate::ast;
use crate::problem::{
    DUPLICATE_COLUMN, NO_SLICE_COLUMN, Problem, SLICE_TYPE, Span, UNNAMED_COLUMN, UNSTORABLE_COLUMN,
};

/// Characters that Delta does not take in a column's name.
const FORBIDDEN: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The select list that names a query's columns: the leftmost one.
fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

/// Finds the output columns that have no name.
pub(crate) fn unnamed(query: &Query) -> Vec<Problem> {
    let Some(select) = first_select(&query.body) else {
        let problem = Problem::new(UNNAMED_COLUMN, "the columns of VALUES have no names");
        return vec![problem.help("write SELECT * FROM (VALUES …) AS t(name, …)")];
    };
    let missing = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(e) if ast::column(e).is_none() => {
            let text = e.to_string();
            let short = if text.chars().count() <= 40 {
                format!("`{text}`")
            } else {
                "an output column".to_owned()
            };
            Some(
                Problem::new(UNNAMED_COLUMN, format!("{short} has no name"))
                    .at(ast::span_of(e))
                    .label("needs a name")
                    .help("give it one with AS"),
            )
        }
        _ => None,
    };
    select.projection.iter().filter_map(missing).collect()
}

/// Where the output column at a position is written; none behind a `*`.
fn written(query: &Query, position: usize) -> Option<Span> {
    let items = &first_select(&query.body)?.projection;
    let before = items.get(..=position)?;
    let star = before
        .iter()
        .any(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    if star {
        None
    } else {
        items.get(position).and_then(ast::span_of)
    }
}

/// Where the only `*` of the select list stands; none if there are several, or none.
fn star(query: &Query) -> Option<Span> {
    let items = first_select(&query.body)?.projection.iter();
    let mut stars =
        items.filter(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    match (stars.next(), stars.next()) {
        (Some(one), None) => ast::span_of(one),
        _ => None,
    }
}

/// Finds the output columns that are called what an earlier one is called, as far as the text says so, and calls them something
/// else, so that the rest of the query can be looked at.
pub(crate) fn without_duplicates(query: &mut Query) -> Vec<Problem> {
    let Some(select) = first_select_of(&mut query.body) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (i, item) in select.projection.iter_mut().enumerate() {
        let (expr, ident) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), alias.clone()),
            SelectItem::UnnamedExpr(e) => match ast::column(e).and_then(|c| c.last().cloned()) {
                Some(ident) => (e.clone(), ident),
                None => continue,
            },
            _ => continue,
        };
        let name = ast::name(&ident);
        if seen.contains(&name.to_lowercase()) {
            problems.push(duplicate(&name).at(ast::span(ident.span)));
            let alias = Ident::new(format!("{name}_{i}"));
            *item = SelectItem::ExprWithAlias { expr, alias };
        } else {
            seen.push(name.to_lowercase());
        }
    }
    problems
}

fn first_select_of(body: &mut SetExpr) -> Option<&mut Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select_of(&mut query.body),
        SetExpr::SetOperation { left, .. } => first_select_of(left),
        _ => None,
    }
}

fn duplicate(name: &str) -> Problem {
    Problem::new(
        DUPLICATE_COLUMN,
        format!("two output columns are called `{name}`"),
    )
    .help("give one of them another name with AS")
}

/// Says that a `*` yields columns of one name.
fn many(names: &[String], span: Span) -> Problem {
    let list: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    let message = format!("`*` yields more than one column called {}", list.join(", "));
    Problem::new(DUPLICATE_COLUMN, message)
        .at(Some(span))
        .help("write the columns that are wanted instead of `*`, each with a name of its own")
}

/// Checks the names of a query's columns.
pub(crate) fn names(schema: &DFSchema, query: &Query) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let (star, mut twice) = (star(query), Vec::new());
    for (i, field) in schema.fields().iter().enumerate() {
        let (name, folded) = (field.name(), field.name().to_lowercase());
        if seen.contains(&folded) && star.is_some() && written(query, i).is_none() {
            twice.push(name.clone());
        } else if seen.contains(&folded) {
            problems.push(duplicate(name).at(written(query, i)));
        } else if name.contains(FORBIDDEN) && written(query, i).is_some_and(|_| aliased(query, i)) {
            problems.push(
                Problem::new(UNSTORABLE_COLUMN, format!("a column cannot be called `{name}`"))
                    .at(written(query, i))
                    .help("use a name without space, comma, semicolon, braces, parentheses or `=`"),
            );
        }
        seen.push(folded);
    }
    if let Some(span) = star.filter(|_| !twice.is_empty()) {
        problems.push(many(&twice, span));
    }
    problems
}

/// Says whether the column at a position has a name that the query gives it; the others are reported as unnamed.
fn aliased(query: &Query, position: usize) -> bool {
    let item = first_select(&query.body).and_then(|s| s.projection.get(position));
    !matches!(item, Some(SelectItem::UnnamedExpr(e)) if ast::column(e).is_none())
}

/// Returns the columns of a query whose types were coerced.
///
/// # Errors
///
/// The columns that a table cannot hold.
pub(crate) fn columns(schema: &DFSchema, query: &Query) -> Result<Schema, Vec<Problem>> {
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    for (i, field) in schema.fields().iter().enumerate() {
        match arrow_types::column_type(field.data_type()) {
            Ok(column_type) => columns.push(Column {
                name: field.name().clone(),
                column_type,
            }),
            Err(no) => problems.push(
                Problem::new(
                    UNSTORABLE_COLUMN,
                    format!("`{}` is {}, which a table cannot hold", field.name(), no.name),
                )
                .at(written(query, i))
                .help(no.help),
            ),
        }
    }
    if problems.is_empty() {
        Ok(Schema(columns))
    } else {
        Err(problems)
    }
}

/// Checks that a query yields its slice columns, with types that can name a slice.
pub(crate) fn slices(columns: &Schema, slice: &[String], query: &Query) -> Vec<Problem> {
    let check = |name: &String| match columns.0.iter().position(|c| c.name == *name) {
        None => {
            let problem = Problem::new(
                NO_SLICE_COLUMN,
                format!("the query does not yield the slice column `{name}`"),
            );
            let all: Vec<&str> = columns.names().collect();
            Some(match nearest(name, all.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("it yields {}", all.join(", "))),
            })
        }
        Some(i) => columns
            .0
            .get(i)
            .and_then(|c| slice_type(&c.column_type))
            .map(|what| {
                Problem::new(
                    SLICE_TYPE,
                    format!("the slice column `{name}` is {what}, which cannot name a slice"),
                )
                .at(written(query, i))
                .help("a slice column is a boolean, an integer, a decimal, a string, a date or a timestamp")
            }),
    };
    slice.iter().filter_map(check).collect()
}

/// What a type is, if it cannot name a slice.
fn slice_type(t: &ColumnType) -> Option<&'static str> {
    match t {
        ColumnType::Float | ColumnType::Double => Some("a floating point number"),
        ColumnType::Binary => Some("binary"),
        ColumnType::Array(_) => Some("an array"),
        ColumnType::Struct(_) => Some("a struct"),
        ColumnType::Map(..) => Some("a map"),
        _ => None,
    }
}
