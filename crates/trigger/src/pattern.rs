//! Patterns over what happened, in the language of Amazon EventBridge.
//!
//! A pattern is an object of the same shape as what it matches: each field names a list, and one of its entries has to fit the
//! value, or one of the values if there are several; fields that it does not name do not matter. An entry is a plain value, or
//! one of `prefix`, `suffix`, `equals-ignore-case`, `wildcard`, `anything-but`, `numeric`, `exists`, `cidr`; `$or` is a list of
//! patterns of which one has to fit. (Amazon EventBridge User Guide, "Comparison operators for use in event patterns".)
//!
//! Values in a list of objects fit together only if one object has them all.

mod entry;

use serde_json::{Map, Value};

use entry::Entry;

/// What is wrong with a pattern: where, as a path of fields, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if .path.is_empty() { String::new() } else { format!("`{}`: ", .path) })]
pub struct BadPattern {
    /// The fields that lead there, with points between them.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Fields);

#[derive(Clone, Debug, PartialEq)]
struct Fields {
    named: Vec<(String, Wanted)>,
    /// Of each of these lists, one has to fit.
    either: Vec<Vec<Fields>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    Fields(Fields),
    Any(Vec<Entry>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn new(pattern: &Value) -> Result<Self, BadPattern> {
        let Value::Object(map) = pattern else {
            return Err(bad("", "a pattern is an object of fields"));
        };
        fields("", map).map(Self)
    }

    /// Says whether something that happened is like it.
    pub fn matches(&self, event: &Value) -> bool {
        event.as_object().is_some_and(|event| self.0.matches(event))
    }
}

fn bad(path: &str, message: impl Into<String>) -> BadPattern {
    BadPattern {
        path: path.to_owned(),
        message: message.into(),
    }
}

fn fields(path: &str, map: &Map<String, Value>) -> Result<Fields, BadPattern> {
    if map.is_empty() {
        return Err(bad(path, "there is no field in it"));
    }
    let mut all = Fields {
        named: Vec::new(),
        either: Vec::new(),
    };
    for (name, wanted) in map {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match wanted {
            Value::Array(list) if name == "$or" => {
                if list.len() < 2 {
                    return Err(bad(&path, "`$or` is a list of two patterns or more"));
                }
                let each = list.iter().map(|one| match one {
                    Value::Object(map) => fields(&path, map),
                    _ => Err(bad(&path, "`$or` is a list of patterns")),
                });
                all.either.push(each.collect::<Result<_, _>>()?);
            }
            Value::Array(list) => {
                if list.is_empty() {
                    return Err(bad(&path, "an empty list fits nothing"));
                }
                let entries = list.iter().map(|e| Entry::new(e).map_err(|m| bad(&path, m)));
                all.named
                    .push((name.clone(), Wanted::Any(entries.collect::<Result<_, _>>()?)));
            }
            Value::Object(map) => all
                .named
                .push((name.clone(), Wanted::Fields(fields(&path, map)?))),
            _ => {
                return Err(bad(
                    &path,
                    "what may stand there is a list, like [\"run.finished\"]",
                ));
            }
        }
    }
    Ok(all)
}

impl Fields {
    fn matches(&self, event: &Map<String, Value>) -> bool {
        self.named
            .iter()
            .all(|(name, wanted)| wanted.fits(event.get(name)))
            && self
                .either
                .iter()
                .all(|list| list.iter().any(|f| f.matches(event)))
    }

    /// Whether no object of a list has a field that must not be there.
    fn lack(&self, list: &[Value]) -> bool {
        let mut unwanted = self.named.iter().filter(|(_, wanted)| wanted.is_absence());
        unwanted.all(|(name, wanted)| list.iter().all(|one| wanted.fits(one.get(name))))
    }

    /// Whether it fits where there is nothing at all.
    fn matches_nothing(&self) -> bool {
        self.named.iter().all(|(_, wanted)| wanted.fits(None))
            && self
                .either
                .iter()
                .all(|list| list.iter().any(Self::matches_nothing))
    }
}

impl Wanted {
    fn is_absence(&self) -> bool {
        matches!(self, Self::Any(entries) if entries.iter().all(|e| *e == Entry::Exists(false)))
    }

    fn fits(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Fields(fields), Some(Value::Object(event))) => fields.matches(event),
            (Self::Fields(fields), Some(Value::Array(list))) => {
                list.iter().any(|one| self.fits(Some(one))) && fields.lack(list)
            }
            (Self::Fields(fields), _) => fields.matches_nothing(),
            (Self::Any(entries), value) => entries.iter().any(|e| e.fits(value)),
        }
    }
}

#[cfg(test)]
mod tests;
