//! DataFusion's optimiser rules, without what changes results.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rule that groups by a distinct argument first and aggregates the groups then.
const SINGLE_DISTINCT: &str = "single_distinct_aggregation_to_group_by";

/// Returns the rules in DataFusion's order.
pub(super) fn optimizer() -> Vec<Rule> {
    let rules = Optimizer::default().rules.into_iter();
    let kept = |rule: Rule| -> Rule {
        match rule.name() {
            SINGLE_DISTINCT => Arc::new(WithoutSums(rule)),
            _ => rule,
        }
    };
    rules.map(kept).collect()
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
