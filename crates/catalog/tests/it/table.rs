//! A small dataset of flights for the tests, and what its publishes look like.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, ListArray, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::Int64Type;
use mainstay_base::Timestamp;
use mainstay_catalog::{Projection, Stage, types};
use mainstay_model::{DataFile, RunId, Schema, SliceKey};
use mainstay_storage::Store;

/// 2013-01-01 as days since 1970.
pub(crate) const NEW_YEAR: i32 = 15_706;

/// Rows of `days` days, `per_day` each, day by day.
pub(crate) fn flights(days: i32, per_day: i32) -> RecordBatch {
    let rows: Vec<(i32, i32)> = (0..days)
        .flat_map(|d| (0..per_day).map(move |i| (d, i)))
        .collect();
    let day: Date32Array = rows.iter().map(|(d, _)| Some(NEW_YEAR + d)).collect();
    let flight: Int32Array = rows
        .iter()
        .map(|(d, i)| (i % 7 != 6).then_some(d * 1000 + i))
        .collect();
    let carrier: StringArray = rows
        .iter()
        .map(|(_, i)| Some(["UA", "B6", "DL"][(*i % 3) as usize]))
        .collect();
    let late: BooleanArray = rows.iter().map(|(_, i)| Some(i % 2 == 0)).collect();
    let price = rows
        .iter()
        .map(|(_, i)| i128::from(i * 25))
        .collect::<Decimal128Array>();
    let price = price.with_precision_and_scale(12, 2).expect("a decimal");
    let nanos = rows
        .iter()
        .map(|(d, i)| Some((i64::from(NEW_YEAR + d) * 86_400 + i64::from(*i)) * 1_000_000_000));
    let time = nanos.collect::<TimestampNanosecondArray>().with_timezone("UTC");
    let stops = ListArray::from_iter_primitive::<Int64Type, _, _>(
        rows.iter()
            .map(|(_, i)| Some(vec![Some(i64::from(*i)); (*i % 3) as usize])),
    );
    let columns: [(&str, ArrayRef); 7] = [
        ("flight", Arc::new(flight)),
        ("carrier", Arc::new(carrier)),
        ("day", Arc::new(day)),
        ("late", Arc::new(late)),
        ("price", Arc::new(price)),
        ("time", Arc::new(time)),
        ("stops", Arc::new(stops)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).expect("a batch")
}

pub(crate) fn schema_of(batch: &RecordBatch) -> Schema {
    types::from_arrow_schema(&batch.schema()).expect("a schema")
}

pub(crate) fn by_day() -> Vec<String> {
    vec!["day".to_owned()]
}

/// Stages a batch as an attempt's files.
pub(crate) async fn staged(
    store: &Store,
    table: &str,
    attempt: &str,
    batch: &RecordBatch,
) -> Vec<(SliceKey, DataFile)> {
    let stage = Stage::new(store, table, attempt, &schema_of(batch), &by_day()).expect("a stage");
    let mut writer = stage.table();
    writer.write(batch).await.expect("rows");
    let slices = writer.finish().await.expect("files");
    slices
        .into_iter()
        .flat_map(|(key, files)| files.into_iter().map(move |f| (key.clone(), f)))
        .collect()
}

pub(crate) fn publish(
    seq: u64,
    schema: Schema,
    add: Vec<(SliceKey, DataFile)>,
    remove: Vec<(SliceKey, DataFile)>,
) -> Projection {
    Projection {
        account: "main".to_owned(),
        dataset: "air.flights".parse().expect("a name"),
        version: seq,
        seq,
        schema,
        slice_columns: by_day(),
        add,
        remove,
        timestamp: Timestamp::from_micros(
            1_359_864_306_000_000 + i64::try_from(seq).expect("small") * 1_000_000,
        ),
        run: Some(RunId(seq)),
    }
}
