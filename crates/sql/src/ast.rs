//! Small readings of the parsed query: places, names, and where an expression is.

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Spanned};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;

use crate::problem::{Location, Span};

/// Translates a parser's span; none if it is empty.
pub(crate) fn span(s: TokenSpan) -> Option<Span> {
    let location = |l: datafusion::sql::sqlparser::tokenizer::Location| Location {
        line: l.line,
        column: l.column,
    };
    (s.start.line > 0 && s.end.line > 0).then(|| (location(s.start), location(s.end)))
}

/// Returns where something stands in the text.
pub(crate) fn span_of(node: &impl Spanned) -> Option<Span> {
    span(node.span())
}

/// Returns the name that an identifier means: as written if quoted, else in lower case.
pub(crate) fn name(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_ascii_lowercase()
    }
}

/// Returns the parts of a name; none if one of them is not an identifier.
pub(crate) fn parts(object: &ObjectName) -> Option<Vec<String>> {
    object.0.iter().map(|p| p.as_ident().map(name)).collect()
}

/// Returns the identifiers of an expression that is only a column's name, `day` or `f.day`.
pub(crate) fn column(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(idents) => Some(idents),
        _ => None,
    }
}

/// Returns where a column's name stands.
pub(crate) fn column_span(idents: &[Ident]) -> Option<Span> {
    let first = span(idents.first()?.span)?;
    let last = span(idents.last()?.span)?;
    Some((first.0, last.1))
}
