//! Random tables, written in each format and compression, come back with the digest that they had.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_base::MultisetHash;
use mainstay_catalog::Digester;
use mainstay_model::Schema;
use mainstay_model::spec::{Format, SourceSpec};
use proptest::prelude::*;

use crate::desk::{digest, gzip, parquet, schema, spec, take, zstd};

const COLUMNS: &str =
    "l: long, d: double, s: string, b: boolean, day: date, t: timestamp, n: timestamp_ntz, m: decimal(12,3)";

#[derive(Clone, Debug)]
struct Row {
    l: Option<i64>,
    d: Option<f64>,
    s: Option<String>,
    b: Option<bool>,
    day: Option<i32>,
    t: Option<i64>,
    n: Option<i64>,
    m: Option<i64>,
}

fn row() -> impl Strategy<Value = Row> {
    // Texts with everything that CSV and JSON must quote; never empty, which CSV cannot tell from NULL.
    let text = "[a-z\",;\n\r\\\\ éß\u{1F600}\t0-9{}']{1,12}";
    let micros = -60_000_000_000_000_000i64..250_000_000_000_000_000;
    (
        prop::option::of(any::<i64>()),
        prop::option::of(prop_oneof![
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
            Just(0.1),
            Just(-1e300)
        ]),
        prop::option::of(text),
        prop::option::of(any::<bool>()),
        prop::option::of(-700_000i32..2_900_000),
        prop::option::of(micros.clone()),
        prop::option::of(micros),
        prop::option::of(-999_999_999_999i64..999_999_999_999),
    )
        .prop_map(|(l, d, s, b, day, t, n, m)| Row {
            l,
            d,
            s,
            b,
            day,
            t,
            n,
            m,
        })
}

fn batch(rows: &[Row]) -> RecordBatch {
    let t = TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.t)).with_timezone("UTC");
    let m =
        Decimal128Array::from_iter(rows.iter().map(|r| r.m.map(i128::from))).with_precision_and_scale(12, 3);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("l", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.l)))),
        ("d", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.d)))),
        (
            "s",
            Arc::new(StringArray::from_iter(rows.iter().map(|r| r.s.clone()))),
        ),
        ("b", Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.b)))),
        (
            "day",
            Arc::new(Date32Array::from_iter(rows.iter().map(|r| r.day))),
        ),
        ("t", Arc::new(t)),
        (
            "n",
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.n))),
        ),
        ("m", Arc::new(m.expect("a decimal"))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).expect("a batch")
}

/// Writes the values cell by cell, by the rules of each format, not with what reads them.
fn cell(column: &ArrayRef, row: usize) -> Option<String> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::new()).expect("a formatter");
    column.is_valid(row).then(|| formatter.value(row).to_string())
}

fn csv(batch: &RecordBatch) -> Vec<u8> {
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut out = names.join(",") + "\r\n";
    for row in 0..batch.num_rows() {
        let fields = batch.columns().iter().map(|c| match cell(c, row) {
            Some(v) if v.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", v.replace('"', "\"\"")),
            Some(v) => v,
            None => String::new(),
        });
        out += &fields.collect::<Vec<_>>().join(",");
        out += "\r\n";
    }
    out.into_bytes()
}

fn ndjson(batch: &RecordBatch) -> Vec<u8> {
    let mut out = String::new();
    for row in 0..batch.num_rows() {
        let mut fields = Vec::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let Some(text) = cell(column, row) else { continue };
            let value = match field.name().as_str() {
                "l" | "d" | "b" => text,
                _ => serde_json::Value::String(text).to_string(),
            };
            fields.push(format!("\"{}\": {value}", field.name()));
        }
        out += &format!("{{{}}}\n", fields.join(", "));
    }
    out.into_bytes()
}

fn expected(batch: &RecordBatch) -> MultisetHash {
    let mut digester = Digester::new(&batch.schema()).expect("a digester");
    digester.update(batch).expect("rows");
    digester.finish().0
}

fn came_back(format: Format, columns: &Schema, file: &str, bytes: &[u8]) -> (MultisetHash, u64) {
    let spec = SourceSpec {
        columns: Some(columns.clone()),
        ..spec(format)
    };
    match take(&spec, None, file, bytes) {
        Ok(result) => (digest(&result.taken), result.taken.rows.0),
        Err(e) => panic!("{file}: {e:?}\n{}", String::from_utf8_lossy(bytes)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_format_gives_the_same_rows(rows in prop::collection::vec(row(), 1..40)) {
        let batch = batch(&rows);
        let columns = schema(COLUMNS);
        let want = (expected(&batch), rows.len() as u64);
        let (csv, json, file) = (csv(&batch), ndjson(&batch), parquet(&batch));
        for (format, name, bytes) in [
            (Format::Csv, "x.csv", csv.clone()),
            (Format::Csv, "x.csv.gz", gzip(&csv)),
            (Format::Csv, "x.csv.zst", zstd(&csv)),
            (Format::Ndjson, "x.ndjson", json.clone()),
            (Format::Ndjson, "x.ndjson.gz", gzip(&json)),
            (Format::Ndjson, "x.ndjson.zst", zstd(&json)),
            (Format::Parquet, "x.parquet", file),
        ] {
            prop_assert_eq!(came_back(format, &columns, name, &bytes), want, "{}", name);
        }
    }
}
