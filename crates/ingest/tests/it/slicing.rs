//! Slices: columns and expressions, one file for each, and what is wrong with an expression before any file is read.

use mainstay_ingest::{Intake, check_slice};
use mainstay_model::spec::{Format, SourceSpec};

use crate::desk::{Desk, columns, digest, schema, sliced, spec, take, take_at};

#[test]
fn an_expression_replaces_the_column_of_its_name() {
    let spec = sliced(spec(Format::Csv), &[("day", Some("make_date(year, month, day)"))]);
    let text = "year,month,day,n\n2013,1,2,a\n2013,1,1,b\n2013,1,2,c\n";
    let first = take(&spec, None, "x.csv", text).expect("taken");
    assert_eq!(
        columns(&first.taken.schema),
        "year: long, month: long, day: date, n: string"
    );
    let expected = [
        "2013-01-01 | 2013 | 1 | 2013-01-01 | b",
        "2013-01-02 | 2013 | 1 | 2013-01-02 | a",
        "2013-01-02 | 2013 | 1 | 2013-01-02 | c",
    ];
    assert_eq!(first.rows, expected);
    let again = take(&spec, Some(&first.taken.schema), "x.csv", text).expect("taken");
    assert_eq!(
        (&again.rows, &again.taken.schema),
        (&first.rows, &first.taken.schema)
    );
    let json = "{\"year\": 2013, \"month\": 1, \"day\": 2, \"n\": \"a\"}\n";
    let spec = SourceSpec {
        format: Format::Ndjson,
        ..spec
    };
    let result = take(&spec, Some(&again.taken.schema), "x.ndjson", json).expect("taken");
    assert_eq!(result.rows, ["2013-01-02 | 2013 | 1 | 2013-01-02 | a"]);
}

#[test]
fn columns_expressions_and_null() {
    let spec = sliced(
        spec(Format::Csv),
        &[("hour", Some("date_trunc('hour', t)")), ("origin", None)],
    );
    let text = "t,origin\n2013-01-01T10:30:00Z,JFK\n,EWR\n2013-01-01T10:45:00Z,JFK\n2013-01-01T11:00:00Z,\n";
    let result = take(&spec, None, "x.csv", text);
    let result = result.expect("taken");
    assert_eq!(
        columns(&result.taken.schema),
        "t: timestamp, origin: string, hour: timestamp"
    );
    let slices: Vec<String> = result
        .taken
        .files
        .iter()
        .map(|(k, f)| format!("{} {}", k.text(&["hour".into(), "origin".into()]), f.rows.0))
        .collect();
    assert_eq!(
        slices,
        [
            "hour=null,origin=EWR 1",
            "hour=2013-01-01 10:00:00,origin=JFK 2",
            "hour=2013-01-01 11:00:00,origin=null 1"
        ]
    );
}

#[test]
fn thousands_of_slices_in_rounds_of_memory() {
    let mut text = "k,v\n".to_owned();
    for i in 0..50_000 {
        text.push_str(&format!("{},{i}\n", (i * 7919) % 1500));
    }
    let spec = sliced(spec(Format::Csv), &[("k", None)]);
    let known = schema("k: long, v: long");
    let (one, many) = (Desk::new(&spec), Desk::new(&spec));
    let once = take_at(
        &one,
        &Intake::new(spec.clone()),
        Some(&known),
        "x.csv",
        text.as_bytes(),
    )
    .expect("taken");
    let small = Intake::new(spec.clone()).with_memory(1);
    let rounds = take_at(&many, &small, Some(&known), "x.csv", text.as_bytes()).expect("taken");
    assert_eq!((once.files.len(), once.rows.0), (1500, 50_000));
    assert!(
        once.files.iter().map(|(k, _)| k).eq(once
            .files
            .iter()
            .map(|(k, _)| k)
            .collect::<std::collections::BTreeSet<_>>())
    );
    assert_eq!(digest(&once), digest(&rounds));
}

#[test]
fn mistakes_in_expressions_are_found_without_a_file() {
    let delivered = schema("year: long, month: long, t: timestamp, x: double, name: string");
    for (name, expression, says) in [
        ("d", Some("make_date(yaer, month, 1)"), "yaer"),
        ("d", Some("make_dat(year, month, 1)"), "make_dat"),
        ("d", Some("date_trunc('day', year"), "d = date_trunc"),
        ("d", Some("sqrt('x' || t)"), "sqrt"),
        ("d", Some("random()"), "random"),
        ("d", Some("now()"), "now"),
        ("d", Some("max(year)"), "max"),
        ("d", Some("row_number() OVER ()"), "row_number"),
        ("d", Some("(SELECT 1)"), ""),
        ("d", Some("x + 1"), "double"),
        ("d", Some("[year, month]"), "array"),
        ("x", None, "double"),
        ("yaer", None, "did you mean `year`"),
    ] {
        let spec = sliced(spec(Format::Parquet), &[(name, expression)]);
        let problem = check_slice(&spec, &delivered).expect_err(&format!("{expression:?}"));
        assert!(problem.contains(says), "{expression:?}: {problem}");
        assert!(
            !problem.contains("DataFusion") && !problem.contains("bug"),
            "{problem}"
        );
    }
    let spec = sliced(
        spec(Format::Parquet),
        &[("m", Some("CAST(t AS DATE)")), ("name", None)],
    );
    let dataset = check_slice(&spec, &delivered).expect("fine");
    assert_eq!(
        columns(&dataset),
        "year: long, month: long, t: timestamp, x: double, name: string, m: date"
    );
}
