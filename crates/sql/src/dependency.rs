//! Which slices of its inputs a slice of a query's output reads.
//!
//! The question is put to the optimiser: restrict the query to one slice, `SELECT * FROM (query) WHERE day = v`, let the complete list
//! of logical rules rewrite it, and see which filters reach the scans. The rules know neither data nor statistics, so the
//! rewritten plan is equal to the query for every content of the tables: a scan that carries `day = v` needs nothing but that
//! slice.
//!
//! An answer must hold for every v, so one v proves nothing by itself: a query may treat a value that it mentions in its own
//! way. Hence several probes: values that occur nowhere in the query, every constant of the query, and NULL. Whatever is in
//! doubt, an error included, is [`Reads::All`].

mod probe;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, Filter, LogicalPlan, lit};
use mainstay_model::spec::Reads;
use mainstay_model::{ColumnType, DatasetName};

use crate::arrow_types;
use crate::input::{InputTable, Inputs, Placeholder, dataset_of};
use crate::plan;
use crate::session;
use probe::Probe;

/// Says for each dataset that a plan scans whether an output slice reads only the slice with the same values. The plan is
/// one that [`analyse`](crate::analyse) returns; `slice` names the output's slice columns.
pub fn reads(plan: &LogicalPlan, slice: &[String], inputs: &dyn Inputs) -> BTreeMap<DatasetName, Reads> {
    let mut answer = BTreeMap::new();
    // The closure never fails, so neither does the walk.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            answer.extend(dataset_of(&scan.table_name).map(|name| (name, Reads::All)));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    let same = number(plan).and_then(|(numbered, scans)| same(&numbered, slice, &scans, inputs));
    for name in same.unwrap_or_default() {
        answer.insert(name, Reads::Same);
    }
    answer
}

/// Gives each scan of a dataset a number of its own; returns which dataset each number scans.
fn number(plan: &LogicalPlan) -> Result<(LogicalPlan, BTreeMap<usize, DatasetName>)> {
    let mut scans = BTreeMap::new();
    let numbered = plan.clone().transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => match dataset_of(&scan.table_name) {
            Some(name) => {
                scan.source = Placeholder::numbered(scan.source.schema(), scans.len());
                scans.insert(scans.len(), name);
                Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
            }
            None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok((numbered.data, scans))
}

/// The datasets of which a slice reads only the same slice.
fn same(
    plan: &LogicalPlan,
    slice: &[String],
    scans: &BTreeMap<usize, DatasetName>,
    inputs: &dyn Inputs,
) -> Result<BTreeSet<DatasetName>> {
    let coerced = plan::coerce(plan.clone())?;
    let Some(columns) = slice_columns(&coerced, slice) else {
        return Ok(BTreeSet::new());
    };
    let mut candidates: BTreeMap<DatasetName, InputTable> = BTreeMap::new();
    for name in scans.values() {
        if let Some(table) = inputs.table(name)
            && sliced_alike(&table, &columns)
        {
            candidates.insert(name.clone(), table);
        }
    }
    if candidates.is_empty() {
        return Ok(BTreeSet::new());
    }
    let whole = optimised(plan.clone())?;
    let Some(probes) = probe::probes(&columns, &[&coerced, &whole]) else {
        return Ok(BTreeSet::new());
    };
    // A scan that is gone for every ordinary value may be there for a special one.
    let mut unseen: BTreeSet<usize> = scan::scans(&whole, &|_, _| true)
        .into_iter()
        .map(|s| s.number)
        .collect();
    for probe in &probes {
        let restricted = optimised(restrict(plan.clone(), slice, probe)?)?;
        let own = |number: usize, filters: &[Expr]| {
            let table = scans.get(&number).and_then(|name| candidates.get(name));
            table.is_some_and(|t| probe::carried(probe, &t.slice_columns, filters))
        };
        for scan in scan::scans(&restricted, &own) {
            if probe.ordinary {
                unseen.remove(&scan.number);
            }
            if !scan.own
                && let Some(name) = scans.get(&scan.number)
            {
                candidates.remove(name);
            }
        }
        if candidates.is_empty() {
            break;
        }
    }
    for number in unseen {
        if let Some(name) = scans.get(&number) {
            candidates.remove(name);
        }
    }
    Ok(candidates.into_keys().collect())
}

/// A slice column of the output: its type, and the arrow type that the plan gives it.
pub(crate) struct SliceColumn {
    pub(crate) column_type: ColumnType,
    pub(crate) data_type: arrow::datatypes::DataType,
}

/// The slice columns of a plan; none if there are none, or if one of them is not a column of the plan.
fn slice_columns(plan: &LogicalPlan, slice: &[String]) -> Option<Vec<SliceColumn>> {
    let column = |name: &String| {
        let field = plan.schema().field_with_unqualified_name(name).ok()?;
        let data_type = field.data_type().clone();
        Some(SliceColumn {
            column_type: arrow_types::column_type(&data_type).ok()?,
            data_type,
        })
    };
    let columns: Option<Vec<SliceColumn>> = slice.iter().map(column).collect();
    columns.filter(|c| !c.is_empty())
}

/// Says whether a table has the same number of slice columns, with values that are written alike.
fn sliced_alike(table: &InputTable, columns: &[SliceColumn]) -> bool {
    let integer = |t: &ColumnType| {
        matches!(
            t,
            ColumnType::Byte | ColumnType::Short | ColumnType::Integer | ColumnType::Long
        )
    };
    table.slice_columns.len() == columns.len()
        && table.slice_columns.iter().zip(columns).all(|(name, own)| {
            table.schema.column(name).is_some_and(|c| {
                c.column_type == own.column_type || (integer(&c.column_type) && integer(&own.column_type))
            })
        })
}

/// Restricts a plan to one slice.
fn restrict(plan: LogicalPlan, slice: &[String], probe: &Probe) -> Result<LogicalPlan> {
    let mut predicate: Option<Expr> = None;
    for (name, value) in slice.iter().zip(&probe.values) {
        let field = plan.schema().qualified_field_with_unqualified_name(name)?;
        let column = Expr::Column(Column::from(field));
        let condition = match value {
            Some(value) => column.eq(lit(value.clone()).cast_to(&value.data_type(), plan.schema())?),
            None => column.is_null(),
        };
        predicate = Some(match predicate {
            Some(p) => p.and(condition),
            None => condition,
        });
    }
    match predicate {
        Some(predicate) => Ok(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?)),
        None => Ok(plan),
    }
}

/// Runs the complete list of logical rules. The present is not bound: what is true of a plan is true at any time.
fn optimised(plan: LogicalPlan) -> Result<LogicalPlan> {
    let state = session::state();
    state.optimizer().optimize(plan::coerce(plan)?, state, |_, _| {})
}
