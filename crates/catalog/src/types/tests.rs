//! Types between Arrow, Delta and the model, and coercions that change no value.

use arrow::array::*;

use super::*;

fn all_types() -> Vec<ColumnType> {
    let texts = [
        "boolean",
        "byte",
        "short",
        "integer",
        "long",
        "float",
        "double",
        "decimal(12,2)",
        "string",
        "binary",
        "date",
        "timestamp",
        "timestamp_ntz",
        "array<string>",
        "struct<a: long, b: array<date>>",
        "map<string, decimal(38,9)>",
    ];
    texts.iter().map(|t| t.parse().expect("a type")).collect()
}

#[test]
fn every_type_comes_back_from_arrow() {
    for t in all_types() {
        assert_eq!(from_arrow("x", &to_arrow(&t)).expect("a type"), t);
    }
}

#[test]
fn types_without_a_twin_get_wider_or_are_refused() {
    let becomes = |t: DataType| from_arrow("x", &t).map(|t| t.to_string());
    for (arrow, ours) in [
        (DataType::UInt8, "short"),
        (DataType::UInt32, "long"),
        (DataType::UInt64, "decimal(20,0)"),
        (DataType::Float16, "float"),
        (DataType::Utf8View, "string"),
        (
            DataType::Timestamp(TimeUnit::Second, Some("+02:00".into())),
            "timestamp",
        ),
        (DataType::Timestamp(TimeUnit::Nanosecond, None), "timestamp_ntz"),
        (DataType::Decimal256(40, -2), "-"),
        (DataType::Decimal128(10, -2), "decimal(12,0)"),
        (
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)),
            "string",
        ),
    ] {
        match becomes(arrow.clone()) {
            Ok(t) => assert_eq!(t, ours, "{arrow}"),
            Err(_) => assert_eq!(ours, "-", "{arrow}"),
        }
    }
    let inner = Field::new("t", DataType::Time64(TimeUnit::Nanosecond), true);
    let e = from_arrow("a", &DataType::Struct(vec![inner].into())).expect_err("no times");
    assert!(
        e.to_string().starts_with("column `a.t` has the type Time64"),
        "{e}"
    );
    assert!(e.help().contains("VARCHAR"));
    assert!(from_arrow("n", &DataType::Null).is_err());
}

#[test]
fn names_that_readers_cannot_take_are_refused() {
    let schema = |names: &[&str]| {
        ArrowSchema::new(
            names
                .iter()
                .map(|n| Field::new(*n, DataType::Int32, true))
                .collect::<Vec<_>>(),
        )
    };
    assert!(from_arrow_schema(&schema(&["a", "b_c", "é"])).is_ok());
    for bad in [&["a b"][..], &["count(*)"], &["a", "A"], &[""]] {
        assert!(
            matches!(from_arrow_schema(&schema(bad)), Err(Error::ColumnName { .. })),
            "{bad:?}"
        );
    }
}

#[test]
fn batches_are_brought_into_a_schema_or_refused() {
    let schema = Schema(vec![
        Column {
            name: "b".into(),
            column_type: ColumnType::String,
        },
        Column {
            name: "a".into(),
            column_type: ColumnType::Byte,
        },
    ]);
    let batch = |a: Vec<i64>| {
        let b: StringViewArray = a.iter().map(|x| Some(x.to_string())).collect();
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(a)) as ArrayRef),
            ("b", Arc::new(b)),
        ])
        .expect("a batch")
    };
    let good = coerce(&batch(vec![1, 2]), &schema).expect("it fits");
    assert_eq!(good.schema(), arrow_schema(&schema));
    assert_eq!(
        good.column(1).as_ref(),
        &Int8Array::from(vec![1, 2]) as &dyn Array
    );
    let e = coerce(&batch(vec![1, 200]), &schema).expect_err("too large for a byte");
    assert!(matches!(&e, Error::Value { column, .. } if column == "a"), "{e}");
    let fewer = Schema(schema.0[..1].to_vec());
    assert!(matches!(
        coerce(&batch(vec![1]), &fewer),
        Err(Error::Columns { .. })
    ));
    assert!(matches!(
        coerce(&batch(vec![1]).project(&[0]).expect("one"), &schema),
        Err(Error::Columns { .. })
    ));
}
