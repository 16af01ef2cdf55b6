//! Expressions as text that people read and the engine reads again, years later.
//!
//! Writes only what it knows to read back as the same expression; for anything else there is no text. Types that SQL has no name
//! for are written with `arrow_cast`.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr};

/// Writes an expression; `name` names its columns. None if it cannot be written.
pub(crate) fn text(expr: &Expr, name: &dyn Fn(&Column) -> Option<String>) -> Option<String> {
    let inner = |e: &Expr| text(e, name);
    let operand = |e: &Expr| {
        let written = text(e, name)?;
        Some(if atomic(e) {
            written
        } else {
            format!("({written})")
        })
    };
    let list = |items: &[Expr]| -> Option<String> {
        Some(items.iter().map(inner).collect::<Option<Vec<_>>>()?.join(", "))
    };
    Some(match expr {
        Expr::Alias(a) => inner(&a.expr)?,
        Expr::Column(c) => quoted(&name(c)?),
        Expr::Literal(value, _) => literal(value)?,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            format!("{} {op} {}", operand(left)?, operand(right)?)
        }
        Expr::Not(e) => format!("NOT {}", operand(e)?),
        Expr::IsNull(e) => format!("{} IS NULL", operand(e)?),
        Expr::IsNotNull(e) => format!("{} IS NOT NULL", operand(e)?),
        Expr::IsTrue(e) => format!("{} IS TRUE", operand(e)?),
        Expr::IsFalse(e) => format!("{} IS FALSE", operand(e)?),
        Expr::IsNotTrue(e) => format!("{} IS NOT TRUE", operand(e)?),
        Expr::IsNotFalse(e) => format!("{} IS NOT FALSE", operand(e)?),
        Expr::Negative(e) => format!("-{}", operand(e)?),
        Expr::Between(b) => {
            let not = if b.negated { "NOT " } else { "" };
            format!(
                "{} {not}BETWEEN {} AND {}",
                operand(&b.expr)?,
                operand(&b.low)?,
                operand(&b.high)?
            )
        }
        Expr::InList(l) => {
            let not = if l.negated { "NOT " } else { "" };
            format!("{} {not}IN ({})", operand(&l.expr)?, list(&l.list)?)
        }
        Expr::Like(l) if l.escape_char.is_none() => {
            let not = if l.negated { "NOT " } else { "" };
            let like = if l.case_insensitive { "ILIKE" } else { "LIKE" };
            format!("{} {not}{like} {}", operand(&l.expr)?, operand(&l.pattern)?)
        }
        Expr::Cast(c) => cast(&inner(&c.expr)?, c.field.data_type(), "CAST")?,
        Expr::TryCast(c) => {
            sql_type(c.field.data_type())?;
            cast(&inner(&c.expr)?, c.field.data_type(), "TRY_CAST")?
        }
        Expr::Case(case) => {
            let mut out = "CASE".to_owned();
            if let Some(base) = &case.expr {
                out = format!("{out} {}", operand(base)?);
            }
            for (when, then) in &case.when_then_expr {
                out = format!("{out} WHEN {} THEN {}", inner(when)?, inner(then)?);
            }
            if let Some(otherwise) = &case.else_expr {
                out = format!("{out} ELSE {}", inner(otherwise)?);
            }
            format!("{out} END")
        }
        Expr::ScalarFunction(f) => format!("{}({})", f.func.name(), list(&f.args)?),
        _ => return None,
    })
}

/// Says whether an expression needs no parentheses.
const fn atomic(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Column(_)
            | Expr::Literal(..)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::ScalarFunction(_)
            | Expr::Case(_)
    )
}

/// Returns a column's name as it stands in the expressions of relations.
pub fn name(column: &str) -> String {
    quoted(column)
}

/// A name as it stands in SQL: plain where it cannot be taken for anything else.
fn quoted(name: &str) -> String {
    let plain = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(&name);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Words that do not always read as a column's name.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "default",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "filter",
    "for",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "now",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "overlay",
    "over",
    "position",
    "right",
    "rollup",
    "row",
    "rows",
    "select",
    "set",
    "some",
    "struct",
    "substring",
    "table",
    "then",
    "time",
    "timestamp",
    "today",
    "trim",
    "true",
    "try_cast",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// The SQL name of a type that reads back as the same type.
fn sql_type(t: &DataType) -> Option<String> {
    Some(match t {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".into(),
        DataType::Decimal128(p, s) => format!("DECIMAL({p}, {s})"),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP".into(),
        _ => return None,
    })
}

fn cast(value: &str, t: &DataType, how: &str) -> Option<String> {
    if let Some(name) = sql_type(t) {
        return Some(format!("{how}({value} AS {name})"));
    }
    match t {
        DataType::Timestamp(..)
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => Some(format!("arrow_cast({value}, {})", string(&t.to_string()))),
        _ => None,
    }
}

fn string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn literal(value: &ScalarValue) -> Option<String> {
    if value.is_null() {
        return match value.data_type() {
            DataType::Null => Some("NULL".into()),
            t => cast("NULL", &t, "CAST"),
        };
    }
    Some(match value {
        ScalarValue::Boolean(Some(b)) => b.to_string(),
        ScalarValue::Int8(Some(_)) | ScalarValue::Int16(Some(_)) | ScalarValue::Int32(Some(_)) => {
            let number = value.to_string();
            cast(&number, &value.data_type(), "CAST")?
        }
        ScalarValue::Int64(Some(n)) => n.to_string(),
        ScalarValue::Utf8(Some(s)) | ScalarValue::LargeUtf8(Some(s)) | ScalarValue::Utf8View(Some(s)) => {
            string(s)
        }
        ScalarValue::Date32(Some(_)) => format!("DATE '{}'", shown(value)?),
        ScalarValue::Decimal128(Some(_), ..) => cast(&string(&shown(value)?), &value.data_type(), "CAST")?,
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => cast(&string(&shown(value)?), &value.data_type(), "CAST")?,
        ScalarValue::IntervalMonthDayNano(Some(i)) => interval(*i)?,
        _ => return None,
    })
}

/// A value as arrow shows it.
fn shown(value: &ScalarValue) -> Option<String> {
    let array = value.to_array().ok()?;
    let formatter = ArrayFormatter::try_new(&array, &FormatOptions::default()).ok()?;
    formatter.value(0).try_to_string().ok()
}

fn interval(i: IntervalMonthDayNano) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |n: i64, name: &str| {
        if n != 0 {
            parts.push(format!("{n} {name}{}", if n.abs() == 1 { "" } else { "s" }));
        }
    };
    part(i64::from(i.months), "month");
    part(i64::from(i.days), "day");
    let nanos = i.nanoseconds;
    if nanos % 1_000 != 0 {
        return None;
    }
    part(nanos / 3_600_000_000_000, "hour");
    part(nanos % 3_600_000_000_000 / 1_000, "microsecond");
    Some(if parts.is_empty() {
        "INTERVAL '0 days'".into()
    } else {
        format!("INTERVAL '{}'", parts.join(" "))
    })
}
