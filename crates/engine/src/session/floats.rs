//! Putting the exact aggregates under a plan, in the place of those that it was planned with.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, WindowFunctionDefinition};

use crate::exact;

/// Replaces every aggregate over floats whose result depends on the order of rows by its exact twin, in windows and
/// subqueries too. Names and types of columns stay.
pub(super) fn made_exact(plan: LogicalPlan) -> Result<LogicalPlan> {
    let made = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|e| {
                Ok(match e {
                    Expr::AggregateFunction(mut call) => match twin(&call.func) {
                        Some(twin) => {
                            call.func = twin;
                            Transformed::yes(Expr::AggregateFunction(call))
                        }
                        None => Transformed::no(Expr::AggregateFunction(call)),
                    },
                    Expr::WindowFunction(mut call) => {
                        let found = match &call.fun {
                            WindowFunctionDefinition::AggregateUDF(f) => twin(f),
                            WindowFunctionDefinition::WindowUDF(_) => None,
                        };
                        let changes = found.is_some();
                        if let Some(twin) = found {
                            call.fun = WindowFunctionDefinition::AggregateUDF(twin);
                        }
                        let e = Expr::WindowFunction(call);
                        if changes {
                            Transformed::yes(e)
                        } else {
                            Transformed::no(e)
                        }
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(changed.update_data(|e| name.restore(e)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(made.data)
}

fn twin(function: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
    static TWINS: OnceLock<BTreeMap<String, Arc<AggregateUDF>>> = OnceLock::new();
    let twins = TWINS.get_or_init(|| {
        exact::functions()
            .into_iter()
            .map(|f| (f.name().to_owned(), f))
            .collect()
    });
    twins
        .get(function.name())
        .filter(|twin| !Arc::ptr_eq(twin, function))
        .cloned()
}
