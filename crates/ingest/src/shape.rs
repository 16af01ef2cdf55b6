//! What JSON values look like: the types that they allow, joined value by value.
//!
//! Owns the rules of inference for NDJSON: whole numbers are `long`, whole and broken ones together `double`, scalars of
//! different kinds texts, objects structs and lists arrays. A scalar where there was an object or list is a clash.

use std::fmt;

use mainstay_model::ColumnType;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What the values of a column have looked like so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Only NULLs.
    Nothing,
    Boolean,
    Long,
    Double,
    String,
    Array(Box<Shape>),
    /// The fields in the order in which they were first seen.
    Object(Vec<(String, Shape)>),
    /// Two kinds that have no type in common: what was there before, and what came.
    Clash(&'static str, &'static str),
}

impl Shape {
    /// Joins what was seen with what comes next.
    pub(crate) fn or(self, next: Self) -> Self {
        match (self, next) {
            (a, b) if a == b => a,
            (clash @ Self::Clash(_, _), _) | (_, clash @ Self::Clash(_, _)) => clash,
            (Self::Nothing, x) | (x, Self::Nothing) => x,
            (Self::Long, Self::Double) | (Self::Double, Self::Long) => Self::Double,
            (Self::Array(a), Self::Array(b)) => Self::Array(Box::new(a.or(*b))),
            (Self::Object(mut fields), Self::Object(next)) => {
                for (i, (name, shape)) in next.into_iter().enumerate() {
                    // Objects mostly have their fields in one order: look there first.
                    let at = match fields.get(i) {
                        Some((n, _)) if *n == name => Some(i),
                        _ => fields.iter().position(|(n, _)| *n == name),
                    };
                    match at.and_then(|i| fields.get_mut(i)) {
                        Some((_, before)) => *before = std::mem::replace(before, Self::Nothing).or(shape),
                        None => fields.push((name, shape)),
                    }
                }
                Self::Object(fields)
            }
            (a, b) if a.is_scalar() && b.is_scalar() => Self::String,
            (a, b) => Self::Clash(a.noun(), b.noun()),
        }
    }

    fn is_scalar(&self) -> bool {
        matches!(self, Self::Boolean | Self::Long | Self::Double | Self::String)
    }

    /// Names the kind of value.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Nothing => "null",
            Self::Boolean => "a boolean",
            Self::Long | Self::Double => "a number",
            Self::String => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
            Self::Clash(_, now) => now,
        }
    }

    /// Finds a clash: where, what was there before, and what came.
    pub(crate) fn clash(&self) -> Option<(String, &'static str, &'static str)> {
        match self {
            Self::Clash(before, now) => Some((String::new(), before, now)),
            Self::Array(item) => item.clash(),
            Self::Object(fields) => fields.iter().find_map(|(name, shape)| {
                let (path, before, now) = shape.clash()?;
                Some((
                    if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{name}.{path}")
                    },
                    before,
                    now,
                ))
            }),
            _ => None,
        }
    }

    /// Returns the type of a column that looked like this; an object that is always empty is a map.
    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Self::Nothing | Self::String | Self::Clash(_, _) => ColumnType::String,
            Self::Boolean => ColumnType::Boolean,
            Self::Long => ColumnType::Long,
            Self::Double => ColumnType::Double,
            Self::Array(item) => ColumnType::Array(Box::new(item.column_type())),
            Self::Object(fields) if fields.is_empty() => {
                ColumnType::Map(Box::new(ColumnType::String), Box::new(ColumnType::String))
            }
            Self::Object(fields) => ColumnType::Struct(
                fields
                    .into_iter()
                    .map(|(name, shape)| (name, shape.column_type()))
                    .collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Boolean)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Long)
    }

    fn visit_u64<E>(self, v: u64) -> Result<Shape, E> {
        Ok(if i64::try_from(v).is_ok() {
            Shape::Long
        } else {
            Shape::String
        })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Double)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::String)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut item = Shape::Nothing;
        while let Some(next) = seq.next_element::<Shape>()? {
            item = item.or(next);
        }
        Ok(Shape::Array(Box::new(item)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut fields: Vec<(String, Shape)> = Vec::new();
        while let Some((name, shape)) = map.next_entry::<String, Shape>()? {
            match fields.iter_mut().find(|(n, _)| *n == name) {
                Some((_, before)) => *before = shape,
                None => fields.push((name, shape)),
            }
        }
        Ok(Shape::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(lines: &[&str]) -> Shape {
        let of = |l: &&str| serde_json::from_str::<Shape>(l).expect("JSON");
        lines.iter().map(of).fold(Shape::Nothing, Shape::or)
    }

    #[test]
    fn values_join_to_types() {
        for (lines, expected) in [
            (&["1", "2"][..], "long"),
            (&["1", "2.5"], "double"),
            (&["1", "\"x\"", "true"], "string"),
            (&["null"], "string"),
            (&["18446744073709551615"], "string"),
            (&["[1]", "[]", "[2.5]"], "array<double>"),
            (
                &["{\"b\": 1}", "{\"a\": [true], \"b\": null}"],
                "struct<b: long, a: array<boolean>>",
            ),
            (&["{}"], "map<string, string>"),
        ] {
            assert_eq!(shape(lines).column_type().to_string(), expected, "{lines:?}");
        }
        assert_eq!(
            shape(&["{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": [1]}}"]).clash(),
            Some(("a.b".into(), "a number", "a list"))
        );
    }
}
