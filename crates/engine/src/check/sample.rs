//! A few of the rows that broke a check, as JSON: always the same few, however the rows arrive.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use serde_json::{Map, Value};

/// How many rows a sample has at most.
pub(super) const MOST: usize = 5;

/// Keeps the first rows in the order of all their columns.
pub(super) struct Sample {
    order: Option<RowConverter>,
    kept: Vec<(Option<OwnedRow>, RecordBatch)>,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            order: None,
            kept: Vec::new(),
        }
    }

    /// Looks at more rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.order.is_none() {
            let fields: Vec<SortField> = batch
                .schema()
                .fields()
                .iter()
                .map(|f| SortField::new(f.data_type().clone()))
                .collect();
            // Rows with a column that has no order are kept as they come.
            self.order = RowConverter::supports_fields(&fields)
                .then(|| RowConverter::new(fields))
                .transpose()?;
        }
        let Some(order) = &mut self.order else {
            for i in 0..batch.num_rows().min(MOST.saturating_sub(self.kept.len())) {
                self.kept.push((None, batch.slice(i, 1)));
            }
            return Ok(());
        };
        let rows = order.convert_columns(batch.columns())?;
        let mut smallest: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)).collect();
        smallest.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
        smallest.truncate(MOST);
        for i in smallest {
            let one = take_record_batch(batch, &UInt32Array::from(vec![i]))?;
            self.kept.push((Some(rows.row(i as usize).owned()), one));
        }
        self.kept.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.kept.truncate(MOST);
        Ok(())
    }

    /// Returns the rows as JSON objects; NULL is null.
    pub(super) fn into_rows(self) -> Result<Vec<Map<String, Value>>, ArrowError> {
        let Some((_, first)) = self.kept.first() else {
            return Ok(Vec::new());
        };
        let schema = Arc::clone(first.schema_ref());
        let all = concat_batches(&schema, self.kept.iter().map(|(_, batch)| batch))?;
        let mut writer = arrow_json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, arrow_json::writer::JsonArray>(Vec::new());
        writer.write(&all)?;
        writer.finish()?;
        serde_json::from_slice(&writer.into_inner()).map_err(|e| ArrowError::JsonError(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Int64Array};

    #[test]
    fn the_same_rows_in_any_order() {
        let batch = |values: Vec<Option<i64>>| {
            RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(values)) as ArrayRef)])
                .expect("a batch")
        };
        let sample = |batches: &[Vec<Option<i64>>]| {
            let mut sample = Sample::new();
            batches
                .iter()
                .for_each(|b| sample.add(&batch(b.clone())).expect("added"));
            serde_json::to_string(&sample.into_rows().expect("rows")).expect("json")
        };
        let a = sample(&[
            vec![Some(9), Some(1), None],
            vec![Some(4), Some(3), Some(2), Some(8)],
        ]);
        assert_eq!(a, r#"[{"x":null},{"x":1},{"x":2},{"x":3},{"x":4}]"#);
        assert_eq!(
            a,
            sample(&[
                vec![Some(8), Some(2), Some(3)],
                vec![Some(4), Some(9)],
                vec![None, Some(1)]
            ])
        );
    }
}
