//! UNNEST: a row for each item of a list.
//!
//! Proof: every row that comes out has the other columns of the row that it comes from, so conditions on those hold for that row.
//! An item of a list that is written out, `[a, b]`, is one of its members: a condition on the item holds for one of them. Conditions
//! on items of other lists, and on structs, are dropped.

use datafusion::logical_expr::{Expr, LogicalPlan, Unnest};

use super::super::atom::Demand;
use super::super::demand::{Blame, Walk, blamed, substituted};
use super::super::env::{own, positional};

/// How many members of a list are looked at one by one.
const MOST_MEMBERS: usize = 16;

/// Asks for the rows that the items come from.
pub(crate) fn ask(walk: &mut Walk<'_>, unnest: &Unnest, demand: &Demand, blame: Option<&Blame>) {
    let members = members(unnest);
    let why = "the slice column is taken out of a list or a struct; make the list's members from the slice column, or keep it outside";
    let own_blame = Blame::new("unnest", why);
    match members {
        Some(list) => {
            let LogicalPlan::Projection(p) = unnest.input.as_ref() else {
                return;
            };
            // Over the columns of the projection's input, each member once.
            let mut below = Demand::new();
            for choice in &list {
                below.extend(substituted(demand, choice));
            }
            let blame = blamed(demand, &below, blame, &own_blame);
            walk.ask(&p.input, below, blame.as_ref());
        }
        None => {
            let below = substituted(demand, &plain(unnest));
            let blame = blamed(demand, &below, blame, &own_blame);
            walk.ask(&unnest.input, below, blame.as_ref());
        }
    }
}

/// For each column of the output the column of the input that it is; none for items.
pub(crate) fn plain(unnest: &Unnest) -> Vec<Option<Expr>> {
    let taken = |at: &usize| {
        unnest.struct_type_columns.contains(at) || unnest.list_type_columns.iter().any(|(i, _)| i == at)
    };
    let columns = unnest.dependency_indices.iter();
    columns.map(|at| (!taken(at)).then(|| own(*at))).collect()
}

/// The output's columns over the columns below the list's projection, once for each member of the list; none if the list is not
/// written out there, or if there are several.
pub(crate) fn members(unnest: &Unnest) -> Option<Vec<Vec<Option<Expr>>>> {
    let LogicalPlan::Projection(p) = unnest.input.as_ref() else {
        return None;
    };
    let ([(at, list)], true) = (
        unnest.list_type_columns.as_slice(),
        unnest.struct_type_columns.is_empty(),
    ) else {
        return None;
    };
    let mut expr = p.expr.get(*at)?;
    while let Expr::Alias(a) = expr {
        expr = &a.expr;
    }
    let Expr::ScalarFunction(f) = expr else {
        return None;
    };
    if f.func.name() != "make_array" || list.depth != 1 || f.args.is_empty() || f.args.len() > MOST_MEMBERS {
        return None;
    }
    let choices = f.args.iter().map(|member| {
        let column = |i: &usize| {
            if i == at {
                positional(member, p.input.schema())
            } else {
                p.expr.get(*i).and_then(|e| positional(e, p.input.schema()))
            }
        };
        unnest.dependency_indices.iter().map(column).collect()
    });
    Some(choices.collect())
}
