//! Equal inputs give equal digests, however they are computed.

use mainstay_engine::Mounted;
use mainstay_model::run::Scope;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{lake, numbers, run};

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
