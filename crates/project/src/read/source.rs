//! A `[source."schema.dataset"]` table.

use std::collections::BTreeMap;

use mainstay_model::schema::{Column, ColumnType, Schema};
use mainstay_model::spec::{Format, OnRedelivery, OnSchemaChange, SourceSpec};

use super::check::WrittenCheck;
use super::{Entry, Reader, Subject};
use crate::code;
use crate::declared::DeclaredSource;
use crate::document::Value;
use crate::place::Place;
use mainstay_base::text::nearest;

/// The fields of a source.
pub(crate) const FIELDS: [&str; 15] = [
    "files",
    "format",
    "slice",
    "columns",
    "on_schema_change",
    "on_redelivery",
    "approve",
    "retain",
    "keep_fresh",
    "rename",
    "null",
    "delimiter",
    "description",
    "tags",
    "checks",
];

const FORMATS: [(&str, Format); 3] = [
    ("parquet", Format::Parquet),
    ("csv", Format::Csv),
    ("ndjson", Format::Ndjson),
];

const COLUMN_TYPES: [&str; 12] = [
    "boolean",
    "byte",
    "short",
    "integer",
    "long",
    "float",
    "double",
    "string",
    "binary",
    "date",
    "timestamp",
    "timestamp_ntz",
];

impl Reader<'_> {
    /// Reads a source, its own tags only. `None` if the dataset or its files cannot be told.
    pub(crate) fn source(&mut self, entry: &Entry<'_>) -> (Option<DeclaredSource>, Vec<WrittenCheck>) {
        let dataset = self.dataset_name(entry.name, entry.key.clone());
        let Some(fields) = self.table(entry.name, "a source", entry.value, &FIELDS) else {
            return (None, Vec::new());
        };
        let files = match fields.get("files") {
            Some(value) => self.word("files", value).map(|text| (value.span(), text)),
            None => {
                self.missing(
                    "a source",
                    "files",
                    entry.key.clone(),
                    "files = \"data/…/*.parquet\"",
                );
                None
            }
        };
        let format = match (fields.get("format"), &files) {
            (Some(value), _) => self.choice("format", value, &FORMATS),
            (None, Some((span, files))) => {
                let format = format_of(&files.value);
                if format.is_none() {
                    let help = "add format = \"parquet\", \"csv\" or \"ndjson\"; names that end in .parquet, .csv or \
                                .ndjson (then .gz or .zst) say it by themselves";
                    let message = format!("the format of `{}` cannot be told from the names", files.value);
                    let label = "no ending that says the format";
                    self.report(
                        code::NO_FORMAT,
                        span.clone(),
                        message,
                        label,
                        Some(help.to_owned()),
                    );
                }
                format
            }
            (None, None) => None,
        };
        let (columns, places) = fields.get("columns").map(|v| self.schema(v)).unwrap_or_default();
        let (slice, slices) = self.slice_expressions(fields.get("slice"));
        if let (Some(schema), Some(value)) = (&columns, fields.get("slice")) {
            for column in slices
                .iter()
                .filter(|s| s.expression.is_none())
                .map(|s| &s.column.value)
            {
                if schema.column(column).is_none() {
                    let help = match nearest(column, schema.names()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => {
                            format!("declare it in `columns`, or write {{ {column} = \"an expression\" }}")
                        }
                    };
                    let message = format!("the slice column `{column}` is not one of the declared columns");
                    let label = "not in `columns`";
                    self.report(code::SLICE_UNDECLARED, value.span(), message, label, Some(help));
                }
            }
        }
        let null = fields.get("null").map(|v| self.nulls(v)).unwrap_or_default();
        let rename = fields.get("rename").map(|v| self.renamed(v)).unwrap_or_default();
        let delimiter = fields.get("delimiter").and_then(|v| self.delimiter(v));
        for name in ["null", "delimiter"] {
            if let (Some(field), Some(Format::Parquet | Format::Ndjson)) = (fields.entry(name), format) {
                let message = format!("`{name}` is for CSV files only");
                let help = Some("leave it out".to_owned());
                self.report(
                    code::CSV_ONLY,
                    field.key.clone(),
                    message,
                    "these files are not CSV",
                    help,
                );
            }
        }
        let policies = [
            ("refuse", OnSchemaChange::Refuse),
            ("add", OnSchemaChange::Add),
            ("cast", OnSchemaChange::Cast),
        ];
        let on_schema_change = fields.get("on_schema_change");
        let on_schema_change = on_schema_change.and_then(|v| self.choice("on_schema_change", v, &policies));
        let answers = [("apply", OnRedelivery::Apply), ("ask", OnRedelivery::Ask)];
        let on_redelivery = fields.get("on_redelivery");
        let on_redelivery = on_redelivery.and_then(|v| self.choice("on_redelivery", v, &answers));
        let retain = fields.get("retain").and_then(|v| self.retain(v));
        let keep_fresh_ms = fields.get("keep_fresh").and_then(|v| self.keep_fresh(v));
        let approve = fields
            .get("approve")
            .and_then(|v| self.integer("approve", v, 0, 10));
        let description = self.description(fields.get("description"));
        let tags = self.tags(fields.get("tags"));
        let checks = self.checks(fields.get("checks"));
        let source = || {
            let (_, files) = files?;
            let spec = SourceSpec {
                description,
                files: files.value,
                format: format?,
                null,
                delimiter,
                rename,
                columns,
                slice,
                on_schema_change: on_schema_change.unwrap_or_default(),
                approve: approve.and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
                retain,
                on_redelivery: on_redelivery.unwrap_or_default(),
            };
            Some(DeclaredSource {
                dataset: dataset?,
                tags,
                spec,
                files: files.place,
                slice: slices,
                columns: places,
                keep_fresh_ms,
            })
        };
        (source(), checks)
    }

    /// Reads columns with their types, in the order of writing.
    fn schema(&mut self, value: &Value<'_>) -> (Option<Schema>, Vec<Place>) {
        let Some(fields) = self.open("columns", value) else {
            return Default::default();
        };
        if fields.0.is_empty() {
            let help = Some("leave it out: columns are then taken from the first delivery".to_owned());
            self.report(
                code::EMPTY,
                value.span(),
                "`columns` is empty",
                "nothing is named here",
                help,
            );
            return Default::default();
        }
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        for entry in fields.0 {
            let place = self.place(entry.key.clone());
            if entry.name.trim().is_empty() {
                let message = "a column has no name";
                self.report(code::EMPTY, entry.key, message, "nothing is named here", None);
                continue;
            }
            names.push((
                entry.key.clone(),
                crate::Spanned {
                    value: entry.name.to_owned(),
                    place,
                },
            ));
            // A column whose type is wrong still counts as declared.
            let column_type = self
                .column_type(entry.name, entry.value)
                .unwrap_or(ColumnType::String);
            columns.push(Column {
                name: entry.name.to_owned(),
                column_type,
            });
        }
        let places = names.iter().map(|(_, name)| name.place.clone()).collect();
        self.once("columns", names);
        (Some(Schema(columns)), places)
    }

    fn column_type(&mut self, name: &str, value: &Value<'_>) -> Option<ColumnType> {
        let text = self.string(name, value)?;
        // Types nest; nobody means one of a thousand letters.
        let parsed = if text.value.len() > 1000 {
            None
        } else {
            text.value.parse().ok()
        };
        if parsed.is_none() {
            let kinds = "boolean, byte, short, integer, long, float, double, decimal(P,S), string, binary, date, timestamp, \
                         timestamp_ntz, array<T>, map<K, V> and struct<name: T>";
            let help = match nearest(&text.value, COLUMN_TYPES) {
                Some(meant) => format!("did you mean `{meant}`? There are {kinds}"),
                None => format!("there are {kinds}"),
            };
            let message = format!("`{}` is not a type of columns", text.value);
            self.report(code::BAD_TYPE, value.span(), message, "not a type", Some(help));
        }
        parsed
    }

    fn nulls(&mut self, value: &Value<'_>) -> Vec<String> {
        let list = self.list("null", "strings", value).unwrap_or_default();
        list.into_iter()
            .filter_map(|v| self.string(Subject::Item("null"), v))
            .map(|s| s.value)
            .collect()
    }

    /// Reads what columns of the files are called in the dataset.
    fn renamed(&mut self, value: &Value<'_>) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        let Some(fields) = self.open("rename", value) else {
            return renamed;
        };
        if fields.0.is_empty() {
            let help = Some("leave it out: columns then keep the names of the files".to_owned());
            self.report(
                code::EMPTY,
                value.span(),
                "`rename` is empty",
                "nothing is named here",
                help,
            );
            return renamed;
        }
        for entry in fields.0 {
            if entry.name.trim().is_empty() {
                let message = "a column has no name";
                self.report(
                    code::EMPTY,
                    entry.key.clone(),
                    message,
                    "nothing is named here",
                    None,
                );
                continue;
            }
            let Some(text) = self.string(entry.name, entry.value) else {
                continue;
            };
            let odd = text
                .value
                .contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']);
            if text.value.is_empty() || odd {
                let message = format!("a column cannot be called {:?}", text.value);
                let help = "a name without spaces and ,;{}()=, for example \"unit_price\"".to_owned();
                let label = "not a name of a column";
                self.report(code::CHOICE, entry.value.span(), message, label, Some(help));
            } else {
                renamed.insert(entry.name.to_owned(), text.value);
            }
        }
        renamed
    }

    fn delimiter(&mut self, value: &Value<'_>) -> Option<char> {
        let text = self.string("delimiter", value)?;
        let mut chars = text.value.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c == '\t' || (c.is_ascii() && !c.is_ascii_control() && c != '"') => Some(c),
            _ => {
                let message = format!("`delimiter` cannot be {:?}", text.value);
                let label = "not one plain character";
                let help = "one character: a comma, a semicolon, `|`, a tab (\"\\t\") …".to_owned();
                self.report(code::CHOICE, value.span(), message, label, Some(help));
                None
            }
        }
    }
}

/// Tells the format of files from the endings of their names; `None` if they say nothing, or different things.
fn format_of(files: &str) -> Option<Format> {
    let name = files.rsplit('/').next().unwrap_or(files);
    let mut formats = alternatives(name).into_iter().map(|name| {
        let lower = name.to_lowercase();
        let plain = lower
            .strip_suffix(".gz")
            .or_else(|| lower.strip_suffix(".zst"))
            .unwrap_or(&lower);
        match plain.rsplit_once('.')?.1 {
            "parquet" if plain == lower => Some(Format::Parquet),
            "csv" => Some(Format::Csv),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            _ => None,
        }
    });
    let first = formats.next()??;
    formats.all(|f| f == Some(first)).then_some(first)
}

/// Writes out the `{a,b}` of a glob.
fn alternatives(glob: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![glob.to_owned()];
    while let Some(text) = open.pop() {
        let inner = text
            .find('}')
            .and_then(|close| Some((text.get(..close)?.rfind('{')?, close)));
        let parts = inner
            .and_then(|(from, to)| Some((text.get(..from)?, text.get(from + 1..to)?, text.get(to + 1..)?)));
        match parts {
            Some((before, among, after)) if open.len() + done.len() < 100 => {
                open.extend(among.split(',').map(|part| format!("{before}{part}{after}")));
            }
            _ => done.push(text),
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        let cases = [
            ("data/*.parquet", Some(Format::Parquet)),
            ("s3://b/x/*.CSV.gz", Some(Format::Csv)),
            ("x/*.{csv,csv.gz}", Some(Format::Csv)),
            ("x/*.csv{,.gz,.zst}", Some(Format::Csv)),
            ("x/*.jsonl", Some(Format::Ndjson)),
            ("x/*.{csv,parquet}", None),
            ("x.parquet/*", None),
            ("x/*.parquet.gz", None),
            ("x/*.{csv", None),
        ];
        for (files, format) in cases {
            assert_eq!(format_of(files), format, "{files}");
        }
    }
}
