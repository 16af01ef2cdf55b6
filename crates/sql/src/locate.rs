//! Finds the place of an error that comes without one: the smallest expression without which the query has no such error.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Spanned, Value, Visit, VisitMut, Visitor, VisitorMut};

use crate::ast;
use crate::problem::Span;

/// Expressions that are looked at before giving up.
const ENOUGH: usize = 400;

/// An expression of a query.
pub(crate) struct Culprit {
    /// Where it stands.
    pub(crate) span: Option<Span>,
    at: usize,
}

impl Culprit {
    /// Puts NULL in its place.
    pub(crate) fn remove_from(&self, query: &mut Query) {
        let _ = VisitMut::visit(query, &mut Replace { at: self.at, seen: 0 });
    }
}

/// Returns the expression that causes an error; `fails` says whether a query still has it.
pub(crate) fn culprit(query: &Query, fails: &dyn Fn(&Query) -> bool) -> Option<Culprit> {
    let mut outline = Outline::default();
    let _ = query.visit(&mut outline);
    if outline.nodes.len() > ENOUGH {
        return None;
    }
    let causes = |i: usize| {
        let mut changed = query.clone();
        let _ = VisitMut::visit(&mut changed, &mut Replace { at: i, seen: 0 });
        !fails(&changed)
    };
    let mut found = outline.children(None).find(|i| causes(*i))?;
    loop {
        let causing: Vec<usize> = outline.children(Some(found)).filter(|i| causes(*i)).collect();
        match causing.as_slice() {
            // Two operands, each of which ends the error: the operator between them does not take their types.
            [only] if outline.nodes.get(*only).is_some_and(|n| !n.leaf) => found = *only,
            _ => {
                return outline.nodes.get(found).map(|n| Culprit {
                    span: n.span,
                    at: found,
                });
            }
        }
    }
}

/// Returns where a query first mentions a function, a constant, LIMIT or OFFSET.
pub(crate) fn mention(query: &Query, what: &str) -> Option<Span> {
    struct Find<'a>(&'a str);
    impl Visitor for Find<'_> {
        type Break = Option<Span>;
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Option<Span>> {
            match &query.limit_clause {
                Some(clause) if ["LIMIT", "OFFSET"].contains(&self.0) => {
                    ControlFlow::Break(ast::span_of(clause))
                }
                _ => ControlFlow::Continue(()),
            }
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Option<Span>> {
            let span = match expr {
                Expr::Function(call) if ast::parts(&call.name).is_some_and(|p| p.join(".") == self.0) => {
                    ast::span_of(&call.name)
                }
                Expr::Value(value) if value.value.clone().into_string().as_deref() == Some(self.0) => {
                    ast::span(value.span)
                }
                Expr::TypedString(typed)
                    if typed.value.value.clone().into_string().as_deref() == Some(self.0) =>
                {
                    ast::span(typed.value.span)
                }
                _ => return ControlFlow::Continue(()),
            };
            ControlFlow::Break(span)
        }
    }
    match query.visit(&mut Find(what.split(" OVER").next().unwrap_or(what))) {
        ControlFlow::Break(span) => span,
        ControlFlow::Continue(()) => None,
    }
}

struct Node {
    parent: Option<usize>,
    leaf: bool,
    span: Option<Span>,
}

/// All expressions, in the order in which they are first visited.
#[derive(Default)]
struct Outline {
    nodes: Vec<Node>,
    open: Vec<usize>,
}

impl Outline {
    fn children(&self, of: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, n)| n.parent == of)
            .map(|(i, _)| i)
    }
}

impl Visitor for Outline {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let parent = self.open.last().copied();
        let leaf = matches!(expr, Expr::Value(_) | Expr::TypedString(_)) || ast::column(expr).is_some();
        self.open.push(self.nodes.len());
        self.nodes.push(Node {
            parent,
            leaf,
            span: ast::span(expr.span()),
        });
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.open.pop();
        ControlFlow::Continue(())
    }
}

struct Replace {
    at: usize,
    seen: usize,
}

impl VisitorMut for Replace {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.seen == self.at {
            *expr = Expr::value(Value::Null);
            return ControlFlow::Break(());
        }
        self.seen += 1;
        ControlFlow::Continue(())
    }
}
