//! Amendments as SQL: which rows they meet, and what they make of them.
//!
//! Pure: texts in, texts out. A rule is one step of a chain over the base, so that each amendment sees the rows as the ones
//! before it left them.

use mainstay_model::amendment::{Edit, Target};
use mainstay_model::id::AmendmentId;
use mainstay_model::{ColumnType, DatasetName, Schema, Selection};
use mainstay_sql::quoted;

/// A slice column that is made from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) column: String,
    pub(super) expression: String,
}

/// What the amendments of a dataset are about.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) name: DatasetName,
    pub(super) schema: Schema,
    pub(super) slice_columns: Vec<String>,
    /// The slice columns that can be made anew from the row's other columns.
    pub(super) made: Vec<Made>,
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Says whether an expression names a column.
pub(super) fn names(expression: &str, column: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    expression
        .split(|c| !word(c))
        .any(|w| w.eq_ignore_ascii_case(column))
}

/// The name under which the rows that an amendment brings are mounted.
pub(super) fn brought_name(id: AmendmentId) -> Option<DatasetName> {
    format!("brought.a{}", id.0).parse().ok()
}

impl Shape {
    pub(super) fn columns(&self) -> String {
        let names: Vec<String> = self.schema.names().map(quoted).collect();
        names.join(", ")
    }

    fn is_integer(&self, column: &str) -> bool {
        matches!(
            self.schema.column(column).map(|c| &c.column_type),
            Some(ColumnType::Byte | ColumnType::Short | ColumnType::Integer | ColumnType::Long)
        )
    }

    /// A condition on one slice column: a value, or the values that begin with it (a month has days).
    fn value(&self, column: &str, value: &str) -> String {
        let c = quoted(column);
        if value == "null" {
            return format!("{c} IS NULL");
        }
        if self.is_integer(column) && value.parse::<i64>().is_ok() {
            return format!("{c} = {value}");
        }
        let written = self.written(column);
        let within: Vec<String> = ["-", " ", "T"]
            .iter()
            .map(|next| format!("starts_with({written}, {})", text(&format!("{value}{next}"))))
            .collect();
        format!("({written} = {} OR {})", text(value), within.join(" OR "))
    }

    /// A slice column as its values are written in addresses.
    fn written(&self, column: &str) -> String {
        let c = format!("CAST({} AS VARCHAR)", quoted(column));
        match self.schema.column(column).map(|c| &c.column_type) {
            Some(ColumnType::Timestamp | ColumnType::TimestampNtz) => format!("replace({c}, 'T', ' ')"),
            _ => c,
        }
    }

    fn slices(&self, selection: &Selection) -> Option<String> {
        let first = self.slice_columns.first();
        match (selection, first) {
            (Selection::All, _) | (_, None) => None,
            (Selection::Value(v), Some(column)) => Some(self.value(column, v)),
            (Selection::Range(from, to), Some(column)) => {
                let (low, high) = if self.is_integer(column) {
                    let c = quoted(column);
                    (format!("{c} >= {from}"), format!("{c} <= {to}"))
                } else {
                    let w = self.written(column);
                    (
                        format!("{w} >= {}", text(from)),
                        format!("({w} <= {} OR {})", text(to), self.value(column, to)),
                    )
                };
                Some(format!("({low} AND {high})"))
            }
            (Selection::Columns(pairs), _) => {
                let each: Vec<String> = pairs.iter().map(|(c, v)| self.value(c, v)).collect();
                Some(format!("({})", each.join(" AND ")))
            }
        }
    }

    /// The rows that a target means, as an SQL condition.
    pub(super) fn condition(&self, target: &Target) -> String {
        let selection = target.slices.as_ref().and_then(|s| s.parse().ok());
        let slices = selection.as_ref().and_then(|s| self.slices(s));
        let rows = target.condition.as_ref().map(|c| format!("({c}\n)"));
        match (slices, rows) {
            (Some(a), Some(b)) => format!("({a} AND {b})"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "true".to_owned(),
        }
    }

    /// One step of the chain: reads `from`, which has the dataset's columns, and has them too.
    pub(super) fn step(&self, id: AmendmentId, edit: &Edit, from: &str) -> String {
        let all = self.columns();
        let brought = || {
            let table = brought_name(id).map_or_else(String::new, |n| n.to_string());
            format!("SELECT {all} FROM {table}")
        };
        match edit {
            Edit::Set { target, set } => self.set(target, set, from),
            Edit::Delete { target } => {
                format!(
                    "SELECT {all} FROM {from} WHERE ({}) IS NOT TRUE",
                    self.condition(target)
                )
            }
            Edit::Insert { .. } => format!("SELECT {all} FROM {from} UNION ALL {}", brought()),
            Edit::Replace { target, .. } => format!(
                "SELECT {all} FROM {from} WHERE ({}) IS NOT TRUE UNION ALL {}",
                self.condition(target),
                brought()
            ),
            Edit::Revert { .. } => format!("SELECT {all} FROM {from}"),
        }
    }

    /// The new value of a column. A number written with a point is a double in SQL; for a decimal column it is what is
    /// written.
    pub(super) fn value_of(&self, column: &str, expression: &str) -> String {
        match self.schema.column(column).map(|c| &c.column_type) {
            Some(ColumnType::Decimal(p, s)) if is_decimal(expression, *s) => {
                format!("CAST('{}' AS DECIMAL({p}, {s}))", expression.trim())
            }
            _ => format!("({expression}\n)"),
        }
    }

    fn set(&self, target: &Target, set: &[(String, String)], from: &str) -> String {
        let condition = self.condition(target);
        let new = |column: &str| set.iter().find(|(c, _)| c == column).map(|(_, e)| e);
        let columns: Vec<String> = self
            .schema
            .names()
            .map(|column| match new(column) {
                Some(e) => {
                    let c = quoted(column);
                    format!(
                        "CASE WHEN {condition} THEN {} ELSE {c} END AS {c}",
                        self.value_of(column, e)
                    )
                }
                None => quoted(column),
            })
            .collect();
        let changed = format!("SELECT {} FROM {from}", columns.join(", "));
        let follows: Vec<&Made> = self
            .made
            .iter()
            .filter(|m| set.iter().any(|(c, _)| names(&m.expression, c)))
            .collect();
        if follows.is_empty() {
            return changed;
        }
        let columns: Vec<String> = self
            .schema
            .names()
            .map(|column| match follows.iter().find(|m| m.column == column) {
                Some(m) => format!("({}) AS {}", m.expression, quoted(column)),
                None => quoted(column),
            })
            .collect();
        format!("SELECT {} FROM ({changed})", columns.join(", "))
    }

    /// The slices in which the rows that an edit changes are afterwards; none if they stay where they are.
    pub(super) fn moved_to(&self, edit: &Edit) -> Option<String> {
        let Edit::Set { target, set } = edit else {
            return None;
        };
        let moves = |column: &String| {
            let made = self.made.iter().find(|m| m.column == *column);
            set.iter()
                .any(|(c, _)| c == column || made.is_some_and(|m| names(&m.expression, c)))
        };
        if !self.slice_columns.iter().any(moves) {
            return None;
        }
        let met = format!(
            "(SELECT {} FROM {} WHERE {})",
            self.columns(),
            self.name,
            self.condition(target)
        );
        let slices: Vec<String> = self.slice_columns.iter().map(|c| quoted(c)).collect();
        let changed = self.set(target, set, &met);
        Some(format!("SELECT DISTINCT {} FROM ({changed})", slices.join(", ")))
    }

    /// The dataset under its amendments.
    pub(super) fn chain(&self, edits: &[(AmendmentId, Edit)]) -> String {
        let mut steps = vec![format!("s0 AS (SELECT {} FROM {})", self.columns(), self.name)];
        for (i, (id, edit)) in edits.iter().enumerate() {
            let step = self.step(*id, edit, &format!("s{i}"));
            steps.push(format!("s{} AS ({step})", i + 1));
        }
        format!(
            "WITH {} SELECT {} FROM s{}",
            steps.join(", "),
            self.columns(),
            edits.len()
        )
    }

    /// By slice, how many rows each amendment meets; slices in which none meets any are left out.
    pub(super) fn met(&self, edits: &[(AmendmentId, Edit)]) -> Option<(String, Vec<AmendmentId>)> {
        let mut counts = Vec::new();
        let mut ids = Vec::new();
        for (id, edit) in edits {
            if let Edit::Set { target, .. } | Edit::Delete { target } | Edit::Replace { target, .. } = edit {
                counts.push(format!("CASE WHEN {} THEN 1 ELSE 0 END", self.condition(target)));
                ids.push(*id);
            }
        }
        if counts.is_empty() {
            return None;
        }
        let names: Vec<String> = ids.iter().map(|id| format!("met_{}", id.0)).collect();
        let sums: Vec<String> = counts
            .iter()
            .zip(&names)
            .map(|(c, n)| format!("sum({c}) AS {n}"))
            .collect();
        let slices: Vec<String> = self.slice_columns.iter().map(|c| quoted(c)).collect();
        let lead = if slices.is_empty() {
            String::new()
        } else {
            format!("{}, ", slices.join(", "))
        };
        let group = if slices.is_empty() {
            String::new()
        } else {
            format!(" GROUP BY {}", slices.join(", "))
        };
        let any: Vec<String> = names.iter().map(|n| format!("{n} > 0")).collect();
        let sql = format!(
            "SELECT * FROM (SELECT {lead}{} FROM {}{group}) WHERE {}",
            sums.join(", "),
            self.name,
            any.join(" OR ")
        );
        Some((sql, ids))
    }

    /// The rows that an edit changes, as they are; with a set, also the new values, as `new_1`, `new_2`, ….
    pub(super) fn changed(&self, edit: &Edit) -> Option<String> {
        self.changed_in(edit, &self.name.to_string())
    }

    /// The rows of a table with the dataset's columns that an edit changes.
    pub(super) fn changed_in(&self, edit: &Edit, from: &str) -> Option<String> {
        let all = self.columns();
        match edit {
            Edit::Set { target, set } => {
                let news: Vec<String> = set
                    .iter()
                    .enumerate()
                    .map(|(i, (c, e))| format!("{} AS new_{i}", self.value_of(c, e)))
                    .collect();
                let differ: Vec<String> = set
                    .iter()
                    .enumerate()
                    // The parser takes everything up to a closing bracket as what follows FROM, an OR too.
                    .map(|(i, (c, _))| format!("({} IS DISTINCT FROM new_{i})", quoted(c)))
                    .collect();
                Some(format!(
                    "SELECT * FROM (SELECT {all}, {} FROM {from} WHERE {}) WHERE {}",
                    news.join(", "),
                    self.condition(target),
                    differ.join(" OR ")
                ))
            }
            Edit::Delete { target } | Edit::Replace { target, .. } => Some(format!(
                "SELECT {all} FROM {from} WHERE {}",
                self.condition(target)
            )),
            Edit::Insert { .. } | Edit::Revert { .. } => None,
        }
    }
}

/// Says whether a text is a plain number with at most so many digits after its point.
pub(super) fn is_decimal(text: &str, scale: i8) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let number = text.trim();
    let number = number.strip_prefix('-').unwrap_or(number);
    match number.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && i8::try_from(fraction.len()).is_ok_and(|n| n <= scale)
        }
        None => digits(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_model::Column;

    fn shape() -> Shape {
        let column = |n: &str, t: &str| Column {
            name: n.into(),
            column_type: t.parse().expect("a type"),
        };
        Shape {
            name: "air.f".parse().expect("a name"),
            schema: Schema(vec![
                column("year", "long"),
                column("day", "date"),
                column("x", "long"),
            ]),
            slice_columns: vec!["day".into()],
            made: vec![Made {
                column: "day".into(),
                expression: "make_date(year, 1, 1)".into(),
            }],
        }
    }

    #[test]
    fn a_set_that_moves_rows_makes_their_slice_anew() {
        let target = Target {
            slices: Some("2013-02".into()),
            condition: Some("x > 1 -- big".into()),
        };
        let edit = |c: &str| Edit::Set {
            target: target.clone(),
            set: vec![(c.into(), "2014".into())],
        };
        let moves = shape().chain(&[(AmendmentId(1), edit("year"))]);
        assert!(moves.contains("(make_date(year, 1, 1)) AS \"day\""), "{moves}");
        let stays = shape().chain(&[(AmendmentId(1), edit("x"))]);
        assert!(!stays.contains("make_date"), "{stays}");
        let to = shape()
            .moved_to(&edit("year"))
            .expect("the day is made of the year");
        assert!(to.contains("SELECT DISTINCT \"day\" FROM (SELECT"), "{to}");
        assert!(to.contains("(make_date(year, 1, 1)) AS \"day\""), "{to}");
        assert_eq!(shape().moved_to(&edit("x")), None);
        assert!(
            stays.contains("-- big\n)"),
            "a comment ends with its line: {stays}"
        );
    }

    #[test]
    fn each_comparison_stands_for_itself() {
        let edit = Edit::Set {
            target: Target::default(),
            set: vec![("x".into(), "NULL".into()), ("year".into(), "2014".into())],
        };
        let changed = shape().changed(&edit).expect("a set changes rows");
        // Without the brackets `a IS DISTINCT FROM b OR …` compares a with all of the rest.
        assert!(
            changed.ends_with(r#"WHERE ("x" IS DISTINCT FROM new_0) OR ("year" IS DISTINCT FROM new_1)"#),
            "{changed}"
        );
    }

    #[test]
    fn words_are_names_and_parts_of_words_are_not() {
        assert!(names("make_date(year, month)", "YEAR"));
        assert!(!names("make_date(years)", "year"));
    }
}
