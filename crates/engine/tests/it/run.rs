//! Jobs over pinned files.

use mainstay_base::Rows;
use mainstay_model::run::Scope;
use mainstay_model::{SliceKey, SliceVersion};

use crate::support::{flights, lake, name, numbers, run, schema};

const DAILY: &str =
    "SELECT day, carrier, count(*) AS flights, avg(delay) AS delay FROM air.flights GROUP BY day, carrier";
const COLUMNS: [(&str, &str); 4] = [
    ("day", "date"),
    ("carrier", "string"),
    ("flights", "long"),
    ("delay", "double"),
];

#[test]
fn every_slice_has_its_rows_and_null_is_a_slice() {
    let lake = lake();
    let job = lake.job(DAILY, &[&flights(&lake)], &COLUMNS, &["day"]);
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    let rows: Vec<(String, u64)> = done
        .slices
        .iter()
        .map(|(k, v)| (k.to_string(), v.rows().0))
        .collect();
    let expected = [
        ("null", 1),
        ("2013-02-01", 2),
        ("2013-02-02", 2),
        ("2013-02-03", 1),
    ];
    assert_eq!(rows, expected.map(|(k, n)| (k.to_owned(), n)));
    assert_eq!(
        lake.rows(&job, &done, "day, carrier"),
        [
            r#"{"day":"2013-02-01","carrier":"AA","flights":1,"delay":1.5}"#,
            r#"{"day":"2013-02-01","carrier":"UA","flights":1,"delay":-2.0}"#,
            r#"{"day":"2013-02-02","carrier":"AA","flights":1}"#,
            r#"{"day":"2013-02-02","carrier":"UA","flights":1,"delay":7.25}"#,
            r#"{"day":"2013-02-03","carrier":"DL","flights":1,"delay":0.5}"#,
            r#"{"carrier":"ZZ","flights":1,"delay":9.0}"#,
        ]
    );
    assert_eq!(lake.staged().len(), 4);
}

#[test]
fn a_slice_alone_has_the_digest_that_it_has_among_all() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let flights = flights(&lake);
    let mut job = lake.job(DAILY, &[&flights], &COLUMNS, &["day"]);
    let all = run(&engine, &job).expect("done");
    for (i, (key, version)) in all.slices.iter().enumerate() {
        job.scope = Scope::Slices(vec![key.clone()]);
        job.output.attempt_prefix = format!("r2-{i}");
        // Only the same slice of the input is there.
        job.inputs = vec![flights.clone()];
        job.inputs[0].slices.retain(|(k, _)| k == key);
        let one = run(&engine, &job).expect("done");
        let digests: Vec<_> = one.slices.iter().map(|(k, v)| (k.clone(), v.digest())).collect();
        assert_eq!(digests, [(key.clone(), version.digest())]);
    }
}

#[test]
fn only_slices_of_the_scope_are_written_and_an_empty_one_is_said() {
    let lake = lake();
    let mut job = lake.job(DAILY, &[&flights(&lake)], &COLUMNS, &["day"]);
    job.scope = Scope::Slices(vec![
        SliceKey::of("2013-02-02"),
        SliceKey::of("2013-09-09"),
        SliceKey(vec![None]),
    ]);
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    let rows: Vec<(String, u64)> = done
        .slices
        .iter()
        .map(|(k, v)| (k.to_string(), v.rows().0))
        .collect();
    assert_eq!(
        rows,
        [("null", 1), ("2013-02-02", 2), ("2013-09-09", 0)].map(|(k, n)| (k.to_owned(), n))
    );
    assert_eq!(done.slices[2].1, SliceVersion::default());
    // The filter on the output reached the input: files of other days were not opened.
    assert_eq!(done.usage.read[&name("air.flights")].rows, Rows(3));
}

#[test]
fn without_slices_a_dataset_is_one_and_an_empty_one_has_no_files() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let flights = flights(&lake);
    let job = lake.job(
        "SELECT carrier, seats FROM air.flights WHERE seats >= 100",
        &[&flights],
        &[("carrier", "string"), ("seats", "long")],
        &[],
    );
    let done = run(&engine, &job).expect("done");
    assert_eq!(done.slices.len(), 1);
    assert_eq!(
        (done.slices[0].0.clone(), done.slices[0].1.rows()),
        (SliceKey::whole(), Rows(4))
    );
    assert_eq!(done.slices[0].1.files.len(), 1, "a small output is one file");
    let mut none = job.clone();
    none.query = "SELECT carrier, seats FROM air.flights WHERE seats > 1000".to_owned();
    none.output.attempt_prefix = "r2-1".to_owned();
    let done = run(&engine, &none).expect("done");
    assert_eq!(done.slices, [(SliceKey::whole(), SliceVersion::default())]);
}

#[test]
fn an_older_file_lacks_a_column_and_has_a_narrower_type() {
    let lake = lake();
    let old = lake.table(
        "air.old",
        &[("id", "integer"), ("x", "integer")],
        &[],
        &[r#"{"id":1,"x":10}
        {"id":2,"x":20}"#],
    );
    let new = lake.table(
        "air.t",
        &[("id", "long"), ("x", "double"), ("note", "string")],
        &[],
        &[r#"{"id":3,"x":0.5,"note":"n"}"#],
    );
    // One table whose first file was written before its columns changed.
    let from = lake.dir.path().join("lake/air/old/in-0");
    std::fs::rename(from, lake.dir.path().join("lake/air/t/old-0")).expect("moved");
    let mut table = new.clone();
    let mut file = old.slices[0].1.files[0].clone();
    file.path = file.path.replace("in-0", "old-0");
    table.slices[0].1.files.insert(0, file);
    let columns = [("id", "long"), ("x", "double"), ("note", "string")];
    let job = lake.job(
        "SELECT id, x, note FROM air.t WHERE x > 0.1 AND id < 100",
        &[&table],
        &columns,
        &[],
    );
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    assert_eq!(
        lake.rows(&job, &done, "id"),
        [
            r#"{"id":1,"x":10.0}"#,
            r#"{"id":2,"x":20.0}"#,
            r#"{"id":3,"x":0.5,"note":"n"}"#
        ]
    );
}

#[test]
fn the_present_is_the_runs_and_types_are_the_declared_ones() {
    let lake = lake();
    let query = "SELECT current_date AS day, now() AS at, 7 AS n";
    let columns = [("n", "decimal(12,2)"), ("day", "date"), ("at", "timestamp")];
    let job = lake.job(query, &[], &columns, &[]);
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    assert_eq!(
        lake.rows(&job, &done, "n"),
        [r#"{"n":7.00,"day":"2013-02-03","at":"2013-02-03T04:04:05.000006Z"}"#]
    );
}

#[test]
fn columns_stand_where_they_were_declared() {
    let lake = lake();
    // The slice column is in the middle.
    let input = lake.table(
        "air.m",
        &[("a", "long"), ("day", "date"), ("b", "string")],
        &["day"],
        &[r#"{"a":1,"day":"2013-02-01","b":"x"}"#],
    );
    let job = lake.job(
        "SELECT * FROM air.m",
        &[&input],
        &[("a", "long"), ("day", "date"), ("b", "string")],
        &["day"],
    );
    let done = run(&lake.engine(1, 100 << 20), &job).expect("done");
    assert_eq!(
        lake.rows(&job, &done, "a"),
        [r#"{"a":1,"day":"2013-02-01","b":"x"}"#]
    );
}

#[test]
fn what_was_used_is_measured() {
    let lake = lake();
    let flights = flights(&lake);
    let job = lake.job(DAILY, &[&flights], &COLUMNS, &["day"]);
    let engine = lake.engine(2, 100 << 20);
    let done = run(&engine, &job).expect("done");
    let read = done.usage.read[&name("air.flights")];
    assert_eq!(read.rows, Rows(6));
    let stored: u64 = flights.slices.iter().map(|(_, v)| v.bytes().0).sum();
    assert!(
        read.bytes.0 > 0 && read.bytes.0 <= 2 * stored,
        "{} of {stored}",
        read.bytes.0
    );
    let written = done.usage.written[&name("air.out")];
    assert_eq!(written.rows, Rows(6));
    let sizes: u64 = lake
        .staged()
        .iter()
        .map(|f| std::fs::metadata(f).expect("a file").len())
        .sum();
    assert_eq!(written.bytes.0, sizes);
    assert!(done.usage.cpu.0 > 0 && done.usage.wall_us > 0 && done.usage.peak_memory.0 > 0);
    assert!(engine.settings().contains_key("threads"));
}

#[test]
fn processor_time_is_not_elapsed_time() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 60_000, 50, 4);
    let job = lake.job(
        "SELECT grp, sum(length(text)) AS n FROM air.n GROUP BY grp",
        &[&many],
        &[("grp", "long"), ("n", "long")],
        &[],
    );
    let done = run(&lake.engine(2, 200 << 20), &job).expect("done");
    // Two threads cannot compute for longer than twice the elapsed time (a little is the waiting thread's).
    assert!(done.usage.cpu.0 < done.usage.wall_us * 3, "{:?}", done.usage);
}

#[test]
fn a_query_with_other_columns_is_told_so() {
    let lake = lake();
    let job = lake.job(
        "SELECT carrier FROM air.flights",
        &[&flights(&lake)],
        &[("carrier", "string"), ("n", "long")],
        &[],
    );
    let e = run(&lake.engine(1, 100 << 20), &job).expect_err("refused");
    assert_eq!(e.code, "MS0317");
    assert_eq!(
        e.message,
        "job air.out: the query yields the columns carrier, the dataset has carrier, n"
    );
    assert_eq!(schema(&[("n", "long")]).0.len(), 1);
}

#[test]
fn what_is_not_mounted_is_not_there() {
    let lake = lake();
    flights(&lake);
    let job = lake.job(
        "SELECT carrier FROM air.flights",
        &[],
        &[("carrier", "string")],
        &[],
    );
    let e = run(&lake.engine(1, 100 << 20), &job).expect_err("refused");
    assert!(e.code == "MS0312" && e.message.contains("air.flights"), "{e}");
}

#[test]
fn rows_that_a_join_skips_are_read_rows() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 60_000, 1000, 1);
    let few = numbers(&lake, "air.few", 3, 1000, 1);
    let query = "SELECT n.id, n.text FROM air.n AS n JOIN air.few AS f ON n.grp = f.grp";
    let job = lake.job(query, &[&many, &few], &[("id", "long"), ("text", "string")], &[]);
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    assert!(done.slices[0].1.rows().0 < 1000, "the join finds few of them");
    assert_eq!(done.usage.read[&name("air.n")].rows.0, 60_000);
}
