//! DataFusion's rule that pushes filters down a plan that can be executed, only where columns are told apart.
//!
//! The rule finds the columns of a filter in what is below it by their names. Where two columns of one operator have the same name,
//! as `day` of both sides of a join has, it takes the first for the other, and rows are lost or too many (DataFusion
//! 55.2: `FilterRemapper::try_remap`). So it is applied to the largest parts of a plan in which that cannot happen. Filters have been
//! pushed down the logical plan before, where columns have qualified names; what is left to this rule are those found while
//! joining.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// What the names of the rule's two phases begin with.
const FILTER_PUSHDOWN: &str = "FilterPushdown";

/// Returns the rules in DataFusion's order.
pub(super) fn physical_optimizer() -> Vec<Rule> {
    let kept = |rule: Rule| -> Rule {
        if rule.name().starts_with(FILTER_PUSHDOWN) {
            Arc::new(WhereNamesDiffer(rule))
        } else {
            rule
        }
    };
    PhysicalOptimizer::new().rules.into_iter().map(kept).collect()
}

#[derive(Debug)]
struct WhereNamesDiffer(Rule);

impl WhereNamesDiffer {
    fn apply(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if is_safe(&plan) {
            return self.0.optimize(plan, config);
        }
        let children = plan.children();
        if children.is_empty() {
            return Ok(plan);
        }
        let children: Vec<_> = children
            .into_iter()
            .map(|child| self.apply(Arc::clone(child), config))
            .collect::<Result<_>>()?;
        replace_children_if_necessary(plan, children)
    }
}

impl PhysicalOptimizerRule for WhereNamesDiffer {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.apply(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Says whether no filter of this part of a plan can be taken for one of another column. A join knows the side of its own
/// columns, so it may have two of one name, and so may a filter right above it; but not when something above them pushes.
fn is_safe(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let top = match plan.downcast_ref::<FilterExec>() {
        Some(filter) => filter.input(),
        None => plan,
    };
    let is_join = top.downcast_ref::<HashJoinExec>().is_some();
    is_clear(plan) || is_join && top.children().into_iter().all(is_clear)
}

/// Says whether every operator has columns of different names.
fn is_clear(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::new();
    schema.fields().iter().all(|f| names.insert(f.name())) && plan.children().into_iter().all(is_clear)
}
