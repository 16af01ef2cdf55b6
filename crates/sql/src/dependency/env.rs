//! The columns that conditions speak of, by position, and their types.
//!
//! A condition is always over the columns of one node of a plan, `n.0`, `n.1`, …; where two sets of rows meet (a join, a window)
//! the second one's are `r.0`, `r.1`, …; the slice that is asked for has the values `v.0`, `v.1`, ….

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::atom::replace;
use crate::session;

const OWN: &str = "n";
const RIGHT: &str = "r";
const OUTPUT: &str = "v";

/// A column of the node.
pub(crate) fn own(at: usize) -> Expr {
    Expr::Column(Column::new(Some(OWN), at.to_string()))
}

/// A column of the second node.
pub(crate) fn right(at: usize) -> Expr {
    Expr::Column(Column::new(Some(RIGHT), at.to_string()))
}

/// A value of the slice that is asked for.
pub(crate) fn output(at: usize) -> Expr {
    Expr::Column(Column::new(Some(OUTPUT), at.to_string()))
}

/// Whose column it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Own,
    Right,
    Output,
}

/// Says whose column it is, and at which position it stands.
pub(crate) fn owner(column: &Column) -> (Owner, usize) {
    let who = match &column.relation {
        Some(r) if r.table() == OUTPUT => Owner::Output,
        Some(r) if r.table() == RIGHT => Owner::Right,
        _ => Owner::Own,
    };
    (who, column.name.parse().unwrap_or(usize::MAX))
}

/// Says whether it is a value of the slice that is asked for.
pub(crate) fn is_output(column: &Column) -> bool {
    owner(column).0 == Owner::Output
}

/// The types of the columns.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) schema: DFSchema,
}

impl Env {
    pub(crate) fn new(node: &[DataType], right: &[DataType], output: &[DataType]) -> Self {
        let mut fields = Vec::new();
        for (qualifier, types) in [(OWN, node), (RIGHT, right), (OUTPUT, output)] {
            for (i, t) in types.iter().enumerate() {
                let field = Arc::new(Field::new(i.to_string(), t.clone(), true));
                fields.push((Some(TableReference::bare(qualifier)), field));
            }
        }
        let schema = DFSchema::new_with_metadata(fields, std::collections::HashMap::new());
        Self {
            // Positions are unique, so no two fields have one name.
            schema: schema.unwrap_or_else(|_| DFSchema::empty()),
        }
    }

    /// The expression in fewer words, where the optimiser knows how.
    pub(crate) fn simplified(&self, expr: Expr) -> Expr {
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(session::state().config_options()))
            .with_schema(Arc::new(self.schema.clone()))
            .build();
        tidy(
            ExprSimplifier::new(context)
                .simplify(expr.clone())
                .unwrap_or(expr),
        )
    }
}

/// `CASE WHEN x IS NOT NULL THEN x ELSE NULL END` is x: what is left of COALESCE when the other value is NULL.
fn tidy(expr: Expr) -> Expr {
    let tidied = expr.clone().transform_up(|e| {
        Ok(match itself(&e) {
            Some(x) => Transformed::yes(x),
            None => Transformed::no(e),
        })
    });
    tidied.map_or(expr, |t| t.data)
}

fn itself(e: &Expr) -> Option<Expr> {
    let Expr::Case(case) = e else { return None };
    let ([(when, then)], None) = (case.when_then_expr.as_slice(), &case.expr) else {
        return None;
    };
    let Expr::IsNotNull(x) = when.as_ref() else {
        return None;
    };
    let otherwise_null = match case.else_expr.as_deref() {
        None => true,
        Some(Expr::Literal(v, _)) => v.is_null(),
        Some(other) => other == x.as_ref(),
    };
    (x == then && otherwise_null).then(|| x.as_ref().clone())
}

/// The types of a node's columns.
pub(crate) fn types(plan: &LogicalPlan) -> Vec<DataType> {
    plan.schema()
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect()
}

/// An expression over a node's columns by position; none if it cannot be reasoned about: it has a subquery, depends on more than
/// its columns, or names a column that is not there.
pub(crate) fn positional(expr: &Expr, input: &DFSchema) -> Option<Expr> {
    positional_over(expr, &|column| input.maybe_index_of_column(column).map(own))
}

/// An expression over the columns of two nodes by position.
pub(crate) fn positional_of_two(expr: &Expr, left: &DFSchema, second: &DFSchema) -> Option<Expr> {
    positional_over(expr, &|column| match (
        left.maybe_index_of_column(column),
        second.maybe_index_of_column(column),
    ) {
        (Some(at), None) => Some(own(at)),
        (None, Some(at)) => Some(right(at)),
        _ => None,
    })
}

fn positional_over(expr: &Expr, place: &dyn Fn(&Column) -> Option<Expr>) -> Option<Expr> {
    let expr = match expr {
        Expr::Alias(a) => &a.expr,
        other => other,
    };
    if plain(expr) {
        replace(expr, &mut |c| place(c))
    } else {
        None
    }
}

/// Says whether an expression's value follows from its columns.
pub(crate) fn plain(expr: &Expr) -> bool {
    let mut plain = true;
    // The closure never fails, so neither does the walk.
    let _ = expr.apply(|e| {
        plain &= match e {
            Expr::ScalarFunction(f) => f.func.signature().volatility == Volatility::Immutable,
            Expr::Column(_)
            | Expr::Alias(_)
            | Expr::Literal(..)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::InList(_) => true,
            _ => false,
        };
        Ok(if plain {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    plain
}
