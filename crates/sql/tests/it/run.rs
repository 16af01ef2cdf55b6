//! Executes queries over made-up rows, as an oracle for what is said about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::prelude::SessionContext;
use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_sql::{InputTable, arrow_types, bind_time, retarget, session_config, state_builder};

/// A generator of numbers that is the same everywhere.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The day of 2013-01-01.
const FIRST: i32 = 15_706;

/// The text of a day of January 2013.
pub(crate) fn day(n: u64) -> String {
    format!("2013-01-{:02}", n + 1)
}

/// Makes rows for a table: ten days and NULL, few different values, so that there are ties.
pub(crate) fn rows(table: &InputTable, count: usize, numbers: &mut Numbers) -> RecordBatch {
    let schema = arrow_types::schema(&table.schema);
    let columns = schema.fields().iter().map(|field| {
        let values: Vec<ScalarValue> = (0..count)
            .map(|_| {
                let n = numbers.below(11);
                let value = match field.data_type() {
                    _ if n == 10 => ScalarValue::Null,
                    DataType::Date32 => ScalarValue::Date32(Some(FIRST + i32::try_from(n).unwrap())),
                    DataType::Boolean => ScalarValue::Boolean(Some(n.is_multiple_of(2))),
                    DataType::Timestamp(..) => ScalarValue::TimestampMicrosecond(
                        Some(1_357_000_000_000_000 + i64::try_from(n).unwrap() * 100_000_000_000),
                        None,
                    ),
                    DataType::Utf8View => {
                        ScalarValue::Utf8(Some(["x", "y", "z"][usize::try_from(n % 3).unwrap()].into()))
                    }
                    DataType::List(_) => {
                        let items: Vec<ScalarValue> = (0..n % 3)
                            .map(|i| ScalarValue::Int64(Some(i64::try_from(i).unwrap())))
                            .collect();
                        ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Int64))
                    }
                    DataType::Map(..) => ScalarValue::Null,
                    _ => ScalarValue::Int64(Some(i64::try_from(n % 4).unwrap())),
                };
                if value.is_null() {
                    ScalarValue::try_from(field.data_type()).unwrap()
                } else {
                    value.cast_to(field.data_type()).unwrap()
                }
            })
            .collect();
        ScalarValue::iter_to_array(values).unwrap()
    });
    let columns: Vec<ArrayRef> = columns.collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

/// Puts rows into another order, as the numbers say, in pieces.
pub(crate) fn shuffled(batch: &RecordBatch, numbers: &mut Numbers) -> Vec<RecordBatch> {
    let mut order: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap()).collect();
    for i in (1..order.len()).rev() {
        order.swap(
            i,
            usize::try_from(numbers.below(u64::try_from(i).unwrap() + 1)).unwrap(),
        );
    }
    let indices = arrow::array::UInt32Array::from(order);
    let columns = batch
        .columns()
        .iter()
        .map(|c| take(c, &indices, None).unwrap())
        .collect();
    let all = RecordBatch::try_new(batch.schema(), columns).unwrap();
    let cut = usize::try_from(numbers.below(u64::try_from(batch.num_rows()).unwrap() + 1)).unwrap();
    vec![all.slice(0, cut), all.slice(cut, all.num_rows() - cut)]
}

/// Executes a plan over tables; returns its rows as text, sorted.
pub(crate) fn run(plan: &LogicalPlan, tables: &BTreeMap<DatasetName, Vec<RecordBatch>>) -> Vec<Vec<String>> {
    attempt(plan, tables).unwrap()
}

/// Executes a plan that may fail.
pub(crate) fn attempt(
    plan: &LogicalPlan,
    tables: &BTreeMap<DatasetName, Vec<RecordBatch>>,
) -> datafusion::error::Result<Vec<Vec<String>>> {
    let source = |name: &DatasetName| -> Option<Arc<dyn TableSource>> {
        let batches = tables.get(name)?;
        let table = MemTable::try_new(batches[0].schema(), vec![batches.clone()]).unwrap();
        Some(provider_as_source(Arc::new(table)))
    };
    let plan = bind_time(plan.clone(), Timestamp::from_micros(1_357_400_000_000_000)).unwrap();
    let plan = retarget(plan, &source).unwrap();
    let state = state_builder()
        .with_config(session_config().with_target_partitions(1))
        .build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let batches = runtime.block_on(async {
        let frame = SessionContext::new_with_state(state)
            .execute_logical_plan(plan)
            .await?;
        frame.collect().await
    })?;
    let mut out: Vec<Vec<String>> = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            out.push(
                batch
                    .columns()
                    .iter()
                    .map(|c| {
                        if c.is_null(row) {
                            "NULL".into()
                        } else {
                            array_value_to_string(c, row).unwrap()
                        }
                    })
                    .collect(),
            );
        }
    }
    out.sort();
    Ok(out)
}
