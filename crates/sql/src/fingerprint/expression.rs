//! The normal form of expressions: one pair of parentheses around every operation, qualified names by the tables' numbers.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, SetExpr,
    Values, VisitorMut,
};

use super::normal::{Normaliser, quoted};
use crate::ast;

impl VisitorMut for Normaliser {
    type Break = ();

    /// A query inside an expression is normalised as a query; the visitor is given an empty one meanwhile.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut own = std::mem::replace(query, nothing());
        let bare = std::mem::replace(&mut self.bare, false);
        let known = self.query(&mut own);
        self.bare = bare;
        self.inner.push(own);
        if known.is_none() {
            self.unknown = true;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(own) = self.inner.pop() {
            *query = own;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Nested(inner) => {
                let inner = std::mem::replace(inner.as_mut(), Expr::Identifier(quoted(String::new())));
                *expr = inner;
                return ControlFlow::Continue(());
            }
            Expr::Identifier(ident) => *ident = quoted(ast::name(ident)),
            Expr::CompoundIdentifier(idents) => match self.column(idents) {
                Some(column) => *expr = column,
                None => self.unknown = true,
            },
            Expr::Function(call) => match ast::parts(&call.name) {
                Some(parts) if !counts_table(&call.args) => {
                    call.name = ObjectName::from(parts.into_iter().map(quoted).collect::<Vec<_>>());
                }
                _ => self.unknown = true,
            },
            Expr::Cast {
                kind: kind @ CastKind::DoubleColon,
                ..
            } => *kind = CastKind::Cast,
            // Its parameters hide tables' names.
            Expr::Lambda(_) | Expr::QualifiedWildcard(..) => self.unknown = true,
            _ => {}
        }
        let simple = matches!(
            expr,
            Expr::Identifier(_)
                | Expr::CompoundIdentifier(_)
                | Expr::Value(_)
                | Expr::TypedString(_)
                | Expr::Function(_)
                | Expr::Subquery(_)
        );
        if !simple {
            let inner = std::mem::replace(expr, Expr::Identifier(quoted(String::new())));
            *expr = Expr::Nested(Box::new(inner));
        }
        ControlFlow::Continue(())
    }
}

impl Normaliser {
    /// The normal form of a name with points; none if it is neither that of a table's column nor, for all one can see, of a struct's
    /// field.
    fn column(&self, idents: &[Ident]) -> Option<Expr> {
        let rest = |idents: &[Ident]| idents.iter().map(|i| quoted(ast::name(i))).collect::<Vec<_>>();
        match self.qualified(idents) {
            Some((number, own)) if !own.is_empty() => {
                let innermost = self
                    .scopes
                    .last()
                    .is_some_and(|s| s.iter().any(|r| r.number == number));
                Some(match rest(own).as_slice() {
                    [column] if self.bare && innermost => Expr::Identifier(column.clone()),
                    own => Expr::CompoundIdentifier(
                        std::iter::once(quoted(number))
                            .chain(own.iter().cloned())
                            .collect(),
                    ),
                })
            }
            _ => {
                let is_struct = idents
                    .first()
                    .is_some_and(|i| self.reserved.contains(&ast::name(i)));
                is_struct.then(|| Expr::CompoundIdentifier(rest(idents)))
            }
        }
    }

    /// Splits a name into the number of the table that qualifies it and the rest; none if no table does.
    pub(super) fn qualified<'a>(&self, idents: &'a [Ident]) -> Option<(String, &'a [Ident])> {
        let names: Vec<String> = idents.iter().map(ast::name).collect();
        for scope in self.scopes.iter().rev() {
            for relation in scope {
                for own in &relation.names {
                    if names.starts_with(own) {
                        return idents
                            .get(own.len()..)
                            .map(|rest| (relation.number.clone(), rest));
                    }
                }
            }
        }
        None
    }
}

/// Says whether an argument is `table.*`.
fn counts_table(args: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = args else {
        return false;
    };
    list.args.iter().any(|a| {
        matches!(
            a,
            FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_))
                | FunctionArg::Named {
                    arg: FunctionArgExpr::QualifiedWildcard(_),
                    ..
                }
                | FunctionArg::ExprNamed {
                    arg: FunctionArgExpr::QualifiedWildcard(_),
                    ..
                }
        )
    })
}

/// A query that says nothing.
pub(super) fn nothing() -> Query {
    Query {
        with: None,
        body: Box::new(empty()),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// The body of a query that says nothing.
pub(super) fn empty() -> SetExpr {
    SetExpr::Values(Values {
        explicit_row: false,
        value_keyword: false,
        rows: Vec::new(),
    })
}
