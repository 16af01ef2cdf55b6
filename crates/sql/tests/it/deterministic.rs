//! Plans have one right answer: executed over the same rows in any order, they give the same.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use mainstay_model::DatasetName;
use mainstay_sql::{analyse, deterministic};

use crate::run::{Numbers, rows, run, shuffled};
use crate::shop;

const QUERIES: &[&str] = &[
    "SELECT * FROM shop.orders ORDER BY amount LIMIT 7",
    "SELECT id, amount FROM shop.orders ORDER BY ts DESC LIMIT 7 OFFSET 3",
    "SELECT * FROM shop.orders LIMIT 7",
    "WITH top AS (SELECT ds, cust, amount FROM shop.orders LIMIT 9) SELECT ds, sum(amount) AS a FROM top GROUP BY ds",
    "SELECT cust FROM shop.orders ORDER BY ds, amount OFFSET 20",
    "SELECT * FROM (SELECT * FROM shop.orders ORDER BY amount LIMIT 20) ORDER BY ds LIMIT 5",
    "SELECT DISTINCT ON (cust) cust, id, ds FROM shop.orders ORDER BY cust, amount",
    "SELECT DISTINCT ON (cust) cust, id, ds FROM shop.orders",
    "SELECT DISTINCT ON (cust) cust, id, ds FROM shop.orders ORDER BY cust DESC, amount LIMIT 2",
    "SELECT id, row_number() OVER () AS n FROM shop.orders",
    "SELECT id, cust, row_number() OVER (PARTITION BY cust) AS n, rank() OVER (PARTITION BY cust ORDER BY amount) AS r FROM shop.orders",
    "SELECT id, ntile(4) OVER (ORDER BY amount) AS t, lag(id) OVER (ORDER BY amount) AS l, lead(id, 2) OVER (PARTITION BY cust) AS m FROM shop.orders",
    "SELECT id, first_value(id) OVER (PARTITION BY cust ORDER BY amount) AS f, last_value(id) OVER (PARTITION BY cust ORDER BY amount ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS l FROM shop.orders",
    "SELECT id, nth_value(id, 2) OVER (PARTITION BY cust ORDER BY amount ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS f FROM shop.orders",
    "SELECT id, sum(amount) OVER (ORDER BY amount ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s, count(id) OVER (ORDER BY ts ROWS 3 PRECEDING) AS c FROM shop.orders",
    "SELECT id, sum(id) OVER (ORDER BY amount) AS s, sum(id) OVER (ORDER BY amount GROUPS 1 PRECEDING) AS g FROM shop.orders",
    "SELECT id, array_agg(id) OVER (PARTITION BY cust ORDER BY ds ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a FROM shop.orders",
    "SELECT id, ds, amount FROM shop.orders QUALIFY row_number() OVER (PARTITION BY id ORDER BY ts DESC) = 1",
    "SELECT cust, array_agg(id ORDER BY ds) AS ids, first_value(id ORDER BY ts) AS f, last_value(id ORDER BY ts) AS l FROM shop.orders GROUP BY cust",
    "SELECT string_agg(name, ',' ORDER BY cust) AS names, array_agg(DISTINCT name ORDER BY name) AS d FROM shop.cust",
    "SELECT cust, nth_value(id, 2 ORDER BY amount) AS s FROM shop.orders GROUP BY cust",
    "SELECT o.id, (SELECT max(c.n) FROM (SELECT n FROM shop.clicks ORDER BY ds LIMIT 5) c) AS m FROM shop.orders o",
    "SELECT id FROM shop.orders o WHERE EXISTS (SELECT 1 FROM shop.clicks c WHERE c.cust = o.cust LIMIT 1)",
    "SELECT id FROM shop.orders WHERE cust IN (SELECT cust FROM shop.clicks ORDER BY n LIMIT 3)",
    "SELECT ds, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS p, median(amount) AS m, approx_distinct(id) AS d FROM shop.orders GROUP BY ds",
    "SELECT ds, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC) AS place FROM shop.orders GROUP BY ds",
    "SELECT ds, cust, array_agg(id ORDER BY ts) AS ids, grouping(cust) AS g FROM shop.orders GROUP BY ROLLUP (ds, cust)",
    "SELECT cust, first_value(id ORDER BY ts) AS f FROM shop.orders GROUP BY cust HAVING first_value(id ORDER BY ts) >= 0 ORDER BY first_value(id ORDER BY ts) LIMIT 2",
    "SELECT id, row_number() OVER () AS a, row_number() OVER (ORDER BY id, cust, amount, ts, items, ds) AS b, ntile(2) OVER (ORDER BY ds) AS c FROM shop.orders",
    "SELECT id, rank() OVER (ORDER BY ds) AS r, ntile(4) OVER (ORDER BY ds) AS t, row_number() OVER (ORDER BY ds) AS n, count(*) OVER (ORDER BY ds) AS c FROM shop.orders",
    "SELECT ds, cust, sum(id) AS s, row_number() OVER (PARTITION BY ds) AS n, grouping(cust) AS g FROM shop.orders GROUP BY ROLLUP (ds, cust)",
    "SELECT ds FROM shop.orders UNION ALL SELECT ds FROM shop.clicks ORDER BY ds LIMIT 4",
];

#[test]
fn rows_in_any_order_give_the_same() {
    let inputs = shop::inputs();
    for sql in QUERIES {
        let found = analyse(sql, &inputs, &[]).unwrap_or_else(|p| panic!("{sql}: {p:?}"));
        for seed in 0..3 {
            let mut numbers = Numbers(seed);
            let tables: BTreeMap<DatasetName, RecordBatch> = inputs
                .iter()
                .map(|(name, t)| (name.clone(), rows(t, 60, &mut numbers)))
                .collect();
            let answers: Vec<_> = (0..4)
                .map(|_| {
                    let tables = tables
                        .iter()
                        .map(|(n, b)| (n.clone(), shuffled(b, &mut numbers)))
                        .collect();
                    run(&found.plan, &tables)
                })
                .collect();
            assert!(!answers[0].is_empty(), "{sql}");
            for answer in &answers {
                assert_eq!(answer, &answers[0], "{sql}\n{}", found.plan.display_indent());
            }
        }
    }
}

#[test]
fn a_plan_that_has_been_through_is_left_alone() {
    let inputs = shop::inputs();
    for sql in QUERIES {
        let once = analyse(sql, &inputs, &[])
            .unwrap_or_else(|p| panic!("{sql}: {p:?}"))
            .plan;
        let twice = deterministic(once.clone()).expect("nothing is wrong with it");
        assert_eq!(
            twice.display_indent().to_string(),
            once.display_indent().to_string(),
            "{sql}"
        );
    }
}

#[test]
fn names_of_columns_stay() {
    let inputs = shop::inputs();
    let sql = "SELECT t.* FROM (SELECT ds, row_number() OVER (PARTITION BY ds), array_agg(id) OVER (PARTITION BY ds ORDER BY ts ROWS 2 PRECEDING) FROM shop.orders) AS t(ds, n, a)";
    let found = analyse(sql, &inputs, &[]).expect("a query");
    assert_eq!(found.columns.names().collect::<Vec<_>>(), ["ds", "n", "a"]);
}
