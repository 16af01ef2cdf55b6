//! Memory and disk have limits; within them, runs that need more spill.

use mainstay_base::Bytes;
use mainstay_engine::{Engine, EngineConfig, Kind};

use crate::support::{lake, numbers, run};

const SORTED: &str = "SELECT id, grp, x, text, row_number() OVER (ORDER BY text, id) AS n FROM air.n";
const COLUMNS: [(&str, &str); 5] = [
    ("id", "long"),
    ("grp", "long"),
    ("x", "double"),
    ("text", "string"),
    ("n", "long"),
];

#[test]
fn a_run_that_does_not_fit_spills_and_yields_the_same() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 300_000, 1000, 3);
    let mut job = lake.job(SORTED, &[&many], &COLUMNS, &[]);
    let roomy = run(&lake.engine(2, 1 << 30), &job).expect("done");
    assert_eq!(roomy.usage.spilled, Bytes(0));
    job.output.attempt_prefix = "r2-1".to_owned();
    let tight = run(&lake.engine(2, 24 << 20), &job).expect("done in 24 MB");
    assert!(tight.usage.spilled.0 > 1 << 20, "{:?}", tight.usage);
    assert!(tight.usage.peak_memory.0 <= 24 << 20, "{:?}", tight.usage);
    assert_eq!(tight.slices[0].1.digest(), roomy.slices[0].1.digest());
    let left: Vec<_> = std::fs::read_dir(lake.dir.path().join("spill"))
        .expect("listed")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_join_that_does_not_fit_is_computed_in_less_memory() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 300_000, 1000, 3);
    let query = "SELECT a.id, a.text, b.text AS other FROM air.n AS a JOIN air.n AS b ON a.id = b.id";
    let mut job = lake.job(
        query,
        &[&many],
        &[("id", "long"), ("text", "string"), ("other", "string")],
        &[],
    );
    let roomy = run(&lake.engine(2, 1 << 30), &job).expect("done");
    job.output.attempt_prefix = "r2-1".to_owned();
    let tight = run(&lake.engine(2, 24 << 20), &job).expect("done in 24 MB");
    assert!(tight.usage.spilled.0 > 0, "{:?}", tight.usage);
    assert_eq!(tight.slices[0].1.digest(), roomy.slices[0].1.digest());
}

#[test]
fn more_memory_than_there_is_names_job_and_limit() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 200_000, 1000, 2);
    // One value with everything in it cannot be spilled.
    let query = "SELECT string_agg(text, ',' ORDER BY id) AS t, count(DISTINCT text) AS n FROM air.n";
    let job = lake.job(query, &[&many], &[("t", "string"), ("n", "long")], &[]);
    let e = run(&lake.engine(2, 2 << 20), &job).expect_err("it does not fit");
    assert_eq!((e.kind, e.code), (Kind::Resources, "MS0301"), "{e}");
    assert!(
        e.message
            .starts_with("job air.out: it needs more memory than the limit of 2.10 MB"),
        "{e}"
    );
    assert!(e.help.is_some_and(|h| h.contains("memory")));
    assert_eq!(lake.staged(), Vec::<String>::new());
}

#[test]
fn more_disk_than_allowed_names_the_limit() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 300_000, 1000, 3);
    let engine = Engine::new(EngineConfig {
        memory_limit: Bytes(24 << 20),
        spill_dir: lake.dir.path().join("spill"),
        spill_limit: Bytes(1 << 20),
        threads: 2,
    })
    .expect("an engine");
    let e = run(&engine, &lake.job(SORTED, &[&many], &COLUMNS, &[])).expect_err("it does not fit");
    assert_eq!((e.kind, e.code), (Kind::Resources, "MS0302"), "{e}");
    assert!(e.message.contains("1.05 MB"), "{e}");
    assert_eq!(lake.staged(), Vec::<String>::new());
}
