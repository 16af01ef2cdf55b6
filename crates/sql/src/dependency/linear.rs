//! Values as sums: `day - INTERVAL '6' DAY` is `day` and -6.
//!
//! Whole numbers, dates (in days) and times without a zone or in UTC (in their own unit) can be added up; of every other value only
//! itself is known. Proof of each case: it adds and subtracts exactly what the engine adds and subtracts. Months are not
//! added, for they have no length. Whole numbers are taken not to overflow.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast};

use super::env::Env;

const DAY_NANOS: i128 = 86_400_000_000_000;

/// What values of a type can be compared with and added to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole numbers of any width.
    Number,
    /// Dates.
    Date,
    /// Times of this type, which has that many nanoseconds to a unit.
    Time(DataType, i128),
    /// Values that are equal or in order, no more.
    Plain(DataType),
    /// Values of which equal ones may differ, so that nothing follows.
    Inexact,
}

/// Says of which kind the values of a type are.
pub(crate) fn kind(t: &DataType) -> Kind {
    match t {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Kind::Number,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(unit, zone) => {
            let nanos = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                TimeUnit::Nanosecond => 1,
            };
            if zone.as_deref().is_none_or(|z| z == "UTC") {
                Kind::Time(t.clone(), nanos)
            } else {
                Kind::Plain(t.clone())
            }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Plain(DataType::Utf8View),
        DataType::Boolean
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Date64
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Kind::Plain(t.clone()),
        _ => Kind::Inexact,
    }
}

/// A sum: each of these values so many times, and a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) parts: Vec<(Expr, i128)>,
    pub(crate) constant: i128,
    /// Says that a value was taken from itself: the sum does not show any more that it is NULL where that value is.
    pub(crate) cancelled: bool,
}

impl Sum {
    fn of(expr: Expr) -> Self {
        Self {
            parts: vec![(expr, 1)],
            constant: 0,
            cancelled: false,
        }
    }

    const fn constant(constant: i128) -> Self {
        Self {
            parts: Vec::new(),
            constant,
            cancelled: false,
        }
    }

    /// This and so many times that.
    pub(crate) fn plus(mut self, other: &Self, times: i128) -> Self {
        for (expr, n) in &other.parts {
            match self.parts.iter_mut().find(|(e, _)| e == expr) {
                Some((_, m)) => *m += n * times,
                None => self.parts.push((expr.clone(), n * times)),
            }
        }
        let before = self.parts.len();
        self.parts.retain(|(_, n)| *n != 0);
        self.cancelled |= other.cancelled || self.parts.len() < before;
        self.constant += other.constant * times;
        self
    }
}

/// Writes a value as a sum.
pub(crate) fn sum(expr: &Expr, env: &Env) -> Sum {
    let whole = || Sum::of(normal(expr));
    match expr {
        Expr::Alias(a) => sum(&a.expr, env),
        Expr::Literal(value, _) => number(value).map_or_else(whole, Sum::constant),
        Expr::Cast(c) => {
            let (Ok(from), to) = (c.expr.get_type(&env.schema), c.field.data_type()) else {
                return whole();
            };
            let number = kind(&from) == Kind::Number && kind(to) == Kind::Number;
            if from == *to || number && width(&from) <= width(to) || text(&from) && text(to) {
                sum(&c.expr, env)
            } else {
                whole()
            }
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus),
            right,
        }) => {
            let sign = if *op == Operator::Plus { 1 } else { -1 };
            let (Ok(l), Ok(r)) = (left.get_type(&env.schema), right.get_type(&env.schema)) else {
                return whole();
            };
            match (kind(&l), kind(&r)) {
                (Kind::Number, Kind::Number) => sum(left, env).plus(&sum(right, env), sign),
                (Kind::Date, Kind::Date) if sign == -1 => sum(left, env).plus(&sum(right, env), sign),
                (k, _) if interval(right, &k).is_some() => {
                    let step = interval(right, &k).unwrap_or_default();
                    sum(left, env).plus(&Sum::constant(step), sign)
                }
                (_, k) if sign == 1 && interval(left, &k).is_some() => {
                    let step = interval(left, &k).unwrap_or_default();
                    sum(right, env).plus(&Sum::constant(step), 1)
                }
                _ => whole(),
            }
        }
        _ => whole(),
    }
}

fn text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Orders the integer types so that each holds all values of those before it.
const fn width(t: &DataType) -> u8 {
    match t {
        DataType::Int8 => 1,
        DataType::Int16 => 2,
        DataType::Int32 => 3,
        _ => 4,
    }
}

/// One way to write literals and casts between texts, so that equal expressions look alike.
fn normal(expr: &Expr) -> Expr {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(s)) | ScalarValue::LargeUtf8(Some(s)) | ScalarValue::Utf8View(Some(s)),
            _,
        ) => Expr::Literal(ScalarValue::Utf8View(Some(s.clone())), None),
        Expr::Literal(value, _) => Expr::Literal(value.clone(), None),
        other => other.clone(),
    }
}

/// The value of a constant that can be added to.
fn number(value: &ScalarValue) -> Option<i128> {
    Some(match value {
        ScalarValue::Int8(Some(n)) => i128::from(*n),
        ScalarValue::Int16(Some(n)) => i128::from(*n),
        ScalarValue::Int32(Some(n)) | ScalarValue::Date32(Some(n)) => i128::from(*n),
        ScalarValue::Int64(Some(n)) => i128::from(*n),
        ScalarValue::TimestampSecond(Some(n), zone)
        | ScalarValue::TimestampMillisecond(Some(n), zone)
        | ScalarValue::TimestampMicrosecond(Some(n), zone)
        | ScalarValue::TimestampNanosecond(Some(n), zone)
            if zone.as_deref().is_none_or(|z| z == "UTC") =>
        {
            i128::from(*n)
        }
        _ => return None,
    })
}

/// A constant interval in the units of a kind; none if it is not a whole number of them.
fn interval(expr: &Expr, kind: &Kind) -> Option<i128> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let nanos = match value {
        ScalarValue::IntervalMonthDayNano(Some(i)) if i.months == 0 => {
            i128::from(i.days) * DAY_NANOS + i128::from(i.nanoseconds)
        }
        ScalarValue::IntervalDayTime(Some(i)) => {
            i128::from(i.days) * DAY_NANOS + i128::from(i.milliseconds) * 1_000_000
        }
        _ => return None,
    };
    let unit = match kind {
        Kind::Date => DAY_NANOS,
        Kind::Time(_, unit) => *unit,
        _ => return None,
    };
    (nanos % unit == 0).then_some(nanos / unit)
}

/// The zero of a kind, if there is one.
pub(crate) fn zero(kind: &Kind) -> Option<Expr> {
    constant(kind, 0)
}

/// A number as a value of a kind.
fn constant(kind: &Kind, n: i128) -> Option<Expr> {
    let long = i64::try_from(n).ok();
    let value = match kind {
        Kind::Number => ScalarValue::Int64(Some(long?)),
        Kind::Date => ScalarValue::Date32(Some(i32::try_from(n).ok()?)),
        Kind::Time(DataType::Timestamp(unit, zone), _) => match unit {
            TimeUnit::Second => ScalarValue::TimestampSecond(long, zone.clone()),
            TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(long, zone.clone()),
            TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(long, zone.clone()),
            TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(long, zone.clone()),
        },
        _ => return None,
    };
    (!value.is_null()).then_some(Expr::Literal(value, None))
}

/// An expression and so many units, as an expression; none if that cannot be written.
pub(crate) fn shifted(expr: &Expr, by: i128, env: &Env) -> Option<Expr> {
    if by == 0 {
        return Some(expr.clone());
    }
    let t = expr.get_type(&env.schema).ok()?;
    let kind = kind(&t);
    if let Expr::Literal(value, _) = expr {
        return constant(&kind, number(value)? + by);
    }
    let (op, size) = if by < 0 {
        (Operator::Minus, -by)
    } else {
        (Operator::Plus, by)
    };
    let step = match &kind {
        Kind::Number => {
            let wide = Expr::Literal(ScalarValue::Int64(Some(i64::try_from(size).ok()?)), None);
            let left = if t == DataType::Int64 {
                expr.clone()
            } else {
                cast(expr.clone(), DataType::Int64)
            };
            return Some(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(left),
                op,
                Box::new(wide),
            )));
        }
        Kind::Date => IntervalMonthDayNano::new(0, i32::try_from(size).ok()?, 0),
        Kind::Time(_, unit) => {
            let nanos = size * unit;
            let days = i32::try_from(nanos / DAY_NANOS).ok()?;
            IntervalMonthDayNano::new(0, days, i64::try_from(nanos % DAY_NANOS).ok()?)
        }
        Kind::Plain(_) | Kind::Inexact => return None,
    };
    let step = Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(step)), None);
    Some(Expr::BinaryExpr(BinaryExpr::new(
        Box::new(expr.clone()),
        op,
        Box::new(step),
    )))
}
