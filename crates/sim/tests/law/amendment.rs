//! Corrections: what they do to a dataset in SQL, and how they are asked for on the command line.

use crate::choices::Choices;
use crate::grammar::Grammar;
use crate::value::{Column, DAYS, Type, Value};
use crate::world::{Content, Project, Relation, Row, Slicing, Source};

/// What a correction does to the rows that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Set {
        column: String,
        to: String,
        condition: String,
    },
    Delete {
        condition: String,
    },
    /// Rows come.
    Insert {
        rows: Vec<Row>,
    },
    /// Rows go, others come.
    Replace {
        rows: Vec<Row>,
    },
}

/// A correction of one dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// Its number within the case, from 0.
    pub(crate) number: usize,
    pub(crate) dataset: String,
    /// The slice that it is about; all if left out. A value of the one slice column, which is a date.
    pub(crate) slice: Option<String>,
    pub(crate) edit: Edit,
}

impl Amendment {
    /// Chooses a correction of a dataset with these columns and slice columns; rows can be brought only to a source.
    pub(crate) fn choose(
        c: &mut Choices,
        number: usize,
        relation: &Relation,
        slice: &[String],
        source: Option<&Source>,
    ) -> Self {
        let dated = |name: &String| {
            relation
                .columns
                .iter()
                .any(|c| c.name == *name && c.t == Type::Date)
        };
        let one_date = matches!(slice, [one] if dated(one));
        let condition = |c: &mut Choices| {
            let known = std::slice::from_ref(relation);
            Grammar::new(c, known)
                .predicate("it", &relation.columns)
                .replace("it.", "")
        };
        let made = source.is_some_and(|s| matches!(s.slicing, Slicing::Made(..)));
        let source = source.filter(|_| !made);
        // What a slice is made from is left as it is where it is made by an expression.
        let settable: Vec<Column> = relation
            .columns
            .iter()
            .filter(|c| !made || !["day", "k", "month", "part"].contains(&c.name.as_str()))
            .cloned()
            .collect();
        let edit = match (c.weighted(&[5, 3, 2, 1]), source) {
            (2, Some(source)) => Edit::Insert {
                rows: c.many(1, 3, |c, _| source.row(c)),
            },
            (3, Some(source)) => Edit::Replace {
                rows: c.many(0, 3, |c, _| source.row(c)),
            },
            (1, _) => Edit::Delete {
                condition: condition(c),
            },
            _ => {
                let column = c.pick(&settable).clone();
                let to = value(c, &column);
                Edit::Set {
                    column: column.name,
                    to,
                    condition: condition(c),
                }
            }
        };
        let limited = one_date && !matches!(edit, Edit::Insert { .. }) && c.chance(1, 4);
        Self {
            number,
            dataset: relation.name.clone(),
            slice: limited.then(|| (*c.pick(&DAYS)).to_owned()),
            edit,
        }
    }

    /// Returns the file that it brings, with its text.
    pub(crate) fn file(&self, project: &Project) -> Option<(String, String)> {
        let (Edit::Insert { rows } | Edit::Replace { rows }) = &self.edit else {
            return None;
        };
        let source = project.source(&self.dataset);
        let ending = source
            .file(0)
            .rsplit_once('.')
            .map_or("csv", |(_, e)| e)
            .to_owned();
        let text = source.written(&Content::Rows(rows.clone()));
        Some((format!("fix/{}.{ending}", self.number), text))
    }

    /// Returns the arguments that ask for it.
    pub(crate) fn arguments(&self, project: &Project) -> Vec<String> {
        let address = match &self.slice {
            Some(slice) => format!("{}@{slice}", self.dataset),
            None => self.dataset.clone(),
        };
        let file = self.file(project).map(|(name, _)| name).unwrap_or_default();
        let mut arguments = vec!["amend".to_owned(), address];
        arguments.extend(match &self.edit {
            Edit::Set {
                column,
                to,
                condition,
            } => {
                vec![
                    "--where".to_owned(),
                    condition.clone(),
                    "--set".to_owned(),
                    format!("{column} = {to}"),
                ]
            }
            Edit::Delete { condition } => {
                vec!["--where".to_owned(), condition.clone(), "--delete".to_owned()]
            }
            Edit::Insert { .. } => vec!["--insert".to_owned(), file],
            Edit::Replace { .. } => vec!["--replace".to_owned(), file],
        });
        arguments.extend(["--reason".to_owned(), "law".to_owned(), "--yes".to_owned()]);
        arguments
    }

    /// Returns the statements that do the same to a table.
    pub(crate) fn statements(&self, slice_columns: &[String]) -> Vec<String> {
        let of_slice = match (&self.slice, slice_columns.first()) {
            (Some(value), Some(column)) => format!("{column} = DATE '{value}'"),
            _ => "true".to_owned(),
        };
        let table = &self.dataset;
        let insert = |rows: &Vec<Row>| {
            let written: Vec<String> = rows
                .iter()
                .map(|row| format!("({})", row.iter().map(Value::sql).collect::<Vec<_>>().join(", ")))
                .collect();
            (!written.is_empty()).then(|| format!("INSERT INTO {table} VALUES {}", written.join(", ")))
        };
        match &self.edit {
            Edit::Set {
                column,
                to,
                condition,
            } => {
                vec![format!(
                    "UPDATE {table} SET {column} = {to} WHERE {of_slice} AND ({condition})"
                )]
            }
            Edit::Delete { condition } => {
                vec![format!("DELETE FROM {table} WHERE {of_slice} AND ({condition})")]
            }
            Edit::Insert { rows } => insert(rows).into_iter().collect(),
            Edit::Replace { rows } => {
                let mut statements = vec![format!("DELETE FROM {table} WHERE {of_slice}")];
                statements.extend(insert(rows));
                statements
            }
        }
    }
}

/// Chooses what a column is set to: a value, or something of itself.
fn value(c: &mut Choices, column: &Column) -> String {
    match column.t {
        Type::Int if c.chance(1, 2) => format!("{} + 1", column.name),
        Type::Decimal | Type::Double if c.chance(1, 2) => format!("- {}", column.name),
        // What is set must be of the column's type also where the value is NULL.
        t => format!("CAST({} AS {})", Value::choose(c, column).sql(), t.sql()),
    }
}
