//! What changes between the declared resources and the desired ones.

use std::collections::BTreeMap;

use mainstay_model::change::{Action, Change, FieldChange};
use mainstay_model::resource::{Resource, ResourceKey, Spec};
use serde_json::Value;

use crate::state::Line;

/// Returns the changes that make a side's resources the desired ones, by key. A resource that means the same (a query with
/// another layout or other comments) does not change.
pub fn diff(line: &Line, desired: &[Resource]) -> Vec<Change> {
    let wanted: BTreeMap<ResourceKey, &Resource> = desired.iter().map(|r| (r.key(), r)).collect();
    let mut changes: Vec<Change> = Vec::new();
    for (key, resource) in &wanted {
        changes.extend(change_of(line, key, Some(resource)));
    }
    for (key, _, _) in line.declared() {
        if !wanted.contains_key(key) {
            changes.extend(change_of(line, key, None));
        }
    }
    changes.sort_by(|a, b| a.resource.cmp(&b.resource));
    changes
}

/// Returns the change that makes one resource what it should be; none if it is.
pub(crate) fn change_of(line: &Line, key: &ResourceKey, wanted: Option<&Resource>) -> Option<Change> {
    let held = line.resources.get(key);
    let number = held.and_then(|h| h.newest()).map_or(0, |g| g.number);
    let now = held.and_then(|h| h.resource());
    let (action, generation) = match (now, wanted) {
        (None, None) => return None,
        (Some(now), Some(wanted)) if same(now, wanted) => return None,
        (None, Some(_)) => (Action::Create, number + 1),
        (Some(_), Some(_)) => (Action::Change, number + 1),
        (Some(_), None) => (Action::Remove, number),
    };
    let fields = match (now, wanted) {
        (Some(now), Some(wanted)) => field_changes(now, wanted),
        _ => Vec::new(),
    };
    Some(Change {
        resource: key.clone(),
        action,
        generation,
        fields,
        after: wanted.cloned(),
    })
}

/// Says whether two declarations mean the same.
fn same(a: &Resource, b: &Resource) -> bool {
    match (&a.spec, &b.spec) {
        (Spec::Job(x), Spec::Job(y)) if x.compiled == y.compiled => {
            let mut x = x.clone();
            x.sql.clone_from(&y.sql);
            a.name == b.name && a.tags == b.tags && x == *y
        }
        _ => a == b,
    }
}

/// Returns the fields that differ between two resources, by path.
pub fn field_changes(before: &Resource, after: &Resource) -> Vec<FieldChange> {
    let (Ok(a), Ok(b)) = (serde_json::to_value(before), serde_json::to_value(after)) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    compare("", &a, &b, &mut out);
    // What planning found out follows from the rest; people see the cause, not its consequences.
    let caused: Vec<FieldChange> = out
        .iter()
        .filter(|f| !f.field.starts_with("spec.compiled"))
        .cloned()
        .collect();
    let sql_means_the_same = !out.iter().any(|f| f.field == "spec.compiled.code");
    let mut shown: Vec<FieldChange> = caused
        .into_iter()
        .filter(|f| f.field != "spec.sql" || !sql_means_the_same)
        .collect();
    if shown.is_empty() {
        shown = out;
    }
    shown
}

fn compare(path: &str, a: &Value, b: &Value, out: &mut Vec<FieldChange>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys: std::collections::BTreeSet<&String> = x.keys().chain(y.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(
                    &inner,
                    x.get(key).unwrap_or(&Value::Null),
                    y.get(key).unwrap_or(&Value::Null),
                    out,
                );
            }
        }
        _ if a == b => {}
        _ => out.push(FieldChange {
            field: path.to_owned(),
            from: a.clone(),
            to: b.clone(),
        }),
    }
}
