//! A parsed query to a plan of the planner, with a table under every name.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableFunctionArgs;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::{DFSchema, TableReference, not_impl_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::{Query, Statement};
use mainstay_model::DatasetName;

use crate::explain;
use crate::frames;
use crate::input::dataset_of;
use crate::parse;
use crate::problem::Problem;
use crate::session;

/// Where a plan's scans get their tables from.
pub trait Tables {
    /// Returns the table of a dataset; none if there is no such dataset.
    fn source(&self, name: &DatasetName) -> Option<Arc<dyn TableSource>>;
}

impl<F: Fn(&DatasetName) -> Option<Arc<dyn TableSource>>> Tables for F {
    fn source(&self, name: &DatasetName) -> Option<Arc<dyn TableSource>> {
        self(name)
    }
}

/// Plans a query over given tables as [`analyse`](crate::analyse) does, without its checks: for queries that people ask.
///
/// # Errors
///
/// The first thing that is wrong with the query.
pub fn plan(sql: &str, tables: &dyn Tables) -> Result<LogicalPlan, Vec<Problem>> {
    let query = parse::parse(sql)?;
    plan_query(&query, tables).map_err(|e| vec![explain::explain(&e, &query)])
}

/// Plans a parsed query: names and functions resolved, types not yet coerced.
pub(crate) fn plan_query(query: &Query, tables: &dyn Tables) -> Result<LogicalPlan> {
    let context = Context {
        state: session::state(),
        tables,
    };
    let mut query = Box::new(query.clone());
    frames::write_out(&mut query);
    let statement = Statement::Query(query);
    SqlToRel::new(&context).sql_statement_to_plan(statement)
}

/// Coerces and checks types.
pub(crate) fn coerce(plan: LogicalPlan) -> Result<LogicalPlan> {
    let state = session::state();
    state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {})
}

struct Context<'a> {
    state: &'a SessionState,
    tables: &'a dyn Tables,
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match dataset_of(&name).and_then(|n| self.tables.source(&n)) {
            Some(source) => Ok(source),
            None => plan_err!("there is no dataset `{name}`"),
        }
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let Some(function) = self.state.table_functions().get(name) else {
            return not_impl_err!("the table function `{name}`");
        };
        let info = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(info);
        let nothing = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|a| {
                simplifier
                    .coerce(a, &nothing)
                    .and_then(|e| simplifier.simplify(e))
            })
            .collect::<Result<Vec<_>>>()?;
        let provider = function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
