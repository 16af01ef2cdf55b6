//! From a rule to the SQL that finds the rows which break it, and from counts to words.

use mainstay_base::text::thousands;
use mainstay_model::DatasetName;
use mainstay_model::spec::{Bounds, Rule};
use mainstay_sql::quoted;

/// Which rows a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sees {
    /// Those that were staged.
    Staged,
    /// The dataset as it would be published.
    Whole,
}

/// A query that yields the rows which break a rule.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) sql: String,
    pub(super) sees: Sees,
    /// What is said of the rows that break each condition, after "3 rows have" or "1 row has".
    pub(super) conditions: Vec<String>,
    pub(super) counted: Counted,
}

/// How the yielded rows are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Each for one.
    Plainly,
    /// Each for one, and for the conditions that its last columns mark; the marks are not shown.
    ByMarks,
    /// Each for as many rows as its last column says.
    ByWeight,
}

impl Question {
    /// Says what was broken by how many.
    pub(super) fn words(&self, broken: &[u64]) -> Vec<String> {
        let said = self.conditions.iter().zip(broken).filter(|(_, n)| **n > 0);
        said.map(|(words, n)| match n {
            1 => format!("1 row {}", words.replacen("have ", "has ", 1)),
            n => format!("{} rows {words}", thousands(*n)),
        })
        .collect()
    }
}

/// Returns the questions that a rule asks of a dataset; a row count is no question.
pub(super) fn questions(rule: &Rule, dataset: &DatasetName, slice_columns: &[String]) -> Vec<Question> {
    let table = quoted_name(dataset);
    match rule {
        Rule::RowCount { .. } => Vec::new(),
        Rule::NotNull { columns } => {
            let of = |c: &String| (format!("{} IS NULL", quoted(c)), format!("have no `{c}`"));
            by_row(&table, columns.iter().map(of).collect())
        }
        Rule::Accepted { values } => {
            let of = |(c, values): (&String, &Vec<String>)| {
                let list = values.join(", ");
                let condition = if list.is_empty() {
                    format!("{} IS NOT NULL", quoted(c))
                } else {
                    format!("{} NOT IN ({list})", quoted(c))
                };
                (condition, format!("have a `{c}` other than {list}"))
            };
            by_row(&table, values.iter().map(of).collect())
        }
        Rule::Range { bounds } => by_row(&table, bounds.iter().filter_map(|(c, b)| outside(c, b)).collect()),
        Rule::Unique { keys } => keys
            .iter()
            .map(|key| unique(&table, key, slice_columns))
            .collect(),
        Rule::Reference { to } => to
            .iter()
            .map(|(column, (other, theirs))| Question {
                sql: format!(
                    "SELECT ours.* FROM {table} AS ours WHERE ours.{c} IS NOT NULL AND NOT EXISTS \
                     (SELECT 1 FROM {} AS theirs WHERE theirs.{} = ours.{c})",
                    quoted_name(other),
                    quoted(theirs),
                    c = quoted(column),
                ),
                sees: Sees::Whole,
                conditions: vec![format!("have a `{column}` that no `{theirs}` of {other} has")],
                counted: Counted::Plainly,
            })
            .collect(),
        Rule::Sql { sql } => vec![Question {
            sql: sql.clone(),
            sees: Sees::Whole,
            conditions: vec!["should not be there".to_owned()],
            counted: Counted::Plainly,
        }],
    }
}

/// One question for all conditions on single rows: a row is yielded once, with a mark for each condition that it breaks.
fn by_row(table: &str, conditions: Vec<(String, String)>) -> Vec<Question> {
    if conditions.is_empty() {
        return Vec::new();
    }
    let marks: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(i, (c, _))| format!("({c}) AS \"broken {i}\""))
        .collect();
    let any: Vec<String> = conditions.iter().map(|(c, _)| format!("({c})")).collect();
    vec![Question {
        sql: format!(
            "SELECT *, {} FROM {table} WHERE {}",
            marks.join(", "),
            any.join(" OR ")
        ),
        sees: Sees::Staged,
        conditions: conditions.into_iter().map(|(_, words)| words).collect(),
        counted: Counted::ByMarks,
    }]
}

fn outside(column: &str, bounds: &Bounds) -> Option<(String, String)> {
    let c = quoted(column);
    match (&bounds.min, &bounds.max) {
        (Some(min), Some(max)) => Some((
            format!("{c} < {min} OR {c} > {max}"),
            format!("have a `{column}` outside {min} to {max}"),
        )),
        (Some(min), None) => Some((format!("{c} < {min}"), format!("have a `{column}` below {min}"))),
        (None, Some(max)) => Some((format!("{c} > {max}"), format!("have a `{column}` above {max}"))),
        (None, None) => None,
    }
}

/// A key that has the slice columns in it cannot meet itself in another slice.
fn unique(table: &str, key: &[String], slice_columns: &[String]) -> Question {
    let columns: Vec<String> = key.iter().map(|c| quoted(c)).collect();
    let within = !slice_columns.is_empty() && slice_columns.iter().all(|c| key.contains(c));
    let known: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
    let names: Vec<String> = key.iter().map(|c| format!("`{c}`")).collect();
    let list = columns.join(", ");
    Question {
        sql: format!(
            "SELECT {list}, count(*) AS \"rows\" FROM {table} WHERE {} GROUP BY {list} HAVING count(*) > 1",
            known.join(" AND ")
        ),
        sees: if within || slice_columns.is_empty() {
            Sees::Staged
        } else {
            Sees::Whole
        },
        conditions: vec![format!("have the same {} as another", names.join(", "))],
        counted: Counted::ByWeight,
    }
}

fn quoted_name(dataset: &DatasetName) -> String {
    format!("{}.{}", quoted(dataset.schema()), quoted(dataset.table()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_has_and_two_rows_have() {
        let rule = Rule::NotNull {
            columns: vec!["carrier".into(), "day".into()],
        };
        let asked = questions(&rule, &"air.x".parse().expect("a name"), &[]);
        let [q] = asked.as_slice() else {
            panic!("one question")
        };
        assert_eq!(
            q.words(&[1, 2000]),
            ["1 row has no `carrier`", "2,000 rows have no `day`"]
        );
        assert_eq!(q.words(&[0, 0]), Vec::<String>::new());
    }

    #[test]
    fn a_key_with_the_slice_columns_is_looked_for_in_the_staged_slices_only() {
        let sees = |key: &[&str], slices: &[&str]| {
            let strings = |s: &[&str]| s.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
            unique("t", &strings(key), &strings(slices)).sees
        };
        assert_eq!(sees(&["day", "carrier"], &["day"]), Sees::Staged);
        assert_eq!(sees(&["carrier"], &["day"]), Sees::Whole);
        assert_eq!(sees(&["carrier"], &[]), Sees::Staged);
    }
}
