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
    let many = numbers(&lake, "air.n", 400_000, 1000, 3);
    let engine = Engine::new(EngineConfig {
        memory_limit: Bytes(32 << 20),
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
