//! Every mistake has its message: text in, problems out.

use std::fmt::Write as _;

use mainstay_sql::{Problem, analyse};

use crate::shop;

/// Writes a problem as a compiler would.
fn rendered(sql: &str, problem: &Problem) -> String {
    let mut out = format!("{}: {}\n", problem.code, problem.message);
    if let Some((start, end)) = problem.span {
        let line = sql
            .lines()
            .nth(usize::try_from(start.line - 1).unwrap_or(0))
            .unwrap_or_default();
        let width = if end.line == start.line {
            end.column.saturating_sub(start.column).max(1)
        } else {
            1
        };
        let (from, width) = (
            usize::try_from(start.column - 1).unwrap_or(0),
            usize::try_from(width).unwrap_or(1),
        );
        let _ = writeln!(out, "  {} | {line}", start.line);
        let _ = writeln!(
            out,
            "  {} | {}{} {}",
            " ".repeat(start.line.to_string().len()),
            " ".repeat(from),
            "^".repeat(width),
            problem.label
        );
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(out, "  help: {help}");
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

const CASES: &[(&str, &[&str])] = &[
    ("", &[]),
    ("-- nothing but a comment", &[]),
    ("SELEC ds FROM shop.orders", &[]),
    ("SELECT ds, FROM shop.orders WHERE", &[]),
    ("SELECT ds FROM shop.orders\nWHERE (amount > 3", &[]),
    ("SELECT ds FROM shop.orders; SELECT 1 AS x", &[]),
    ("SELECT 'open FROM shop.orders", &[]),
    ("CREATE TABLE t AS SELECT 1", &[]),
    ("INSERT INTO shop.orders SELECT 1", &[]),
    ("DELETE FROM shop.orders", &[]),
    ("SET x = 1", &[]),
    ("EXPLAIN SELECT 1", &[]),
    ("COPY shop.orders TO 'x'", &[]),
    ("SELECT id INTO x FROM shop.orders", &[]),
    (
        "SELECT o.ds, x.ds AS d2 FROM shop.order o JOIN shop.klicks x ON o.ds = x.ds JOIN elsewhere.all_of_it y ON true",
        &[],
    ),
    ("SELECT ds FROM orders", &[]),
    ("SELECT ds FROM other.shop.orders", &[]),
    ("SELECT ds FROM main.shop.orders o", &["day"]),
    (
        "SELECT ds, amuont, custt\nFROM shop.orders\nWHERE nothing_like_it > 1 AND tss IS NULL",
        &[],
    ),
    ("SELECT o.amuont AS a, p.ds FROM shop.orders o", &[]),
    ("SELECT ds FROM shop.orders WHERE Amount = \"Amount\"", &[]),
    ("SELECT region FROM shop.cust", &[]),
    (
        "WITH d AS (SELECT ds, sum(amount) AS total FROM shop.orders GROUP BY ds) SELECT ds, totl FROM d",
        &[],
    ),
    (
        "SELECT o.ds FROM shop.orders o WHERE EXISTS (SELECT 1 FROM shop.clicks c WHERE c.cust = o.kust)",
        &[],
    ),
    ("SELECT ds, n FROM shop.orders JOIN shop.clicks ON true", &[]),
    (
        "SELECT summ(amount) AS s, roundd(amount) AS r, zzzzzzzz(1) AS z FROM shop.orders",
        &[],
    ),
    ("SELECT amuont, summ(amount) AS s, count(*) FROM shop.orders", &[]),
    ("SELECT sum(name) AS s FROM shop.cust", &[]),
    ("SELECT id, ds + ts AS x FROM shop.orders", &[]),
    ("SELECT id FROM shop.orders WHERE items = amount", &[]),
    ("SELECT id FROM shop.orders WHERE amount AND ds IS NULL", &[]),
    ("SELECT id FROM shop.orders WHERE amount", &[]),
    (
        "SELECT upper(ds + ts) AS a, sum(name) OVER () AS b, items = 3 AS c\nFROM shop.orders JOIN shop.cust USING (cust)",
        &[],
    ),
    (
        "WITH a AS (SELECT ds, items > 3 AS b FROM shop.orders) SELECT ds FROM a WHERE b AND EXISTS (SELECT 1 FROM shop.clicks c WHERE c.ds = a.ds AND c.n LIKE 3 + DATE '2013-01-01')",
        &[],
    ),
    ("SELECT id, upper(amount, 3) AS x FROM shop.orders", &[]),
    (
        "SELECT id, CASE WHEN amount > 3 THEN ds ELSE items END AS x FROM shop.orders",
        &[],
    ),
    (
        "SELECT ds FROM shop.orders UNION ALL SELECT cust, ds FROM shop.clicks",
        &[],
    ),
    (
        "SELECT ds, items FROM shop.orders UNION ALL SELECT ds, n FROM shop.clicks",
        &[],
    ),
    (
        "SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY ds",
        &[],
    ),
    ("SELECT ds FROM shop.orders WHERE sum(amount) > 3", &[]),
    (
        "SELECT ds, count(*), amount + 1 FROM shop.orders GROUP BY ds, amount",
        &[],
    ),
    ("VALUES (1, 2)", &[]),
    (
        "SELECT o.ds, c.ds FROM shop.orders o JOIN shop.clicks c ON o.ds = c.ds",
        &[],
    ),
    ("SELECT *, 1 AS n FROM shop.clicks", &[]),
    ("SELECT ds, ds FROM shop.orders", &[]),
    ("SELECT id AS \"my id\" FROM shop.orders", &[]),
    (
        "SELECT current_time AS t, ds - ds AS d, NULL AS n, interval '1 day' AS i FROM shop.orders",
        &[],
    ),
    (
        "SELECT ds AS dds, id FROM shop.orders",
        &["ds", "nothing_like_it"],
    ),
    (
        "SELECT CAST(amount AS DOUBLE) AS a, items AS b FROM shop.orders",
        &["a", "b"],
    ),
    ("SELECT random() AS r, uuid() AS u FROM shop.orders", &[]),
    (
        "SELECT ds, array_agg(id) AS ids, string_agg(name, ',') AS names, first_value(id) AS f FROM shop.orders JOIN shop.cust USING (cust) GROUP BY ds",
        &[],
    ),
    (
        "SELECT ds, any_value(id) AS v, approx_median(amount) AS m, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS p FROM shop.orders GROUP BY ds",
        &[],
    ),
    (
        "SELECT ds, last_value(id) OVER (PARTITION BY ds ORDER BY ts) AS l FROM shop.orders",
        &[],
    ),
    ("SELECT kind, note FROM shop.events LIMIT 3", &[]),
    (
        "SELECT kind, row_number() OVER (ORDER BY kind) AS n FROM shop.events",
        &[],
    ),
    (
        "SELECT o.id, n FROM shop.orders o FULL JOIN shop.clicks c USING (cust)",
        &[],
    ),
    (
        "SELECT o.id FROM shop.orders o NATURAL RIGHT JOIN shop.clicks c",
        &[],
    ),
    ("SELECT id FROM generate_serie(1, 3) AS t(id)", &[]),
    ("SELECT id FROM shop.orders WHERE id = $1", &[]),
    ("SELECT id, @x AS x FROM shop.orders", &[]),
    ("SELECT id FROM shop.orders TABLESAMPLE (10 PERCENT)", &[]),
    ("SELECT id FROM shop.orders FOR UPDATE", &[]),
    ("SELECT CAST(id AS BIGNUM) AS x FROM shop.orders", &[]),
    ("SELECT DATE '2013-13-01' AS x", &[]),
    ("SELECT id FROM shop.orders WHERE ds > 'yesterday'", &[]),
    (
        "SELECT id FROM shop.orders WHERE (SELECT cust, n FROM shop.clicks) > 1",
        &[],
    ),
    ("SELECT id FROM shop.orders LIMIT -1", &[]),
    ("SELECT id FROM shop.orders LIMIT amount", &[]),
];

#[test]
fn mistakes_are_explained() {
    let inputs = shop::inputs();
    let (mut out, mut missed) = (String::new(), Vec::new());
    for (sql, slice) in CASES {
        let slice: Vec<String> = slice.iter().map(|s| (*s).to_owned()).collect();
        let problems = analyse(sql, &inputs, &slice).err().unwrap_or_default();
        if problems.is_empty() {
            missed.push(*sql);
        }
        let _ = writeln!(out, "{}\n{sql}\n", "=".repeat(40));
        for problem in &problems {
            let _ = writeln!(out, "{}\n", rendered(sql, problem));
        }
    }
    insta::assert_snapshot!(out);
    assert!(missed.is_empty(), "nothing was found in {missed:?}");
    for word in [
        "Utf8",
        "Int64",
        "Float64",
        "Date32",
        "bug",
        "DataFusion",
        "Expr",
        "LogicalPlan",
        "nternal",
        "UDF",
        "DataType",
    ] {
        assert!(!out.contains(word), "{word}");
    }
}
