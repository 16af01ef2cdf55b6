//! Slice columns: those that are there, and those that an SQL expression makes.
//!
//! Owns compiling and evaluating the expressions, with the same functions and settings as every other query. Only functions
//! that always give the same for the same row are allowed.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema as ArrowSchema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use mainstay_base::text::nearest;
use mainstay_model::delivery::FileError;
use mainstay_model::spec::SourceSpec;
use mainstay_model::{Column, ColumnType, Schema};
use mainstay_sql::arrow_types::{column_type, stored};

use crate::cast::cast;
use crate::fault;

/// Says what the dataset's columns are when a source delivers these: a slice expression takes the place of a delivered column
/// of its name, or comes last.
///
/// # Errors
///
/// What is wrong with the slice columns, in words: an unknown column or function, a type that cannot name a slice, a function
/// that gives something else each time.
pub fn check_slice(spec: &SourceSpec, delivered: &Schema) -> Result<Schema, String> {
    let slicer = Slicer::compile(spec, delivered)?;
    let mut dataset = delivered.clone();
    for (i, slice) in spec.slice.iter().enumerate() {
        match slicer.columns.iter().find(|c| c.index == i) {
            Some(computed) => {
                let column = Column {
                    name: slice.name.clone(),
                    column_type: computed.column_type.clone(),
                };
                match dataset.0.iter_mut().find(|c| c.name == slice.name) {
                    Some(there) => *there = column,
                    None => dataset.0.push(column),
                }
            }
            None => {
                let Some(column) = delivered.column(&slice.name) else {
                    let perhaps = match nearest(&slice.name, delivered.names()) {
                        Some(name) => format!("; did you mean `{name}`?"),
                        None => String::new(),
                    };
                    return Err(format!(
                        "the slice column `{}` is not a column of the files{perhaps}",
                        slice.name
                    ));
                };
                sliceable(&column.name, &column.column_type)?;
            }
        }
    }
    let is_slice = |c: &Column| spec.slice.iter().any(|s| s.name == c.name);
    if !spec.slice.is_empty() && dataset.0.iter().all(is_slice) {
        return Err("a dataset needs a column besides its slice columns".to_owned());
    }
    Ok(dataset)
}

fn sliceable(name: &str, t: &ColumnType) -> Result<(), String> {
    match t {
        ColumnType::Float | ColumnType::Double => Err(format!(
            "the slice column `{name}` is {t}, which has no exact text; CAST it to DECIMAL or BIGINT"
        )),
        ColumnType::Binary | ColumnType::Array(_) | ColumnType::Struct(_) | ColumnType::Map(_, _) => {
            Err(format!(
                "the slice column `{name}` is {t}; a slice is named by a number, a text, a date or a time"
            ))
        }
        _ => Ok(()),
    }
}

/// The compiled slice expressions of a source, for files with certain columns.
pub(crate) struct Slicer {
    columns: Vec<Computed>,
    schema: Arc<ArrowSchema>,
}

struct Computed {
    index: usize,
    name: String,
    column_type: ColumnType,
    expression: Arc<dyn PhysicalExpr>,
}

impl fmt::Debug for Slicer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.columns.iter().map(|c| &c.name))
            .finish()
    }
}

fn state() -> &'static SessionState {
    static STATE: OnceLock<SessionState> = OnceLock::new();
    STATE.get_or_init(|| mainstay_sql::state_builder().build())
}

impl Slicer {
    pub(crate) fn compile(spec: &SourceSpec, inputs: &Schema) -> Result<Self, String> {
        let fields: Vec<Field> = inputs
            .0
            .iter()
            .map(|c| Field::new(&c.name, stored(&c.column_type), true))
            .collect();
        let schema = Arc::new(ArrowSchema::new(fields));
        let mut columns = Vec::new();
        for (index, slice) in spec.slice.iter().enumerate() {
            let Some(text) = &slice.expression else { continue };
            let compiled = compile(text, &schema);
            let (expression, column_type) =
                compiled.map_err(|why| format!("the slice `{} = {text}`: {why}", slice.name))?;
            sliceable(&slice.name, &column_type)?;
            columns.push(Computed {
                index,
                name: slice.name.clone(),
                column_type,
                expression,
            });
        }
        Ok(Self { columns, schema })
    }

    /// Computes the slice columns of some rows, as the dataset's types; by the index in the source's `slice`.
    pub(crate) fn evaluate(
        &self,
        spec: &SourceSpec,
        dataset: &Schema,
        inputs: Vec<ArrayRef>,
        rows: usize,
        first_row: u64,
    ) -> Result<Vec<Option<ArrayRef>>, FileError> {
        let mut out = vec![None; spec.slice.len()];
        if self.columns.is_empty() {
            return Ok(out);
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), inputs, &options)
            .map_err(|e| fault::bad_slice(&e.to_string()))?;
        for column in &self.columns {
            let array = run(&column.expression, &batch).map_err(|why| {
                let row = first_failing(&column.expression, &batch);
                fault::slice_failed(&column.name, Some(first_row + row as u64), &why)
            })?;
            let wanted = dataset
                .column(&column.name)
                .map_or(&column.column_type, |c| &c.column_type);
            let array = cast(&array, wanted).map_err(|m| {
                let why = format!("`{}` is not a {wanted}", fault::shorten(&m.value));
                fault::slice_failed(&column.name, Some(first_row + m.row as u64), &why)
            })?;
            if let Some(slot) = out.get_mut(column.index) {
                *slot = Some(array);
            }
        }
        Ok(out)
    }
}

fn compile(text: &str, schema: &ArrowSchema) -> Result<(Arc<dyn PhysicalExpr>, ColumnType), String> {
    let schema = DFSchema::try_from(schema.clone()).map_err(|e| plain(&e))?;
    let logical = state()
        .create_logical_expr(text, &schema)
        .map_err(|e| plain(&e))?;
    let mut refused = None;
    let look = |e: &Expr| {
        refused = match e {
            Expr::ScalarFunction(f) if f.func.signature().volatility != Volatility::Immutable => {
                Some(format!("{}() gives something else each time", f.func.name()))
            }
            Expr::AggregateFunction(f) => Some(format!("{}() needs more than one row", f.func.name())),
            Expr::WindowFunction(f) => Some(format!("{}() needs more than one row", f.fun.name())),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
                Some("it reads other data than the row".to_owned())
            }
            #[expect(deprecated, reason = "the parser can still yield it")]
            Expr::Wildcard { .. } => Some("`*` is not a value".to_owned()),
            Expr::Placeholder(p) => Some(format!("`{}` has no value here", p.id)),
            _ => None,
        };
        Ok(if refused.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    };
    logical.apply(look).map_err(|e: DataFusionError| plain(&e))?;
    if let Some(why) = refused {
        return Err(why);
    }
    let expression = state()
        .create_physical_expr(logical.unalias(), &schema)
        .map_err(|e| plain(&e))?;
    let data_type = expression.data_type(schema.as_arrow()).map_err(|e| plain(&e))?;
    let t = column_type(&data_type).map_err(|e| format!("it is {}; {}", e.name, e.help))?;
    Ok((expression, t))
}

fn run(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef, String> {
    let value = expression.evaluate(batch).map_err(|e| plain(&e))?;
    value.into_array(batch.num_rows()).map_err(|e| plain(&e))
}

/// Finds the first row for which an expression fails: the shortest beginning of the rows that does.
fn first_failing(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> usize {
    let (mut good, mut bad) = (0, batch.num_rows());
    while good + 1 < bad {
        let middle = usize::midpoint(good, bad);
        if run(expression, &batch.slice(0, middle)).is_ok() {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Writes an error of the engine without the engine's name for it.
fn plain(e: &DataFusionError) -> String {
    let text = match e.find_root() {
        DataFusionError::Diagnostic(d, _) => d.message.clone(),
        other => other.strip_backtrace(),
    };
    let mut text = text.as_str();
    for prefix in [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "Compute error: ",
        "Invalid argument error: ",
        "Cast error: ",
        "This feature is not implemented: ",
        "Parser error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    let end = text
        .find("\n\nThis issue was likely caused")
        .unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_end().to_owned()
}
