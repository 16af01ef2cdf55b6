//! Which slices of its inputs a slice of a query's output reads, and which slices the output has.
//!
//! The complete list of logical rules rewrites the unrestricted query once; it knows neither data nor statistics, so its result is
//! equal to the query for every content of the tables. That plan is then asked for one slice whose values are left open, and the
//! rules of this module pass the question down to the scans ([`demand`]). What arrives at a scan and can be said of slice columns is
//! the relation; it holds for every slice, NULL included. Whatever is in doubt, an error included, is [`Reads::All`].

mod atom;
#[cfg(debug_assertions)]
pub mod broken;
mod closure;
mod demand;
mod env;
mod linear;
mod origin;
mod relation;
mod rule;
mod text;

pub use text::name as column_text;

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use mainstay_model::relation::{Alternative, Origin, Reads, Widened};
use mainstay_model::{DatasetName, Schema};

use crate::arrow_types;
use crate::input::{InputTable, dataset_of};
use crate::plan;
use crate::session;
use atom::{Atom, Demand};
use closure::{Wanted, project};
use demand::{Asked, Walk};
use env::{Env, Owner, output, own, owner};

/// What was found out about a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// For each dataset that it reads, which slices an output slice needs.
    pub reads: BTreeMap<DatasetName, Reads>,
    /// Which slices it has; none if only computing it tells.
    pub origins: Option<Vec<Origin>>,
    /// Where more is read than might be necessary.
    pub widened: Vec<Widened>,
}

/// Finds out which slices a query reads for a slice, and which it has. The plan is one that [`analyse`](crate::analyse) returns;
/// `slice` names the output's slice columns, `columns` are its columns as they are stored.
pub fn dependency(
    plan: &LogicalPlan,
    slice: &[String],
    columns: &Schema,
    inputs: &BTreeMap<DatasetName, InputTable>,
) -> Dependency {
    let mut everything = Dependency::default();
    // The closure never fails, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(name) = dataset_of(&scan.table_name)
        {
            everything.reads.insert(name, Reads::All);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if slice.is_empty() {
        return everything;
    }
    match found(plan, slice, columns, inputs) {
        Ok(mut found) => {
            for name in everything.reads.into_keys() {
                // A dataset that no scan is left of is not needed for any slice.
                found
                    .reads
                    .entry(name)
                    .or_insert_with(|| Reads::Where(Vec::new()));
            }
            found
        }
        Err(_) => everything,
    }
}

fn found(
    plan: &LogicalPlan,
    slice: &[String],
    columns: &Schema,
    inputs: &BTreeMap<DatasetName, InputTable>,
) -> Result<Dependency> {
    let plan = optimised(stored(plan.clone(), slice, columns)?)?;
    let types = env::types(&plan).into_iter().take(slice.len()).collect();
    let mut walk = Walk::new(types, inputs);
    let rows: Demand = vec![(0..slice.len()).map(|i| Atom::Same(own(i), output(i))).collect()];
    walk.ask(&plan, rows.clone(), None);
    let asked = std::mem::take(&mut walk.asked);
    let names = relation::Side::new(slice.to_vec(), &walk.output);
    let mut dependency = Dependency::default();
    let mut alternatives: BTreeMap<DatasetName, Vec<Alternative>> = BTreeMap::new();
    for scan in &asked {
        let Some(table) = inputs.get(&scan.dataset) else {
            continue;
        };
        let of_scan = slices(scan, table, &names, &walk.output);
        if of_scan.contains(&Alternative::default())
            && let Some(widened) = widened(scan, table)
            && !dependency.widened.contains(&widened)
        {
            dependency.widened.push(widened);
        }
        alternatives
            .entry(scan.dataset.clone())
            .or_default()
            .extend(of_scan);
    }
    for (name, alternatives) in alternatives {
        let own = inputs
            .get(&name)
            .map(|t| t.slice_columns.as_slice())
            .unwrap_or_default();
        let reads = relation::relation(alternatives, slice, own);
        dependency.reads.insert(name, reads);
    }
    dependency
        .widened
        .retain(|w| dependency.reads.get(&w.input) == Some(&Reads::All));
    dependency.origins = origin::origins(&mut walk, &plan, rows);
    Ok(dependency)
}

/// The query's output with its slice columns first, in the types with which they are stored. All other columns stay: what
/// they are computed from is read, too.
fn stored(plan: LogicalPlan, slice: &[String], columns: &Schema) -> Result<LogicalPlan> {
    let plan = plan::coerce(plan)?;
    let mut exprs = Vec::new();
    for name in slice {
        let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let wanted = columns.column(name).map_or_else(
            || field.data_type().clone(),
            |c| arrow_types::column(&c.column_type),
        );
        let typed = if *field.data_type() == wanted {
            column
        } else {
            cast(column, wanted)
        };
        exprs.push(typed.alias(name));
    }
    for (qualifier, field) in plan.schema().iter() {
        if !slice.contains(field.name()) {
            exprs.push(Expr::Column(Column::new(qualifier.cloned(), field.name())));
        }
    }
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

/// What one scan is asked for, over slice columns, in texts.
fn slices(
    scan: &Asked,
    table: &InputTable,
    output: &relation::Side,
    output_types: &[DataType],
) -> Vec<Alternative> {
    let types: Vec<DataType> = scan.columns.iter().map(|(_, t)| t.clone()).collect();
    let names: Vec<String> = scan.columns.iter().map(|(n, _)| n.clone()).collect();
    let env = Env::new(&types, &[], output_types);
    let wanted = Wanted {
        keep: &|c| {
            let (who, at) = owner(c);
            who == Owner::Own && names.get(at).is_some_and(|n| table.slice_columns.contains(n))
        },
        apart: true,
    };
    let demand: Demand = scan
        .demand
        .iter()
        .flat_map(|conjunction| project(conjunction, &env, &wanted))
        .collect();
    let input = relation::Side::new(names.clone(), &types);
    relation::alternatives(&demand, &input, output, &env)
}

/// Why a scan is asked for everything; none if it is a table without slices.
fn widened(scan: &Asked, table: &InputTable) -> Option<Widened> {
    if table.slice_columns.is_empty() {
        return None;
    }
    let (operator, message) = match &scan.blame {
        Some(blame) => (blame.operator, blame.message.clone()),
        None => {
            let columns = table.slice_columns.join(", ");
            let message = format!(
                "the slice does not follow from the slice columns of this input ({columns}); take it from them"
            );
            ("scan", message)
        }
    };
    Some(Widened {
        input: scan.dataset.clone(),
        operator: operator.to_owned(),
        message,
    })
}

/// A condition over a table's columns as text; none if its value does not follow from them alone, or it cannot be written.
pub(crate) fn condition_text(condition: &Expr) -> Option<String> {
    let text = env::plain(condition).then(|| text::text(condition, &|c| Some(c.name.clone())));
    text.flatten()
}

/// Runs the complete list of logical rules. The present is not bound: what is true of a plan is true at any time.
pub(crate) fn optimised(plan: LogicalPlan) -> Result<LogicalPlan> {
    let state = session::state();
    state.optimizer().optimize(plan::coerce(plan)?, state, |_, _| {})
}
