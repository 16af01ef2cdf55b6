//! GROUP BY, with its grouping sets, ROLLUP and CUBE.
//!
//! Proof: all rows of a group have the values of its keys. A condition on keys that holds for a group holds for all its rows, so
//! who has right the rows for which it holds has the whole group right; conditions on aggregates are dropped. A grouping set yields
//! NULL for the keys that are not in it, so each set is asked on its own with NULL in their place: a set without the slice
//! column is asked for everything, but for the slice NULL only.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan};

use super::super::atom::{Demand, replace};
use super::super::demand::{Blame, Walk, blamed, over, substituted};
use super::super::env::{Env, Owner, owner, positional};
use super::super::linear::{Kind, kind};

/// How many sets are looked at one by one.
const MOST_SETS: usize = 16;

/// Says whether it has grouping sets.
pub(crate) fn has_sets(a: &Aggregate) -> bool {
    a.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_)))
}

/// Asks for the rows behind the groups.
pub(crate) fn ask(walk: &mut Walk<'_>, a: &Aggregate, demand: &Demand, blame: Option<&Blame>) {
    let why = "here rows of different slices are put together; add the slice column to GROUP BY";
    let own = Blame::new("aggregate", why);
    let Some(below) = below(walk, a, demand) else {
        let plan = LogicalPlan::Aggregate(a.clone());
        walk.everything_below(&plan, demand, blame, &own);
        return;
    };
    let blame = blamed(demand, &below, blame, &own);
    walk.ask(&a.input, below, blame.as_ref());
}

/// What is asked of the input; none if the grouping sets cannot be looked at one by one.
pub(crate) fn below(walk: &Walk<'_>, a: &Aggregate, demand: &Demand) -> Option<Demand> {
    let fields = a.schema.fields();
    let own: Vec<_> = fields.iter().map(|f| f.data_type().clone()).collect();
    let env = Env::new(&own, &[], &walk.output);
    let (keys, sets) = keys(a)?;
    // Keys of which equal ones may differ (0.0 and -0.0) say nothing about their rows.
    let exact = |at: usize| at < keys.len() && own.get(at).is_some_and(|t| kind(t) != Kind::Inexact);
    let exprs: Vec<Option<Expr>> = keys.iter().map(|e| positional(e, a.input.schema())).collect();
    let mut below = Demand::new();
    for set in &sets {
        let with_null = |e: &Expr| {
            let replaced = replace(e, &mut |c| match owner(c) {
                (Owner::Own, at) if at < keys.len() && !set.contains(&at) => {
                    Some(Expr::Literal(ScalarValue::try_from(own.get(at)?).ok()?, None))
                }
                _ => Some(Expr::Column(c.clone())),
            })?;
            Some(if replaced == *e {
                replaced
            } else {
                env.simplified(replaced)
            })
        };
        let of_set: Demand = demand
            .iter()
            .filter_map(|conjunction| super::join::mapped(conjunction, &with_null))
            .collect();
        below.extend(substituted(&over(&of_set, &env, &exact), &exprs));
    }
    Some(below)
}

/// The keys in the order of the output's columns, and for each grouping set which of them it has.
fn keys(a: &Aggregate) -> Option<(Vec<Expr>, Vec<Vec<usize>>)> {
    if !has_sets(a) {
        return Some((a.group_expr.clone(), vec![(0..a.group_expr.len()).collect()]));
    }
    let [Expr::GroupingSet(sets)] = a.group_expr.as_slice() else {
        return None;
    };
    let keys: Vec<Expr> = sets.distinct_expr().into_iter().cloned().collect();
    let place = |e: &Expr| keys.iter().position(|k| k == e);
    let sets: Option<Vec<Vec<usize>>> = match sets {
        GroupingSet::Rollup(exprs) => (0..=exprs.len())
            .map(|n| exprs.iter().take(n).map(place).collect())
            .collect(),
        GroupingSet::Cube(exprs) => {
            if exprs.len() > 4 {
                return None;
            }
            (0..1usize << exprs.len())
                .map(|mask| {
                    let chosen = exprs.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0);
                    chosen.map(|(_, e)| place(e)).collect()
                })
                .collect()
        }
        GroupingSet::GroupingSets(lists) => lists
            .iter()
            .map(|list| list.iter().map(place).collect())
            .collect(),
    };
    sets.filter(|s| s.len() <= MOST_SETS).map(|sets| (keys, sets))
}
