//! The digest: independent of order, batches and physical types, and of nothing else.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::*;
use proptest::prelude::*;

use super::*;

fn digest(batches: &[RecordBatch]) -> MultisetHash {
    of_batches(&batches[0].schema(), batches).expect("a digest").0
}

fn one(name: &str, array: ArrayRef) -> MultisetHash {
    digest(&[RecordBatch::try_from_iter([(name, array)]).expect("a batch")])
}

#[derive(Clone, Debug, PartialEq)]
struct Row(Option<i32>, Option<String>, Option<f64>, Vec<Option<i64>>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = prop::option::of(prop_oneof!["[a-c]{0,3}", "[a-z]{30,40}"]);
    let float = prop::option::of(prop_oneof![
        Just(0.0),
        Just(1.5),
        Just(f64::INFINITY),
        any::<i16>().prop_map(f64::from)
    ]);
    let list = prop::collection::vec(prop::option::of(0i64..3), 0..3);
    let row = (prop::option::of(-2i32..3), text, float, list).prop_map(|(a, b, c, d)| Row(a, b, c, d));
    prop::collection::vec(row, 1..40)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let a: Int32Array = rows.iter().map(|r| r.0).collect();
    let b: StringArray = rows.iter().map(|r| r.1.clone()).collect();
    let c: Float64Array = rows.iter().map(|r| r.2).collect();
    let d = ListArray::from_iter_primitive::<Int64Type, _, _>(rows.iter().map(|r| Some(r.3.clone())));
    let columns: [(&str, ArrayRef); 4] = [
        ("a", Arc::new(a)),
        ("b", Arc::new(b)),
        ("c", Arc::new(c)),
        ("d", Arc::new(d)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).expect("a batch")
}

/// The same values in other physical types and another order of columns.
fn otherwise(batch: &RecordBatch) -> RecordBatch {
    let to =
        |name: &str, t: &DataType| cast(batch.column_by_name(name).expect("a column"), t).expect("a cast");
    let field = Arc::new(Field::new("x", DataType::Int16, true));
    let columns = [
        ("d", to("d", &DataType::LargeList(field))),
        (
            "b",
            to(
                "b",
                &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            ),
        ),
        ("a", to("a", &DataType::Int8)),
        ("c", to("c", &DataType::Float32)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).expect("a batch")
}

/// The rows as text, sorted: an oracle for the equality of multisets.
fn multiset(rows: &[Row]) -> Vec<String> {
    let mut out: Vec<String> = rows.iter().map(|r| format!("{r:?}")).collect();
    out.sort();
    out
}

proptest! {
    #[test]
    fn order_batches_and_physical_types_do_not_matter(rows in rows(), cut in 0usize..40, seed in any::<u64>()) {
        let whole = batch(&rows);
        let expected = digest(std::slice::from_ref(&whole));

        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|i| (u64::from(*i) + 1).wrapping_mul(seed | 1).rotate_left(17));
        let shuffled = take_record_batch(&whole, &UInt32Array::from(order)).expect("a permutation");
        let cut = cut.min(rows.len());
        let parts = [shuffled.slice(0, cut), shuffled.slice(cut, rows.len() - cut)];
        prop_assert_eq!(digest(&parts), expected);
        prop_assert_eq!(digest(&[otherwise(&whole)]), expected);
        prop_assert_eq!(digest(&[concat_batches(&whole.schema(), &parts).expect("one")]), expected);
    }

    #[test]
    fn digests_are_equal_exactly_if_the_multisets_are(a in rows(), change in 0usize..40, how in 0..5) {
        let mut b = a.clone();
        let n = b.len();
        match how {
            0 => b[change % n].0 = Some(7),
            1 => b[change % n].1 = None,
            2 => b[change % n].3.push(None),
            3 => b.push(a[change % n].clone()),
            _ => { let (x, y) = (b[change % n].2, b[0].2); b[change % n].2 = y; b[0].2 = x; }
        }
        prop_assert_eq!(digest(&[batch(&a)]) == digest(&[batch(&b)]), multiset(&a) == multiset(&b));
    }

    #[test]
    fn constants_are_columns(rows in rows(), value in "[a-z]{1,5}") {
        let whole = batch(&rows);
        let mut fields: Vec<Field> = whole.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        fields.insert(1, Field::new("aa", DataType::Utf8, true));
        let mut columns = whole.columns().to_vec();
        columns.insert(1, Arc::new(StringArray::from(vec![value.as_str(); rows.len()])));
        let written = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch");

        let constant: ArrayRef = Arc::new(StringViewArray::from(vec![value.as_str()]));
        let mut digester = Digester::with_constants(&whole.schema(), &[("aa".to_owned(), constant)]).expect("a digester");
        digester.update(&whole).expect("rows");
        prop_assert_eq!(digester.finish().0, digest(&[written]));
    }

    #[test]
    fn decimals_count_by_value(digits in -100_000i128..100_000, more in 0u8..6, scale in 0i8..6) {
        let of = |d: i128, p, s| one("x", Arc::new(Decimal128Array::from(vec![d]).with_precision_and_scale(p, s).expect("a decimal")));
        let wider = digits * 10i128.pow(u32::from(more));
        prop_assert_eq!(of(digits, 10, scale), of(wider, 20, scale + more as i8));
        prop_assert_ne!(of(digits, 10, scale), of(digits + 1, 10, scale));
    }
}

#[test]
fn equal_values_of_different_types() {
    let texts = [
        "",
        "a",
        "a longer text than fits into a view, and longer than a block of the encoding",
    ];
    let utf8 = one("x", Arc::new(StringArray::from(texts.to_vec())));
    assert_eq!(utf8, one("x", Arc::new(LargeStringArray::from(texts.to_vec()))));
    assert_eq!(utf8, one("x", Arc::new(StringViewArray::from(texts.to_vec()))));
    assert_ne!(
        utf8,
        one("y", Arc::new(StringArray::from(texts.to_vec()))),
        "names count"
    );
    assert_ne!(
        utf8,
        one(
            "x",
            Arc::new(BinaryArray::from(texts.map(str::as_bytes).to_vec()))
        ),
        "classes count"
    );

    let ints = one("x", Arc::new(Int64Array::from(vec![1, 200])));
    for array in [
        Arc::new(UInt8Array::from(vec![1, 200])) as ArrayRef,
        Arc::new(UInt32Array::from(vec![1, 200])),
    ] {
        assert_eq!(ints, one("x", array));
    }
    let big = one("x", Arc::new(UInt64Array::from(vec![u64::MAX])));
    let decimal = Decimal128Array::from(vec![i128::from(u64::MAX)])
        .with_precision_and_scale(20, 0)
        .expect("a decimal");
    assert_eq!(big, one("x", Arc::new(decimal)));

    let nan = f64::from_bits(0x7ff8_0000_0000_1234);
    let floats = |v: Vec<f64>| one("x", Arc::new(Float64Array::from(v)));
    assert_eq!(floats(vec![nan, -0.0, 1.0]), floats(vec![-f64::NAN, 0.0, 1.0]));
    assert_ne!(floats(vec![f64::NAN]), floats(vec![f64::INFINITY]));

    let micros = TimestampMicrosecondArray::from(vec![1_000_000]);
    let utc = one("x", Arc::new(micros.clone().with_timezone("UTC")));
    assert_eq!(
        utc,
        one(
            "x",
            Arc::new(TimestampSecondArray::from(vec![1]).with_timezone("+02:00"))
        )
    );
    assert_ne!(utc, one("x", Arc::new(micros)), "a wall-clock time is no moment");
    assert_eq!(
        one("x", Arc::new(Date32Array::from(vec![2]))),
        one("x", Arc::new(Date64Array::from(vec![172_800_000])))
    );
}

#[test]
fn nested_values_do_not_run_together() {
    let list = |rows: Vec<Option<Vec<Option<i64>>>>| {
        one(
            "x",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows)),
        )
    };
    let different = [
        list(vec![None]),
        list(vec![Some(vec![])]),
        list(vec![Some(vec![None])]),
        list(vec![Some(vec![Some(1), Some(2)])]),
        list(vec![Some(vec![Some(2), Some(1)])]),
        list(vec![Some(vec![Some(1)]), Some(vec![Some(2)])]),
    ];
    for (i, a) in different.iter().enumerate() {
        for b in &different[i + 1..] {
            assert_ne!(a, b);
        }
    }
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.append(true).expect("an entry");
    let wide = {
        let mut map = MapBuilder::new(None, LargeStringBuilder::new(), Int64Builder::new());
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).expect("an entry");
        one("x", Arc::new(map.finish()))
    };
    assert_eq!(one("x", Arc::new(map.finish())), wide);

    let field = |n: &str| Arc::new(Field::new(n, DataType::Int32, true));
    let value = |v: i32| Arc::new(Int32Array::from(vec![v])) as ArrayRef;
    let ab = StructArray::from(vec![(field("a"), value(1)), (field("b"), value(2))]);
    let ba = StructArray::from(vec![(field("b"), value(2)), (field("a"), value(1))]);
    let swapped = StructArray::from(vec![(field("a"), value(2)), (field("b"), value(1))]);
    assert_eq!(one("x", Arc::new(ab.clone())), one("x", Arc::new(ba)));
    assert_ne!(one("x", Arc::new(ab)), one("x", Arc::new(swapped)));
}

#[test]
fn sliced_and_null_rows() {
    let batch = batch(&[
        Row(None, None, None, vec![]),
        Row(Some(1), Some("x".into()), None, vec![None]),
    ]);
    let parts: Vec<_> = (0..2).map(|i| batch.slice(i, 1)).collect();
    assert_eq!(digest(&parts), digest(&[batch]));
    assert_eq!(digest(&parts[..1]).union(digest(&parts[1..])), digest(&parts));
}

#[test]
fn columns_that_are_missing_or_of_another_class_are_refused() {
    let batch = batch(&[Row(None, None, None, vec![])]);
    let mut digester = Digester::new(&batch.schema()).expect("a digester");
    let fewer = batch.project(&[0, 1]).expect("two columns");
    assert!(matches!(digester.update(&fewer), Err(Error::Columns { .. })));
    let other = RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)])
        .expect("a batch");
    assert!(matches!(digester.update(&other), Err(Error::Columns { .. })));
}
