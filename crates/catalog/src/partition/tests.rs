//! Slice values to text and back, for every type that can slice.

use arrow::array::*;
use arrow::datatypes::TimeUnit;
use proptest::prelude::*;

use super::*;

fn text_of(array: impl Array + 'static) -> Option<String> {
    slice_text("x", &(Arc::new(array) as ArrayRef), 0).expect("a text")
}

#[test]
fn values_are_written_as_delta_does() {
    let some = |s: &str| Some(s.to_owned());
    assert_eq!(text_of(Date32Array::from(vec![15_739])), some("2013-02-03"));
    assert_eq!(text_of(BooleanArray::from(vec![true])), some("true"));
    assert_eq!(text_of(Int8Array::from(vec![-3])), some("-3"));
    assert_eq!(
        text_of(UInt64Array::from(vec![u64::MAX])),
        some("18446744073709551615")
    );
    assert_eq!(text_of(StringViewArray::from(vec!["JFK"])), some("JFK"));
    assert_eq!(text_of(StringArray::from(vec![None::<&str>])), None);
    let decimal = Decimal128Array::from(vec![-150])
        .with_precision_and_scale(5, 2)
        .expect("a decimal");
    assert_eq!(text_of(decimal), some("-1.50"));
    let t = 1_359_864_306_000_000;
    assert_eq!(
        text_of(TimestampMicrosecondArray::from(vec![t])),
        some("2013-02-03 04:05:06")
    );
    assert_eq!(
        text_of(TimestampMicrosecondArray::from(vec![t + 7])),
        some("2013-02-03 04:05:06.000007")
    );
    let zoned = TimestampSecondArray::from(vec![1_359_864_306]).with_timezone("+05:00");
    assert_eq!(text_of(zoned), some("2013-02-03 04:05:06"));
    let dictionary: DictionaryArray<arrow::datatypes::Int8Type> = vec!["a", "b"].into_iter().collect();
    assert_eq!(text_of(dictionary), some("a"));
}

#[test]
fn what_cannot_name_a_slice_is_refused() {
    let refused = |a: ArrayRef| matches!(slice_text("x", &a, 0), Err(Error::Slice { .. }));
    assert!(refused(Arc::new(Float64Array::from(vec![1.0]))));
    assert!(refused(Arc::new(BinaryArray::from(vec![b"x".as_ref()]))));
    assert!(refused(Arc::new(StringArray::from(vec![""]))));
    for (t, text) in [
        ("date", "2013-2-3"),
        ("date", "2013-02-30"),
        ("integer", "+1"),
        ("integer", "01"),
        ("byte", "300"),
        ("boolean", "t"),
        ("timestamp", "2013-02-03T04:05:06Z"),
        ("decimal(5,2)", "1.5"),
        ("double", "1.0"),
        ("string", ""),
    ] {
        let t: ColumnType = t.parse().expect("a type");
        assert!(slice_scalar("x", &t, Some(text)).is_err(), "{t} {text}");
    }
}

proptest! {
    #[test]
    fn text_and_back(days in -700_000i32..2_900_000, micros in -60_000_000_000_000_000i64..250_000_000_000_000_000, n in any::<i64>(), s in ".{1,8}") {
        let utc = TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC");
        let arrays: [(&str, ArrayRef); 6] = [
            ("date", Arc::new(Date32Array::from(vec![days]))),
            ("timestamp", Arc::new(utc)),
            ("timestamp_ntz", Arc::new(TimestampMicrosecondArray::from(vec![micros]))),
            ("long", Arc::new(Int64Array::from(vec![n]))),
            ("decimal(38,9)", Arc::new(Decimal128Array::from(vec![i128::from(n)]).with_precision_and_scale(38, 9).expect("fits"))),
            ("string", Arc::new(StringArray::from(vec![s]))),
        ];
        for (t, array) in arrays {
            let t: ColumnType = t.parse().expect("a type");
            let text = slice_text("x", &array, 0).expect("a text");
            let back = slice_scalar("x", &t, text.as_deref()).expect("a value");
            prop_assert_eq!(back.as_ref(), array.as_ref(), "{:?}", text);
            prop_assert!(slice_scalar("x", &t, None).expect("a NULL").is_null(0));
        }
    }
}

#[test]
fn rows_are_sorted_out_by_slice() {
    let day = Date32Array::from(vec![Some(1), Some(2), None, Some(1)]);
    let n = Int32Array::from(vec![10, 20, 30, 40]);
    let batch = RecordBatch::try_from_iter([("day", Arc::new(day) as ArrayRef), ("n", Arc::new(n))])
        .expect("a batch");
    let parts = split(&batch, &["day".to_owned()]).expect("slices");
    let seen: Vec<(Option<&str>, Vec<i32>)> = parts
        .iter()
        .map(|(k, b)| {
            (
                k.0[0].as_deref(),
                b["n"]
                    .as_primitive::<arrow::datatypes::Int32Type>()
                    .values()
                    .to_vec(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some("1970-01-02"), vec![10, 40]),
            (Some("1970-01-03"), vec![20]),
            (None, vec![30])
        ]
    );
    assert!(split(&batch, &["month".to_owned()]).is_err());
    assert_eq!(split(&batch, &[]).expect("one")[0].0, SliceKey::whole());
    assert!(
        split(&batch.slice(0, 0), &["day".to_owned()])
            .expect("none")
            .is_empty()
    );
    assert!(matches!(
        to_arrow(&ColumnType::Timestamp),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_))
    ));
}
