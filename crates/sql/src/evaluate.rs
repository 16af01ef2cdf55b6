//! Evaluating the expressions of relations for many slices at once.
//!
//! Slices become columns of their values, an expression is planned once and evaluated over all of them. Whatever cannot be
//! evaluated has no values, and whoever asked has to take it for unknown.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Field, Int64Type, Schema as ArrowSchema, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::create_physical_expr;
use mainstay_model::relation::Values;
use mainstay_model::{Column, ColumnType, SliceKey};

use crate::arrow_types;
use crate::session;

/// Slices as columns, ready for expressions over them.
#[derive(Debug)]
pub struct SliceTable {
    batch: RecordBatch,
    schema: DFSchema,
}

impl SliceTable {
    /// Puts slices into columns; `columns` are the slice columns with their types, in order. None if a value is not one of its
    /// column's type.
    pub fn new(columns: &[Column], slices: &[&SliceKey]) -> Option<Self> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|c| Field::new(&c.name, arrow_types::column(&c.column_type), true))
            .collect();
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let arrays = fields.iter().enumerate().map(|(i, field)| {
            let texts: StringArray = slices
                .iter()
                .map(|s| s.0.get(i).and_then(|v| v.as_deref()))
                .collect();
            cast_with_options(&texts, field.data_type(), &strict).ok()
        });
        let arrays: Option<Vec<ArrayRef>> = arrays.collect();
        let schema = Arc::new(ArrowSchema::new(fields));
        let options = RecordBatchOptions::new().with_row_count(Some(slices.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays?, &options).ok()?;
        Some(Self {
            batch,
            schema: DFSchema::try_from(schema).ok()?,
        })
    }

    /// The values of an expression, one for each slice; none if it cannot be evaluated for all of them.
    pub fn values(&self, expression: &str) -> Option<Values> {
        values(&self.array(expression)?)
    }

    /// Says for each slice whether a condition is true; none if it cannot be evaluated for all of them.
    pub fn holds(&self, condition: &str) -> Option<Vec<bool>> {
        let array = self.array(condition)?;
        let booleans = array.as_boolean_opt()?;
        Some(booleans.iter().map(|b| b == Some(true)).collect())
    }

    /// The texts of an expression's values as the values of a slice column of a type, one for each slice; none if it cannot be evaluated.
    pub fn texts(&self, expression: &str, t: &ColumnType) -> Option<Vec<Option<String>>> {
        texts(&self.array(expression)?, t)
    }

    fn array(&self, expression: &str) -> Option<ArrayRef> {
        let found = self.schema.index_of_column_by_name(None, expression);
        if let Some(at) = found {
            return Some(Arc::clone(self.batch.column(at)));
        }
        let expr = session::state()
            .create_logical_expr(expression, &self.schema)
            .and_then(|e| coerced(e, &self.schema))
            .ok()?;
        let physical = create_physical_expr(
            &expr,
            &self.schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )
        .ok()?;
        physical
            .evaluate(&self.batch)
            .and_then(|v| v.into_array(self.batch.num_rows()))
            .ok()
    }
}

/// An expression with its types coerced.
pub(crate) fn coerced(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let context = SimplifyContext::builder()
        .with_config_options(Arc::clone(session::state().config_options()))
        .with_schema(Arc::new(schema.clone()))
        .build();
    ExprSimplifier::new(context).coerce(expr, schema)
}

fn values(array: &ArrayRef) -> Option<Values> {
    let numbers = |array: &ArrayRef| -> Option<Values> {
        let long = cast(array, &DataType::Int64).ok()?;
        Some(Values::Numbers(long.as_primitive::<Int64Type>().iter().collect()))
    };
    match array.data_type() {
        DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            numbers(array)
        }
        DataType::Date32 => Some(Values::Numbers(
            array
                .as_primitive::<Date32Type>()
                .iter()
                .map(|d| d.map(i64::from))
                .collect(),
        )),
        DataType::Timestamp(unit, _) => Some(Values::Numbers(match unit {
            TimeUnit::Second => array.as_primitive::<TimestampSecondType>().iter().collect(),
            TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().iter().collect(),
            TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().iter().collect(),
            TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().iter().collect(),
        })),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let plain = cast(array, &DataType::Utf8).ok()?;
            let bytes = plain.as_string::<i32>().iter();
            Some(Values::Bytes(
                bytes.map(|s| s.map(|s| s.as_bytes().into())).collect(),
            ))
        }
        t => {
            let converter = RowConverter::new(vec![SortField::new(t.clone())]).ok()?;
            let rows = converter.convert_columns(&[Arc::clone(array)]).ok()?;
            let value = |i: usize| (!array.is_null(i)).then(|| rows.row(i).as_ref().into());
            Some(Values::Bytes((0..array.len()).map(value).collect()))
        }
    }
}

/// Values as the texts of slices; the same texts that tables write.
fn texts(array: &ArrayRef, t: &ColumnType) -> Option<Vec<Option<String>>> {
    let typed = cast(array, &arrow_types::stored(t)).ok()?;
    let formatter = ArrayFormatter::try_new(&typed, &FormatOptions::default()).ok()?;
    let one = |i: usize| -> Option<Option<String>> {
        if typed.is_null(i) {
            return Some(None);
        }
        let text = match t {
            ColumnType::Timestamp | ColumnType::TimestampNtz => {
                let micros = typed.as_primitive::<TimestampMicrosecondType>().value(i);
                let time = arrow::temporal_conversions::timestamp_us_to_datetime(micros)?;
                match micros.rem_euclid(1_000_000) {
                    0 => time.format("%Y-%m-%d %H:%M:%S").to_string(),
                    fraction => format!("{}.{fraction:06}", time.format("%Y-%m-%d %H:%M:%S")),
                }
            }
            _ => formatter.value(i).try_to_string().ok()?,
        };
        Some((!text.is_empty()).then_some(text))
    };
    (0..typed.len()).map(one).collect()
}
