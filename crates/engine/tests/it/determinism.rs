//! Equal inputs give equal digests, however they are computed.

use std::sync::Arc;

use mainstay_engine::Mounted;
use mainstay_model::run::Scope;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Lake, ask, lake, numbers, run, schema};

/// Queries with ties, limits, windows and floats, and the columns that they yield.
const QUERIES: [(&str, &[(&str, &str)]); 8] = [
    (
        "SELECT grp, count(*) AS n, min(x) AS lo, max(text) AS hi FROM air.n GROUP BY grp",
        &[("grp", "long"), ("n", "long"), ("lo", "double"), ("hi", "string")],
    ),
    (
        "SELECT grp, x FROM air.n ORDER BY grp LIMIT 17",
        &[("grp", "long"), ("x", "double")],
    ),
    (
        "SELECT id, row_number() OVER (PARTITION BY grp ORDER BY length(text)) AS n FROM air.n",
        &[("id", "long"), ("n", "long")],
    ),
    (
        "SELECT id, lag(x) OVER (ORDER BY grp) AS before FROM air.n",
        &[("id", "long"), ("before", "double")],
    ),
    ("SELECT DISTINCT grp FROM air.n", &[("grp", "long")]),
    (
        "SELECT a.id, b.id AS other FROM air.n AS a JOIN air.n AS b ON a.grp = b.grp AND a.id < b.id WHERE a.id < 40",
        &[("id", "long"), ("other", "long")],
    ),
    (
        "SELECT grp, string_agg(text, ',' ORDER BY x) AS t FROM air.n GROUP BY grp",
        &[("grp", "long"), ("t", "string")],
    ),
    (
        "SELECT id, rank() OVER (ORDER BY grp) AS r, ntile(7) OVER (ORDER BY grp) AS q FROM air.n",
        &[("id", "long"), ("r", "long"), ("q", "long")],
    ),
];

/// Queries over sums of floats.
const FLOATS: [(&str, &[(&str, &str)]); 2] = [
    (
        "SELECT grp, sum(x) AS s, avg(x) AS a, var_samp(x) AS v FROM air.n GROUP BY grp",
        &[("grp", "long"), ("s", "double"), ("a", "double"), ("v", "double")],
    ),
    (
        "SELECT sum(x) AS s, stddev(x) AS d FROM air.n",
        &[("s", "double"), ("d", "double")],
    ),
];

fn same_however(queries: &[(&'static str, &'static [(&'static str, &'static str)])], cases: u32) {
    let lake = lake();
    let input = numbers(&lake, "air.n", 3000, 37, 6);
    let plain = lake.engine(1, 500 << 20).with_batch_rows(8192);
    let mut attempt = 0;
    for (query, columns) in queries {
        let mut digest = |input: &Mounted, engine: &mainstay_engine::Engine| {
            let mut job = lake.job(query, &[input], columns, &[]);
            attempt += 1;
            job.output.attempt_prefix = format!("r{attempt}-1");
            job.scope = Scope::Whole;
            let done = run(engine, &job).expect(query);
            (done.slices[0].1.digest(), done.slices[0].1.rows())
        };
        let expected = digest(&input, &plain);
        let order = Just((0..input.slices[0].1.files.len()).collect::<Vec<_>>()).prop_shuffle();
        let ways = (
            prop::sample::select(vec![1usize, 2, 4]),
            prop::sample::select(vec![7usize, 100, 1024, 8192]),
            order,
        );
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        let digest = std::cell::RefCell::new(digest);
        runner
            .run(&ways, |(threads, batch, order)| {
                let mut shuffled = input.clone();
                let files = input.slices[0].1.files.clone();
                shuffled.slices[0].1.files = order.iter().map(|i| files[*i].clone()).collect();
                let engine = lake.engine(threads, 500 << 20).with_batch_rows(batch);
                let found = (digest.borrow_mut())(&shuffled, &engine);
                prop_assert_eq!(
                    found,
                    expected,
                    "{} with {} threads, batches of {}",
                    query,
                    threads,
                    batch
                );
                Ok(())
            })
            .expect("the same");
    }
}

#[test]
fn ties_limits_and_windows() {
    same_however(&QUERIES, 5);
}

#[test]
fn sums_of_floats() {
    same_however(&FLOATS, 8);
}

/// NaN is greater than every number, but ranges in footers leave it out: whether a row is found must not depend on which other
/// rows are in its file.
#[test]
fn a_row_with_nan_is_found_in_any_file() {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
    const QUERIES: [(&str, &str, &[&str]); 4] = [
        (
            "SELECT id FROM air.n WHERE x > 5",
            "long",
            &[r#"{"id":2}"#, r#"{"id":3}"#],
        ),
        (
            "SELECT id FROM air.n WHERE x < 5",
            "long",
            &[r#"{"id":1}"#, r#"{"id":4}"#],
        ),
        (
            "SELECT CAST(max(x) AS VARCHAR) AS id FROM air.n",
            "string",
            &[r#"{"id":"NaN"}"#],
        ),
        (
            "SELECT CAST(min(x) AS VARCHAR) AS id FROM air.n",
            "string",
            &[r#"{"id":"-0.0"}"#],
        ),
    ];
    let batch = |rows: &[(i64, f64)]| {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
        let xs: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1)));
        vec![RecordBatch::try_from_iter([("id", ids), ("x", xs)]).expect("a batch")]
    };
    let together = vec![batch(&[(1, 1.0), (2, f64::NAN), (3, 100.0), (4, -0.0)])];
    let apart = vec![
        batch(&[(1, 1.0), (2, f64::NAN)]),
        batch(&[(3, 100.0)]),
        batch(&[(4, -0.0)]),
    ];
    for files in [together, apart] {
        let lake = lake();
        let engine = lake.engine(2, 100 << 20);
        let input = lake.table_of("air.n", &schema(&[("id", "long"), ("x", "double")]), &[], &files);
        for (i, (query, kind, expected)) in QUERIES.iter().enumerate() {
            let mut job = lake.job(query, &[&input], &[("id", kind)], &[]);
            job.output.attempt_prefix = format!("r{i}-1");
            let done = run(&engine, &job).expect(query);
            assert_eq!(
                lake.rows(&job, &done, "id"),
                *expected,
                "{query} over {} files",
                files.len()
            );
        }
    }
}

/// A table of one column of doubles, one file for each list, as others write them: with ranges in their footers.
fn of_others(lake: &Lake, dataset: &str, files: &[&[f64]]) -> Mounted {
    use arrow::array::{ArrayRef, Float64Array, RecordBatch};
    let batch = |rows: &[f64]| {
        let xs: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().copied()));
        RecordBatch::try_from_iter_with_nullable([("x", xs, true)]).expect("a batch")
    };
    let batches: Vec<_> = files.iter().map(|rows| vec![batch(rows)]).collect();
    let mut table = lake.table_of(dataset, &schema(&[("x", "double")]), &[], &batches);
    let folder = lake.dir.path().join("lake").join(&table.table);
    for (file, rows) in table.slices[0].1.files.iter_mut().zip(files) {
        let at = std::fs::File::create(folder.join(&file.path)).expect("a file");
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(at, batch(rows).schema(), None).expect("a writer");
        writer.write(&batch(rows)).expect("written");
        writer.close().expect("closed");
        file.bytes.0 = std::fs::metadata(folder.join(&file.path)).expect("there").len();
    }
    table
}

/// A table of one column of doubles, one file for each list.
fn of_doubles(lake: &Lake, dataset: &str, files: &[&[f64]]) -> Mounted {
    use arrow::array::{ArrayRef, Float64Array, RecordBatch};
    let batch = |rows: &&[f64]| {
        let xs: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().copied()));
        vec![RecordBatch::try_from_iter([("x", xs)]).expect("a batch")]
    };
    let batches: Vec<_> = files.iter().map(batch).collect();
    lake.table_of(dataset, &schema(&[("x", "double")]), &[], &batches)
}

/// What a top-k, an aggregate or the smaller side of a join has found so far must not skip rows of files by their ranges.
#[test]
fn nothing_found_so_far_hides_nan_or_a_zero() {
    const NAN: f64 = f64::NAN;
    let rows = |many: usize| (0..many).map(|i| 100.0 + i as f64).collect::<Vec<_>>();
    let (more, most) = (rows(20_000), rows(30_000));
    let many: [&[f64]; 5] = [&most, &[5.0, NAN], &more, &[1.0, 0.0], &[-0.0]];
    let extremes = [
        ("ORDER BY x DESC LIMIT 1", vec!["NaN"]),
        ("ORDER BY x LIMIT 2", vec!["-0.0", "0.0"]),
        ("WHERE x = (SELECT max(x) FROM air.n)", vec!["NaN"]),
        (
            "WHERE x = (SELECT min(x) FROM air.n) ORDER BY x",
            vec!["-0.0", "0.0"],
        ),
    ];
    let ask = |lake: &Lake, inputs: &[Mounted], rest: &str| {
        let query = format!("SELECT CAST(x AS VARCHAR) AS t FROM air.n {rest}");
        let rows = ask(&lake.engine(2, 100 << 20), inputs, &query).expect(rest);
        let text = |row: &String| {
            row.trim_start_matches("{\"t\":\"")
                .trim_end_matches("\"}")
                .to_owned()
        };
        rows.iter().map(text).collect::<Vec<_>>()
    };
    // Top-k holds even over files with ranges; what is written here has none.
    let elsewhere = lake();
    let theirs = of_others(&elsewhere, "air.n", &many);
    for (rest, expected) in extremes.iter().take(2) {
        let rows = ask(&elsewhere, std::slice::from_ref(&theirs), rest);
        assert_eq!(rows, *expected, "{rest}, files of others");
    }
    let lake = lake();
    let ours = of_doubles(&lake, "air.n", &many);
    for (rest, expected) in &extremes {
        assert_eq!(ask(&lake, std::slice::from_ref(&ours), rest), *expected, "{rest}");
    }
    let few: [(&[f64], &[&str]); 4] = [
        (&[NAN], &["NaN"]),
        (&[0.0], &["-0.0", "0.0"]),
        (&[-0.0], &["-0.0", "0.0"]),
        (&[-0.0, NAN, 1.0], &["-0.0", "0.0", "1.0", "NaN"]),
    ];
    for (i, (keys, expected)) in few.iter().enumerate() {
        let inputs = [ours.clone(), of_doubles(&lake, &format!("air.few{i}"), &[keys])];
        for rest in [
            format!("JOIN (SELECT x AS y FROM air.few{i}) AS f ON x = y ORDER BY x"),
            format!("WHERE x IN (SELECT x FROM air.few{i}) ORDER BY x"),
        ] {
            assert_eq!(ask(&lake, &inputs, &rest), *expected, "{rest}");
        }
    }
}

/// `x IN (0.0, …)` finds what `x = 0.0` finds, however long the list is and whichever zero stands in it.
#[test]
fn a_list_with_a_zero_has_both() {
    let lake = lake();
    let table = of_doubles(&lake, "air.n", &[&[-0.0, 0.0, 1.0, 2.0, 7.0]]);
    let count = |condition: &str| {
        let query = format!("SELECT count(*) AS n FROM air.n WHERE {condition}");
        let rows = ask(&lake.engine(2, 100 << 20), std::slice::from_ref(&table), &query);
        rows.expect(condition).join(" ")
    };
    for zero in ["0.0", "-0.0", "0", "CAST('-0' AS DOUBLE)"] {
        for more in ["1.0", "1.0, 5.0", "1.0, 5.0, 6.0", "1.0, 5.0, 6.0, 8.0, 9.0"] {
            assert_eq!(
                count(&format!("x IN ({zero}, {more})")),
                r#"{"n":3}"#,
                "{zero}, {more}"
            );
            assert_eq!(
                count(&format!("x NOT IN ({zero}, {more})")),
                r#"{"n":2}"#,
                "{zero}, {more}"
            );
        }
        let either = format!("x = {zero} OR x = 5.0 OR x = 6.0 OR x = 8.0 OR x = 1.0");
        assert_eq!(count(&either), r#"{"n":3}"#, "{either}");
    }
}

/// With a distinct argument beside it, a sum of doubles is rounded once as well.
#[test]
fn a_sum_beside_a_distinct_count_is_rounded_once() {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    // Each key's own sum loses the small numbers: 1e16 + 1 is 1e16.
    let rows = [(1i64, 1e16), (1, 1.0), (2, 1.0), (2, -1e16), (3, 0.5), (3, 0.25)];
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let xs: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1)));
    let batch = RecordBatch::try_from_iter([("id", ids), ("x", xs)]).expect("a batch");
    let table = lake.table_of(
        "air.n",
        &schema(&[("id", "long"), ("x", "double")]),
        &[],
        &[vec![batch]],
    );
    let rows = ask(
        &engine,
        &[table],
        "SELECT count(DISTINCT id) AS n, sum(x) AS s, count(DISTINCT id % 2) AS m FROM air.n
         UNION ALL SELECT count(DISTINCT id) AS n, sum(x) AS s, 0 AS m FROM air.n ORDER BY m",
    )
    .expect("answered");
    assert_eq!(rows, [r#"{"n":3,"s":2.75,"m":0}"#, r#"{"n":3,"s":2.75,"m":2}"#]);
}
