//! The normal form of values: one physical type for each class, in which equal values have equal bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Float64Array, LargeListArray, NullArray,
    PrimitiveArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, Float64Type, Int64Type, TimeUnit};

use crate::error::{Error, Result};

/// Width of a decimal's normal form: its scale and its digits, big-endian.
const DECIMAL_WIDTH: i32 = 17;

/// Returns the class of a type: what may be equal has the same.
pub(super) fn class(column: &str, t: &DataType) -> Result<String> {
    Ok(match t {
        DataType::Null => "null".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => "integer".to_owned(),
        DataType::UInt64
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _) => "decimal".to_owned(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp".to_owned(),
        DataType::Timestamp(_, None) => "timestamp_ntz".to_owned(),
        DataType::Dictionary(_, value) => class(column, value)?,
        DataType::RunEndEncoded(_, value) => class(column, value.data_type())?,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => format!("list<{}>", class(column, f.data_type())?),
        DataType::Struct(fields) => {
            let mut fields = fields
                .iter()
                .map(|f| Ok((f.name(), class(column, f.data_type())?)))
                .collect::<Result<Vec<_>>>()?;
            fields.sort();
            // Written with the lengths of the names, so that no name can look like two.
            let parts: Vec<String> = fields
                .iter()
                .map(|(n, c)| format!("{}:{n}:{c}", n.len()))
                .collect();
            format!("struct<{}>", parts.join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) => match kv.as_ref() {
                [k, v] => format!(
                    "map<{},{}>",
                    class(column, k.data_type())?,
                    class(column, v.data_type())?
                ),
                _ => return refuse(column),
            },
            _ => return refuse(column),
        },
        DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::Union(_, _) => return refuse(column),
    })
}

fn refuse<T>(column: &str) -> Result<T> {
    Err(Error::Columns {
        column: column.to_owned(),
        why: "has a type that a table cannot hold",
    })
}

/// Brings an array into the normal form of its class.
pub(super) fn normalise(column: &str, array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Null => Arc::new(NullArray::new(array.len())),
        DataType::Boolean | DataType::Int64 | DataType::Date32 => array.clone(),
        // The encoding of rows is the same for all of these.
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => array.clone(),
        DataType::FixedSizeBinary(_) => cast(array, &DataType::Binary)?,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => cast(array, &DataType::Int64)?,
        DataType::Date64 => cast(array, &DataType::Date32)?,
        DataType::Float16 | DataType::Float32 => float(cast(array, &DataType::Float64)?.as_primitive()),
        DataType::Float64 => float(array.as_primitive()),
        DataType::UInt64 => decimal(column, &strict(array, &DataType::Decimal128(20, 0))?)?,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => {
            decimal(column, &strict(array, &DataType::Decimal128(*p, *s))?)?
        }
        DataType::Decimal128(_, _) => decimal(column, array)?,
        DataType::Decimal256(_, s) => decimal(column, &strict(array, &DataType::Decimal128(38, *s))?)?,
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Microsecond => array.clone(),
                _ => cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?,
            };
            Arc::new(
                micros
                    .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                    .reinterpret_cast::<Int64Type>(),
            )
        }
        DataType::Dictionary(_, value) => normalise(column, &cast(array, value)?)?,
        DataType::RunEndEncoded(_, value) => normalise(column, &cast(array, value.data_type())?)?,
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            large_list(column, list.offsets().clone(), list.values(), array)?
        }
        DataType::List(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => normalise(column, &cast(array, &DataType::LargeList(f.clone()))?)?,
        DataType::Struct(_) => structure(column, array.as_struct(), true)?,
        DataType::Map(_, _) => {
            let map = array.as_map();
            let offsets: Vec<i64> = map.offsets().iter().map(|o| i64::from(*o)).collect();
            let entries = structure(column, map.entries(), false)?;
            large_list_of(OffsetBuffer::new(offsets.into()), entries, array)?
        }
        _ => return refuse(column),
    })
}

fn strict(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = arrow::compute::CastOptions {
        safe: false,
        ..Default::default()
    };
    Ok(arrow::compute::cast_with_options(array, to, &options)?)
}

fn float(array: &Float64Array) -> ArrayRef {
    let one = |x: f64| {
        if x.is_nan() {
            f64::NAN
        } else {
            // Turns -0.0 into +0.0 and leaves everything else.
            x + 0.0
        }
    };
    Arc::new(array.unary::<_, Float64Type>(one))
}

fn large_list(
    column: &str,
    offsets: OffsetBuffer<i64>,
    values: &ArrayRef,
    list: &ArrayRef,
) -> Result<ArrayRef> {
    large_list_of(offsets, normalise(column, values)?, list)
}

fn large_list_of(offsets: OffsetBuffer<i64>, values: ArrayRef, list: &ArrayRef) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    Ok(Arc::new(LargeListArray::try_new(
        field,
        offsets,
        values,
        list.nulls().cloned(),
    )?))
}

/// Fields in the order of their names, or as they are; the names themselves are part of the class.
fn structure(column: &str, array: &StructArray, sort: bool) -> Result<ArrayRef> {
    let mut parts: Vec<(&str, &ArrayRef)> = array
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .zip(array.columns())
        .collect();
    if sort {
        parts.sort_by_key(|(name, _)| *name);
    }
    if parts.is_empty() {
        return Ok(Arc::new(array.clone()));
    }
    let columns = parts
        .iter()
        .map(|(_, a)| normalise(column, a))
        .collect::<Result<Vec<_>>>()?;
    let fields: Fields = columns
        .iter()
        .map(|c| Field::new("f", c.data_type().clone(), true))
        .collect();
    Ok(Arc::new(StructArray::try_new(
        fields,
        columns,
        array.nulls().cloned(),
    )?))
}

/// Decimals with as few digits behind the point as their value needs.
fn decimal(column: &str, array: &ArrayRef) -> Result<ArrayRef> {
    let array: &PrimitiveArray<Decimal128Type> = array.as_primitive();
    let scale = array.scale();
    let mut out = FixedSizeBinaryBuilder::with_capacity(array.len(), DECIMAL_WIDTH);
    for value in array {
        let Some(value) = value else {
            out.append_null();
            continue;
        };
        let Some((digits, scale)) = shortest(value, scale) else {
            return Err(Error::Columns {
                column: column.to_owned(),
                why: "has a decimal that is too large",
            });
        };
        let mut bytes = [0; DECIMAL_WIDTH as usize];
        if let Some((first, rest)) = bytes.split_first_mut() {
            *first = scale;
            rest.copy_from_slice(&digits.to_be_bytes());
        }
        out.append_value(bytes)?;
    }
    Ok(Arc::new(out.finish()))
}

/// Returns the digits and the scale of a decimal without zeros at its end behind the point; none if there are too many digits.
fn shortest(value: i128, scale: i8) -> Option<(i128, u8)> {
    if scale <= 0 {
        let factor = 10i128.checked_pow(u32::from(scale.unsigned_abs()))?;
        return value.checked_mul(factor).map(|v| (v, 0));
    }
    let mut left = scale.unsigned_abs();
    if value == 0 {
        return Some((0, 0));
    }
    if let Ok(mut small) = i64::try_from(value) {
        while left > 0 && small % 10 == 0 {
            small /= 10;
            left -= 1;
        }
        return Some((i128::from(small), left));
    }
    let mut value = value;
    while left > 0 && value % 10 == 0 {
        value /= 10;
        left -= 1;
    }
    Some((value, left))
}
