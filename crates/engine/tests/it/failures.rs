//! Errors as people read them, and that nothing stays behind.

use std::fs;
use std::time::{Duration, Instant};

use mainstay_engine::{CancelToken, Kind};

use crate::support::{Lake, flights, lake, numbers, run};

fn fails(lake: &Lake, query: &str) -> mainstay_engine::Error {
    let job = lake.job(query, &[&flights(lake)], &[("x", "long")], &[]);
    let e = run(&lake.engine(2, 100 << 20), &job).expect_err("it fails");
    assert_eq!(lake.staged(), Vec::<String>::new());
    assert!(e.usage.cpu.0 > 0, "failures are on the bill");
    e
}

#[test]
fn a_division_by_zero() {
    let lake = lake();
    let e = fails(&lake, "SELECT seats / (seats - 100) AS x FROM air.flights");
    assert_eq!((e.kind, e.code), (Kind::Query, "MS0304"));
    assert_eq!(e.message, "job air.out: a number was divided by zero");
    assert!(!e.transient);
}

#[test]
fn a_value_that_does_not_convert_is_shown() {
    let lake = lake();
    let e = fails(&lake, "SELECT CAST(carrier AS BIGINT) AS x FROM air.flights");
    assert_eq!((e.kind, e.code), (Kind::Query, "MS0305"));
    assert!(
        e.message.contains("'AA'")
            || e.message.contains("'UA'")
            || e.message.contains("'DL'")
            || e.message.contains("'ZZ'"),
        "{e}"
    );
    assert!(!e.message.contains("Int64") && e.message.contains("long"), "{e}");
}

#[test]
fn a_value_that_does_not_fit_the_declared_column() {
    let lake = lake();
    let job = lake.job(
        "SELECT seats * 1000000000 AS x FROM air.flights",
        &[&flights(&lake)],
        &[("x", "integer")],
        &[],
    );
    let e = run(&lake.engine(2, 100 << 20), &job).expect_err("it fails");
    assert!(["MS0305", "MS0306"].contains(&e.code), "{e:?}");
    assert_eq!(lake.staged(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_gone_is_named() {
    let lake = lake();
    let input = flights(&lake);
    let path = &input.slices[1].1.files[0].path;
    fs::remove_file(lake.dir.path().join("lake/air/flights").join(path)).expect("removed");
    let job = lake.job(
        "SELECT seats AS x FROM air.flights",
        &[&input],
        &[("x", "long")],
        &[],
    );
    let e = run(&lake.engine(2, 100 << 20), &job).expect_err("it fails");
    assert_eq!((e.kind, e.code, e.transient), (Kind::Data, "MS0307", false));
    assert!(
        e.message.contains("air.flights") && e.message.contains(path.as_str()),
        "{e}"
    );
}

#[test]
fn a_file_that_was_changed_is_named() {
    let lake = lake();
    let input = flights(&lake);
    let path = &input.slices[1].1.files[0].path;
    let at = lake.dir.path().join("lake/air/flights").join(path);
    let mut bytes = fs::read(&at).expect("read");
    let middle = bytes.len() - 20;
    bytes.truncate(middle);
    fs::write(&at, &bytes).expect("written");
    let job = lake.job(
        "SELECT seats AS x FROM air.flights",
        &[&input],
        &[("x", "long")],
        &[],
    );
    let e = run(&lake.engine(2, 100 << 20), &job).expect_err("it fails");
    assert_eq!(
        (e.kind, e.code, e.transient),
        (Kind::Data, "MS0308", false),
        "{e}"
    );
    assert!(e.message.contains(path.as_str()), "{e}");
}

/// A query that takes minutes.
fn endless(lake: &Lake) -> mainstay_engine::Assignment {
    let many = numbers(lake, "air.n", 40_000, 10, 2);
    let query = "SELECT a.id AS x, b.text AS t FROM air.n AS a CROSS JOIN air.n AS b WHERE a.x + b.x > 1";
    lake.job(query, &[&many], &[("x", "long"), ("t", "string")], &[])
}

#[test]
fn cancelling_stops_within_two_seconds_and_leaves_nothing() {
    let lake = lake();
    let job = endless(&lake);
    let engine = lake.engine(2, 500 << 20);
    let cancel = CancelToken::new();
    let pulled = std::cell::Cell::new(None);
    let e = engine
        .run(job, &cancel, &|progress| {
            if progress.rows_written.0 > 100_000 && pulled.get().is_none() {
                pulled.set(Some(Instant::now()));
                cancel.cancel();
            }
        })
        .expect_err("stopped");
    let took = pulled
        .get()
        .expect("it was pulled while rows were written")
        .elapsed();
    assert_eq!((e.kind, e.code), (Kind::Cancelled, "MS0311"));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(lake.staged(), Vec::<String>::new());
    assert!(e.usage.cpu.0 > 0);
}

/// A query that needs minutes for a single batch of its join: its threads look at nothing meanwhile.
#[test]
fn a_time_limit_is_kept_when_all_threads_are_busy() {
    let lake = lake();
    let query = "SELECT count(*) AS n FROM generate_series(1, 300000) AS a(x) \
                 CROSS JOIN generate_series(1, 300000) AS b(y) WHERE (a.x + b.y) % 7 = 3";
    let mut job = lake.job(query, &[], &[("n", "long")], &[]);
    job.time_limit = Some(Duration::from_secs(1));
    let began = Instant::now();
    let e = run(&lake.engine(2, 64 << 20), &job).expect_err("it takes too long");
    assert_eq!((e.kind, e.code), (Kind::TimeLimit, "MS0310"), "{e}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(lake.staged(), Vec::<String>::new());
}

#[test]
fn a_time_limit_stops_it_too() {
    let lake = lake();
    let mut job = endless(&lake);
    job.time_limit = Some(Duration::from_millis(700));
    let started = Instant::now();
    let e = run(&lake.engine(2, 500 << 20), &job).expect_err("stopped");
    assert_eq!((e.kind, e.code), (Kind::TimeLimit, "MS0310"));
    assert_eq!(
        e.message,
        "job air.out: it took longer than its time limit of 0.7 s"
    );
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(lake.staged(), Vec::<String>::new());
}
