//! Every way in which a file can be bad, with its code and its place.

use mainstay_model::spec::{Format, SourceSpec};

use crate::desk::{gzip, schema, sliced, spec, take, zstd};

struct Case {
    name: &'static str,
    spec: SourceSpec,
    file: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
    row: Option<u64>,
    column: Option<&'static str>,
    says: &'static str,
}

fn case(name: &'static str, spec: SourceSpec, file: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case {
        name,
        spec,
        file,
        bytes: bytes.into(),
        code: "",
        row: None,
        column: None,
        says: "",
    }
}

impl Case {
    fn is(
        mut self,
        code: &'static str,
        row: Option<u64>,
        column: Option<&'static str>,
        says: &'static str,
    ) -> Self {
        (self.code, self.row, self.column, self.says) = (code, row, column, says);
        self
    }
}

fn declared(format: Format, columns: &str) -> SourceSpec {
    SourceSpec {
        columns: Some(schema(columns)),
        ..spec(format)
    }
}

#[test]
fn each_is_named_with_its_place() {
    use Format::{Csv, Ndjson, Parquet};
    let many_rows = |n: usize, bad: &str| {
        let mut text = "a,b\n".to_owned();
        for i in 0..n {
            text.push_str(&format!("{i},x\n"));
        }
        text + bad
    };
    let cut = |bytes: Vec<u8>, keep: usize| bytes.get(..keep).expect("enough").to_vec();
    let long = many_rows(5000, "");
    let cases = [
        case("empty", spec(Csv), "x.csv", "").is("MS0257", None, None, "empty"),
        case("blank", spec(Csv), "x.csv", "\n\n").is("MS0257", None, None, "empty"),
        case("twice", spec(Csv), "x.csv", "a,b,a\n1,2,3\n").is("MS0258", None, None, "`a`"),
        case("case", spec(Csv), "x.csv", "a,A\n1,2\n").is("MS0258", None, None, "`A`"),
        case("nameless", spec(Csv), "x.csv", "a,\n1,2\n").is("MS0258", None, None, "column 2 has no name"),
        case("space", spec(Csv), "x.csv", "a b,c\n1,2\n").is("MS0258", None, None, "`a b`"),
        case("too many", spec(Csv), "x.csv", "a,b\n1,2\n3,4,5\n").is(
            "MS0253",
            Some(2),
            None,
            "(line 3) has 3 fields, the header has 2",
        ),
        case("too few", spec(Csv), "x.csv", "a,b\r\n\"1\n1\",2\r\n3\r\n").is(
            "MS0253",
            Some(2),
            None,
            "(line 4) has 1 field, the header has 2",
        ),
        case("late", spec(Csv), "x.csv", many_rows(70_000, "1\n")).is(
            "MS0253",
            Some(70_001),
            None,
            "1 field",
        ),
        case(
            "value",
            declared(Csv, "a: long, b: string"),
            "x.csv",
            "a,b\n1,x\n2,y\nn/a,z\n",
        )
        .is("MS0254", Some(3), Some("a"), "`n/a` is not a whole number"),
        case(
            "late value",
            declared(Csv, "a: long, b: string"),
            "x.csv",
            many_rows(70_000, "?,x\n"),
        )
        .is("MS0254", Some(70_001), Some("a"), "`?`"),
        case(
            "lowest of two",
            declared(Csv, "a: long, b: long"),
            "x.csv",
            "a,b\n1,1\n2,x\ny,3\n",
        )
        .is("MS0254", Some(2), Some("b"), "`x`"),
        case(
            "value before fields",
            declared(Csv, "a: long, b: long"),
            "x.csv",
            "a,b\n1,x\n2\n",
        )
        .is("MS0254", Some(1), Some("b"), "`x`"),
        case("date", declared(Csv, "a: date"), "x.csv", "a\n2013-02-30\n").is(
            "MS0254",
            Some(1),
            Some("a"),
            "YYYY-MM-DD",
        ),
        case("utf8", spec(Csv), "x.csv", &b"a,b\n1,x\n2,\xff\n"[..]).is(
            "MS0255",
            Some(2),
            Some("b"),
            "UTF-8",
        ),
        case("utf8 header", spec(Csv), "x.csv", &b"a,\xff\n"[..]).is("MS0255", None, None, "header"),
        case("utf8 cut", spec(Csv), "x.csv", &b"a,b\n\xc3,\xa9\n"[..]).is(
            "MS0255",
            Some(1),
            Some("a"),
            "UTF-8",
        ),
        case("quote", spec(Csv), "x.csv", "a,b\n1,2\n3,\"x\n").is(
            "MS0262",
            Some(2),
            None,
            "ends inside a quoted field",
        ),
        case("gzip cut", spec(Csv), "x.csv.gz", cut(gzip(long.as_bytes()), 12))
            .is("MS0251", None, None, "gzip"),
        case("not gzip", spec(Csv), "x.csv.gz", "a,b\n1,2\n").is("MS0251", None, None, "gzip"),
        case("zstd cut", spec(Csv), "x.csv.zst", cut(zstd(long.as_bytes()), 12))
            .is("MS0251", None, None, "zstd"),
        case("not zstd", spec(Csv), "x.csv.zst", "a,b\n1,2\n").is("MS0251", None, None, "zstd"),
        case("json", spec(Ndjson), "x.ndjson", "{\"a\": 1}\n{\"a\": \n").is("MS0256", Some(2), None, "EOF"),
        case("not an object", spec(Ndjson), "x.ndjson", "{\"a\": 1}\n\n[1]\n").is(
            "MS0256",
            Some(2),
            None,
            "it is a list",
        ),
        case(
            "two on a line",
            declared(Ndjson, "a: long"),
            "x.ndjson",
            "{\"a\": 1}\n{\"a\": 2}{\"a\": 3}\n",
        )
        .is("MS0256", Some(2), None, "trailing characters"),
        case(
            "over lines",
            declared(Ndjson, "a: long"),
            "x.ndjson",
            "{\n\"a\": 1}\n",
        )
        .is("MS0256", Some(1), None, "EOF"),
        case("json utf8", spec(Ndjson), "x.ndjson", &b"{\"a\": \"\xff\"}\n"[..]).is(
            "MS0255",
            Some(1),
            None,
            "UTF-8",
        ),
        case(
            "json value",
            declared(Ndjson, "a: long, b: string"),
            "x.ndjson",
            "{\"a\": 1}\n{\"a\": 1.5}\n",
        )
        .is("MS0254", Some(2), Some("a"), "`1.5`"),
        case(
            "json shape",
            declared(Ndjson, "a: long"),
            "x.ndjson",
            "{\"a\": 1}\n{\"a\": [1]}\n",
        )
        .is("MS0254", Some(2), Some("a"), "`[1]`"),
        case(
            "json nested",
            declared(Ndjson, "a: struct<b: array<long>>"),
            "x.ndjson",
            "{\"a\": {\"b\": [1, 2]}}\n{\"a\": null}\n{\"a\": {\"b\": [3, \"x\"]}}\n",
        )
        .is("MS0254", Some(3), Some("a.b"), "`x`"),
        case(
            "json value first",
            declared(Ndjson, "a: long"),
            "x.ndjson",
            "{\"a\": \"x\"}\n{\n",
        )
        .is("MS0254", Some(1), Some("a"), "`x`"),
        case(
            "json mixed",
            spec(Ndjson),
            "x.ndjson",
            "{\"a\": 1}\n{\"a\": {\"b\": 1}}\n",
        )
        .is("MS0264", Some(2), Some("a"), "an object"),
        case("json empty", spec(Ndjson), "x.ndjson", "").is("MS0257", None, None, "no rows"),
        case("json gzip", spec(Ndjson), "x.ndjson.gz", "{}").is("MS0251", None, None, "gzip"),
        case("not parquet", spec(Parquet), "x.parquet", "a,b\n1,2\n3,4\n")
            .is("MS0252", None, None, "Parquet"),
        case("empty parquet", spec(Parquet), "x.parquet", "").is("MS0252", None, None, "empty"),
        case(
            "slice value",
            sliced(spec(Csv), &[("day", Some("make_date(y, m, d)"))]),
            "x.csv",
            "y,m,d\n2013,1,1\n2013,2,30\n",
        )
        .is("MS0261", Some(2), Some("day"), "day"),
        case(
            "slice column",
            sliced(spec(Csv), &[("day", None)]),
            "x.csv",
            "dya,b\n1,2\n",
        )
        .is("MS0263", None, None, "did you mean `dya`"),
        case(
            "empty slice",
            sliced(declared(Ndjson, "a: string, b: long"), &[("a", None)]),
            "x.ndjson",
            "{\"a\": \"\", \"b\": 1}\n",
        )
        .is("MS0261", None, Some("a"), "empty"),
    ];
    for c in cases {
        let e = take(&c.spec, None, c.file, &c.bytes)
            .err()
            .unwrap_or_else(|| panic!("{}: taken", c.name));
        assert_eq!(
            (e.code.as_str(), e.row, e.column.as_deref()),
            (c.code, c.row, c.column),
            "{}: {e:?}",
            c.name
        );
        assert!(e.message.contains(c.says), "{}: {}", c.name, e.message);
        assert!(e.help.is_some(), "{}", c.name);
    }
}

#[test]
fn damage_in_the_middle_names_the_row_that_is_reached() {
    let mut text = "a\n".to_owned();
    (0..50_000).for_each(|i| text.push_str(&format!("{}\n", i * 7919 % 1_000_003)));
    let whole = gzip(text.as_bytes());
    let half = whole.get(..whole.len() / 2).expect("half");
    let e = take(&declared(Format::Csv, "a: long"), None, "x.csv.gz", half)
        .err()
        .expect("refused");
    assert!(e.row.is_some_and(|r| r > 10_000 && r < 40_000), "{e:?}");
    assert!(e.message.contains("gzip stream is damaged after"), "{e:?}");
}
