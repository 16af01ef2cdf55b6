//! Values, types and columns of a case, written as CSV, JSON and SQL.
//!
//! Few distinct values, so that joins and groups hit. Numbers with fractions are multiples of a quarter: sums of them are exact
//! in every engine.

use crate::choices::Choices;

/// The types that both engines have alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Int,
    Date,
    Text,
    Decimal,
    Double,
}

impl Type {
    /// Returns its name in SQL.
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Int => "BIGINT",
            Self::Date => "DATE",
            Self::Text => "VARCHAR",
            Self::Decimal => "DECIMAL(18,2)",
            Self::Double => "DOUBLE",
        }
    }

    /// Returns its name in a project file.
    pub(crate) const fn declared(self) -> &'static str {
        match self {
            Self::Int => "long",
            Self::Date => "date",
            Self::Text => "string",
            Self::Decimal => "decimal(18,2)",
            Self::Double => "double",
        }
    }
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) t: Type,
    /// Whether sums of it are the same in any order (an average's are not).
    pub(crate) exact: bool,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, t: Type) -> Self {
        Self {
            name: name.into(),
            t,
            exact: true,
        }
    }
}

/// A value; fractions are counted in quarters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    /// Days after the first of [`DAYS`].
    Day(usize),
    Text(&'static str),
    Quarters(i64, Type),
}

/// The days that occur: over the end of a month, with a gap.
pub(crate) const DAYS: [&str; 8] = [
    "2024-01-29",
    "2024-01-30",
    "2024-01-31",
    "2024-02-01",
    "2024-02-02",
    "2024-02-04",
    "2024-02-05",
    "2024-03-01",
];

const TEXTS: [&str; 5] = ["a", "b", "B c", "d,\"e\"", "é"];

impl Value {
    /// Chooses a value for a column.
    pub(crate) fn choose(c: &mut Choices, column: &Column) -> Self {
        let nulls = if column.t == Type::Date { 12 } else { 8 };
        if c.chance(1, nulls) {
            return Self::Null;
        }
        match column.t {
            Type::Int if column.name == "k" => Self::Int(c.below(3) as i64),
            Type::Int => Self::Int([0, 1, 2, 3, 4, 5, 6, -1, -2][c.below(9)]),
            Type::Date => Self::Day(c.below(DAYS.len())),
            Type::Text => Self::Text(TEXTS[c.below(TEXTS.len())]),
            t => Self::Quarters(
                [0, 4, 8, 2, 1, 3, 5, 6, 7, 9, 10, 12, 15, -1, -2, -4][c.below(16)],
                t,
            ),
        }
    }

    fn plain(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Int(n) => n.to_string(),
            Self::Day(d) => DAYS[*d].to_owned(),
            Self::Text(t) => (*t).to_owned(),
            Self::Quarters(n, _) => {
                let sign = if *n < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", n.abs() / 4, n.abs() % 4 * 25)
            }
        })
    }

    /// Writes it as a field of a CSV file.
    pub(crate) fn csv(&self) -> String {
        let text = self.plain().unwrap_or_default();
        if text.contains([',', '"']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    }

    /// Writes it as JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Int(_) | Self::Quarters(..) => self.plain().unwrap_or_default(),
            Self::Day(_) | Self::Text(_) => {
                let text = self.plain().unwrap_or_default();
                format!("\"{}\"", text.replace('"', "\\\""))
            }
        }
    }

    /// Writes it as SQL.
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Int(n) => n.to_string(),
            Self::Quarters(_, t) => format!("CAST('{}' AS {})", self.plain().unwrap_or_default(), t.sql()),
            Self::Day(d) => format!("DATE '{}'", DAYS[*d]),
            Self::Text(t) => format!("'{t}'"),
        }
    }
}
