//! DataFusion's optimiser rules, without what changes results.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rule that groups by a distinct argument first and aggregates the groups then.
const SINGLE_DISTINCT: &str = "single_distinct_aggregation_to_group_by";

/// The rule that pushes filters towards the scans.
const PUSH_DOWN_FILTER: &str = "push_down_filter";

/// Returns the rules in DataFusion's order, and after them our own.
pub(super) fn optimizer() -> Vec<Rule> {
    let rules = Optimizer::default().rules.into_iter();
    let kept = |rule: Rule| -> Rule {
        match rule.name() {
            SINGLE_DISTINCT => Arc::new(WithoutSums(rule)),
            PUSH_DOWN_FILTER => Arc::new(AboveTotals(rule)),
            _ => rule,
        }
    };
    let last: Rule = Arc::new(BothZeros);
    rules.map(kept).chain([last]).collect()
}

/// The rule for one distinct argument, but not where something is summed beside it: sums of sums are rounded twice, and
/// overflow where the sum does not.
#[derive(Debug)]
struct WithoutSums(Rule);

impl OptimizerRule for WithoutSums {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let sums = |e: &Expr| matches!(e, Expr::AggregateFunction(call) if !call.params.distinct && call.func.name() == "sum");
        match &plan {
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(sums) => {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

/// The rule that pushes filters down, but not one without columns below an aggregate without groups, or with a grouping set that may
/// have none: that has one row however few come in, so `WHERE NULL` above it keeps nothing and below it keeps that row (DataFusion
/// 55.2 pushes it).
#[derive(Debug)]
struct AboveTotals(Rule);

impl OptimizerRule for AboveTotals {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Filter(filter)
                if matches!(&*filter.input, LogicalPlan::Aggregate(a) if may_be_total(&a.group_expr))
                    && split_conjunction(&filter.predicate)
                        .iter()
                        .any(|e| e.column_refs().is_empty()) =>
            {
                Ok(Transformed::no(plan))
            }
            _ => self.0.rewrite(plan, config),
        }
    }
}

/// Says whether an aggregate may have a group of everything: without groups, or by ROLLUP, CUBE or GROUPING SETS.
fn may_be_total(groups: &[Expr]) -> bool {
    groups.iter().all(|g| matches!(g, Expr::GroupingSet(_)))
}

/// A list of floats that has a zero has both, 0.0 and -0.0: the engine looks constants of a list up by their bits, while `=`
/// takes the two for equal.
#[derive(Debug)]
struct BothZeros;

impl OptimizerRule for BothZeros {
    fn name(&self) -> &'static str {
        "both_zeros_in_lists"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|e| {
                Ok(match e {
                    Expr::InList(mut list) => {
                        let missing: Vec<Expr> = list.list.iter().filter_map(other_zero).collect();
                        let missing: Vec<Expr> =
                            missing.into_iter().filter(|z| !list.list.contains(z)).collect();
                        let changes = !missing.is_empty();
                        list.list.extend(missing);
                        Transformed::new_transformed(Expr::InList(list), changes)
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(changed.update_data(|e| name.restore(e)))
        })
    }
}

/// The other zero of a literal that is one.
fn other_zero(e: &Expr) -> Option<Expr> {
    let Expr::Literal(value, metadata) = e else {
        return None;
    };
    let other = match value {
        ScalarValue::Float64(Some(x)) if *x == 0.0 => ScalarValue::Float64(Some(-x)),
        ScalarValue::Float32(Some(x)) if *x == 0.0 => ScalarValue::Float32(Some(-x)),
        _ => return None,
    };
    Some(Expr::Literal(other, metadata.clone()))
}
