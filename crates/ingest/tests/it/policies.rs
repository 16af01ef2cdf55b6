//! What happens when a file's columns are not the dataset's.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray};
use mainstay_model::spec::{Format, OnSchemaChange};

use crate::desk::{columns, parquet, schema, spec, take, with_policy};

const KNOWN: &str = "a: long, b: string";

fn csv(policy: OnSchemaChange, text: &str) -> Result<(Vec<String>, String), (String, String)> {
    run(Format::Csv, policy, text.as_bytes())
}

fn run(
    format: Format,
    policy: OnSchemaChange,
    bytes: &[u8],
) -> Result<(Vec<String>, String), (String, String)> {
    match take(
        &with_policy(spec(format), policy),
        Some(&schema(KNOWN)),
        "x",
        bytes,
    ) {
        Ok(result) => Ok((result.rows, columns(&result.taken.schema))),
        Err(e) => Err((e.code, e.message)),
    }
}

fn typed(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    parquet(&RecordBatch::try_from_iter(columns).expect("a batch"))
}

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn order_and_the_case_of_a_header_do_not_matter() {
    let (rows, columns) = csv(OnSchemaChange::Refuse, "B,A\nx,1\n").expect("taken");
    assert_eq!((rows, columns.as_str()), (vec!["all | 1 | x".to_owned()], KNOWN));
}

#[test]
fn refuse_names_every_difference() {
    let (code, message) = csv(OnSchemaChange::Refuse, "a,bb,c\n1,x,2.5\n").expect_err("refused");
    assert_eq!(code, "MS0259");
    for part in [
        "column `bb` (string) is new",
        "column `c` (double) is new",
        "column `b` is missing",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let known = schema("carrier: string, delay: long");
    let e = take(&spec(Format::Csv), Some(&known), "x", "carriers,delay\nAA,1\n")
        .err()
        .expect("refused");
    assert!(
        e.message
            .contains("column `carrier` is missing (is it called `carriers` now?)"),
        "{e:?}"
    );
    let file = typed(vec![("a", texts(&["1"])), ("b", longs(&[1])), ("c", longs(&[1]))]);
    let (_, message) = run(Format::Parquet, OnSchemaChange::Refuse, &file).expect_err("refused");
    for part in [
        "column `a` is string, in the dataset long",
        "column `b` is long",
        "column `c` (long) is new",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let (code, message) = run(
        Format::Ndjson,
        OnSchemaChange::Refuse,
        b"{\"a\": 1}\n{\"c\": [1]}\n",
    )
    .expect_err("refused");
    assert_eq!(
        (code.as_str(), message.contains("column `c` (array<long>) is new")),
        ("MS0259", true),
        "{message}"
    );
}

#[test]
fn add_appends_new_columns_and_fills_missing_ones() {
    let grown = "a: long, b: string, c: double, d: date";
    let (rows, columns) =
        csv(OnSchemaChange::Add, "c,d,a\n1,2013-01-01,5\n2.5,2013-01-02,6\n").expect("taken");
    assert_eq!(columns, grown);
    assert_eq!(
        rows,
        [
            "all | 5 | NULL | 1.0 | 2013-01-01",
            "all | 6 | NULL | 2.5 | 2013-01-02"
        ]
    );
    let (rows, columns) =
        run(Format::Ndjson, OnSchemaChange::Add, b"{\"a\": 1}\n{\"c\": [1]}\n").expect("taken");
    assert_eq!(
        (columns.as_str(), rows.len()),
        ("a: long, b: string, c: array<long>", 2)
    );
    let (_, columns) = run(
        Format::Parquet,
        OnSchemaChange::Add,
        &typed(vec![("z", longs(&[1]))]),
    )
    .expect("taken");
    assert_eq!(columns, "a: long, b: string, z: long");
    let changed = typed(vec![("a", texts(&["1"])), ("b", texts(&["x"]))]);
    assert_eq!(
        run(Format::Parquet, OnSchemaChange::Add, &changed)
            .expect_err("refused")
            .0,
        "MS0259"
    );
    assert_eq!(
        csv(OnSchemaChange::Add, "a,b\nx,y\n").expect_err("refused").0,
        "MS0254"
    );
}

#[test]
fn cast_keeps_the_columns() {
    let (rows, columns) = csv(OnSchemaChange::Cast, "c,a\nx,5\n").expect("taken");
    assert_eq!(
        (rows, columns.as_str()),
        (vec!["all | 5 | NULL".to_owned()], KNOWN)
    );
    let (rows, _) = run(
        Format::Ndjson,
        OnSchemaChange::Cast,
        b"{\"a\": 1, \"c\": {\"d\": 1}}\n",
    )
    .expect("taken");
    assert_eq!(rows, ["all | 1 | NULL"]);
    let file = typed(vec![
        ("a", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
        ("b", longs(&[7, 8])),
        ("c", longs(&[1, 2])),
    ]);
    let (rows, columns) = run(Format::Parquet, OnSchemaChange::Cast, &file).expect("taken");
    assert_eq!(
        (rows, columns.as_str()),
        (vec!["all | 1 | 7".to_owned(), "all | 2 | 8".to_owned()], KNOWN)
    );
    let file = typed(vec![("a", Arc::new(Float64Array::from(vec![1.0, 2.5])))]);
    let (code, message) = run(Format::Parquet, OnSchemaChange::Cast, &file).expect_err("refused");
    assert_eq!(code, "MS0254");
    assert!(
        message.contains("row 2, column `a`: `2.5` is not a whole number"),
        "{message}"
    );
}

#[test]
fn wider_types_of_the_dataset_take_narrower_ones() {
    let narrow: ArrayRef = Arc::new(Int16Array::from(vec![1, -2]));
    let (rows, columns) = run(
        Format::Parquet,
        OnSchemaChange::Refuse,
        &typed(vec![("a", narrow), ("b", texts(&["x", "y"]))]),
    )
    .expect("taken");
    assert_eq!(
        (rows, columns.as_str()),
        (vec!["all | 1 | x".to_owned(), "all | -2 | y".to_owned()], KNOWN)
    );
    let file = typed(vec![
        ("a", Arc::new(Float64Array::from(vec![1.0]))),
        ("b", texts(&["x"])),
    ]);
    assert_eq!(
        run(Format::Parquet, OnSchemaChange::Refuse, &file)
            .expect_err("refused")
            .0,
        "MS0259"
    );
}

#[test]
fn a_column_without_a_type_has_only_nulls_and_fits() {
    let nothing: ArrayRef = Arc::new(arrow::array::NullArray::new(2));
    let file = typed(vec![("a", longs(&[1, 2])), ("b", nothing.clone())]);
    for policy in [OnSchemaChange::Refuse, OnSchemaChange::Add, OnSchemaChange::Cast] {
        let (rows, columns) = run(Format::Parquet, policy, &file).expect("taken");
        assert_eq!(
            (rows, columns.as_str()),
            (
                vec!["all | 1 | NULL".to_owned(), "all | 2 | NULL".to_owned()],
                KNOWN
            )
        );
    }
    let first = take(&spec(Format::Parquet), None, "x", &file).expect("taken");
    assert_eq!(columns(&first.taken.schema), KNOWN);
    let new = typed(vec![("a", longs(&[1, 2])), ("c", nothing)]);
    let (_, columns) = run(Format::Parquet, OnSchemaChange::Add, &new).expect("taken");
    assert_eq!(columns, "a: long, b: string, c: string");
}

#[test]
fn a_new_nested_field_is_a_change() {
    let known = schema("a: struct<x: long>");
    let take = |policy, text: &str| {
        take(
            &with_policy(spec(Format::Ndjson), policy),
            Some(&known),
            "x",
            text,
        )
    };
    let text = "{\"a\": {\"x\": 1, \"y\": 2}}\n";
    for policy in [OnSchemaChange::Refuse, OnSchemaChange::Add] {
        let e = take(policy, text).err().expect("refused");
        assert!(e.message.contains("`a.y`"), "{e:?}");
    }
    assert_eq!(
        take(OnSchemaChange::Cast, text).expect("taken").rows,
        ["all | {x: 1}"]
    );
}
