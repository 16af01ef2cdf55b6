//! Columns and their types, as Delta knows them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of a column, written as in Delta's schemas: `long`, `decimal(12,2)`, `array<string>`,
/// `struct<a: long, b: string>`, `map<string, long>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `byte`: 8-bit signed integer
    Byte,
    /// `short`: 16-bit signed integer
    Short,
    /// `integer`: 32-bit signed integer
    Integer,
    /// `long`: 64-bit signed integer
    Long,
    /// `float`: 32-bit floating point
    Float,
    /// `double`: 64-bit floating point
    Double,
    /// `decimal(precision,scale)`, precision at most 38
    Decimal(u8, i8),
    /// `string`: UTF-8
    String,
    /// `binary`
    Binary,
    /// `date`
    Date,
    /// `timestamp`: a moment, microseconds, UTC
    Timestamp,
    /// `timestamp_ntz`: a wall-clock time without a zone, microseconds
    TimestampNtz,
    /// `array<T>`
    Array(Box<ColumnType>),
    /// `struct<name: T, …>`
    Struct(Vec<(String, ColumnType)>),
    /// `map<K, V>`
    Map(Box<ColumnType>, Box<ColumnType>),
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = match self {
            Self::Boolean => "boolean",
            Self::Byte => "byte",
            Self::Short => "short",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampNtz => "timestamp_ntz",
            Self::Decimal(p, s) => return write!(f, "decimal({p},{s})"),
            Self::Array(t) => return write!(f, "array<{t}>"),
            Self::Map(k, v) => return write!(f, "map<{k}, {v}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, (name, t)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {t}", if i > 0 { ", " } else { "" })?;
                }
                return f.write_str(">");
            }
        };
        f.write_str(plain)
    }
}

/// What is wrong with a text that should be a column type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a column type (boolean, byte, short, integer, long, float, double, decimal(P,S), string, binary, date, timestamp, timestamp_ntz, array<T>, map<K, V>, struct<name: T>)"
)]
pub struct BadType(pub String);

impl FromStr for ColumnType {
    type Err = BadType;

    fn from_str(s: &str) -> Result<Self, BadType> {
        let bad = || BadType(s.to_owned());
        let text = s.trim();
        let inside = |prefix: &str, close: char| {
            text.strip_prefix(prefix)
                .and_then(|r| r.strip_suffix(close))
                .map(str::trim)
        };
        if let Some(args) = inside("decimal(", ')') {
            let (p, scale) = args.split_once(',').ok_or_else(bad)?;
            let (p, scale) = (
                p.trim().parse().map_err(|_| bad())?,
                scale.trim().parse().map_err(|_| bad())?,
            );
            return if (1..=38).contains(&p) && (0..=38).contains(&scale) {
                Ok(Self::Decimal(p, scale))
            } else {
                Err(bad())
            };
        }
        if let Some(inner) = inside("array<", '>') {
            return Ok(Self::Array(Box::new(inner.parse()?)));
        }
        if let Some(inner) = inside("map<", '>') {
            return match split_top(inner).as_slice() {
                [k, v] => Ok(Self::Map(Box::new(k.parse()?), Box::new(v.parse()?))),
                _ => Err(bad()),
            };
        }
        if let Some(inner) = inside("struct<", '>') {
            let field = |part: &&str| {
                let (name, t) = part.split_once(':').ok_or_else(bad)?;
                Ok((name.trim().to_owned(), t.parse()?))
            };
            return Ok(Self::Struct(
                split_top(inner)
                    .iter()
                    .map(field)
                    .collect::<Result<_, BadType>>()?,
            ));
        }
        Ok(match text.to_ascii_lowercase().as_str() {
            "boolean" | "bool" => Self::Boolean,
            "byte" | "tinyint" => Self::Byte,
            "short" | "smallint" => Self::Short,
            "integer" | "int" => Self::Integer,
            "long" | "bigint" => Self::Long,
            "float" | "real" => Self::Float,
            "double" => Self::Double,
            "string" | "text" | "varchar" => Self::String,
            "binary" => Self::Binary,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamp_ntz" => Self::TimestampNtz,
            _ => return Err(bad()),
        })
    }
}

/// Splits at the commas that are inside no bracket.
fn split_top(s: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0i32, 0usize, Vec::new());
    for (i, c) in s.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(s.get(start..i));
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.extend(s.get(start..).filter(|p| !p.trim().is_empty()));
    parts
}

impl Serialize for ColumnType {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ColumnType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["long", "string", "date", "decimal(12,2)", "array<string>"] })
    }
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Column {
    /// Its name, as SQL sees it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// The columns of a dataset, in order; every column may hold NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Schema(pub Vec<Column>);

impl Schema {
    /// Finds a column by its exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|c| c.name == name)
    }

    /// Returns the names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|c| c.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for t in [
            "long",
            "decimal(12,2)",
            "array<struct<a: long, b: map<string, decimal(3,1)>>>",
            "timestamp_ntz",
        ] {
            assert_eq!(t.parse::<ColumnType>().expect(t).to_string(), t);
        }
        for bad in ["lnog", "decimal(39,2)", "array<", "map<string>", "struct<a>"] {
            assert!(bad.parse::<ColumnType>().is_err(), "{bad}");
        }
    }
}
