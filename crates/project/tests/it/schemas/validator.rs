//! A JSON Schema validator for the words that our schemas use; a word that it does not know is an error, so that nothing is
//! passed over.

use mainstay_model::DatasetName;
use mainstay_model::hook::SecretPlace;
use mainstay_model::name::is_identifier;
use mainstay_project::amount::{duration_ms, size_bytes};
use serde_json::Value;

/// Says why a value is not of a schema.
pub(super) fn accepts(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, schema, value, "")
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return if schema == &Value::Bool(true) {
            Ok(())
        } else {
            Err(format!("{at}: nothing is allowed"))
        };
    };
    let fail = |what: String| Err(format!("{at}: {what}"));
    let number = |v: &Value| v.as_f64().expect("a number");
    for (word, says) in words {
        match (word.as_str(), value) {
            ("$ref", _) => {
                let name = says
                    .as_str()
                    .and_then(|s| s.strip_prefix("#/$defs/"))
                    .expect("a definition");
                check(root, &root["$defs"][name], value, at)?;
            }
            ("type", _) => {
                let types = says.as_array().cloned().unwrap_or_else(|| vec![says.clone()]);
                if !types.iter().any(|t| is_type(t.as_str().expect("a type"), value)) {
                    return fail(format!("{value} is not of type {says}"));
                }
            }
            ("anyOf" | "oneOf", _) => {
                let all = says.as_array().expect("schemas");
                let good = all.iter().filter(|s| check(root, s, value, at).is_ok()).count();
                if good == 0 || (word == "oneOf" && good > 1) {
                    return fail(format!("{value} is of {good} of {says}"));
                }
            }
            ("enum", _) if !says.as_array().expect("values").contains(value) => {
                return fail(format!("{value} is not one of {says}"));
            }
            ("const", _) if says != value => return fail(format!("{value} is not {says}")),
            ("required", Value::Object(map)) => {
                for name in says.as_array().expect("names") {
                    if !map.contains_key(name.as_str().expect("a name")) {
                        return fail(format!("{name} is missing"));
                    }
                }
            }
            ("properties", Value::Object(map)) => {
                for (name, inner) in says.as_object().expect("properties") {
                    if let Some(value) = map.get(name) {
                        check(root, inner, value, &format!("{at}/{name}"))?;
                    }
                }
            }
            ("additionalProperties", Value::Object(map)) => {
                let matched = |name: &str| {
                    words.get("properties").is_some_and(|p| p.get(name).is_some())
                        || (words.get("patternProperties").and_then(Value::as_object))
                            .is_some_and(|p| p.keys().any(|p| matches(p, name)))
                };
                for (name, value) in map.iter().filter(|(name, _)| !matched(name)) {
                    check(root, says, value, &format!("{at}/{name}"))?;
                }
            }
            ("patternProperties", Value::Object(map)) => {
                for (pattern, inner) in says.as_object().expect("patterns") {
                    for (name, value) in map.iter().filter(|(name, _)| matches(pattern, name)) {
                        check(root, inner, value, &format!("{at}/{name}"))?;
                    }
                }
            }
            ("propertyNames", Value::Object(map)) => {
                for name in map.keys() {
                    check(root, says, &Value::from(name.as_str()), at)?;
                }
            }
            ("items", Value::Array(list)) => {
                for (i, value) in list.iter().enumerate() {
                    check(root, says, value, &format!("{at}/{i}"))?;
                }
            }
            ("minItems", Value::Array(list)) if (list.len() as f64) < number(says) => {
                return fail("too few items".to_owned());
            }
            ("minProperties", Value::Object(map)) if (map.len() as f64) < number(says) => {
                return fail("too few fields".to_owned());
            }
            ("minimum", Value::Number(n)) if n.as_f64().is_some_and(|n| n < number(says)) => {
                return fail(format!("{n} is too small"));
            }
            ("maximum", Value::Number(n)) if n.as_f64().is_some_and(|n| n > number(says)) => {
                return fail(format!("{n} is too large"));
            }
            ("pattern", Value::String(s)) if !matches(says.as_str().expect("a pattern"), s) => {
                return fail(format!("{s:?} does not match {says}"));
            }
            ("$schema" | "$defs" | "title" | "description" | "examples" | "format" | "default", _) => {}
            (
                "enum"
                | "const"
                | "required"
                | "properties"
                | "additionalProperties"
                | "patternProperties"
                | "propertyNames"
                | "items"
                | "minItems"
                | "minProperties"
                | "minimum"
                | "maximum"
                | "pattern",
                _,
            ) => {}
            (other, _) => panic!("the schema has the word {other}"),
        }
    }
    Ok(())
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}"),
    }
}

/// Matches by hand what the patterns say. A pattern that is not here fails the test: it has to be told here what it means.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^[a-z_][a-z0-9_]*\\.[a-z_][a-z0-9_]*$" => text.parse::<DatasetName>().is_ok(),
        "^[a-z_][a-z0-9_]{0,99}$" => is_identifier(text),
        "^[a-z_][a-z0-9_-]{0,99}$" => !text.starts_with('-') && is_identifier(&text.replace('-', "_")),
        r"^[^ ,;{}()\n\t=]+$" => {
            !text.is_empty() && !text.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='])
        }
        r"\S" => !text.trim().is_empty(),
        "^[\\t -!#-~]$" => {
            text.len() == 1 && text != "\"" && (text == "\t" || !text.contains(char::is_control))
        }
        r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|min|h|day|days)\s*$" => duration_ms(text).is_ok(),
        r"^\s*[0-9]+(\.[0-9]+)?\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$" => size_bytes(text).is_ok(),
        r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*\..*\S.*$" => {
            let mut parts = text.splitn(3, '.');
            parts.by_ref().take(2).all(is_identifier) && parts.next().is_some_and(|c| !c.trim().is_empty())
        }
        "^(env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:[A-Za-z_][A-Za-z0-9_-]{0,99})$" => {
            text.parse::<SecretPlace>().is_ok()
        }
        r"^https?://[^/\s]\S*$" => {
            let rest = text
                .strip_prefix("https://")
                .or_else(|| text.strip_prefix("http://"));
            rest.is_some_and(|r| !r.is_empty() && !r.starts_with('/') && !r.contains(char::is_whitespace))
        }
        other => panic!("the schema has the pattern {other}"),
    }
}
