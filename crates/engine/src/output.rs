//! From a query's plan to staged files: columns coerced, rows of the scope, one set of files for each slice.
//!
//! Owns which rows are written and how the work is spread: all cores compute and encode, and each slice is written by one
//! writer at a time. Refuses to know what a file looks like (the catalog does) and whether anything is published. Invariant: the
//! rows of a slice depend on nothing but the query and its inputs; into how many files they are cut, and in which order they
//! stand, may differ from run to run.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use mainstay_model::run::Scope;
use mainstay_model::{DataFile, Schema, SliceKey, SliceVersion};

use crate::assignment::Output;
use crate::error::{Error, Kind};
use crate::session::Session;
use crate::stage::Target;
use crate::table::slice_value;

mod slices;
mod whole;

/// The plan of a query's output: the declared columns in their order and types, and only rows of the scope.
///
/// # Errors
///
/// If the query does not yield the declared columns.
pub(crate) fn plan(query: LogicalPlan, output: &Output, scope: &Scope) -> Result<LogicalPlan, Error> {
    let yields = query.schema();
    let wanted = mainstay_sql::arrow_types::schema(&output.schema);
    let mut columns = Vec::new();
    for field in wanted.fields() {
        let found: Vec<_> = yields.iter().filter(|(_, f)| f.name() == field.name()).collect();
        let [(qualifier, has)] = found.as_slice() else {
            return Err(shape(&query, &output.schema));
        };
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let same = has.data_type() == field.data_type();
        let typed = if same {
            column
        } else {
            cast(column, field.data_type().clone())
        };
        columns.push(typed.alias(field.name()));
    }
    if columns.len() != yields.fields().len() {
        return Err(shape(&query, &output.schema));
    }
    let bug = |e: datafusion::error::DataFusionError| Error::bug(e.strip_backtrace());
    let mut builder = LogicalPlanBuilder::from(query).project(columns).map_err(bug)?;
    if let Scope::Slices(keys) = scope
        && !output.slice_columns.is_empty()
    {
        let of_scope = in_slices(keys, output).map_err(bug)?;
        builder = builder.filter(of_scope).map_err(bug)?;
    }
    builder.build().map_err(bug)
}

/// The condition that a row is of one of these slices.
fn in_slices(keys: &[SliceKey], output: &Output) -> Result<Expr> {
    let schema = mainstay_sql::arrow_types::schema(&output.schema);
    let fields = output
        .slice_columns
        .iter()
        .map(|name| schema.field_with_name(name))
        .collect::<Result<Vec<_>, _>>()?;
    if let [field] = fields.as_slice() {
        // One column: a list, which readers can look up and files are chosen by.
        let column = Expr::Column(Column::from_name(field.name()));
        let mut values: Vec<ScalarValue> = Vec::new();
        let mut with_null = false;
        for key in keys {
            match key.0.first().and_then(|v| v.as_deref()) {
                Some(text) => values.push(slice_value(Some(text), field)?),
                None => with_null = true,
            }
        }
        let null = with_null.then(|| column.clone().is_null());
        let listed = (!values.is_empty()).then(|| match values.as_slice() {
            [one] => column.clone().eq(lit(one.clone())),
            many => column
                .clone()
                .in_list(many.iter().cloned().map(lit).collect(), false),
        });
        return Ok([listed, null]
            .into_iter()
            .flatten()
            .reduce(Expr::or)
            .unwrap_or_else(|| lit(false)));
    }
    let of_key = |key: &SliceKey| -> Result<Expr> {
        let mut parts = Vec::new();
        for (i, field) in fields.iter().enumerate() {
            let column = Expr::Column(Column::from_name(field.name()));
            parts.push(match key.0.get(i).and_then(|v| v.as_deref()) {
                Some(text) => column.eq(lit(slice_value(Some(text), field)?)),
                None => column.is_null(),
            });
        }
        Ok(parts.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true)))
    };
    let keys = keys.iter().map(of_key).collect::<Result<Vec<_>>>()?;
    Ok(keys.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false)))
}

fn shape(query: &LogicalPlan, wanted: &Schema) -> Error {
    let yields: Vec<&str> = query
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    let wanted: Vec<&str> = wanted.names().collect();
    Error::new(
        Kind::Query,
        "MS0317",
        format!(
            "the query yields the columns {}, the dataset has {}",
            yields.join(", "),
            wanted.join(", ")
        ),
    )
    .help("`mainstay apply` records the columns of a changed query")
}

/// Executes the plan of an output and writes its rows; returns the slices in order, those of the scope without rows included.
pub(crate) async fn write(
    session: &Session,
    plan: Arc<dyn ExecutionPlan>,
    output: &Output,
    scope: &Scope,
) -> Result<Vec<(SliceKey, SliceVersion)>> {
    let pool = Arc::clone(&session.state().runtime_env().memory_pool);
    let target = Arc::new(Target::new(output, pool, session.settings().writer_bytes())?);
    let one = match (scope, output.slice_columns.is_empty()) {
        (_, true) => Some(SliceKey::whole()),
        (Scope::Slices(keys), false) => match keys.as_slice() {
            [key] => Some(key.clone()),
            _ => None,
        },
        (Scope::Whole, false) => None,
    };
    let plan = match one {
        Some(_) => plan,
        None => by_slice(plan, output)?,
    };
    session.counts(&plan);
    let files = match &one {
        Some(key) => whole::write(session, plan, target, key).await?,
        None => slices::write(session, plan, target).await?,
    };
    let mut all: Vec<(SliceKey, SliceVersion)> = match (scope, &one) {
        (Scope::Slices(keys), _) => keys
            .iter()
            .map(|k| (k.clone(), SliceVersion::default()))
            .collect(),
        (Scope::Whole, Some(key)) => vec![(key.clone(), SliceVersion::default())],
        (Scope::Whole, None) => Vec::new(),
    };
    for (key, file) in files {
        match all.iter_mut().find(|(k, _)| *k == key) {
            Some((_, version)) => version.files.push(file),
            None => all.push((key, SliceVersion { files: vec![file] })),
        }
    }
    for (_, version) in &mut all {
        version.files.sort_by(|a, b| a.path.cmp(&b.path));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.dedup_by(|a, b| a.0 == b.0);
    Ok(all)
}

/// Brings the rows of a slice together: each part of the plan's output has whole slices, one after the other.
fn by_slice(plan: Arc<dyn ExecutionPlan>, output: &Output) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = plan.schema();
    let columns = output
        .slice_columns
        .iter()
        .map(|name| col(name, &schema))
        .collect::<Result<Vec<_>>>()?;
    let parts = plan.output_partitioning().partition_count();
    let plan: Arc<dyn ExecutionPlan> = match parts {
        0 | 1 => plan,
        n => Arc::new(RepartitionExec::try_new(
            plan,
            Partitioning::Hash(columns.clone(), n),
        )?),
    };
    let order = SortOptions {
        descending: false,
        nulls_first: true,
    };
    let order = columns.into_iter().map(|c| PhysicalSortExpr::new(c, order));
    match LexOrdering::new(order) {
        Some(order) => Ok(Arc::new(
            SortExec::new(order, plan).with_preserve_partitioning(true),
        )),
        None => Ok(plan),
    }
}

/// Files with the slices that they belong to.
type Files = Vec<(SliceKey, DataFile)>;
