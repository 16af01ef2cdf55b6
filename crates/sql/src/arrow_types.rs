//! Column types as arrow types and back, for planning.
//!
//! One place says which arrow type a column has when SQL is planned: strings and binaries at the top level are views (as
//! DataFusion reads Parquet and writes SQL's `VARCHAR`), inside lists, structs and maps they are plain; moments are
//! microseconds in UTC. The way back takes every arrow type that a table can hold, and widens what has no type of its own.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use mainstay_model::{Column, ColumnType, Schema};

/// Returns the arrow schema with which a dataset is planned; every column may hold NULL.
pub fn schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .0
        .iter()
        .map(|c| Field::new(&c.name, column(&c.column_type), true))
        .collect();
    Arc::new(ArrowSchema::new(fields))
}

/// Returns the arrow type with which a column is planned: like [`stored`], but views for strings and binaries.
pub fn column(t: &ColumnType) -> DataType {
    match t {
        ColumnType::String => DataType::Utf8View,
        ColumnType::Binary => DataType::BinaryView,
        other => stored(other),
    }
}

/// Returns the arrow type of a column in a file.
pub fn stored(t: &ColumnType) -> DataType {
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
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Array(item) => DataType::List(Arc::new(Field::new("element", stored(item), true))),
        ColumnType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(n, t)| Field::new(n, stored(t), true))
                .collect::<Fields>(),
        ),
        ColumnType::Map(key, value) => {
            let entries = DataType::Struct(Fields::from(vec![
                Field::new("key", stored(key), false),
                Field::new("value", stored(value), true),
            ]));
            DataType::Map(Arc::new(Field::new("key_value", entries, false)), false)
        }
    }
}

/// An arrow type that no column can have, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoColumnType {
    /// The type, as people call it.
    pub name: &'static str,
    /// What to cast to, if anything.
    pub help: &'static str,
}

/// Returns the column type that holds all values of an arrow type: unsigned integers go to the next wider signed one (64 bits
/// to `decimal(20,0)`), moments of any unit to microseconds, half floats to `float`, views and dictionaries to what they view.
///
/// # Errors
///
/// [`NoColumnType`] for times of day, intervals, durations, unions, decimals of more than 38 digits and NULL without a type.
pub fn column_type(t: &DataType) -> Result<ColumnType, NoColumnType> {
    let no = |name, help| Err(NoColumnType { name, help });
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
            if *p > 38 || *s < 0 {
                return no("a decimal of more than 38 digits", "CAST it to DECIMAL(38, S)");
            }
            ColumnType::Decimal(*p, *s)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(_, Some(_)) => ColumnType::Timestamp,
        DataType::Timestamp(_, None) => ColumnType::TimestampNtz,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => ColumnType::Array(Box::new(column_type(item.data_type())?)),
        DataType::Struct(fields) => ColumnType::Struct(
            fields
                .iter()
                .map(|f| Ok((f.name().clone(), column_type(f.data_type())?)))
                .collect::<Result<_, NoColumnType>>()?,
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match fields.iter().as_slice() {
                [key, value] => ColumnType::Map(
                    Box::new(column_type(key.data_type())?),
                    Box::new(column_type(value.data_type())?),
                ),
                _ => return no("a map", "take its keys and values apart"),
            },
            _ => return no("a map", "take its keys and values apart"),
        },
        DataType::Dictionary(_, value) => column_type(value)?,
        DataType::RunEndEncoded(_, values) => column_type(values.data_type())?,
        DataType::Time32(_) | DataType::Time64(_) => {
            return no("a time of day", "CAST it to VARCHAR, or keep the whole timestamp");
        }
        DataType::Duration(_) => {
            return no(
                "a duration",
                "take a number from it, for example date_part('epoch', …)",
            );
        }
        DataType::Interval(_) => {
            return no(
                "an interval",
                "take a number from it, for example date_part('day', …), or add it to a date",
            );
        }
        DataType::Null => {
            return no(
                "NULL without a type",
                "say which type it has, for example CAST(NULL AS BIGINT)",
            );
        }
        DataType::Union(..) => return no("a union", "CAST it to one type"),
    })
}

/// Returns the columns of an arrow schema.
///
/// # Errors
///
/// The name of the first column without a column type, and why.
pub fn columns(schema: &ArrowSchema) -> Result<Schema, (String, NoColumnType)> {
    let column = |f: &Arc<Field>| match column_type(f.data_type()) {
        Ok(column_type) => Ok(Column {
            name: f.name().clone(),
            column_type,
        }),
        Err(e) => Err((f.name().clone(), e)),
    };
    schema
        .fields()
        .iter()
        .map(column)
        .collect::<Result<_, _>>()
        .map(Schema)
}

/// Names an arrow type as people do, in messages.
pub(crate) fn spoken(t: &DataType) -> String {
    match column_type(t) {
        Ok(t) => t.to_string(),
        Err(e) => e.name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in [
            "boolean",
            "byte",
            "short",
            "integer",
            "long",
            "float",
            "double",
            "decimal(12,2)",
            "string",
            "binary",
            "date",
            "timestamp",
            "timestamp_ntz",
            "array<struct<a: long, b: map<string, decimal(3,1)>>>",
        ] {
            let t: ColumnType = text.parse().expect(text);
            assert_eq!(column_type(&column(&t)), Ok(t.clone()), "{text}");
            assert_eq!(column_type(&stored(&t)), Ok(t), "{text}");
        }
    }

    #[test]
    fn what_has_no_type_of_its_own_is_widened_or_refused() {
        assert_eq!(column_type(&DataType::UInt64), Ok(ColumnType::Decimal(20, 0)));
        assert_eq!(column_type(&DataType::UInt32), Ok(ColumnType::Long));
        assert_eq!(
            column_type(&DataType::Timestamp(TimeUnit::Nanosecond, None)),
            Ok(ColumnType::TimestampNtz)
        );
        assert!(column_type(&DataType::Time64(TimeUnit::Nanosecond)).is_err());
        assert!(column_type(&DataType::Null).is_err());
    }
}
