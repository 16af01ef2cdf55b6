//! Changes of resources: what a plan shows and an apply does.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::{Resource, ResourceKey};

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It was not there.
    Create,
    /// It is there and says something else.
    Change,
    /// It is there and no longer wanted.
    Remove,
}

/// One field that changes; a JSON path from the resource, for example `spec.sql`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The path.
    pub field: String,
    /// The value before; null if there was none.
    #[serde(default)]
    pub from: Value,
    /// The value after; null if there is none.
    #[serde(default)]
    pub to: Value,
}

/// The change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which resource.
    pub resource: ResourceKey,
    /// What happens to it.
    pub action: Action,
    /// The generation that it has afterwards (for a removal, the one that ends).
    pub generation: u64,
    /// Field by field, for a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// The resource as it will be; none for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Resource>,
}
