//! From what was delivered to a column's type, without losing anything, or the first row where that cannot be.
//!
//! Owns the rules of what fits: arrow casts whole columns, a column with more NULLs than before has a value that did not
//! fit. What arrow would silently cut (a date's time, digits of a decimal, a zone, the fraction of a whole number) is
//! refused as well. Refuses to know where rows come from: rows are counted from 0 within the batch.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Datum, Float32Array, Float64Array, StringArray, make_array,
    new_null_array,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_model::ColumnType;
use mainstay_sql::arrow_types::stored;

const SAFE: CastOptions<'static> = CastOptions {
    safe: true,
    format_options: FormatOptions::new(),
};

/// The first value that does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The row within the batch, from 0.
    pub(crate) row: usize,
    /// The value, as text.
    pub(crate) value: String,
    /// Below which names in a struct, `.a.b`; empty at the top.
    pub(crate) path: String,
    /// What was expected there.
    pub(crate) expected: ColumnType,
}

/// Casts a column to a type; on a misfit, says which row.
pub(crate) fn cast(from: &ArrayRef, to: &ColumnType) -> Result<ArrayRef, Misfit> {
    let target = stored(to);
    if from.data_type() == &target {
        return Ok(from.clone());
    }
    if from.data_type() == &DataType::Null {
        return Ok(new_null_array(&target, from.len()));
    }
    let cast = cast_with_options(from, &target, &SAFE).ok();
    match cast {
        Some(cast) => match misfit(from, &cast, to) {
            None => Ok(cast),
            Some((row, path, value, expected)) => Err(Misfit {
                row,
                value,
                path,
                expected,
            }),
        },
        None => {
            let row = (0..from.len()).find(|i| from.is_valid(*i)).unwrap_or(0);
            Err(Misfit {
                row,
                value: text_at(from, row),
                path: String::new(),
                expected: to.clone(),
            })
        }
    }
}

type Place = (usize, String, String, ColumnType);

/// Finds the first row whose value did not survive: at the top, or below it.
fn misfit(from: &ArrayRef, to: &ArrayRef, expected: &ColumnType) -> Option<Place> {
    match (from.data_type(), expected) {
        (DataType::Struct(names), ColumnType::Struct(types)) => {
            let (a, b) = (from.as_struct_opt()?, to.as_struct_opt()?);
            let mut first: Option<Place> = None;
            for (name, t) in types {
                let Some(i) = names.iter().position(|f| f.name() == name) else {
                    continue;
                };
                let (Some(x), Some(y)) = (a.columns().get(i), b.column_by_name(name)) else {
                    continue;
                };
                if let Some((row, path, value, t)) = misfit(x, y, t)
                    && first.as_ref().is_none_or(|f| row < f.0)
                {
                    first = Some((row, format!(".{name}{path}"), value, t));
                }
            }
            first
        }
        (DataType::List(_), ColumnType::Array(t)) => {
            let (a, b) = (from.as_list_opt::<i32>()?, to.as_list_opt::<i32>()?);
            in_items(a.value_offsets(), misfit(a.values(), b.values(), t))
        }
        (DataType::Map(_, _), ColumnType::Map(k, v)) => {
            let (a, b) = (from.as_map_opt()?, to.as_map_opt()?);
            let key = misfit(a.keys(), b.keys(), k);
            let value = misfit(a.values(), b.values(), v);
            let first = match (key, value) {
                (Some(x), Some(y)) => Some(if x.0 <= y.0 { x } else { y }),
                (x, y) => x.or(y),
            };
            in_items(a.value_offsets(), first)
        }
        _ => {
            let row = flat_misfit(from, to, expected)?;
            Some((row, String::new(), text_at(from, row), expected.clone()))
        }
    }
}

fn in_items(offsets: &[i32], place: Option<Place>) -> Option<Place> {
    let (item, path, value, t) = place?;
    let row = offsets
        .partition_point(|o| usize::try_from(*o).is_ok_and(|o| o <= item))
        .saturating_sub(1);
    Some((row, path, value, t))
}

fn flat_misfit(from: &ArrayRef, to: &ArrayRef, expected: &ColumnType) -> Option<usize> {
    let lost = if to.null_count() > from.logical_null_count() {
        let valid = from.logical_nulls();
        (0..from.len()).find(|i| valid.as_ref().is_none_or(|n| n.is_valid(*i)) && to.is_null(*i))
    } else {
        None
    };
    // Only rows before the first NULL that should not be one can be worse.
    let until = lost.unwrap_or(from.len());
    cut(from, to, expected, until).or(lost)
}

/// Finds the first value that arrow turned into another one.
fn cut(from: &ArrayRef, to: &ArrayRef, expected: &ColumnType, until: usize) -> Option<usize> {
    let text = from.as_string_opt::<i32>();
    match (text, expected) {
        (Some(text), ColumnType::Date) => first(text, until, |v| {
            v.len() > 10 && !midnight(v.get(10..).unwrap_or_default())
        }),
        (Some(text), ColumnType::TimestampNtz) => first(text, until, |v| {
            v.get(19..)
                .is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']))
        }),
        (Some(text), ColumnType::Decimal(_, scale)) => first(text, until, |v| {
            broken_digits(v) > usize::try_from(*scale).unwrap_or(0)
        }),
        (Some(text), ColumnType::Double) => {
            let numbers: &Float64Array = to.as_primitive_opt::<Float64Type>()?;
            let any = numbers.values().iter().any(|x| x.is_infinite());
            any.then(|| {
                first(text, until, |v| {
                    overflows(v, v.parse::<f64>().is_ok_and(f64::is_infinite))
                })
            })
            .flatten()
        }
        (Some(text), ColumnType::Float) => {
            let numbers: &Float32Array = to.as_primitive_opt::<Float32Type>()?;
            let any = numbers.values().iter().any(|x| x.is_infinite());
            any.then(|| {
                first(text, until, |v| {
                    overflows(v, v.parse::<f32>().is_ok_and(f32::is_infinite))
                })
            })
            .flatten()
        }
        (None, _) if rounds(from.data_type(), to.data_type()) => {
            let back = cast_with_options(to, from.data_type(), &SAFE).ok()?;
            let differs: BooleanArray = distinct(from as &dyn Datum, &back as &dyn Datum).ok()?;
            (0..until).find(|i| to.is_valid(*i) && differs.value(*i))
        }
        _ => None,
    }
}

/// Says whether a cast between numbers or times may round: then the way back must give the same.
fn rounds(from: &DataType, to: &DataType) -> bool {
    let exact = |t: &DataType| t.is_integer() || matches!(t, DataType::Decimal128(_, _));
    match (from, to) {
        (a, b) if a.is_integer() && b.is_integer() => false,
        (a, b) if a.is_numeric() && exact(b) => true,
        (a, b) if a.is_integer() && b.is_floating() => true,
        (DataType::Timestamp(_, _) | DataType::Date64, DataType::Date32) => true,
        _ => false,
    }
}

fn first(text: &StringArray, until: usize, bad: impl Fn(&str) -> bool) -> Option<usize> {
    (0..until).find(|i| text.is_valid(*i) && bad(text.value(*i)))
}

fn midnight(time: &str) -> bool {
    let digits = time
        .trim_start_matches(['T', 't', ' '])
        .trim_end_matches(['Z', 'z']);
    digits.chars().all(|c| matches!(c, '0' | ':' | '.'))
}

/// Counts the digits after the point that matter; an exponent moves the point.
fn broken_digits(v: &str) -> usize {
    let (mantissa, exponent) = match v.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i64>().unwrap_or(0)),
        None => (v, 0),
    };
    let Some((whole, broken)) = mantissa.split_once('.') else {
        let zeros = mantissa.len() - mantissa.trim_end_matches('0').len();
        return usize::try_from(-exponent).unwrap_or(0).saturating_sub(zeros);
    };
    let digits = broken.trim_end_matches('0').len() as i64;
    let zeros = if digits == 0 {
        (whole.len() - whole.trim_end_matches('0').len()) as i64
    } else {
        0
    };
    usize::try_from(digits - zeros - exponent).unwrap_or(0)
}

fn overflows(v: &str, infinite: bool) -> bool {
    infinite && v.bytes().any(|b| b.is_ascii_digit())
}

/// Writes one value as text, for a message.
pub(crate) fn text_at(array: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::new().with_null("NULL");
    match ArrayFormatter::try_new(array.as_ref(), &options) {
        Ok(f) if row < array.len() => f.value(row).try_to_string().unwrap_or_default(),
        _ => String::new(),
    }
}

/// Replaces each of these texts by NULL.
pub(crate) fn without(array: StringArray, nulls: &[String]) -> StringArray {
    let is_null = |i: usize| array.is_null(i) || nulls.iter().any(|n| n == array.value(i));
    let any = !nulls.is_empty() && (0..array.len()).any(|i| array.is_valid(i) && is_null(i));
    if !any {
        return array;
    }
    let valid = arrow::buffer::NullBuffer::from_iter((0..array.len()).map(|i| !is_null(i)));
    let data = array.to_data().into_builder().nulls(Some(valid)).build();
    match data {
        Ok(data) => make_array(data).as_string::<i32>().clone(),
        Err(_) => array,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn texts_that_fit_and_texts_that_do_not() {
        for (t, good, bad) in [
            (
                "long",
                &["1", "-5", "+7"][..],
                &["1.0", "x", "", "9223372036854775808"][..],
            ),
            ("byte", &["-128"], &["128"]),
            (
                "double",
                &["1", "1e5", "NaN", "inf", "-0.5"],
                &["1,5", "1e999", "abc"],
            ),
            ("float", &["1.5", "inf"], &["1e39"]),
            ("boolean", &["true", "False", "1"], &["maybe"]),
            (
                "date",
                &["2013-02-03", "20130203", "2013-02-03T00:00:00"],
                &["2013-02-30", "2013-02-03T00:00:01", "03.02.2013"],
            ),
            (
                "timestamp",
                &["2013-02-03T04:05:06Z", "2013-02-03 04:05:06+01:00", "2013-02-03"],
                &["yesterday", "2013-02-03T25:00:00Z"],
            ),
            (
                "timestamp_ntz",
                &["2013-02-03T04:05:06.25"],
                &["2013-02-03T04:05:06Z", "2013-02-03T04:05:06+01:00"],
            ),
            (
                "decimal(5,2)",
                &["1.25", "-999.99", "1.2500", "1"],
                &["1.255", "1000", "x"],
            ),
        ] {
            let t: ColumnType = t.parse().expect(t);
            assert!(
                cast(&texts(good), &t).is_ok(),
                "{t}: {:?}",
                cast(&texts(good), &t)
            );
            for value in bad {
                let all: Vec<&str> = good.iter().copied().chain([*value]).collect();
                let misfit = cast(&texts(&all), &t).expect_err(&format!("{t} {value}"));
                assert_eq!((misfit.row, misfit.value.as_str()), (good.len(), *value), "{t}");
            }
        }
    }

    #[test]
    fn numbers_are_not_rounded_silently() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.5]));
        assert_eq!(cast(&numbers, &ColumnType::Long).expect_err("2.5").row, 1);
        assert!(cast(&numbers, &ColumnType::Float).is_ok());
        assert_eq!(
            cast(&numbers, &ColumnType::Decimal(4, 0)).expect_err("2.5").row,
            1
        );
        let big: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![1, (1 << 53) + 1]));
        assert_eq!(cast(&big, &ColumnType::Double).expect_err("2^53+1").row, 1);
        assert_eq!(cast(&big, &ColumnType::Integer).expect_err("too big").row, 1);
    }

    #[test]
    fn null_texts() {
        let nulls = without(StringArray::from(vec!["a", "NA", "", "b"]), &["NA".to_owned()]);
        assert_eq!(
            nulls.iter().collect::<Vec<_>>(),
            [Some("a"), None, Some(""), Some("b")]
        );
    }
}
