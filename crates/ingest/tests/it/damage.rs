//! Damaged files are refused or taken, and never crash; what is cut off is always noticed where the format can tell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use mainstay_model::spec::{Format, SourceSpec};
use proptest::prelude::*;

use crate::desk::{gzip, parquet, schema, sliced, spec, take, zstd};

fn files() -> Vec<(Format, &'static str, Vec<u8>)> {
    let n = 300i64;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(Int64Array::from_iter_values(0..n))),
        (
            "b",
            Arc::new(StringArray::from_iter_values(
                (0..n).map(|i| format!("text {}", i % 7)),
            )),
        ),
        (
            "c",
            Arc::new(Float64Array::from_iter_values((0..n).map(|i| i as f64 / 3.0))),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut csv = "a,b,c\n".to_owned();
    let mut json = String::new();
    for i in 0..n {
        csv += &format!("{i},\"text, {}\",{}\n", i % 7, i as f64 / 3.0);
        json += &format!(
            "{{\"a\": {i}, \"b\": \"text {}\", \"c\": {}}}\n",
            i % 7,
            i as f64 / 3.0
        );
    }
    vec![
        (Format::Parquet, "x.parquet", parquet(&batch)),
        (Format::Csv, "x.csv", csv.clone().into_bytes()),
        (Format::Csv, "x.csv.gz", gzip(csv.as_bytes())),
        (Format::Csv, "x.csv.zst", zstd(csv.as_bytes())),
        (Format::Ndjson, "x.ndjson", json.clone().into_bytes()),
        (Format::Ndjson, "x.ndjson.gz", gzip(json.as_bytes())),
    ]
}

fn source(format: Format, declared: bool) -> SourceSpec {
    let spec = sliced(spec(format), &[("b", None)]);
    let columns = declared.then(|| schema("a: long, b: string, c: double"));
    SourceSpec { columns, ..spec }
}

#[test]
fn whole_files_are_taken() {
    for (format, name, bytes) in files() {
        for declared in [true, false] {
            let result = take(&source(format, declared), None, name, &bytes).expect(name);
            assert_eq!(
                (result.taken.rows.0, result.taken.files.len()),
                (300, 7),
                "{name}"
            );
        }
    }
}

#[test]
fn compressed_and_columnar_files_that_are_cut_off_are_refused() {
    for (format, name, bytes) in files()
        .into_iter()
        .filter(|(_, n, _)| *n != "x.csv" && *n != "x.ndjson")
    {
        for keep in (0..bytes.len()).step_by(37) {
            let cut = bytes.get(..keep).expect("less");
            assert!(
                take(&source(format, true), None, name, cut).is_err(),
                "{name} cut at {keep}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn flipped_bytes_never_crash(
        which in 0usize..6,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        declared in any::<bool>(),
    ) {
        let Some((format, name, mut bytes)) = files().into_iter().nth(which) else { return Ok(()) };
        for (at, to) in flips {
            let at = at.index(bytes.len());
            if let Some(b) = bytes.get_mut(at) {
                *b = to;
            }
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        if let Err(e) = take(&source(format, declared), None, name, &bytes) {
            prop_assert!(e.code.starts_with("MS02") && e.help.is_some(), "{:?}", e);
        }
    }
}
