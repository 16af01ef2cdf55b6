//! Checks: written with their dataset (`checks.…`) or apart (`[check.…]`).
//!
//! A check has one rule. With its dataset it is `checks.NAME = { RULE = …, severity = "warn" }`; a check that is named as its
//! rule may be written short, `checks.RULE = …`, or with the rule's content in a field of its own where a severity stands
//! beside it: `checks.not_null = { columns = ["day"], severity = "warn" }`. Apart it is the first form, with `dataset`.

use mainstay_base::text::nearest;
use mainstay_model::DatasetName;
use mainstay_model::spec::{CheckSpec, Rule, Severity};

use super::value::Tags;
use super::{Entry, Fields, Reader, names};
use crate::code;
use crate::declared::DeclaredCheck;
use crate::document::Value;
use crate::place::{Place, Spanned, Text};

mod rule;

/// The rules, and the field that holds each one's content where a severity stands beside it.
pub(crate) const RULES: [(&str, &str); 7] = [
    ("not_null", "columns"),
    ("unique", "keys"),
    ("accepted", "values"),
    ("range", "bounds"),
    ("row_count", ""),
    ("reference", "to"),
    ("sql", "sql"),
];

/// The fields of a check with its dataset.
pub(crate) const FIELDS: [&str; 8] = [
    "not_null",
    "unique",
    "accepted",
    "range",
    "row_count",
    "reference",
    "sql",
    "severity",
];
/// The fields of a check apart.
pub(crate) const APART: [&str; 10] = [
    "dataset",
    "not_null",
    "unique",
    "accepted",
    "range",
    "row_count",
    "reference",
    "sql",
    "severity",
    "tags",
];
/// The fields of a number of rows and of bounds.
pub(crate) const ENDS: [&str; 2] = ["min", "max"];

/// What a rule says, and what it names.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) rule: Rule,
    pub(crate) columns: Vec<Spanned<String>>,
    pub(crate) references: Vec<Spanned<(DatasetName, String)>>,
    pub(crate) sql: Option<Text>,
}

/// A check as written, its dataset apart.
#[derive(Debug)]
pub(crate) struct WrittenCheck {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) dataset: Option<Spanned<DatasetName>>,
    pub(crate) tags: Tags,
    pub(crate) severity: Severity,
    pub(crate) body: Body,
}

impl WrittenCheck {
    /// Declares it for a dataset whose labels are given.
    pub(crate) fn declare(self, dataset: &DatasetName, tags: &Tags) -> DeclaredCheck {
        let mut all = tags.clone();
        all.extend(self.tags);
        DeclaredCheck {
            name: format!("{dataset}:{}", self.name),
            dataset: self.dataset.map_or_else(|| self.place.clone(), |d| d.place),
            place: self.place,
            tags: all,
            spec: CheckSpec {
                dataset: dataset.clone(),
                rule: self.body.rule,
                severity: self.severity,
            },
            columns: self.body.columns,
            references: self.body.references,
            sql: self.body.sql,
        }
    }
}

impl Reader<'_> {
    /// Reads the checks that are written with their dataset.
    pub(crate) fn checks(&mut self, value: Option<&Value<'_>>) -> Vec<WrittenCheck> {
        let Some(fields) = value.and_then(|v| self.open("checks", v)) else {
            return Vec::new();
        };
        fields
            .0
            .iter()
            .filter_map(|entry| self.check_of_dataset(entry))
            .collect()
    }

    fn check_of_dataset(&mut self, entry: &Entry<'_>) -> Option<WrittenCheck> {
        let value = entry.value;
        let rule = RULES.iter().find(|(rule, _)| *rule == entry.name);
        let (body, severity) = match rule {
            Some((rule, content)) if is_long(content, value) => {
                let allowed: &[&str] = if content.is_empty() {
                    &["min", "max", "severity"]
                } else {
                    &[*content, "severity"]
                };
                let owner = format!("the check `{rule}`");
                let fields = self.table(entry.name, &owner, value, allowed)?;
                let severity = self.severity(fields.get("severity"));
                if content.is_empty() {
                    (self.rule(rule, value, &fields), severity)
                } else if let Some(inner) = fields.get(content) {
                    (self.rule_of(rule, inner), severity)
                } else {
                    self.missing(&owner, content, entry.key.clone(), &format!("{content} = …"));
                    (None, severity)
                }
            }
            Some((rule, _)) => (self.rule_of(rule, value), Severity::default()),
            None => {
                if !value.get_ref().is_table() {
                    let help = match nearest(entry.name, RULES.iter().map(|(rule, _)| *rule)) {
                        Some(meant) => format!("did you mean the rule `{meant}`?"),
                        None => format!(
                            "write checks.{} = {{ sql = \"SELECT …\" }}, or another rule instead of `sql`",
                            entry.name
                        ),
                    };
                    self.wrong(entry.name, "a table with a rule", value, Some(help));
                    return None;
                }
                self.plain_name("a check", entry.name, entry.key.clone(), false);
                let fields = self.table(entry.name, "a check", value, &FIELDS)?;
                (
                    self.only_rule(entry, &fields),
                    self.severity(fields.get("severity")),
                )
            }
        };
        let place = self.place(entry.key.clone());
        let name = entry.name.to_owned();
        Some(WrittenCheck {
            name,
            place,
            dataset: None,
            tags: Tags::new(),
            severity,
            body: body?,
        })
    }

    /// Reads a check that is written apart.
    pub(crate) fn check_apart(&mut self, entry: &Entry<'_>) -> Option<WrittenCheck> {
        self.plain_name("a check", entry.name, entry.key.clone(), false);
        let fields = self.table(entry.name, "a check", entry.value, &APART)?;
        let dataset = match fields.get("dataset") {
            Some(value) => self.dataset("dataset", value),
            None => {
                self.missing("a check", "dataset", entry.key.clone(), "dataset = \"…\"");
                None
            }
        };
        let severity = self.severity(fields.get("severity"));
        let tags = self.tags(fields.get("tags"));
        let body = self.only_rule(entry, &fields);
        let place = self.place(entry.key.clone());
        let name = entry.name.to_owned();
        Some(WrittenCheck {
            name,
            place,
            dataset: Some(dataset?),
            tags,
            severity,
            body: body?,
        })
    }

    /// Reads the one rule among a check's fields.
    fn only_rule(&mut self, check: &Entry<'_>, fields: &Fields<'_>) -> Option<Body> {
        let rules: Vec<&Entry<'_>> = fields
            .0
            .iter()
            .filter(|e| RULES.iter().any(|(rule, _)| *rule == e.name))
            .collect();
        let Some((first, rest)) = rules.split_first() else {
            let list = names(&RULES.map(|(rule, _)| rule));
            let message = format!("the check `{}` has no rule", check.name);
            let help = format!("add one of {list}");
            self.report(
                code::ONE_RULE,
                check.key.clone(),
                message,
                "a rule is missing",
                Some(help),
            );
            return None;
        };
        for other in rest {
            let message = format!("the check `{}` has more than one rule", check.name);
            let label = format!("besides `{}`", first.name);
            let help = format!("make `{}` a check of its own", other.name);
            self.report(code::ONE_RULE, other.key.clone(), message, label, Some(help));
            self.rule_of(other.name, other.value);
        }
        self.rule_of(first.name, first.value)
    }

    /// Reads a rule in its short form.
    fn rule_of(&mut self, rule: &str, value: &Value<'_>) -> Option<Body> {
        let fields = match rule {
            "row_count" => self.table(rule, "`row_count`", value, &ENDS)?,
            "accepted" | "range" | "reference" => self.open(rule, value)?,
            _ => Fields(Vec::new()),
        };
        self.rule(rule, value, &fields)
    }
}

/// Says whether a rule's value has its content in a field of its own. Told by types, so that a column may have any name:
/// `accepted = { values = { … } }` is long, as the values of a column named `values` would be a list.
fn is_long(content: &str, value: &Value<'_>) -> bool {
    let Some(table) = value.get_ref().as_table() else {
        return false;
    };
    let inner = table.get(content).and_then(|v| v.get_ref().as_table());
    match content {
        "values" | "to" => inner.is_some(),
        "bounds" => inner.is_some_and(|t| !t.is_empty() && t.values().all(|v| v.get_ref().is_table())),
        _ => true,
    }
}
