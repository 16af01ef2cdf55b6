//! Some of the rows that an amendment changes, as they are and as they will be.

use arrow::array::RecordBatch;
use mainstay_api::Error;
use mainstay_engine::CancelToken;
use mainstay_model::SliceVersion;
use mainstay_model::amendment::{ChangedRow, Edit};
use serde_json::Value;

use super::rule::Shape;
use crate::instance::Instance;
use crate::query::QueryResult;

/// How many rows are kept.
const ROWS: usize = 5;

/// How much of a text is kept.
const TEXT: usize = 200;

/// Returns the first of the rows that are met.
pub(super) fn changed(shape: &Shape, edit: &Edit, met: &[RecordBatch]) -> Result<Vec<ChangedRow>, Error> {
    let new = |column: &str| match edit {
        Edit::Set { set, .. } => set.iter().position(|(c, _)| c == column),
        _ => None,
    };
    // The slice and what changes come first: they tell people which rows these are.
    let mut columns: Vec<&str> = shape.schema.names().collect();
    columns.sort_by_key(|c| (!shape.slice_columns.iter().any(|s| s == c), new(c).is_none()));
    let row = |row: &Value, after: bool| {
        let value = |column: &&str| {
            let name = match new(column).filter(|_| after) {
                Some(i) => format!("new_{i}"),
                None => (*column).to_owned(),
            };
            ((*column).to_owned(), kept(row.get(name)))
        };
        columns.iter().map(value).collect()
    };
    let each = |found: &Value| ChangedRow {
        before: Some(row(found, false)),
        after: matches!(edit, Edit::Set { .. }).then(|| row(found, true)),
    };
    Ok(first(met)?.iter().map(each).collect())
}

fn first(batches: &[RecordBatch]) -> Result<Vec<Value>, Error> {
    let Some(any) = batches.iter().find(|b| b.num_rows() > 0) else {
        return Ok(Vec::new());
    };
    let mut left = ROWS;
    let shown = |batch: &RecordBatch| {
        let rows = batch.num_rows().min(left);
        left -= rows;
        batch.slice(0, rows)
    };
    let result = QueryResult {
        schema: any.schema(),
        batches: batches.iter().map(shown).collect(),
    };
    result.json()
}

/// A value as it is kept: the beginning of a long text.
fn kept(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) if text.chars().count() > TEXT => {
            let begin: String = text.chars().take(TEXT).collect();
            Value::String(format!("{begin}…"))
        }
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

impl Instance {
    /// Returns the first of the rows that an edit brings.
    pub(super) fn sample_brought(
        &self,
        shape: &Shape,
        edit: &Edit,
        cancel: &CancelToken,
    ) -> Result<Vec<ChangedRow>, Error> {
        let Some(brought) = edit.brought() else {
            return Ok(Vec::new());
        };
        let each = brought.files.iter();
        let slices = each.map(|(slice, file)| {
            let files = vec![file.clone()];
            (slice.clone(), SliceVersion { files })
        });
        let mounted = self.mounted(shape, shape.name.clone(), slices.collect())?;
        let sql = format!("SELECT {} FROM {} LIMIT {ROWS}", shape.columns(), shape.name);
        let found = self.ask(sql, vec![mounted], cancel)?;
        let mut columns: Vec<&str> = shape.schema.names().collect();
        columns.sort_by_key(|c| !shape.slice_columns.iter().any(|s| s == c));
        let row = |found: &Value| ChangedRow {
            before: None,
            after: Some(
                columns
                    .iter()
                    .map(|c| ((*c).to_owned(), kept(found.get(c))))
                    .collect(),
            ),
        };
        Ok(first(&found)?.iter().map(row).collect())
    }
}
