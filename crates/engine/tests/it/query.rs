//! Questions that people ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use mainstay_base::Timestamp;
use mainstay_engine::{CancelToken, Question, SystemTable};

use crate::support::{AS_OF, ask, flights, lake, lines_of, name, numbers};

fn question(sql: &str, tables: Vec<SystemTable>) -> Question {
    Question {
        sql: sql.to_owned(),
        inputs: Vec::new(),
        tables,
        as_of: Timestamp::from_micros(AS_OF),
        time_limit: None,
    }
}

fn facts(made: Arc<AtomicUsize>) -> SystemTable {
    let rows = RecordBatch::try_from_iter([
        ("seq", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("n", Arc::new(Int64Array::from(vec![7, 8, 9])) as ArrayRef),
    ])
    .expect("rows");
    let schema = rows.schema();
    let make = move || {
        made.fetch_add(1, Ordering::Relaxed);
        Ok(vec![rows.clone()])
    };
    SystemTable {
        name: name("system.facts"),
        schema,
        rows: Arc::new(make),
    }
}

#[test]
fn rows_come_in_the_order_that_was_asked_for() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let rows = ask(
        &engine,
        &[flights(&lake)],
        "SELECT carrier, sum(seats) AS s FROM air.flights GROUP BY carrier ORDER BY s DESC, carrier",
    );
    let expected = [
        r#"{"carrier":"UA","s":250}"#,
        r#"{"carrier":"AA","s":200}"#,
        r#"{"carrier":"DL","s":180}"#,
        r#"{"carrier":"ZZ","s":1}"#,
    ];
    assert_eq!(rows.expect("rows"), expected);
}

#[test]
fn system_tables_are_made_only_when_they_are_read() {
    let lake = lake();
    let engine = lake.engine(1, 100 << 20);
    let made = Arc::new(AtomicUsize::new(0));
    let (rows, _) =
        lines_of(&engine, question("SELECT 1 AS x", vec![facts(Arc::clone(&made))])).expect("rows");
    assert_eq!(
        (rows, made.load(Ordering::Relaxed)),
        (vec![r#"{"x":1}"#.to_owned()], 0)
    );
    let sql = "SELECT n FROM system.facts WHERE seq > 1 ORDER BY n";
    let (rows, answer) = lines_of(&engine, question(sql, vec![facts(Arc::clone(&made))])).expect("rows");
    assert_eq!(
        (rows, made.load(Ordering::Relaxed)),
        (vec![r#"{"n":8}"#.to_owned(), r#"{"n":9}"#.to_owned()], 1)
    );
    assert_eq!(answer.schema.fields().len(), 1);
}

#[test]
fn an_answer_without_rows_has_columns() {
    let lake = lake();
    let sql = "SELECT seq, n FROM system.facts WHERE seq > 100";
    let (rows, answer) = lines_of(
        &lake.engine(1, 100 << 20),
        question(sql, vec![facts(Arc::default())]),
    )
    .expect("rows");
    assert!(rows.is_empty());
    assert_eq!(
        answer
            .schema
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect::<Vec<_>>(),
        ["seq", "n"]
    );
}

#[test]
fn mistakes_are_said_in_words() {
    let lake = lake();
    let e = ask(
        &lake.engine(1, 100 << 20),
        &[flights(&lake)],
        "SELECT carier FROM air.flights",
    )
    .expect_err("no such column");
    assert!(
        e.message.contains("carier") && e.message.contains("carrier"),
        "{e}"
    );
}

#[test]
fn whoever_takes_no_more_gets_no_more() {
    let lake = lake();
    let many = numbers(&lake, "air.n", 100_000, 10, 2);
    let mut asked = question("SELECT * FROM air.n", Vec::new());
    asked.inputs.push(many);
    let mut taken = 0;
    let e = lake
        .engine(2, 100 << 20)
        .query(asked, &CancelToken::new(), &mut |batch| {
            taken += batch.num_rows();
            let enough = ask(&lake.engine(1, 1 << 20), &[], "SELECT nothing").expect_err("an error");
            Err(enough)
        })
        .expect_err("stopped");
    assert!(taken < 100_000 && e.message.contains("nothing"), "{taken} {e}");
}

/// The engine's own rule would push the filter into one side, since both have a column of that name.
#[test]
fn a_filter_over_columns_of_one_name_keeps_them_apart() {
    let lake = lake();
    let columns = [("day", "date"), ("k", "long")];
    let rows = r#"{"day":"2024-01-30","k":2}
                  {"day":"2024-02-04","k":1}"#;
    let tables = [
        lake.table("lab.a", &columns, &["day"], &[rows]),
        lake.table("lab.b", &columns, &["day"], &[rows]),
    ];
    for (join, filter, expected) in [
        ("lab.a AS a RIGHT JOIN lab.b AS b", "<", vec![]),
        ("lab.b AS b LEFT JOIN lab.a AS a", "<", vec![]),
        ("lab.a AS a RIGHT JOIN lab.b AS b", ">", vec![r#"{"k":1}"#, "{}"]),
    ] {
        let sql = format!(
            "SELECT a.k FROM {join} ON a.k = b.k - 1 \
             WHERE coalesce(a.day, b.day) {filter} DATE '2024-01-31' ORDER BY a.k"
        );
        for threads in [1, 4] {
            let found = ask(&lake.engine(threads, 100 << 20), &tables, &sql);
            assert_eq!(found.expect("rows"), expected, "{sql}");
        }
    }
}

#[test]
fn a_counting_subquery_beside_a_union_is_computed() {
    let lake = lake();
    let sql = "SELECT f.carrier, (SELECT count(DISTINCT g.day) FROM air.flights AS g WHERE g.carrier = f.carrier) AS n \
               FROM (SELECT DISTINCT carrier FROM air.flights WHERE seats > 100) AS f \
               UNION SELECT carrier, seats AS n FROM air.flights WHERE seats = 1 ORDER BY carrier";
    let rows = ask(&lake.engine(2, 100 << 20), &[flights(&lake)], sql);
    let expected = [
        r#"{"carrier":"DL","n":1}"#,
        r#"{"carrier":"UA","n":2}"#,
        r#"{"carrier":"ZZ","n":1}"#,
    ];
    assert_eq!(rows.expect("rows"), expected);
}

#[test]
fn a_total_is_filtered_by_what_is_never_true() {
    let lake = lake();
    let sql = "SELECT day, s FROM (SELECT CAST(NULL AS DATE) AS day, sum(seats) AS s FROM air.flights) AS t \
               WHERE day = DATE '2013-02-01'";
    let rows = ask(&lake.engine(2, 100 << 20), &[flights(&lake)], sql).expect("rows");
    assert!(rows.is_empty(), "{rows:?}");
    // A grouping set without columns is a total, too.
    let both = "SELECT carrier, n FROM (SELECT carrier, count(*) AS n FROM air.flights GROUP BY ROLLUP (carrier)) AS t \
                WHERE carrier = 'UA' AND carrier = 'AA'";
    let rows = ask(&lake.engine(2, 100 << 20), &[flights(&lake)], both).expect("rows");
    assert!(rows.is_empty(), "{rows:?}");
    let sql = "SELECT s FROM (SELECT sum(seats) AS s FROM air.flights) AS t WHERE s > 1 AND 1 = 1";
    let rows = ask(&lake.engine(2, 100 << 20), &[flights(&lake)], sql).expect("rows");
    assert_eq!(rows, [r#"{"s":631}"#]);
}

/// A key is unique before an `unnest`, and not after it.
#[test]
fn rows_that_tie_are_in_a_frame_together() {
    let lake = lake();
    let unnested =
        "(SELECT carrier, unnest([1, 2]) AS u FROM (SELECT carrier FROM air.flights GROUP BY carrier))";
    for over in ["(ORDER BY carrier)", "w"] {
        let window = if over == "w" {
            "WINDOW w AS (ORDER BY carrier)"
        } else {
            ""
        };
        let sql = format!(
            "SELECT carrier, u, count(*) OVER {over} AS n FROM {unnested} AS t {window} ORDER BY carrier, u LIMIT 3"
        );
        let rows = ask(&lake.engine(2, 100 << 20), &[flights(&lake)], &sql).expect("rows");
        let expected = [
            r#"{"carrier":"AA","u":1,"n":2}"#,
            r#"{"carrier":"AA","u":2,"n":2}"#,
            r#"{"carrier":"DL","u":1,"n":4}"#,
        ];
        assert_eq!(rows, expected, "{sql}");
    }
}
