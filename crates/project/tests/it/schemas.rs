//! The JSON Schemas accept what the loader accepts, and refuse what it refuses by the form alone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use mainstay_project::{CODES, job_schema, load, schema};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::{EVERYTHING, files, seen};

mod validator;

use validator::accepts;

/// Codes of mistakes that are in the form of a value, so that a schema sees them.
const OF_FORM: [&str; 14] = [
    "MS0103", "MS0104", "MS0105", "MS0106", "MS0108", "MS0109", "MS0110", "MS0111", "MS0121", "MS0123",
    "MS0124", "MS0127", "MS0137", "MS0139",
];

static FILE_SCHEMA: LazyLock<Value> = LazyLock::new(schema);
static SETTINGS_SCHEMA: LazyLock<Value> = LazyLock::new(job_schema);

/// The schema of a file.
fn schema_of(path: &str) -> &'static Value {
    if path.ends_with(".sql") {
        &SETTINGS_SCHEMA
    } else {
        &FILE_SCHEMA
    }
}

/// The TOML of a file.
fn toml_of(path: &str, text: &str) -> String {
    if path.ends_with(".sql") {
        settings(text)
    } else {
        text.to_owned()
    }
}

/// The form of a project file as JSON, and its kind of schema.
fn form(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(json_of(&toml::Value::Table(table)))
}

/// TOML as JSON, as editors see it: dates are texts.
fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(s) => json!(s),
        toml::Value::Integer(n) => json!(n),
        toml::Value::Float(n) => json!(n),
        toml::Value::Boolean(b) => json!(b),
        toml::Value::Datetime(t) => json!(t.to_string()),
        toml::Value::Array(list) => list.iter().map(json_of).collect(),
        toml::Value::Table(table) => Value::Object(
            table
                .iter()
                .map(|(k, v)| (k.clone(), json_of(v)))
                .collect::<Map<_, _>>(),
        ),
    }
}

/// The settings of a job's file as TOML.
fn settings(text: &str) -> String {
    let inner = text
        .split("-- /// mainstay\n")
        .nth(1)
        .and_then(|t| t.split("-- ///\n").next())
        .unwrap_or_default();
    inner
        .lines()
        .map(|l| format!("{}\n", l.strip_prefix("-- ").unwrap_or_default()))
        .collect()
}

#[test]
fn a_whole_project_is_accepted() {
    for (path, text) in EVERYTHING {
        let form = form(&toml_of(path, text)).expect(path);
        accepts(schema_of(path), &form).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

#[test]
fn mistakes_of_form_are_refused() {
    for code in CODES.iter().filter(|c| OF_FORM.contains(&c.code)) {
        let refused = code.example.iter().any(|(path, text)| {
            form(&toml_of(path, text)).is_some_and(|form| accepts(schema_of(path), &form).is_err())
        });
        assert!(refused, "{} {}", code.code, code.title);
    }
}

/// TOML has no null.
#[test]
fn nothing_may_be_null() {
    for schema in [&*FILE_SCHEMA, &*SETTINGS_SCHEMA] {
        assert!(!schema.to_string().contains("\"null\",") && !schema.to_string().contains(":\"null\""));
        assert!(!schema.to_string().contains("\"null\"]"));
    }
}

/// Every field of the schema is in the project that uses all there is, so that what is tested here is all there is.
#[test]
fn the_whole_format_is_used() {
    let mut used = BTreeSet::new();
    for (path, text) in EVERYTHING {
        keys(&form(&toml_of(path, text)).expect(path), &mut used);
    }
    for schema in [&*FILE_SCHEMA, &*SETTINGS_SCHEMA] {
        let mut fields = BTreeSet::new();
        properties(schema, &mut fields);
        let unused: Vec<&String> = fields.difference(&used).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}

fn keys(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| {
            out.insert(k.clone());
            keys(v, out);
        }),
        Value::Array(list) => list.iter().for_each(|v| keys(v, out)),
        _ => {}
    }
}

fn properties(schema: &Value, out: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(fields)) = map.get("properties") {
                out.extend(fields.keys().cloned());
            }
            map.values().for_each(|v| properties(v, out));
        }
        Value::Array(list) => list.iter().for_each(|v| properties(v, out)),
        _ => {}
    }
}

/// Changes one value somewhere in a document: removes it, replaces it, renames it, adds another one.
fn mutate(value: &mut toml::Value, path: &[Index], new: &toml::Value, name: &str, how: usize) {
    let Some((here, deeper)) = path.split_first() else {
        return;
    };
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            let key = table
                .keys()
                .nth(here.index(table.len()))
                .cloned()
                .unwrap_or_default();
            let inner = table.get_mut(&key).expect("it is there");
            let deep = !deeper.is_empty() && matches!(inner, toml::Value::Table(_) | toml::Value::Array(_));
            if deep && how != 4 {
                return mutate(inner, deeper, new, name, how);
            }
            match how {
                0 => drop(table.remove(&key)),
                1 => *inner = new.clone(),
                2 => {
                    let old = table.remove(&key).expect("it is there");
                    table.insert(name.to_owned(), old);
                }
                3 => *inner = toml::Value::Array(vec![inner.clone()]),
                _ => drop(table.insert(name.to_owned(), new.clone())),
            }
        }
        toml::Value::Array(list) if !list.is_empty() => {
            let at = here.index(list.len());
            match how {
                0 => drop(list.remove(at)),
                1 | 4 => list[at] = new.clone(),
                2 => list.clear(),
                _ => mutate(&mut list[at], deeper, new, name, how),
            }
        }
        other => *other = new.clone(),
    }
}

fn values() -> impl Strategy<Value = toml::Value> {
    let texts = select(vec![
        "",
        " ",
        "day",
        "warn",
        "wran",
        "error",
        "csv",
        "2 GiB",
        "2 gib",
        "10 min",
        "10 minutes",
        "air.flights",
        "air.x.y",
        "Air.x",
        "SELECT 1",
        "long",
        ";",
        "ab",
        "refuse",
    ]);
    let literal = prop_oneof![
        texts.prop_map(|s| toml::Value::String(s.to_owned())),
        select(vec![-1i64, 0, 1, 2000, 20_000]).prop_map(toml::Value::Integer),
        Just(toml::Value::Float(1.5)),
        Just(toml::Value::Boolean(true)),
        Just(toml::Value::Array(Vec::new())),
        Just(toml::Value::Table(toml::Table::new())),
    ];
    literal.prop_recursive(3, 8, 3, |inner| {
        let names = select(NAMES.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(toml::Value::Array),
            proptest::collection::btree_map(names, inner, 1..3)
                .prop_map(|map| toml::Value::Table(map.into_iter().collect())),
        ]
    })
}

const NAMES: [&str; 36] = [
    "cron",
    "after",
    "on",
    "run",
    "rename",
    "name",
    "files",
    "format",
    "slice",
    "columns",
    "null",
    "checks",
    "tags",
    "retries",
    "count",
    "pause",
    "time_limit",
    "keep_fresh",
    "severity",
    "not_null",
    "unique",
    "accepted",
    "range",
    "row_count",
    "reference",
    "sql",
    "keys",
    "values",
    "bounds",
    "to",
    "min",
    "max",
    "dataset",
    "air.other",
    "a-b",
    "",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loader_and_schema_agree(
        file in 0usize..3,
        path in proptest::collection::vec(any::<Index>(), 1..6),
        new in values(),
        name in select(NAMES.to_vec()),
        how in 0usize..5,
    ) {
        let (path_of_file, text) = EVERYTHING[file];
        let is_job = path_of_file.ends_with(".sql");
        let text = toml_of(path_of_file, text);
        let mut document = toml::Value::Table(toml::from_str(&text).expect("it is TOML"));
        mutate(&mut document, &path, &new, name, how);
        let text = toml::to_string(&document).expect("it is TOML");
        let mut list = EVERYTHING.to_vec();
        let written = if is_job {
            let lines: String = text.lines().map(|l| format!("-- {l}\n")).collect();
            format!("-- /// mainstay\n{lines}-- ///\nSELECT 1\n")
        } else {
            text.clone()
        };
        list[file].1 = &written;
        let (_, mistakes) = load(&files(&list));
        let accepted = accepts(schema_of(path_of_file), &json_of(&document));
        let here: Vec<&str> = mistakes.iter().filter(|m| m.file == path_of_file).map(|m| m.code).collect();
        if mistakes.is_empty() {
            prop_assert_eq!(accepted, Ok(()), "the loader accepts:\n{}", written);
        } else if here.iter().any(|code| OF_FORM.contains(code)) {
            prop_assert!(accepted.is_err(), "the schema accepts:\n{}\n{}", written, seen(&list));
        }
    }
}
