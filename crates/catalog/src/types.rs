//! Column types: as the model names them, as Arrow holds them.
//!
//! Every type of the model has one Arrow type. The other way round, Arrow types without a twin become the next wider one;
//! those that have none are refused by the name of their column.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use mainstay_model::{Column, ColumnType, Schema};

use crate::error::{Error, Result};

/// The time zone of every timestamp.
const UTC: &str = "UTC";

/// Values that do not fit are errors, never NULL.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: arrow::util::display::FormatOptions::new(),
};

/// Returns the Arrow type of a column type.
pub fn to_arrow(t: &ColumnType) -> DataType {
    match t {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Byte => DataType::Int8,
        ColumnType::Short => DataType::Int16,
        ColumnType::Integer => DataType::Int32,
        ColumnType::Long => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal(p, s) => DataType::Decimal128(*p, *s),
        ColumnType::String => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnType::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Array(t) => DataType::List(Arc::new(Field::new("element", to_arrow(t), true))),
        ColumnType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(n, t)| Field::new(n, to_arrow(t), true))
                .collect(),
        ),
        ColumnType::Map(k, v) => {
            let entries = Fields::from(vec![
                Field::new("key", to_arrow(k), false),
                Field::new("value", to_arrow(v), true),
            ]);
            DataType::Map(
                Arc::new(Field::new("key_value", DataType::Struct(entries), false)),
                false,
            )
        }
    }
}

/// Returns the Arrow schema of a dataset's columns.
pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .0
        .iter()
        .map(|c| Field::new(&c.name, to_arrow(&c.column_type), true))
        .collect();
    Arc::new(ArrowSchema::new(fields))
}

/// Returns the column type that holds every value of an Arrow type.
///
/// # Errors
///
/// [`Error::NoSuchType`], which names `column` and what to cast it to.
pub fn from_arrow(column: &str, t: &DataType) -> Result<ColumnType> {
    let refuse = |help: &str| {
        Err(Error::NoSuchType {
            column: column.to_owned(),
            found: t.to_string(),
            help: help.to_owned(),
        })
    };
    Ok(match t {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 => ColumnType::Byte,
        DataType::Int16 | DataType::UInt8 => ColumnType::Short,
        DataType::Int32 | DataType::UInt16 => ColumnType::Integer,
        DataType::Int64 | DataType::UInt32 => ColumnType::Long,
        DataType::UInt64 => ColumnType::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 => ColumnType::Float,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            let wide = p.saturating_add(s.min(&0).unsigned_abs());
            if wide > 38 {
                return refuse("cast it to DECIMAL(38, s): 38 digits are the most");
            }
            ColumnType::Decimal(wide, (*s).max(0))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(_, Some(_)) => ColumnType::Timestamp,
        DataType::Timestamp(_, None) => ColumnType::TimestampNtz,
        DataType::Dictionary(_, value) => from_arrow(column, value)?,
        DataType::RunEndEncoded(_, value) => from_arrow(column, value.data_type())?,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => {
            ColumnType::Array(Box::new(from_arrow(&format!("{column}[]"), f.data_type())?))
        }
        DataType::Struct(fields) => ColumnType::Struct(
            fields
                .iter()
                .map(|f| {
                    Ok((
                        f.name().clone(),
                        from_arrow(&format!("{column}.{}", f.name()), f.data_type())?,
                    ))
                })
                .collect::<Result<_>>()?,
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) => match kv.as_ref() {
                [k, v] => ColumnType::Map(
                    Box::new(from_arrow(&format!("{column}.key"), k.data_type())?),
                    Box::new(from_arrow(&format!("{column}.value"), v.data_type())?),
                ),
                _ => return refuse("cast it to VARCHAR"),
            },
            _ => return refuse("cast it to VARCHAR"),
        },
        DataType::Null => return refuse("give the NULL a type: CAST(NULL AS VARCHAR)"),
        DataType::Time32(_) | DataType::Time64(_) => {
            return refuse("cast it to VARCHAR, or add the date to make it a TIMESTAMP");
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            return refuse("cast it to VARCHAR, or write it as a number of seconds");
        }
        DataType::Union(_, _) => return refuse("choose one of its types, or cast it to VARCHAR"),
    })
}

/// Returns the columns of a dataset that holds every row of an Arrow schema.
///
/// # Errors
///
/// [`Error::NoSuchType`] for a type, [`Error::ColumnName`] for a name that a table cannot hold.
pub fn from_arrow_schema(schema: &ArrowSchema) -> Result<Schema> {
    let columns = schema.fields().iter().map(|f| {
        let column_type = from_arrow(f.name(), f.data_type())?;
        Ok(Column {
            name: f.name().clone(),
            column_type,
        })
    });
    let schema = Schema(columns.collect::<Result<_>>()?);
    check_names(&schema)?;
    Ok(schema)
}

/// Refuses names that Parquet and Delta readers cannot take.
///
/// # Errors
///
/// [`Error::ColumnName`].
pub fn check_names(schema: &Schema) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in schema.names() {
        let wrong = |why| {
            Err(Error::ColumnName {
                column: name.to_owned(),
                why,
            })
        };
        if name.is_empty() {
            return wrong("it is empty");
        }
        if name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return wrong("spaces and the characters ,;{}()= are not allowed");
        }
        if !seen.insert(name.to_lowercase()) {
            return wrong("another column has this name, apart from upper and lower case");
        }
    }
    Ok(())
}

/// Brings one column into its type.
///
/// # Errors
///
/// [`Error::Value`] if a value does not fit.
pub fn coerce_column(column: &str, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    cast_with_options(array, to, &STRICT).map_err(|source| Error::Value {
        column: column.to_owned(),
        from: array.data_type().to_string(),
        to: to.to_string(),
        source,
    })
}

/// Brings a batch into the columns and types of a schema, by name.
///
/// # Errors
///
/// [`Error::Columns`] if a column is missing or too many, [`Error::Value`] if a value does not fit.
pub fn coerce(batch: &RecordBatch, schema: &Schema) -> Result<RecordBatch> {
    coerce_to(batch, &arrow_schema(schema))
}

pub(crate) fn coerce_to(batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch> {
    let wrong = |column: &str, why| Error::Columns {
        column: column.to_owned(),
        why,
    };
    if let Some(extra) = batch
        .schema_ref()
        .fields()
        .iter()
        .find(|f| target.field_with_name(f.name()).is_err())
    {
        return Err(wrong(extra.name(), "is not one of the dataset's"));
    }
    let columns = target.fields().iter().map(|f| {
        let array = batch
            .column_by_name(f.name())
            .ok_or_else(|| wrong(f.name(), "is missing"))?;
        coerce_column(f.name(), array, f.data_type())
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(target.clone(), columns, &rows)?)
}

#[cfg(test)]
mod tests;
