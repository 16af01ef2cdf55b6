//! `a IS DISTINCT FROM b OR c` as SQL means it.
//!
//! The parser takes all that follows `IS [NOT] DISTINCT FROM` for its right side, as if `OR` and `AND` bound closer than the
//! comparison. Here they are put back in their places. What stands in parentheses is left as it is.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, UnaryOperator, Value, VisitMut, VisitorMut,
};

/// Puts the operators of a query in their places.
pub(crate) fn mend(query: &mut Query) {
    struct Mend;
    impl VisitorMut for Mend {
        type Break = ();
        // What is within is mended before what is around it.
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if is_misplaced(expr) {
                let taken = std::mem::replace(expr, Expr::value(Value::Null));
                *expr = placed(taken);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Mend);
}

/// Says whether the last operand of an expression is an AND or OR that its operator should have had as an operand.
fn is_misplaced(expr: &Expr) -> bool {
    match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => is_logical(right),
        Expr::BinaryOp { op, right, .. } if logical(op) => is_logical(right) && !closer(right, op),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => is_logical(expr),
        _ => false,
    }
}

fn logical(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

fn is_logical(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if logical(op))
}

/// Says whether an expression's operator binds closer than another one: AND closer than OR.
fn closer(expr: &Expr, than: &BinaryOperator) -> bool {
    let binds = matches!(
        expr,
        Expr::BinaryOp {
            op: BinaryOperator::And,
            ..
        }
    );
    binds && *than == BinaryOperator::Or
}

/// Puts an operator around the first operand of the AND or OR that was taken for its last one.
fn placed(expr: Expr) -> Expr {
    match expr {
        Expr::IsDistinctFrom(left, right) => around(*right, &None, |first| Expr::IsDistinctFrom(left, first)),
        Expr::IsNotDistinctFrom(left, right) => {
            around(*right, &None, |first| Expr::IsNotDistinctFrom(left, first))
        }
        Expr::UnaryOp { op, expr } => around(*expr, &None, |first| Expr::UnaryOp { op, expr: first }),
        Expr::BinaryOp { left, op, right } => {
            let own = Some(op.clone());
            around(*right, &own, |first| Expr::BinaryOp {
                left,
                op,
                right: first,
            })
        }
        other => other,
    }
}

/// Goes down the first operands as far as they are looser than the operator (all of them, if it is none of the two), and wraps what is
/// there.
fn around(expr: Expr, operator: &Option<BinaryOperator>, wrap: impl FnOnce(Box<Expr>) -> Expr) -> Expr {
    match expr {
        Expr::BinaryOp { left, op, right }
            if logical(&op)
                && operator
                    .as_ref()
                    .is_none_or(|o| !(op == BinaryOperator::And && *o == BinaryOperator::Or)) =>
        {
            Expr::BinaryOp {
                left: Box::new(around(*left, operator, wrap)),
                op,
                right,
            }
        }
        first => wrap(Box::new(first)),
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    /// The condition of a query, with parentheses as it is understood.
    fn understood(condition: &str) -> String {
        use datafusion::sql::sqlparser::ast::{Expr, SetExpr};
        fn shown(e: &Expr) -> String {
            match e {
                Expr::BinaryOp { left, op, right } => format!("({} {op} {})", shown(left), shown(right)),
                Expr::IsDistinctFrom(l, r) => format!("({} <> {})", shown(l), shown(r)),
                Expr::IsNotDistinctFrom(l, r) => format!("({} == {})", shown(l), shown(r)),
                Expr::UnaryOp { op, expr } => format!("({op} {})", shown(expr)),
                Expr::Nested(e) => format!("[{}]", shown(e)),
                other => other.to_string(),
            }
        }
        let query = parse(&format!("SELECT 1 FROM t WHERE {condition}")).expect("a query");
        match query.body.as_ref() {
            SetExpr::Select(select) => select.selection.as_ref().map(shown).unwrap_or_default(),
            _ => String::new(),
        }
    }

    #[test]
    fn or_and_and_bind_less_than_the_comparison() {
        for (written, meant) in [
            ("a IS DISTINCT FROM b", "(a <> b)"),
            ("a IS DISTINCT FROM b OR c", "((a <> b) OR c)"),
            ("a IS NOT DISTINCT FROM b AND c", "((a == b) AND c)"),
            ("a IS DISTINCT FROM b AND c OR d", "(((a <> b) AND c) OR d)"),
            ("a IS DISTINCT FROM b OR c AND d", "((a <> b) OR (c AND d))"),
            ("z AND a IS DISTINCT FROM b OR c", "((z AND (a <> b)) OR c)"),
            ("z OR a IS DISTINCT FROM b AND c", "(z OR ((a <> b) AND c))"),
            ("z AND a IS DISTINCT FROM b AND c", "((z AND (a <> b)) AND c)"),
            (
                "z OR y AND a IS DISTINCT FROM b AND c OR d",
                "((z OR ((y AND (a <> b)) AND c)) OR d)",
            ),
            ("NOT a IS DISTINCT FROM b OR c", "((NOT (a <> b)) OR c)"),
            ("a IS DISTINCT FROM (b OR c)", "(a <> [(b OR c)])"),
            (
                "(z OR a IS DISTINCT FROM b AND c) AND d",
                "([(z OR ((a <> b) AND c))] AND d)",
            ),
            ("a IS DISTINCT FROM b + 1 OR c", "((a <> (b + 1)) OR c)"),
            (
                "a IS DISTINCT FROM b OR c IS NOT DISTINCT FROM d AND e",
                "((a <> b) OR ((c == d) AND e))",
            ),
            (
                "a IS DISTINCT FROM b AND c IS DISTINCT FROM d OR e",
                "(((a <> b) AND (c <> d)) OR e)",
            ),
        ] {
            assert_eq!(understood(written), meant, "{written}");
        }
    }
}
