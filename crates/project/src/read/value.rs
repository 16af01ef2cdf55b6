//! Values that several kinds have: names, tags, amounts, choices, SQL literals.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use mainstay_model::DatasetName;
use mainstay_model::name::is_identifier;
use mainstay_model::spec::Severity;
use toml::de::DeValue;

use super::{Reader, Subject};
use crate::amount::{BadAmount, duration_ms, size_bytes};
use crate::code;
use crate::document::Value;
use crate::place::Spanned;

/// Labels by name.
pub(crate) type Tags = BTreeMap<String, String>;

impl Reader<'_> {
    /// Reads the name of a dataset from text that stands at `span`.
    pub(crate) fn dataset_name(&mut self, text: &str, span: Range<usize>) -> Option<Spanned<DatasetName>> {
        match text.parse() {
            Ok(value) => Some(Spanned {
                value,
                place: self.place(span),
            }),
            Err(_) => {
                let help = match tidy_name(text) {
                    Some(name) => format!("perhaps `{name}`? A name is like air.flights: {NAME_RULE}"),
                    None => format!("a name is like air.flights: {NAME_RULE}"),
                };
                let message = format!("`{text}` is not the name of a dataset");
                self.report(
                    code::BAD_DATASET,
                    span,
                    message,
                    "not a dataset's name",
                    Some(help),
                );
                None
            }
        }
    }

    /// Reads a string that names a dataset.
    pub(crate) fn dataset(&mut self, name: &str, value: &Value<'_>) -> Option<Spanned<DatasetName>> {
        let text = self.string(name, value)?;
        self.dataset_name(&text.value, value.span())
    }

    /// Reads names of datasets, `schema.*` included.
    pub(crate) fn datasets(&mut self, field: &str, value: Option<&Value<'_>>) -> Vec<Spanned<String>> {
        value
            .map(|v| self.named(field, "datasets", v))
            .unwrap_or_default()
    }

    pub(crate) fn named(&mut self, field: &str, what: &str, value: &Value<'_>) -> Vec<Spanned<String>> {
        let list = self.list(field, what, value).unwrap_or_default();
        list.into_iter().filter_map(|v| self.word(field, v)).collect()
    }

    /// Reads labels.
    pub(crate) fn tags(&mut self, value: Option<&Value<'_>>) -> Tags {
        value.map(|v| self.labels("tags", v)).unwrap_or_default()
    }

    /// Reads labels that stand in a field of this name.
    pub(crate) fn labels(&mut self, name: &str, value: &Value<'_>) -> Tags {
        let Some(fields) = self.open(name, value) else {
            return Tags::new();
        };
        let mut tags = Tags::new();
        for entry in fields.0 {
            if entry.name.trim().is_empty() {
                self.report(
                    code::EMPTY,
                    entry.key.clone(),
                    "a tag has no name",
                    "nothing is named here",
                    None,
                );
            }
            if let Some(text) = self.string(entry.name, entry.value) {
                tags.insert(entry.name.to_owned(), text.value);
            }
        }
        tags
    }

    /// Reads a description.
    pub(crate) fn description(&mut self, value: Option<&Value<'_>>) -> Option<String> {
        self.string("description", value?)
            .map(|s| s.value.trim().to_owned())
            .filter(|s| !s.is_empty())
    }

    /// Reads what a failed check means.
    pub(crate) fn severity(&mut self, value: Option<&Value<'_>>) -> Severity {
        let choices = [("error", Severity::Error), ("warn", Severity::Warn)];
        value
            .and_then(|v| self.choice("severity", v, &choices))
            .unwrap_or_default()
    }

    /// Reads a duration, in milliseconds.
    pub(crate) fn duration(&mut self, name: &str, value: &Value<'_>) -> Option<u64> {
        if let Some(number) = value.get_ref().as_integer() {
            let help = format!("write its unit: \"{} s\"", number.as_str());
            self.wrong(name, "a string with a unit", value, Some(help));
            return None;
        }
        let text = self.string(name, value)?;
        self.amount(name, value, duration_ms(&text.value), code::BAD_DURATION)
    }

    /// Reads a size, in bytes: a string with a unit, or an integer.
    pub(crate) fn size(&mut self, name: &str, value: &Value<'_>) -> Option<u64> {
        if value.get_ref().is_integer() {
            return self.integer(name, value, 1, i64::MAX.unsigned_abs());
        }
        let text = self.string(name, value)?;
        let size = self.amount(name, value, size_bytes(&text.value), code::BAD_SIZE)?;
        if size == 0 {
            let message = format!("`{name}` cannot be 0");
            self.report(
                code::OUT_OF_RANGE,
                value.span(),
                message,
                "must be more than nothing",
                None,
            );
        }
        Some(size)
    }

    fn amount(
        &mut self,
        name: &str,
        value: &Value<'_>,
        amount: Result<u64, BadAmount>,
        code: &'static str,
    ) -> Option<u64> {
        match amount {
            Ok(amount) => Some(amount),
            Err(bad) => {
                let help = bad.meant.map(|meant| format!("did you mean \"{meant}\"?"));
                let message = format!("`{name}` must be {}", bad.wanted);
                self.report(code, value.span(), message, "not a number and a unit", help);
                None
            }
        }
    }

    /// Reads a list of columns, each named once.
    pub(crate) fn columns(&mut self, name: &str, value: &Value<'_>) -> Option<Vec<Spanned<String>>> {
        let list = self.list(name, "columns", value)?;
        let columns: Vec<(Range<usize>, Spanned<String>)> = list
            .iter()
            .filter_map(|v| Some((v.span(), self.word(Subject::Item(name), v)?)))
            .collect();
        let columns = self.once(name, columns);
        (!columns.is_empty()).then_some(columns)
    }

    /// Reports columns that are named twice; small and capital letters count as the same.
    pub(crate) fn once(
        &mut self,
        name: &str,
        columns: Vec<(Range<usize>, Spanned<String>)>,
    ) -> Vec<Spanned<String>> {
        let mut seen = BTreeSet::new();
        let mut unique = Vec::new();
        for (span, column) in columns {
            if seen.insert(column.value.to_lowercase()) {
                unique.push(column);
            } else {
                let message = format!("`{name}` names the column `{}` twice", column.value);
                self.report(
                    code::TWICE,
                    span,
                    message,
                    "the second time",
                    Some("keep one of them".to_owned()),
                );
            }
        }
        unique
    }

    /// Reads a value that columns are compared with, as a SQL literal.
    pub(crate) fn literal(&mut self, subject: Subject<'_>, value: &Value<'_>) -> Option<String> {
        let literal = match value.get_ref() {
            DeValue::String(s) => Some(format!("'{}'", s.replace('\'', "''"))),
            DeValue::Boolean(b) => Some(if *b { "TRUE" } else { "FALSE" }.to_owned()),
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .map(|n| n.to_string()),
            DeValue::Float(n) => {
                let text = n.as_str().trim_start_matches('+');
                text.parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite())
                    .map(|_| text.to_owned())
            }
            DeValue::Datetime(t) => match (&t.date, &t.time) {
                (Some(date), None) => Some(format!("DATE '{date}'")),
                (Some(date), Some(time)) => {
                    let zone = t.offset.as_ref().map(ToString::to_string).unwrap_or_default();
                    Some(format!("TIMESTAMP '{date} {time}{zone}'"))
                }
                _ => None,
            },
            DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong(
                    subject,
                    "a number, a string, a date, or true or false",
                    value,
                    None,
                );
                return None;
            }
        };
        if literal.is_none() {
            let message = format!("{subject} cannot be compared with this");
            let label = "no column can hold this value";
            let help =
                "columns hold integers of 64 bits, finite numbers, texts, dates, moments, true and false";
            self.report(
                code::BAD_LITERAL,
                value.span(),
                message,
                label,
                Some(help.to_owned()),
            );
        }
        literal
    }

    /// Reads a plain name: a letter, then letters, digits and underscores, dashes too where they are `dashed`.
    pub(crate) fn plain_name(&mut self, what: &str, text: &str, span: Range<usize>, dashed: bool) -> bool {
        let good = is_identifier(&if dashed {
            text.replace('-', "_")
        } else {
            text.to_owned()
        }) && !text.starts_with('-');
        if !good {
            let rule = if dashed {
                ", digits, `_` and `-`"
            } else {
                ", digits and `_`"
            };
            let message = format!("`{text}` cannot be the name of {what}");
            let help = format!(
                "a name has lower-case letters{rule}, begins with a letter or `_`, and has at most 100 of them"
            );
            self.report(code::BAD_NAME, span, message, "not a name", Some(help));
        }
        good
    }
}

/// The rule for names of datasets, as people are told it.
pub(crate) const NAME_RULE: &str = "lower-case letters, digits and `_`, with one point";

/// What a name would be without capital letters, dashes and blanks.
pub(crate) fn tidy_name(text: &str) -> Option<DatasetName> {
    let tidy: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, '-' | ' ') { '_' } else { c })
        .collect();
    tidy.parse().ok()
}
