//! The scans of an optimised plan, each with the filters that reached it.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan};

use crate::input::Placeholder;

/// One scan of a dataset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    /// Its number.
    pub(crate) number: usize,
    /// Says that it reads its own slice only.
    pub(crate) own: bool,
}

/// Lists the scans that matter for a plan's result, those in subqueries included; `own` says whether the filters of the
/// scan with a number restrict it to its own slice.
pub(crate) fn scans(plan: &LogicalPlan, own: &dyn Fn(usize, &[Expr]) -> bool) -> Vec<Scan> {
    let mut found = Vec::new();
    visit(plan, false, own, &mut found);
    found
}

fn visit(plan: &LogicalPlan, cut: bool, own: &dyn Fn(usize, &[Expr]) -> bool, found: &mut Vec<Scan>) {
    // Below these a filter says nothing about what is read.
    let cut = cut
        || match plan {
            LogicalPlan::Limit(_) | LogicalPlan::RecursiveQuery(_) => true,
            LogicalPlan::Sort(sort) => sort.fetch.is_some(),
            LogicalPlan::TableScan(scan) => scan.fetch.is_some(),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_) => false,
            _ => true,
        };
    if let LogicalPlan::TableScan(scan) = plan
        && let Some(number) = scan.source.downcast_ref::<Placeholder>().and_then(|p| p.scan)
    {
        found.push(Scan {
            number,
            own: !cut && own(number, &scan.filters),
        });
    }
    // The closure never fails, so neither does the walk.
    let _ = plan.apply_subqueries(|subquery| {
        visit(subquery, cut, own, found);
        Ok(TreeNodeRecursion::Jump)
    });
    match plan {
        LogicalPlan::Join(join) => {
            let (left, right) = matter(join);
            if left {
                visit(&join.left, cut, own, found);
            }
            if right {
                visit(&join.right, cut, own, found);
            }
        }
        other => {
            for input in other.inputs() {
                visit(input, cut, own, found);
            }
        }
    }
}

/// Says which sides of a join matter for its result: where a key is always NULL, no row finds a partner.
fn matter(join: &Join) -> (bool, bool) {
    let null = |plan: &LogicalPlan, key: &Expr| matches!(key, Expr::Column(c) if always_null(plan, c));
    let empty = join.null_equality == NullEquality::NullEqualsNothing
        && join
            .on
            .iter()
            .any(|(l, r)| null(&join.left, l) || null(&join.right, r));
    if !empty {
        return (true, true);
    }
    match join.join_type {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (false, false),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (false, true),
        JoinType::Full => (true, true),
    }
}

/// Says whether a filter makes a column of a plan NULL in every row.
fn always_null(plan: &LogicalPlan, column: &Column) -> bool {
    let is_null = |filter: &Expr| {
        split_conjunction(filter).iter().any(|c| matches!(c, Expr::IsNull(e) if matches!(e.as_ref(), Expr::Column(x) if x.name == column.name && (x.relation == column.relation || x.relation.is_none() || column.relation.is_none()))))
    };
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::TableScan(scan) => scan.filters.iter().any(is_null),
        LogicalPlan::Filter(filter) => is_null(&filter.predicate) || always_null(&filter.input, column),
        LogicalPlan::Projection(p) => {
            let Some(at) = p.schema.maybe_index_of_column(column) else {
                return false;
            };
            match p.expr.get(at) {
                Some(Expr::Column(c)) => always_null(&p.input, c),
                Some(Expr::Alias(a)) => {
                    matches!(a.expr.as_ref(), Expr::Column(c) if always_null(&p.input, c))
                }
                _ => false,
            }
        }
        LogicalPlan::SubqueryAlias(a) => {
            let Some(at) = a.schema.maybe_index_of_column(column) else {
                return false;
            };
            always_null(&a.input, &Column::from(a.input.schema().qualified_field(at)))
        }
        LogicalPlan::Join(join) => {
            let on = |side: &LogicalPlan| side.schema().has_column(column) && always_null(side, column);
            !matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark)
                && (on(&join.left) || on(&join.right))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let Some(at) = aggregate.schema.maybe_index_of_column(column) else {
                return false;
            };
            matches!(aggregate.group_expr.get(at), Some(Expr::Column(c)) if always_null(&aggregate.input, c))
        }
        LogicalPlan::Sort(sort) => always_null(&sort.input, column),
        LogicalPlan::Window(window) => {
            window.input.schema().has_column(column) && always_null(&window.input, column)
        }
        _ => false,
    }
}
