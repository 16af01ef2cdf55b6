//! Names of datasets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The account whose resources these are when a project does not say.
pub const DEFAULT_ACCOUNT: &str = "main";

/// The name of a dataset within its account: `schema.dataset`, in lower-case letters, digits and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetName {
    schema: String,
    table: String,
}

impl DatasetName {
    /// Returns the part before the point.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the part after the point.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// What is wrong with a text that should name a dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a dataset name like air.flights (lower-case letters, digits and underscores, one point)"
)]
pub struct BadName(pub String);

/// Says whether a text is a plain identifier: a lower-case letter or underscore, then letters, digits and underscores.
pub fn is_identifier(s: &str) -> bool {
    let mut chars = s.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && s.len() <= 100
}

impl FromStr for DatasetName {
    type Err = BadName;

    fn from_str(s: &str) -> Result<Self, BadName> {
        match s.split_once('.') {
            Some((schema, table)) if is_identifier(schema) && is_identifier(table) => Ok(Self {
                schema: schema.to_owned(),
                table: table.to_owned(),
            }),
            _ => Err(BadName(s.to_owned())),
        }
    }
}

impl Serialize for DatasetName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatasetName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for DatasetName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DatasetName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z_][a-z0-9_]*\\.[a-z_][a-z0-9_]*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            "air.flights".parse::<DatasetName>().expect("a name").to_string(),
            "air.flights"
        );
        for bad in ["flights", "a.b.c", "Air.flights", "air.", "air.2x", "air.a-b", ""] {
            assert!(bad.parse::<DatasetName>().is_err(), "{bad}");
        }
    }
}
