//! The content of each rule.

use std::collections::BTreeMap;
use std::ops::Range;

use mainstay_model::DatasetName;
use mainstay_model::spec::{Bounds, Rule};

use super::{Body, ENDS};
use crate::code;
use crate::document::Value;
use crate::place::Spanned;
use crate::read::{Entry, Fields, Reader, Subject};

impl Reader<'_> {
    /// Reads a rule; `fields` are those of its value, if it is a table.
    pub(super) fn rule(&mut self, rule: &str, value: &Value<'_>, fields: &Fields<'_>) -> Option<Body> {
        let mut body = Body {
            rule: Rule::NotNull { columns: Vec::new() },
            columns: Vec::new(),
            references: Vec::new(),
            sql: None,
        };
        body.rule = match rule {
            "not_null" => {
                body.columns = self.columns(rule, value)?;
                Rule::NotNull {
                    columns: body.columns.iter().map(|c| c.value.clone()).collect(),
                }
            }
            "unique" => Rule::Unique {
                keys: self.keys(value, &mut body.columns)?,
            },
            "row_count" => {
                let [min, max] = ENDS.map(|end| {
                    fields
                        .get(end)
                        .and_then(|v| self.integer(end, v, 0, i64::MAX.unsigned_abs()))
                });
                self.ends(
                    rule,
                    value,
                    fields,
                    matches!((min, max), (Some(a), Some(b)) if a > b),
                );
                Rule::RowCount { min, max }
            }
            "sql" => {
                let sql = self.sql("sql", value)?;
                let rule = Rule::Sql {
                    sql: sql.as_str().to_owned(),
                };
                body.sql = Some(sql);
                rule
            }
            "accepted" => Rule::Accepted {
                values: self.by_column(rule, value, fields, &mut body, Self::accepted)?,
            },
            "range" => Rule::Range {
                bounds: self.by_column(rule, value, fields, &mut body, Self::bounds)?,
            },
            _ => {
                let to = self.by_column(rule, value, fields, &mut body, Self::reference)?;
                body.references = to.values().cloned().collect();
                Rule::Reference {
                    to: to.into_iter().map(|(column, to)| (column, to.value)).collect(),
                }
            }
        };
        Some(body)
    }

    /// Reads something for each of some columns.
    fn by_column<T>(
        &mut self,
        rule: &str,
        value: &Value<'_>,
        fields: &Fields<'_>,
        body: &mut Body,
        read: impl Fn(&mut Self, &Entry<'_>) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        if fields.0.is_empty() {
            let help = Some("name columns, or leave it out".to_owned());
            self.report(
                code::EMPTY,
                value.span(),
                format!("`{rule}` is empty"),
                "nothing is named here",
                help,
            );
            return None;
        }
        let mut all = BTreeMap::new();
        let mut columns: Vec<(Range<usize>, Spanned<String>)> = Vec::new();
        for entry in &fields.0 {
            if entry.name.trim().is_empty() {
                let message = format!("`{rule}` has a column without a name");
                self.report(
                    code::EMPTY,
                    entry.key.clone(),
                    message,
                    "nothing is named here",
                    None,
                );
                continue;
            }
            let place = self.place(entry.key.clone());
            columns.push((
                entry.key.clone(),
                Spanned {
                    value: entry.name.to_owned(),
                    place,
                },
            ));
            if let Some(content) = read(self, entry) {
                all.insert(entry.name.to_owned(), content);
            }
        }
        body.columns = self.once(rule, columns);
        Some(all)
    }

    /// Reads keys: each a list of columns, or one column.
    fn keys(&mut self, value: &Value<'_>, named: &mut Vec<Spanned<String>>) -> Option<Vec<Vec<String>>> {
        let mut keys = Vec::new();
        for key in self.list("unique", "keys, each a column or a list of columns", value)? {
            let columns = if key.get_ref().is_array() {
                self.columns("unique", key).unwrap_or_default()
            } else if key.get_ref().is_str() {
                self.word(Subject::Item("unique"), key).into_iter().collect()
            } else {
                self.wrong(
                    Subject::Item("unique"),
                    "a column or a list of columns",
                    key,
                    None,
                );
                continue;
            };
            keys.push(columns.iter().map(|c| c.value.clone()).collect());
            named.extend(columns);
        }
        Some(keys)
    }

    fn accepted(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        let values = self.list(entry.name, "values", entry.value)?;
        Some(
            values
                .into_iter()
                .filter_map(|v| self.literal(Subject::Item(entry.name), v))
                .collect(),
        )
    }

    fn bounds(&mut self, entry: &Entry<'_>) -> Option<Bounds> {
        let owner = format!("the range of `{}`", entry.name);
        let fields = self.table(entry.name, &owner, entry.value, &ENDS)?;
        let [min, max] = ENDS.map(|end| fields.get(end).and_then(|v| self.literal(end.into(), v)));
        let crossed = matches!((&min, &max), (Some(a), Some(b)) if is_above(a, b));
        self.ends(entry.name, entry.value, &fields, crossed);
        Some(Bounds { min, max })
    }

    /// Reports bounds of which there is none, or the least is above the greatest.
    fn ends(&mut self, name: &str, value: &Value<'_>, fields: &Fields<'_>, crossed: bool) {
        if ENDS.iter().all(|end| fields.get(end).is_none()) {
            let help = Some("add `min`, `max` or both".to_owned());
            let message = format!("`{name}` has neither `min` nor `max`");
            self.report(code::EMPTY, value.span(), message, "no bound is named here", help);
        }
        if let (true, Some(max)) = (crossed, fields.get("max")) {
            let message = format!("`min` of `{name}` is above its `max`: no value could pass");
            let help = Some("swap them".to_owned());
            self.report(code::CROSSED, max.span(), message, "less than `min`", help);
        }
    }

    fn reference(&mut self, entry: &Entry<'_>) -> Option<Spanned<(DatasetName, String)>> {
        let text = self.string(entry.name, entry.value)?;
        let to = text
            .value
            .rsplit_once('.')
            .filter(|(_, column)| !column.trim().is_empty());
        let to = to.and_then(|(dataset, column)| Some((dataset.parse().ok()?, column.to_owned())));
        if to.is_none() {
            let message = format!("`{}` is not a column of a dataset", text.value);
            let help = "write it like \"air.airlines.carrier\"".to_owned();
            let label = "not a dataset and a column";
            self.report(
                code::BAD_REFERENCE,
                entry.value.span(),
                message,
                label,
                Some(help),
            );
        }
        Some(Spanned {
            value: to?,
            place: text.place,
        })
    }
}

/// Says whether a literal is surely above another one: both numbers, both dates or both moments without a zone.
fn is_above(a: &str, b: &str) -> bool {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a > b;
    }
    if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
        return a > b;
    }
    let plain = |s: &str| !s.ends_with("Z'") && !s.contains('+') && s.matches('-').count() == 2;
    ["DATE '", "TIMESTAMP '"]
        .iter()
        .any(|p| a.starts_with(p) && b.starts_with(p))
        && plain(a)
        && plain(b)
        && a > b
}
