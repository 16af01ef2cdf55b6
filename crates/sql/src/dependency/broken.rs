//! Rules, broken on purpose: so that the tests which are to find a wrong rule can be seen to find it.
//!
//! There is nothing of this in a release build. A broken rule asks for too little, in the way in which somebody who had not thought
//! it through would have written it; one rule at a time, for the analyses of one thread.

use std::cell::Cell;

use datafusion::common::{JoinType, tree_node::TreeNodeRecursion};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection};

use super::atom::{Atom, Demand};
use super::demand::{Blame, Walk, over, substituted};
use super::env::{output, own, positional, types};
use super::rule;

/// A rule that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An aggregate of the slice column counts as the slice column.
    Aggregate,
    /// Every grouping set counts as the one with all keys.
    GroupingSets,
    /// Both sides of a join are read by the same slice, however they are joined.
    Join,
    /// LIMIT picks among the rows of the slice.
    Limit,
    /// An expression counts as its first column.
    Projection,
    /// Each step of a recursive query is of the same slice.
    Recursive,
    /// A subquery in an expression is not looked at.
    Subquery,
    /// Only the first branch of a union is read.
    Union,
    /// Only the first member of a list is looked at.
    Unnest,
    /// A window looks at its own slice only.
    Window,
}

/// All of them, with their names.
pub const RULES: [(&str, Rule); 10] = [
    ("aggregate", Rule::Aggregate),
    ("grouping-sets", Rule::GroupingSets),
    ("join", Rule::Join),
    ("limit", Rule::Limit),
    ("projection", Rule::Projection),
    ("recursive", Rule::Recursive),
    ("subquery", Rule::Subquery),
    ("union", Rule::Union),
    ("unnest", Rule::Unnest),
    ("window", Rule::Window),
];

thread_local! {
    static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// Breaks a rule for what this thread analyses from now on, or mends it.
pub fn set(rule: Option<Rule>) {
    BROKEN.set(rule);
}

/// Returns the rule that is broken on this thread, if one is.
pub fn get() -> Option<Rule> {
    BROKEN.get()
}

pub(super) fn is(rule: Rule) -> bool {
    BROKEN.get() == Some(rule)
}

/// Asks a node as the broken rule does; false if it is not one of that rule's.
pub(super) fn ask(walk: &mut Walk<'_>, plan: &LogicalPlan, demand: &Demand, blame: Option<&Blame>) -> bool {
    let Some(broken) = BROKEN.get() else {
        return false;
    };
    match (broken, plan) {
        (Rule::Aggregate, LogicalPlan::Aggregate(a)) if !rule::aggregate::has_sets(a) => {
            let exprs: Vec<Option<Expr>> = a
                .group_expr
                .iter()
                .chain(&a.aggr_expr)
                .map(|e| column(e, a))
                .collect();
            walk.ask(&a.input, substituted(demand, &exprs), blame);
        }
        (Rule::GroupingSets, LogicalPlan::Aggregate(a)) if rule::aggregate::has_sets(a) => {
            let Some([Expr::GroupingSet(sets)]) = a.group_expr.get(..) else {
                return false;
            };
            let exprs: Vec<Option<Expr>> = sets
                .distinct_expr()
                .into_iter()
                .map(|e| positional(e, a.input.schema()))
                .collect();
            walk.ask(&a.input, substituted(demand, &exprs), blame);
        }
        (Rule::Join, LogicalPlan::Join(join)) if join.join_type != JoinType::LeftMark => {
            for side in [&join.left, &join.right] {
                let wanted = walk.output.first().cloned();
                let at = types(side).into_iter().position(|t| Some(&t) == wanted.as_ref());
                let same = at.map(|at| Atom::Same(own(at), output(0)));
                walk.ask(side, vec![same.into_iter().collect()], blame);
            }
        }
        (Rule::Limit, LogicalPlan::Limit(limit)) => walk.ask(&limit.input, demand.clone(), blame),
        (Rule::Limit, LogicalPlan::Sort(sort)) => walk.ask(&sort.input, demand.clone(), blame),
        (Rule::Projection, LogicalPlan::Projection(p)) => {
            let exprs: Vec<Option<Expr>> = p.expr.iter().map(|e| first_column(e, p)).collect();
            walk.ask(&p.input, substituted(demand, &exprs), blame);
        }
        (Rule::Recursive, LogicalPlan::RecursiveQuery(q)) => {
            walk.work_tables.push((q.name.clone(), Demand::new()));
            walk.ask(&q.recursive_term, demand.clone(), blame);
            walk.work_tables.pop();
            walk.ask(&q.static_term, demand.clone(), blame);
        }
        (Rule::Union, LogicalPlan::Union(union)) => {
            for input in union.inputs.iter().take(1) {
                walk.ask(input, demand.clone(), blame);
            }
        }
        (Rule::Unnest, LogicalPlan::Unnest(unnest)) => {
            let (Some(members), LogicalPlan::Projection(p)) =
                (rule::unnest::members(unnest), unnest.input.as_ref())
            else {
                return false;
            };
            let first = members.first().map(|choice| substituted(demand, choice));
            walk.ask(&p.input, first.unwrap_or_default(), blame);
        }
        (Rule::Window, LogicalPlan::Window(window)) => {
            let width = window.input.schema().fields().len();
            let itself = over(demand, &walk.env(plan), &|at| at < width);
            walk.ask(&window.input, itself, blame);
        }
        _ => return false,
    }
    true
}

/// What is aggregated, in place of the aggregate.
fn column(expr: &Expr, a: &Aggregate) -> Option<Expr> {
    match expr {
        Expr::Alias(alias) => column(&alias.expr, a),
        Expr::AggregateFunction(f) => positional(f.params.args.first()?, a.input.schema()),
        other => positional(other, a.input.schema()),
    }
}

fn first_column(expr: &Expr, p: &Projection) -> Option<Expr> {
    use datafusion::common::tree_node::TreeNode;
    let mut first = None;
    // The closure never fails, so neither does the walk.
    let _ = expr.apply(|e| {
        if let (None, Expr::Column(c)) = (&first, e) {
            first = p.input.schema().maybe_index_of_column(c).map(own);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    first.or_else(|| positional(expr, p.input.schema()))
}
