//! The tables that a query may read, as planning sees them: columns and slice columns, no data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableSource};
use mainstay_model::{DEFAULT_ACCOUNT, DatasetName, Schema};

use crate::arrow_types;

/// What planning has to know of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTable {
    /// Its columns.
    pub schema: Schema,
    /// Its slice columns, in order; empty if it is one slice.
    pub slice_columns: Vec<String>,
}

/// The datasets that a query may read.
pub trait Inputs {
    /// Returns a dataset, or none if there is no such dataset.
    fn table(&self, name: &DatasetName) -> Option<InputTable>;

    /// Returns the names of all datasets; for saying what was perhaps meant.
    fn names(&self) -> Vec<DatasetName>;
}

impl Inputs for BTreeMap<DatasetName, InputTable> {
    fn table(&self, name: &DatasetName) -> Option<InputTable> {
        self.get(name).cloned()
    }

    fn names(&self) -> Vec<DatasetName> {
        self.keys().cloned().collect()
    }
}

/// Returns the dataset that a scan's name means: `air.flights` or `main.air.flights`; none for a table function.
pub fn dataset_of(table: &TableReference) -> Option<DatasetName> {
    match table {
        TableReference::Partial { schema, table } => format!("{schema}.{table}").parse().ok(),
        TableReference::Full {
            catalog,
            schema,
            table,
        } if catalog.as_ref() == DEFAULT_ACCOUNT => format!("{schema}.{table}").parse().ok(),
        _ => None,
    }
}

/// Puts other tables under the scans of a plan, also in subqueries: those for which `source` returns one. The columns must
/// have the names of [`analyse`](crate::analyse)'s inputs; their types may differ only if the plan has not been through type coercion.
///
/// # Errors
///
/// If a table lacks a column that the plan reads.
pub fn retarget(
    plan: LogicalPlan,
    source: &dyn Fn(&DatasetName) -> Option<Arc<dyn TableSource>>,
) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) => match dataset_of(&scan.table_name).and_then(|name| source(&name)) {
            Some(source) => {
                let new = TableScanBuilder::new(scan.table_name, source)
                    .with_projection(scan.projection)
                    .with_filters(scan.filters)
                    .with_fetch(scan.fetch)
                    .build()?;
                Ok(Transformed::yes(LogicalPlan::TableScan(new)))
            }
            None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        },
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(changed.data)
}

/// A table with columns and nothing else; it takes every filter, so that a plan shows which ones reach a scan.
pub(crate) struct Placeholder {
    schema: SchemaRef,
}

impl Placeholder {
    /// A placeholder for a dataset.
    pub(crate) fn of(table: &InputTable) -> Arc<dyn TableSource> {
        Arc::new(Self {
            schema: arrow_types::schema(&table.schema),
        })
    }
}

impl fmt::Debug for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placeholder").finish_non_exhaustive()
    }
}

impl TableSource for Placeholder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }
}
