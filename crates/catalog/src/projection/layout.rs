//! A table's layout in Delta's words: schema, partition columns, properties, protocol.

use std::collections::BTreeMap;

use mainstay_base::hash::Hasher;
use mainstay_model::{ColumnType, Schema};
use serde_json::{Value, json};

use super::Projection;
use super::action::{Format, MetaData, Protocol};
use super::checkpoint;
use crate::error::{Error, Result};
use crate::partition::check_type;
use crate::types::check_names;

/// How long other programs are told to keep files that are gone from the table and old commits: mainstay removes them itself.
const KEEP: &str = "interval 3650 days";

/// The part of a table's metadata that may change.
#[derive(Debug)]
pub(super) struct Layout {
    name: String,
    schema: String,
    partition_columns: Vec<String>,
    configuration: BTreeMap<String, String>,
    /// What tells this layout from another.
    pub(super) hash: String,
    pub(super) has_timestamp_ntz: bool,
}

impl Layout {
    pub(super) fn of(p: &Projection) -> Result<Self> {
        check_names(&p.schema)?;
        for name in &p.slice_columns {
            let column = p.schema.column(name);
            let column = column.ok_or_else(|| Error::Columns {
                column: name.clone(),
                why: "is missing",
            })?;
            check_type(name, &column.column_type)?;
        }
        let configuration: BTreeMap<String, String> = [
            ("delta.checkpointInterval", checkpoint::EVERY.to_string()),
            ("delta.deletedFileRetentionDuration", KEEP.to_owned()),
            ("delta.logRetentionDuration", KEEP.to_owned()),
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let schema = schema_json(&p.schema).to_string();
        let mut hasher = Hasher::new("mainstay-delta-layout-1");
        hasher.field(schema.as_bytes());
        let properties = configuration.iter().flat_map(|(k, v)| [k, v]);
        for part in p.slice_columns.iter().chain(properties) {
            hasher.field(part.as_bytes());
        }
        Ok(Self {
            name: p.dataset.to_string(),
            schema,
            partition_columns: p.slice_columns.clone(),
            configuration,
            hash: hasher.finish().short(),
            has_timestamp_ntz: p.schema.0.iter().any(|c| has_timestamp_ntz(&c.column_type)),
        })
    }

    /// The metadata action. A table's id follows from what it is and when it was made, so nothing need be read to keep it.
    pub(super) fn metadata(&self, app_id: &str, created: i64) -> MetaData {
        MetaData {
            id: table_id(app_id, created),
            name: Some(self.name.clone()),
            format: Format {
                provider: "parquet".to_owned(),
                options: BTreeMap::new(),
            },
            schema_string: self.schema.clone(),
            partition_columns: self.partition_columns.clone(),
            configuration: self.configuration.clone(),
            created_time: Some(created),
        }
    }
}

/// The oldest protocol that can hold the columns, so that as many readers as possible can read them.
pub(super) fn protocol(timestamp_ntz: bool) -> Protocol {
    let features = || Some(vec!["timestampNtz".to_owned()]);
    if timestamp_ntz {
        Protocol {
            min_reader_version: 3,
            min_writer_version: 7,
            reader_features: features(),
            writer_features: features(),
        }
    } else {
        Protocol {
            min_reader_version: 1,
            min_writer_version: 2,
            reader_features: None,
            writer_features: None,
        }
    }
}

/// A UUID of version 8 (RFC 9562): its bits are a hash.
fn table_id(app_id: &str, created: i64) -> String {
    let hash = Hasher::new("mainstay-delta-table")
        .field(app_id.as_bytes())
        .field(&created.to_be_bytes())
        .finish();
    let hex = hash.to_string();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

fn schema_json(schema: &Schema) -> Value {
    struct_json(schema.0.iter().map(|c| (c.name.as_str(), &c.column_type)))
}

fn struct_json<'a>(fields: impl Iterator<Item = (&'a str, &'a ColumnType)>) -> Value {
    let field = |(name, t): (&str, &ColumnType)| json!({ "name": name, "type": type_json(t), "nullable": true, "metadata": {} });
    json!({ "type": "struct", "fields": fields.map(field).collect::<Vec<_>>() })
}

fn type_json(t: &ColumnType) -> Value {
    match t {
        ColumnType::Array(element) => {
            json!({ "type": "array", "elementType": type_json(element), "containsNull": true })
        }
        ColumnType::Map(key, value) => json!({
            "type": "map", "keyType": type_json(key), "valueType": type_json(value), "valueContainsNull": true,
        }),
        ColumnType::Struct(fields) => struct_json(fields.iter().map(|(n, t)| (n.as_str(), t))),
        plain => Value::from(plain.to_string()),
    }
}

fn has_timestamp_ntz(t: &ColumnType) -> bool {
    match t {
        ColumnType::TimestampNtz => true,
        ColumnType::Array(t) => has_timestamp_ntz(t),
        ColumnType::Map(k, v) => has_timestamp_ntz(k) || has_timestamp_ntz(v),
        ColumnType::Struct(fields) => fields.iter().any(|(_, t)| has_timestamp_ntz(t)),
        _ => false,
    }
}
