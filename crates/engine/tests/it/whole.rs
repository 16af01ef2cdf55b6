//! Whole numbers never wrap round: what does not fit is an error that names the job and the expression.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use mainstay_engine::{Kind, Mounted};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Lake, ask, lake, run, schema};

const MAX: i64 = i64::MAX;
const MIN: i64 = i64::MIN;

/// A table of two whole numbers `a` and `b`, one file for each list.
fn pairs(lake: &Lake, files: &[&[(i64, i64)]]) -> Mounted {
    let batch = |rows: &&[(i64, i64)]| {
        let a: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
        let b: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1)));
        vec![RecordBatch::try_from_iter([("a", a), ("b", b)]).expect("a batch")]
    };
    let files: Vec<_> = files.iter().map(batch).collect();
    lake.table_of("air.n", &schema(&[("a", "long"), ("b", "long")]), &[], &files)
}

#[test]
fn what_does_not_fit_is_an_error_with_job_and_expression() {
    let lake = lake();
    let input = pairs(&lake, &[&[(MAX, 2)], &[(5, MIN)], &[(MIN, 1)]]);
    let engine = lake.engine(2, 100 << 20);
    let cases = [
        (
            "SELECT a + b AS x FROM air.n WHERE b = 2",
            "`a + b` came to 9223372036854775807 + 2",
        ),
        (
            "SELECT b - a AS x FROM air.n WHERE a = 5",
            "`b - a` came to -9223372036854775808 - 5",
        ),
        (
            "SELECT (a - 1) * b AS x FROM air.n WHERE b = 2",
            "`(a - 1) * b` came to 9223372036854775806 * 2",
        ),
        (
            "SELECT -a AS x FROM air.n WHERE b = 1",
            "`-a` came to 0 - -9223372036854775808",
        ),
        (
            "SELECT abs(a) AS x FROM air.n WHERE b = 1",
            "abs(-9223372036854775808)",
        ),
        ("SELECT 9223372036854775807 + 1 AS x", "`9223372036854775807 + 1`"),
        (
            "SELECT CAST(a AS INT) * 2000000000 AS x FROM air.n WHERE a = 5 AND CAST(CAST(a AS INT) * CAST(500000000 AS INT) AS INT) > 0",
            "came to 5 * 500000000",
        ),
        ("SELECT b AS x FROM air.n WHERE a + 1 > 0", "`a + 1` came to"),
        (
            "SELECT count(*) AS x FROM air.n GROUP BY a + 1",
            "`a + 1` came to",
        ),
        (
            "SELECT n.b AS x FROM air.n AS n JOIN air.n AS m ON n.a + 1 = m.b",
            "`a + 1` came to",
        ),
        (
            "SELECT (SELECT max(a) + 1 FROM air.n) AS x",
            "+ 1` came to 9223372036854775807 + 1",
        ),
        (
            "SELECT sum(b) OVER (ORDER BY a ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - 10 AS x FROM air.n",
            "came to",
        ),
        (
            "SELECT sum(a) AS x FROM air.n WHERE a > 0",
            "`sum(air.n.a)` came to 9223372036854775812",
        ),
        (
            "SELECT sum(DISTINCT a) AS x FROM air.n WHERE a > 0",
            "came to 9223372036854775812",
        ),
        (
            "SELECT sum(a) AS x FROM air.n WHERE a > 0 GROUP BY b > -10 OR b < 0",
            "`sum(air.n.a)` came to 9223372036854775812",
        ),
        (
            "SELECT sum(a) OVER () AS x FROM air.n WHERE a > 0",
            "came to 9223372036854775812",
        ),
        (
            "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM air.n WHERE a > 0",
            "came to 9223372036854775812",
        ),
        (
            "SELECT CAST(sum(CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0))) AS BIGINT) AS x FROM air.n",
            "more than 38 digits",
        ),
        (
            "SELECT CAST(sum(CAST('49999999999999999999999999999999999999' AS DECIMAL(38, 0))) AS BIGINT) AS x FROM air.n",
            "came to 149999999999999999999999999999999999997",
        ),
    ];
    for (query, said) in cases {
        let job = lake.job(query, &[&input], &[("x", "long")], &[]);
        let e = run(&engine, &job).expect_err(query);
        assert_eq!((e.kind, e.code), (Kind::Query, "MS0306"), "{query}: {e}");
        assert!(
            e.message
                .starts_with("job air.out: a number grew beyond what its type can hold: "),
            "{query}: {e}"
        );
        assert!(e.message.contains(said), "{query}: {e}");
        assert!(!e.message.contains("Int"), "{query}: {e}");
        let asked = ask(&engine, std::slice::from_ref(&input), query).expect_err(query);
        assert_eq!(asked.code, "MS0306", "{query}: {asked}");
    }
}

#[test]
fn what_fits_is_computed_whatever_the_way_there() {
    let lake = lake();
    let input = pairs(
        &lake,
        &[&[(MAX, 1), (3, 1)], &[(-7, 1), (MIN, 2)], &[(4, 2), (MAX, 2)]],
    );
    let cases: [(&str, &[&str]); 17] = [
        ("SELECT sum(a) AS x FROM air.n", &["9223372036854775806"]),
        ("SELECT sum(DISTINCT a) AS x FROM air.n", &["-1"]),
        ("SELECT sum(a) AS x FROM air.n WHERE a > 9 AND a < 99", &["NULL"]),
        ("SELECT sum(a) AS x FROM air.n WHERE a < 0 AND a > -9", &["-7"]),
        (
            "SELECT sum(a - 4) AS x FROM air.n WHERE b = 1",
            &["9223372036854775791"],
        ),
        (
            "SELECT sum(a) FILTER (WHERE a < 0) AS x FROM air.n WHERE a > -9 GROUP BY b ORDER BY b",
            &["-7", "NULL"],
        ),
        (
            "SELECT sum(a) AS x FROM air.n GROUP BY b ORDER BY b",
            &["9223372036854775803", "3"],
        ),
        (
            "SELECT sum(a) OVER (ORDER BY b, a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM air.n WHERE a < 9 ORDER BY b, a",
            &["-7", "-4", "-9223372036854775805", "-9223372036854775804"],
        ),
        (
            "SELECT sum(a) OVER (PARTITION BY b) AS x FROM air.n ORDER BY b, a",
            &["9223372036854775803"; 3],
        ),
        ("SELECT a * 2 + b AS x FROM air.n WHERE a = 3", &["7"]),
        (
            "SELECT -a AS x FROM air.n WHERE a = 9223372036854775807 AND b = 1",
            &["-9223372036854775807"],
        ),
        (
            "SELECT a + 1 AS x FROM air.n WHERE a < 9 GROUP BY a + 1 ORDER BY a + 1 DESC",
            &["5", "4", "-6", "-9223372036854775807"],
        ),
        (
            "SELECT b * 2 AS x FROM air.n GROUP BY ROLLUP(b * 2) ORDER BY x",
            &["2", "4", "NULL"],
        ),
        (
            "SELECT rank() OVER (ORDER BY b) - row_number() OVER (ORDER BY b, a) AS x FROM air.n ORDER BY x",
            &["-2", "-2", "-1", "-1", "0", "0"],
        ),
        ("SELECT count(*) - 9 AS x FROM air.n", &["-3"]),
        (
            "SELECT n.b AS x FROM air.n AS n JOIN air.n AS m ON n.a - 1 = m.a - 2 WHERE n.a < 9 AND n.a > -9 AND m.a < 9 AND m.a > -9",
            &["1"],
        ),
        (
            "SELECT sum(CAST(a AS DECIMAL(38, 0))) AS x FROM air.n",
            &["9223372036854775806"],
        ),
    ];
    let engine = lake.engine(2, 100 << 20);
    for (query, expected) in cases {
        let rows =
            ask(&engine, std::slice::from_ref(&input), query).unwrap_or_else(|e| panic!("{query}: {e}"));
        let plain = |row: &String| {
            let value = row
                .trim_start_matches("{\"x\":")
                .trim_end_matches('}')
                .trim_matches('"');
            value.replace("{", "NULL")
        };
        let rows: Vec<String> = rows.iter().map(plain).collect();
        let mut short = expected.to_vec();
        if query.contains("PARTITION BY") {
            short.extend(["3"; 3]);
        }
        assert_eq!(rows, short, "{query}");
    }
}

/// Against 128 bits: what fits is that, what does not is an error.
#[test]
fn arithmetic_agrees_with_wider_numbers() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let edge = prop_oneof![
        Just(MAX),
        Just(MIN),
        Just(0i64),
        Just(-1),
        Just(1i64 << 31),
        Just(3_037_000_500),
        any::<i64>(),
        -9i64..9,
        (MAX - 9)..MAX,
        MIN..(MIN + 9),
    ];
    let rows = prop::collection::vec((edge.clone(), edge), 1..7);
    let config = Config {
        cases: 24,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(6),
        ..Config::default()
    };
    let oracle = |rows: &[(i64, i64)], query: &str| -> Option<Vec<i128>> {
        let wide = rows.iter().map(|(a, b)| (i128::from(*a), i128::from(*b)));
        let mut values: Vec<i128> = match query {
            "a + b" => wide.map(|(a, b)| a + b).collect(),
            "a - b" => wide.map(|(a, b)| a - b).collect(),
            "a * b" => wide.map(|(a, b)| a * b).collect(),
            "-a" => wide.map(|(a, _)| -a).collect(),
            "abs(a)" => wide.map(|(a, _)| a.abs()).collect(),
            _ => vec![wide.map(|(a, _)| a).sum()],
        };
        values.sort_unstable();
        values.iter().all(|v| i64::try_from(*v).is_ok()).then_some(values)
    };
    TestRunner::new(config)
        .run(&rows, |rows| {
            let (left, right) = rows.split_at(rows.len() / 2);
            let files: Vec<&[(i64, i64)]> = [left, right].into_iter().filter(|f| !f.is_empty()).collect();
            let input = pairs(&lake, &files);
            for expr in ["a + b", "a - b", "a * b", "-a", "abs(a)", "sum(a)"] {
                let got = ask(
                    &engine,
                    std::slice::from_ref(&input),
                    &format!("SELECT {expr} AS x FROM air.n ORDER BY x"),
                );
                match (got, oracle(&rows, expr)) {
                    (Ok(rows), Some(expected)) => {
                        let expected: Vec<String> =
                            expected.iter().map(|v| format!("{{\"x\":{v}}}")).collect();
                        prop_assert_eq!(rows, expected, "{}", expr);
                    }
                    (Err(e), None) => prop_assert_eq!(e.code, "MS0306", "{}", expr),
                    (got, expected) => prop_assert!(false, "{expr}: {got:?} and {expected:?}"),
                }
            }
            Ok(())
        })
        .expect("as in 128 bits");
}
