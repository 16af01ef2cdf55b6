//! Slice values: between Arrow and the text that Delta's logs and the journal have.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_model::{ColumnType, SliceKey};

use crate::error::{Error, Result};
use crate::types::{coerce_column, from_arrow, to_arrow};

/// Says whether values of a type can name slices: numbers that are exact, booleans, texts, dates and times.
///
/// # Errors
///
/// [`Error::Slice`] with the reason.
pub fn check_type(column: &str, t: &ColumnType) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::Slice {
            column: column.to_owned(),
            why: why.to_owned(),
        })
    };
    match t {
        ColumnType::Float | ColumnType::Double => refuse("floating-point values are not exact"),
        ColumnType::Binary => refuse("binary values have no text"),
        ColumnType::Array(_) | ColumnType::Struct(_) | ColumnType::Map(_, _) => refuse("it is nested"),
        _ => Ok(()),
    }
}

/// Writes the value of one row of a slice column as Delta does: `2013-02-03`, `2013-02-03 04:05:06.000007`, `true`, `12`,
/// `1.50`, `JFK`; none is NULL. Times with a zone are written in UTC.
///
/// # Errors
///
/// [`Error::Slice`] for a type that cannot name slices, and for the empty text, which Delta reads as NULL.
pub fn slice_text(column: &str, array: &ArrayRef, row: usize) -> Result<Option<String>> {
    let column_type = from_arrow(column, array.data_type())?;
    check_type(column, &column_type)?;
    if array.is_null(row) || array.logical_nulls().is_some_and(|n| n.is_null(row)) {
        return Ok(None);
    }
    let value = coerce_column(column, &array.slice(row, 1), &to_arrow(&column_type))?;
    let text = match column_type {
        ColumnType::Timestamp | ColumnType::TimestampNtz => {
            let micros = value.as_primitive::<TimestampMicrosecondType>().value(0);
            let time = arrow::temporal_conversions::timestamp_us_to_datetime(micros);
            let time = time.ok_or_else(|| Error::Slice {
                column: column.to_owned(),
                why: "the time is out of range".into(),
            })?;
            match micros.rem_euclid(1_000_000) {
                0 => time.format("%Y-%m-%d %H:%M:%S").to_string(),
                fraction => format!("{}.{fraction:06}", time.format("%Y-%m-%d %H:%M:%S")),
            }
        }
        _ => ArrayFormatter::try_new(&value, &FormatOptions::default())?
            .value(0)
            .try_to_string()?,
    };
    if text.is_empty() {
        let why = "an empty text is NULL to Delta readers; write NULLIF(…, '')".to_owned();
        return Err(Error::Slice {
            column: column.to_owned(),
            why,
        });
    }
    Ok(Some(text))
}

/// Reads a slice value: an array with the one value, in the column's own Arrow type.
///
/// # Errors
///
/// [`Error::Slice`] for a type that cannot name slices, and for a text that is not how its value is written.
pub fn slice_scalar(column: &str, t: &ColumnType, text: Option<&str>) -> Result<ArrayRef> {
    check_type(column, t)?;
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let wrong = || {
        let why = format!(
            "`{}` is not how a value of type {t} is written",
            text.unwrap_or("null")
        );
        Error::Slice {
            column: column.to_owned(),
            why,
        }
    };
    let value = coerce_column(column, &array, &to_arrow(t)).map_err(|_| wrong())?;
    if slice_text(column, &value, 0)?.as_deref() == text {
        Ok(value)
    } else {
        Err(wrong())
    }
}

/// Splits a batch by the values of its slice columns. Rows keep their order; slices come in the order of their first rows.
/// The slice columns stay in.
///
/// # Errors
///
/// [`Error::Columns`] if a slice column is missing, [`Error::Slice`] if a value cannot name a slice.
pub fn split(batch: &RecordBatch, slice_columns: &[String]) -> Result<Vec<(SliceKey, RecordBatch)>> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    if slice_columns.is_empty() {
        return Ok(vec![(SliceKey::whole(), batch.clone())]);
    }
    let missing = |c: &String| Error::Columns {
        column: c.clone(),
        why: "is missing",
    };
    let columns = slice_columns.iter().map(|c| {
        let array = batch.column_by_name(c).ok_or_else(|| missing(c))?;
        match array.data_type() {
            // Unpacked, so that rows compare by value.
            DataType::Dictionary(_, value) => Ok(cast(array, value)?),
            DataType::RunEndEncoded(_, value) => Ok(cast(array, value.data_type())?),
            _ => Ok(array.clone()),
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let converter = RowConverter::new(
        columns
            .iter()
            .map(|c| SortField::new(c.data_type().clone()))
            .collect(),
    )?;
    let rows = converter.convert_columns(&columns)?;
    let mut index: HashMap<&[u8], usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut last: Option<(&[u8], usize)> = None;
    let all: Vec<_> = rows.iter().collect();
    for (i, row) in all.iter().enumerate() {
        let key = row.as_ref();
        let group = match last {
            Some((k, g)) if k == key => g,
            _ => *index.entry(key).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            }),
        };
        last = Some((key, group));
        if let (Some(group), Ok(i)) = (groups.get_mut(group), u32::try_from(i)) {
            group.push(i);
        }
    }
    let whole = groups.len() == 1;
    let mut out = Vec::with_capacity(groups.len());
    for group in groups {
        let first = group.first().copied().unwrap_or(0) as usize;
        let values = slice_columns
            .iter()
            .zip(&columns)
            .map(|(name, array)| slice_text(name, array, first));
        let key = SliceKey(values.collect::<Result<_>>()?);
        let part = if whole {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(group))?
        };
        out.push((key, part));
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
