//! The reference of project files, from their JSON Schema: one table for each kind of thing in them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::failure::{Context as _, Outcome};
use crate::markdown;

pub(super) fn page(title: &str, schema: &str) -> Outcome<String> {
    let schema: Value = serde_json::from_str(schema).context("mainstay schema")?;
    let mut text = format!("<!-- Written by `cargo xtask gen`. -->\n\n# {title}\n");
    section(&schema, None, &mut text);
    for (name, definition) in fields(&schema["$defs"]) {
        section(definition, Some(name), &mut text);
    }
    Ok(text)
}

fn section(schema: &Value, name: Option<&str>, text: &mut String) {
    if let Some(name) = name {
        text.push_str(&format!("\n## {name}\n"));
    }
    if let Some(about) = schema["description"].as_str() {
        text.push_str(&format!("\n{about}\n"));
    }
    let variants = ["enum", "oneOf", "anyOf"]
        .iter()
        .find_map(|k| schema[k].as_array());
    let properties = fields(&schema["properties"]);
    if !properties.is_empty() {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        text.push_str("\n| field | is | default | |\n|---|---|---|---|\n");
        for (field, value) in properties {
            let default = match value.get("default") {
                Some(default) => format!("`{default}`"),
                None if required.contains(&field) => "required".to_owned(),
                None => String::new(),
            };
            let about = value["description"].as_str().unwrap_or_default();
            text.push_str(&markdown::row([
                &format!("`{field}`"),
                &kind(value),
                &default,
                about,
            ]));
            text.push('\n');
        }
    } else if let Some(variants) = variants {
        text.push('\n');
        for variant in variants {
            let about = variant["description"].as_str().map_or_else(String::new, |a| {
                format!(": {}", a.split_whitespace().collect::<Vec<_>>().join(" "))
            });
            text.push_str(&format!("- {}{about}\n", kind(variant)));
        }
    } else if name.is_some() {
        text.push_str(&format!("\nWritten as {}.\n", kind(schema)));
    }
}

/// The fields of an object by name: the page is the same in whichever order the schema has them.
fn fields(object: &Value) -> BTreeMap<&str, &Value> {
    let fields = object.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.as_str(), value)).collect()
}

/// What a value is, in words, with a link where it has a section of its own.
fn kind(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", markdown::anchor(name));
    }
    if let Some(constant) = value.get("const") {
        return format!("`{constant}`");
    }
    if let Some(text) = value.as_str() {
        return format!("`\"{text}\"`");
    }
    for key in ["enum", "anyOf", "oneOf"] {
        if let Some(list) = value[key].as_array() {
            let kinds: Vec<String> = list.iter().map(kind).filter(|k| k != "nothing").collect();
            return kinds.join(" or ");
        }
    }
    if let Some(types) = value["type"].as_array() {
        let named = types.iter().filter_map(Value::as_str).filter(|t| *t != "null");
        return named.map(|t| of_type(t, value)).collect::<Vec<_>>().join(" or ");
    }
    value["type"]
        .as_str()
        .map_or_else(|| "anything".to_owned(), |t| of_type(t, value))
}

fn of_type(name: &str, value: &Value) -> String {
    match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "number" => "number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "null" => "nothing".to_owned(),
        "array" => format!(
            "list of {}",
            value.get("items").map_or_else(|| "anything".to_owned(), kind)
        ),
        _ => match value.get("additionalProperties").filter(|a| a.is_object()) {
            Some(values) => format!("table of {}", kind(values)),
            None => "table".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_rows_and_definitions_sections() {
        let schema = r##"{
            "description": "A project.",
            "properties": {
                "project": {"$ref": "#/$defs/Project", "description": "Its name\nand more."},
                "source": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Source"}},
                "keep": {"type": ["integer", "null"], "default": 3},
                "columns": {"type": "array", "items": {"type": "string"}}
            },
            "required": ["project"],
            "$defs": {
                "Policy": {"oneOf": [{"const": "refuse", "description": "Says no."}, {"const": "add"}]},
                "Project": {"type": "object", "properties": {"slice": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
            }
        }"##;
        let expected = "\
<!-- Written by `cargo xtask gen`. -->

# Project files

A project.

| field | is | default | |
|---|---|---|---|
| `columns` | list of text | | |
| `keep` | whole number | `3` | |
| `project` | [Project](#project) | required | Its name and more. |
| `source` | table of [Source](#source) | | |

## Policy

- `\"refuse\"`: Says no.
- `\"add\"`

## Project

| field | is | default | |
|---|---|---|---|
| `slice` | text | | |
";
        assert_eq!(page("Project files", schema).unwrap(), expected);
    }
}
