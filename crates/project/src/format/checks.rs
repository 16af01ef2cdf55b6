//! How checks are written.

use std::collections::BTreeMap;

use mainstay_model::DatasetName;
use mainstay_model::spec::Severity;
use schemars::JsonSchema;

use super::{Named, REFERENCE, Tags};

/// The checks of a dataset, by name. One that is named as its rule is written short: `checks.not_null = ["day"]`, or with a
/// severity beside the rule's content: `checks.not_null = { columns = ["day"], severity = "warn" }`. Any other name has a
/// table with its rule: `checks.no_impossible = { sql = "SELECT …", severity = "warn" }`.
#[derive(Debug, JsonSchema)]
#[schemars(extend("propertyNames" = { "pattern": super::IDENTIFIER }))]
pub struct Checks {
    /// No NULL in these columns.
    pub not_null: Option<NotNullCheck>,
    /// No two rows with the same values in a key.
    pub unique: Option<UniqueCheck>,
    /// Only these values, or NULL.
    pub accepted: Option<AcceptedCheck>,
    /// Values within bounds, or NULL.
    pub range: Option<RangeCheck>,
    /// A number of rows, in each slice.
    pub row_count: Option<RowCountCheck>,
    /// Each value is one of another dataset's column, or NULL.
    pub reference: Option<ReferenceCheck>,
    /// A query that must yield no row.
    pub sql: Option<SqlCheck>,
    /// Checks with names of their own.
    #[schemars(flatten)]
    pub named: BTreeMap<String, Check>,
}

/// A check: one rule, and what a failure means.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_rule()))]
pub struct Check {
    /// No NULL in these columns: `["day", "carrier"]`.
    pub not_null: Option<Columns>,
    /// No two rows with the same values in a key: `[["day", "carrier"], "id"]` are two keys.
    pub unique: Option<Keys>,
    /// Only these values, or NULL: `{ origin = ["EWR", "JFK", "LGA"] }`.
    pub accepted: Option<Accepted>,
    /// Values within bounds, or NULL: `{ flights = { min = 1, max = 2000 } }`.
    pub range: Option<Ranges>,
    /// A number of rows, in each slice: `{ min = 1 }`.
    pub row_count: Option<RowCount>,
    /// Each value is one of another dataset's column, or NULL: `{ carrier = "air.airlines.carrier" }`.
    pub reference: Option<References>,
    /// A query that must yield no row; it sees the dataset as it would be published.
    pub sql: Option<Named>,
    /// What a failure means: `error` (nothing is published), which holds if left out, or `warn` (it is published, and said).
    pub severity: Option<Severity>,
}

/// A check that is written apart from its dataset.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_rule()))]
pub struct CheckApart {
    /// The dataset that is checked.
    pub dataset: DatasetName,
    /// No NULL in these columns: `["day", "carrier"]`.
    pub not_null: Option<Columns>,
    /// No two rows with the same values in a key: `[["day", "carrier"], "id"]` are two keys.
    pub unique: Option<Keys>,
    /// Only these values, or NULL: `{ origin = ["EWR", "JFK", "LGA"] }`.
    pub accepted: Option<Accepted>,
    /// Values within bounds, or NULL: `{ flights = { min = 1, max = 2000 } }`.
    pub range: Option<Ranges>,
    /// A number of rows, in each slice: `{ min = 1 }`.
    pub row_count: Option<RowCount>,
    /// Each value is one of another dataset's column, or NULL: `{ carrier = "air.airlines.carrier" }`.
    pub reference: Option<References>,
    /// A query that must yield no row; it sees the dataset as it would be published.
    pub sql: Option<Named>,
    /// What a failure means: `error` (nothing is published), which holds if left out, or `warn` (it is published, and said).
    pub severity: Option<Severity>,
    /// Its labels, besides those of the dataset.
    pub tags: Option<Tags>,
}

/// Exactly one of the rules.
fn one_rule() -> serde_json::Value {
    let rules = crate::read::check::RULES.map(|(rule, _)| serde_json::json!({ "required": [rule] }));
    serde_json::Value::from(rules.to_vec())
}

/// Columns, each named once.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Columns(#[schemars(length(min = 1))] pub Vec<Named>);

/// Keys.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Keys(#[schemars(length(min = 1))] pub Vec<Key>);

/// One key: a column, or columns that are unique together.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Key {
    /// One column.
    Column(Named),
    /// Columns that are unique together.
    Columns(Columns),
}

/// Values by column.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Accepted(#[schemars(extend("minProperties" = 1))] pub BTreeMap<Named, AcceptedValues>);

/// Values that are accepted.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct AcceptedValues(#[schemars(length(min = 1))] pub Vec<Literal>);

/// A value that columns are compared with; dates may also be written as TOML dates.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Literal {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// Bounds by column.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Ranges(#[schemars(extend("minProperties" = 1))] pub BTreeMap<Named, Range>);

/// The least and the greatest value, both included; at least one of them.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub struct Range {
    /// The least value.
    pub min: Option<Literal>,
    /// The greatest value.
    pub max: Option<Literal>,
}

/// The least and the greatest number of rows; at least one of them.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub struct RowCount {
    /// The least number.
    pub min: Option<u64>,
    /// The greatest number.
    pub max: Option<u64>,
}

/// Columns of other datasets, by column.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct References(#[schemars(extend("minProperties" = 1))] pub BTreeMap<Named, Reference>);

/// A column of a dataset: `air.airlines.carrier`.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Reference(#[schemars(regex(pattern = REFERENCE))] pub String);

macro_rules! short_or_long {
    ($(#[$doc:meta])* $name:ident, $short:ty, $long:ident, $field:ident) => {
        $(#[$doc])*
        #[derive(Debug, JsonSchema)]
        #[schemars(untagged)]
        pub enum $name {
            /// The content alone.
            Short($short),
            /// The content with a severity beside it.
            Long($long),
        }

        $(#[$doc])*
        #[derive(Debug, JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $long {
            /// The content of the rule.
            pub $field: $short,
            /// What a failure means; `error` if left out.
            pub severity: Option<Severity>,
        }
    };
}

short_or_long!(
    /// No NULL in these columns.
    NotNullCheck, Columns, LongNotNull, columns
);
short_or_long!(
    /// No two rows with the same values in a key.
    UniqueCheck, Keys, LongUnique, keys
);
short_or_long!(
    /// Only these values, or NULL.
    AcceptedCheck, Accepted, LongAccepted, values
);
short_or_long!(
    /// Values within bounds, or NULL.
    RangeCheck, Ranges, LongRange, bounds
);
short_or_long!(
    /// Each value is one of another dataset's column, or NULL.
    ReferenceCheck, References, LongReference, to
);
short_or_long!(
    /// A query that must yield no row.
    SqlCheck, Named, LongSql, sql
);

/// A number of rows, in each slice.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{ "required": ["min"] }, { "required": ["max"] }]))]
pub struct RowCountCheck {
    /// The least number.
    pub min: Option<u64>,
    /// The greatest number.
    pub max: Option<u64>,
    /// What a failure means; `error` if left out.
    pub severity: Option<Severity>,
}
