//! What each format may look like, and the types that come of it.

use mainstay_model::spec::{Format, SourceSpec};

use crate::desk::{columns, gzip, schema, spec, take, zstd};

#[test]
fn csv_in_all_its_shapes() {
    let plain = "id,name,note\n1,JFK,\"a, \"\"b\"\"\"\n2,EWR,\"two\nlines\"\n3,,\"\"\n";
    let expected = [
        "all | 1 | JFK | a, \"b\"",
        "all | 2 | EWR | two\nlines",
        "all | 3 | NULL | NULL",
    ];
    let crlf = plain.replace('\n', "\r\n").replace("two\r\n", "two\n");
    let variants: [(&str, Vec<u8>); 7] = [
        ("x.csv", plain.into()),
        ("x.csv", format!("\u{feff}{plain}").into()),
        ("x.csv", crlf.into()),
        ("x.csv", plain.trim_end().into()),
        ("x.csv", plain.replace("3,,", "\n3,,").into()),
        ("x.csv.gz", gzip(plain.as_bytes())),
        ("x.csv.zst", zstd(plain.as_bytes())),
    ];
    for (file, bytes) in variants {
        let result = take(&spec(Format::Csv), None, file, &bytes).expect("taken");
        assert_eq!(
            result.rows,
            expected,
            "{file} {:?}",
            String::from_utf8_lossy(&bytes)
        );
        assert_eq!(
            columns(&result.taken.schema),
            "id: long, name: string, note: string"
        );
        assert_eq!(
            result.taken.files.first().and_then(|(_, f)| f.origin.as_deref()),
            Some(file)
        );
    }
}

#[test]
fn delimiters_and_null_texts() {
    let spec = SourceSpec {
        delimiter: Some(';'),
        null: vec!["NA".into(), "-".into()],
        ..spec(Format::Csv)
    };
    let result = take(&spec, None, "x.csv", "a;b\nNA;1,5\n4;-\n").expect("taken");
    assert_eq!(result.rows, ["all | NULL | 1,5", "all | 4 | NULL"]);
    assert_eq!(columns(&result.taken.schema), "a: long, b: string");
}

#[test]
fn types_of_csv_columns() {
    let text = "i,f,b,d,t,n,code,none,mixed\n1,1,true,2013-01-01,2013-01-01T10:00:00Z,2013-01-01 10:00:00,007,,1\n\
                2,2.5,false,2013-01-02,2013-01-01T10:00:00.5+01:00,2013-01-01T10:00:00.25,012,,x\n";
    let result = take(&spec(Format::Csv), None, "x.csv", text).expect("taken");
    let expected = "i: long, f: double, b: boolean, d: date, t: timestamp, n: timestamp_ntz, code: string, none: string, mixed: string";
    assert_eq!(columns(&result.taken.schema), expected);
    assert_eq!(
        result.rows.get(1).map(String::as_str),
        Some(
            "all | 2 | 2.5 | false | 2013-01-02 | 2013-01-01T09:00:00.500Z | 2013-01-01T10:00:00.250 | 012 | NULL | x"
        )
    );
}

#[test]
fn a_later_value_widens_the_type() {
    let mut text = "a\n".to_owned();
    for i in 0..100_000 {
        text.push_str(&format!("{i}\n"));
    }
    text.push_str("0.5\n");
    let result = take(&spec(Format::Csv), None, "x.csv", text).expect("taken");
    assert_eq!(columns(&result.taken.schema), "a: double");
    assert_eq!(result.taken.rows.0, 100_001);
}

#[test]
fn ndjson_in_all_its_shapes() {
    let plain = "{\"id\": 1, \"tags\": [\"x\", \"y\"], \"at\": {\"lat\": 1, \"lon\": 2.5}}\n\n{\"at\": null, \"id\": 2}\r\n{\"tags\": []}";
    for (file, bytes) in [
        ("x.ndjson", plain.as_bytes().to_vec()),
        ("x.ndjson", format!("\u{feff}{plain}").into_bytes()),
        ("x.ndjson.gz", gzip(plain.as_bytes())),
        ("x.ndjson.zst", zstd(plain.as_bytes())),
    ] {
        let result = take(&spec(Format::Ndjson), None, file, bytes).expect("taken");
        assert_eq!(
            columns(&result.taken.schema),
            "id: long, tags: array<string>, at: struct<lat: long, lon: double>"
        );
        let expected = [
            "all | 1 | [x, y] | {lat: 1, lon: 2.5}",
            "all | 2 | NULL | NULL",
            "all | NULL | [] | NULL",
        ];
        assert_eq!(result.rows, expected);
    }
}

#[test]
fn ndjson_numbers_are_not_rounded() {
    let spec = SourceSpec {
        columns: Some(schema("d: decimal(20,3), s: string, l: long")),
        ..spec(Format::Ndjson)
    };
    let text =
        "{\"d\": 12345678901234567.125, \"s\": 0.10, \"l\": 9007199254740993}\n{\"s\": true, \"l\": \"5\"}\n";
    let result = take(&spec, None, "x.ndjson", text).expect("taken");
    assert_eq!(
        result.rows,
        [
            "all | 12345678901234567.125 | 0.10 | 9007199254740993",
            "all | NULL | true | 5"
        ]
    );
}

#[test]
fn a_file_without_rows_stages_nothing() {
    for (format, bytes) in [(Format::Csv, "a,b\n"), (Format::Ndjson, "")] {
        let known = schema("a: long, b: string");
        let result = take(&spec(format), Some(&known), "x", bytes).expect("taken");
        assert!(result.taken.files.is_empty() && result.taken.rows.0 == 0);
        assert_eq!(result.taken.schema, known);
    }
}
