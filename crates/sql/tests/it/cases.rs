//! The tricky queries, by name and answer.
//!
//! Those with a number are the tricky cases of the design, with the right answers for the slice of January 9th. An answer lists days of
//! January 1st to 14th and `null`, the slice of rows without a day; `all` is all of these.

pub(crate) struct Case {
    /// What is tricky about it, and its number, if it has one.
    pub(crate) about: &'static str,
    pub(crate) sql: &'static str,
    /// By input, what is read for January 9th, and what for the rows without a day.
    pub(crate) reads: &'static [(&'static str, &'static str, &'static str)],
}

pub(crate) const O: &str = "shop.orders";
const C: &str = "shop.clicks";
const V: &str = "shop.views";
const D: &str = "shop.cust";

pub(crate) const CASES: &[Case] = &[
    Case {
        about: "copy",
        sql: "SELECT * FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "group by slice",
        sql: "SELECT ds, cust, sum(amount) AS a, avg(amount) AS m FROM shop.orders GROUP BY ds, cust",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "filter by range of days",
        sql: "SELECT ds, cust FROM shop.orders WHERE ds >= DATE '2013-01-05' AND ds < DATE '2013-01-09'",
        reads: &[(O, "none", "none")],
    },
    Case {
        about: "filter by one day",
        sql: "SELECT ds, cust FROM shop.orders WHERE ds = DATE '2013-01-05'",
        reads: &[(O, "none", "none")],
    },
    Case {
        about: "1 grouped by something else",
        sql: "SELECT cust, min(ds) AS ds FROM shop.orders GROUP BY cust",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "2 month",
        sql: "SELECT CAST(date_trunc('month', ds) AS DATE) AS ds, sum(amount) AS a FROM shop.orders GROUP BY 1",
        reads: &[(O, "none", "null")],
    },
    Case {
        about: "3 join on customer only",
        sql: "SELECT o.ds, o.id, c.n FROM shop.orders o JOIN shop.clicks c ON o.cust = c.cust",
        reads: &[(O, "9", "null"), (C, "all", "all")],
    },
    Case {
        about: "4 join a dimension",
        sql: "SELECT o.ds, o.id, d.name FROM shop.orders o LEFT JOIN shop.cust d ON o.cust = d.cust",
        reads: &[(O, "9", "null"), (D, "all", "all")],
    },
    Case {
        about: "join on day and customer",
        sql: "SELECT o.ds, o.id, c.n FROM shop.orders o JOIN shop.clicks c ON o.cust = c.cust AND o.ds = c.ds",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "join USING day",
        sql: "SELECT ds, o.id, c.n FROM shop.orders o JOIN shop.clicks c USING (ds)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "5 left join, day of the left",
        sql: "SELECT o.ds, o.id, c.n FROM shop.orders o LEFT JOIN shop.clicks c ON o.ds = c.ds AND o.cust = c.cust",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "6 left join, day of the right: NULL needs all",
        sql: "SELECT c.ds, o.id, c.n FROM shop.orders o LEFT JOIN shop.clicks c ON o.ds = c.ds AND o.cust = c.cust",
        reads: &[(O, "9", "all"), (C, "9", "1..14")],
    },
    Case {
        about: "7 full join, coalesced",
        sql: "SELECT coalesce(o.ds, c.ds) AS ds, o.id, c.n FROM shop.orders o FULL JOIN shop.clicks c ON o.ds = c.ds AND o.cust = c.cust",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "9 rank by day",
        sql: "SELECT ds, id, rank() OVER (PARTITION BY ds ORDER BY amount) AS r FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "row_number by day",
        sql: "SELECT ds, id, row_number() OVER (PARTITION BY ds) AS r FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "10 two windows",
        sql: "SELECT ds, id, rank() OVER (PARTITION BY ds ORDER BY amount) AS r, rank() OVER (PARTITION BY cust ORDER BY amount) AS q FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "11 running sum",
        sql: "SELECT ds, id, sum(amount) OVER (PARTITION BY cust ORDER BY ds) AS r FROM shop.orders",
        reads: &[(O, "1..9", "all")],
    },
    Case {
        about: "12 seven days",
        sql: "SELECT ds, id, sum(amount) OVER (ORDER BY ds RANGE BETWEEN INTERVAL '6' DAY PRECEDING AND CURRENT ROW) AS r FROM shop.orders",
        reads: &[(O, "3..9", "null")],
    },
    Case {
        about: "13 lag",
        sql: "SELECT ds, id, lag(amount) OVER (ORDER BY ds) AS r FROM shop.orders",
        reads: &[(O, "1..9", "all")],
    },
    Case {
        about: "14 latest of each id",
        sql: "SELECT ds, id, amount FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY ts DESC) AS r FROM shop.orders) WHERE r = 1",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "15 latest of each day and id",
        sql: "SELECT ds, id, amount FROM (SELECT *, row_number() OVER (PARTITION BY ds, id ORDER BY ts DESC) AS r FROM shop.orders) WHERE r = 1",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "16 distinct on id",
        sql: "SELECT DISTINCT ON (id) ds, id, amount FROM shop.orders ORDER BY id, ts",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "distinct",
        sql: "SELECT DISTINCT ds, cust FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "17 union with the day after",
        sql: "SELECT ds, cust FROM shop.orders UNION ALL SELECT ds + INTERVAL '1' DAY, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "8", "null")],
    },
    Case {
        about: "17 the same table twice",
        sql: "SELECT ds, cust FROM shop.orders UNION ALL SELECT ds + INTERVAL '1' DAY, cust FROM shop.orders",
        reads: &[(O, "8,9", "null")],
    },
    Case {
        about: "union",
        sql: "SELECT ds, cust FROM shop.orders UNION SELECT ds, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "except",
        sql: "SELECT ds, cust FROM shop.orders EXCEPT SELECT ds, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "18 branch with a constant day",
        sql: "SELECT ds, cust FROM shop.orders UNION ALL SELECT DATE '2013-01-09', cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "all", "none")],
    },
    Case {
        about: "18 branch with a computed constant",
        sql: "SELECT ds, cust FROM shop.orders UNION ALL SELECT DATE '2013-01-08' + INTERVAL '1' DAY, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "all", "none")],
    },
    Case {
        about: "18 branch with NULL",
        sql: "SELECT ds, cust FROM shop.orders UNION ALL SELECT NULL, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "none", "all")],
    },
    Case {
        about: "19 top five",
        sql: "SELECT ds, id FROM shop.orders ORDER BY amount DESC LIMIT 5",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "19 limit in WITH",
        sql: "WITH top AS (SELECT ds, id FROM shop.orders LIMIT 5) SELECT ds, id FROM top",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "19 limited side of a join",
        sql: "SELECT o.ds, c.n FROM shop.orders o JOIN (SELECT * FROM shop.clicks LIMIT 9) c ON o.ds = c.ds",
        reads: &[(O, "9", "null"), (C, "all", "none")],
    },
    Case {
        about: "20 above the average",
        sql: "SELECT ds, id FROM shop.orders WHERE amount > (SELECT avg(n) FROM shop.clicks)",
        reads: &[(O, "9", "null"), (C, "all", "all")],
    },
    Case {
        about: "20 above its own average",
        sql: "SELECT ds, id FROM shop.orders WHERE amount > (SELECT avg(amount) FROM shop.orders)",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "scalar subquery in the select list",
        sql: "SELECT ds, id, (SELECT max(n) FROM shop.clicks) AS most FROM shop.orders",
        reads: &[(O, "9", "null"), (C, "all", "all")],
    },
    Case {
        about: "21 correlated average",
        sql: "SELECT ds, id FROM shop.orders o WHERE amount > (SELECT avg(n) FROM shop.clicks c WHERE c.ds = o.ds)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "22 exists by day",
        sql: "SELECT ds, id FROM shop.orders o WHERE EXISTS (SELECT 1 FROM shop.clicks c WHERE c.ds = o.ds AND c.cust = o.cust)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "22 exists by customer",
        sql: "SELECT ds, id FROM shop.orders o WHERE EXISTS (SELECT 1 FROM shop.clicks c WHERE c.cust = o.cust)",
        reads: &[(O, "9", "null"), (C, "all", "all")],
    },
    Case {
        about: "not exists by day",
        sql: "SELECT ds, id FROM shop.orders o WHERE NOT EXISTS (SELECT 1 FROM shop.clicks c WHERE c.ds = o.ds AND c.cust = o.cust)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "23 not in",
        sql: "SELECT ds, id FROM shop.orders WHERE ds NOT IN (SELECT ds FROM shop.clicks)",
        reads: &[(O, "9", "null"), (C, "null,9", "all")],
    },
    Case {
        about: "in",
        sql: "SELECT ds, id FROM shop.orders WHERE ds IN (SELECT ds FROM shop.clicks)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "24 no earlier order",
        sql: "SELECT ds, id FROM shop.orders o WHERE NOT EXISTS (SELECT 1 FROM shop.orders p WHERE p.cust = o.cust AND p.ds < o.ds)",
        reads: &[(O, "1..9", "null")],
    },
    Case {
        about: "25 trailing week",
        sql: "SELECT o.ds, o.id, c.n FROM shop.orders o JOIN shop.clicks c ON c.cust = o.cust AND c.ds BETWEEN o.ds - INTERVAL '6' DAY AND o.ds",
        reads: &[(O, "9", "null"), (C, "3..9", "none")],
    },
    Case {
        about: "27 the day before",
        sql: "SELECT o.ds, o.id, p.id AS before FROM shop.orders o LEFT JOIN shop.orders p ON p.ds = o.ds - INTERVAL '1' DAY AND p.cust = o.cust",
        reads: &[(O, "8,9", "null")],
    },
    Case {
        about: "28 three tables",
        sql: "SELECT o.ds, o.id, c.n, v.seen FROM shop.orders o JOIN shop.clicks c ON o.ds = c.ds JOIN shop.views v ON c.ds = v.ds",
        reads: &[(O, "9", "null"), (C, "9", "null"), (V, "9", "null")],
    },
    Case {
        about: "three tables by the first one's day",
        sql: "SELECT o.ds, o.id, c.n, v.seen FROM shop.orders o JOIN shop.clicks c ON o.ds = c.ds JOIN shop.views v ON o.ds = v.ds",
        reads: &[(O, "9", "null"), (C, "9", "null"), (V, "9", "null")],
    },
    Case {
        about: "29 day of a timestamp",
        sql: "SELECT CAST(ts AS DATE) AS ds, id FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "30 moved by a condition",
        sql: "SELECT CASE WHEN amount > 4 THEN ds + INTERVAL '1' DAY ELSE ds END AS ds, id FROM shop.orders",
        reads: &[(O, "8,9", "null")],
    },
    Case {
        about: "31 cross join with a count",
        sql: "SELECT ds, id, n FROM shop.orders CROSS JOIN (SELECT count(*) AS n FROM shop.clicks)",
        reads: &[(O, "9", "null"), (C, "all", "all")],
    },
    Case {
        about: "31 over everything",
        sql: "SELECT ds, id, sum(amount) OVER () AS a FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "32 rollup",
        sql: "SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY ROLLUP (ds, cust)",
        reads: &[(O, "9", "all")],
    },
    Case {
        about: "33 having above all days",
        sql: "SELECT ds, sum(amount) AS a FROM shop.orders GROUP BY ds HAVING sum(amount) > (SELECT avg(amount) FROM shop.orders)",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "34 unnest of another column",
        sql: "SELECT ds, id, unnest(items) AS item FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "34 unnest of days",
        sql: "SELECT unnest([ds, ds + INTERVAL '1' DAY]) AS ds, id FROM shop.orders",
        reads: &[(O, "8,9", "null")],
    },
    Case {
        about: "35 recursive",
        sql: "WITH RECURSIVE r AS (SELECT ds, id, 1 AS k FROM shop.orders UNION ALL SELECT ds, id, k + 1 FROM r WHERE k < 3) SELECT ds, id, k FROM r",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "36 or in ON",
        sql: "SELECT o.ds, c.n FROM shop.orders o JOIN shop.clicks c ON o.ds = c.ds OR c.ds = DATE '2013-01-02'",
        reads: &[(O, "9", "null"), (C, "2,9", "2")],
    },
    Case {
        about: "39 anti join by hand",
        sql: "SELECT o.ds, o.id FROM shop.orders o LEFT JOIN shop.clicks c ON o.ds = c.ds AND o.cust = c.cust WHERE c.ds IS NULL",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "40 coalesce with a day",
        sql: "SELECT coalesce(ds, DATE '2013-01-09') AS ds, id FROM shop.orders",
        reads: &[(O, "null,9", "none")],
    },
    Case {
        about: "nullif",
        sql: "SELECT nullif(ds, DATE '2013-01-09') AS ds, id FROM shop.orders",
        reads: &[(O, "none", "null,9")],
    },
    Case {
        about: "a day in place of another",
        sql: "SELECT CASE WHEN ds = DATE '2013-01-03' THEN DATE '2013-01-09' ELSE ds END AS ds, id FROM shop.orders",
        reads: &[(O, "3,9", "null")],
    },
    Case {
        about: "41 after the last day",
        sql: "SELECT ds, id FROM shop.orders WHERE ds > (SELECT max(ds) FROM shop.orders) - INTERVAL '7' DAY",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "42 cohort",
        sql: "SELECT o.ds, o.id, f.first FROM shop.orders o JOIN (SELECT cust, min(ds) AS first FROM shop.orders GROUP BY cust) f ON o.cust = f.cust",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "43 one CTE twice",
        sql: "WITH d AS (SELECT ds, sum(amount) AS a FROM shop.orders GROUP BY ds) SELECT x.ds, x.a - y.a AS delta FROM d x JOIN d y ON x.ds = y.ds + INTERVAL '1' DAY",
        reads: &[(O, "8,9", "none")],
    },
    Case {
        about: "one CTE twice by day",
        sql: "WITH d AS (SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY ds, cust), t AS (SELECT ds, sum(a) AS all_a FROM d GROUP BY ds) SELECT d.ds, d.cust, d.a, t.all_a FROM d JOIN t ON d.ds = t.ds",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "45 the present",
        sql: "SELECT current_date AS ds, id FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "until the present",
        sql: "SELECT ds, id FROM shop.orders WHERE ds <= current_date",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "8 full join using the slice, rewritten",
        sql: "SELECT coalesce(o.ds, c.ds) AS ds, o.id, c.n FROM shop.orders o FULL JOIN shop.clicks c ON o.ds = c.ds",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "9 and its neighbours: PARTITION BY a function of the day",
        sql: "SELECT ds, id, rank() OVER (PARTITION BY date_trunc('month', ds) ORDER BY amount) AS r FROM shop.orders",
        reads: &[(O, "1..14", "null")],
    },
    Case {
        about: "12 three days before and one after",
        sql: "SELECT ds, id, sum(amount) OVER (PARTITION BY cust ORDER BY ds RANGE BETWEEN INTERVAL '3' DAY PRECEDING AND INTERVAL '1' DAY FOLLOWING) AS r FROM shop.orders",
        reads: &[(O, "6..10", "null")],
    },
    Case {
        about: "12 seven days, backwards",
        sql: "SELECT ds, id, sum(amount) OVER (ORDER BY ds DESC RANGE BETWEEN INTERVAL '6' DAY PRECEDING AND CURRENT ROW) AS r FROM shop.orders",
        reads: &[(O, "9..14", "null")],
    },
    Case {
        about: "12 rows of a frame may be of any day before",
        sql: "SELECT ds, id, sum(amount) OVER (ORDER BY ds ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS r FROM shop.orders",
        reads: &[(O, "1..9", "all")],
    },
    Case {
        about: "12 whole partition",
        sql: "SELECT ds, id, sum(amount) OVER (PARTITION BY cust ORDER BY ds ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS r FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "13 lead",
        sql: "SELECT ds, id, lead(amount) OVER (ORDER BY ds) AS r FROM shop.orders",
        reads: &[(O, "null,9..14", "null")],
    },
    Case {
        about: "13 lag, NULLs first",
        sql: "SELECT ds, id, lag(amount) OVER (ORDER BY ds NULLS FIRST) AS r FROM shop.orders",
        reads: &[(O, "null,1..9", "null")],
    },
    Case {
        about: "13 ntile looks at everything",
        sql: "SELECT ds, id, ntile(4) OVER (ORDER BY ds) AS r FROM shop.orders",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "26 within seven days by difference",
        sql: "SELECT o.ds, c.n FROM shop.orders o JOIN shop.clicks c ON o.cust = c.cust AND o.ds - c.ds BETWEEN 0 AND 6",
        reads: &[(O, "9", "null"), (C, "3..9", "none")],
    },
    Case {
        about: "25 trailing week of a trailing week",
        sql: "SELECT o.ds, c.n, v.seen FROM shop.orders o JOIN shop.clicks c ON c.ds BETWEEN o.ds - INTERVAL '3' DAY AND o.ds JOIN shop.views v ON v.ds BETWEEN c.ds - INTERVAL '2' DAY AND c.ds",
        reads: &[(O, "9", "null"), (C, "6..9", "none"), (V, "4..9", "none")],
    },
    Case {
        about: "37 as of the day before",
        sql: "SELECT o.ds, o.id, max(f.n) AS n FROM shop.orders o JOIN shop.clicks f ON f.ds < o.ds AND f.cust = o.cust GROUP BY o.ds, o.id",
        reads: &[(O, "9", "null"), (C, "1..8", "none")],
    },
    Case {
        about: "37 last one before, by a window",
        sql: "SELECT ds, id, n FROM (SELECT o.ds, o.id, f.n, row_number() OVER (PARTITION BY o.ds, o.id ORDER BY f.ds DESC, f.n) AS r FROM shop.orders o LEFT JOIN shop.clicks f ON f.ds < o.ds) WHERE r = 1",
        reads: &[(O, "9", "null"), (C, "1..8", "none")],
    },
    Case {
        about: "38 spine of days",
        sql: "SELECT CAST(g.value AS DATE) AS ds, o.id FROM generate_series(TIMESTAMP '2013-01-01', TIMESTAMP '2013-01-14', INTERVAL '1' DAY) g LEFT JOIN shop.orders o ON o.ds = CAST(g.value AS DATE)",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "46 a division by zero in another slice",
        sql: "SELECT ds, id, 10 / (date_part('day', ds) - 5) AS q FROM shop.orders",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "47 a slice that is not there yet",
        sql: "SELECT o.ds, o.id, c.n FROM shop.orders o LEFT JOIN shop.clicks c ON c.ds = o.ds",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "right join, day of the left",
        sql: "SELECT o.ds, c.n FROM shop.orders o RIGHT JOIN shop.clicks c ON o.ds = c.ds AND o.cust = c.cust",
        reads: &[(O, "9", "1..14"), (C, "9", "all")],
    },
    Case {
        about: "right join, day of the right",
        sql: "SELECT c.ds, o.id FROM shop.orders o RIGHT JOIN shop.clicks c ON o.ds = c.ds + INTERVAL '1' DAY",
        reads: &[(O, "10", "none"), (C, "9", "null")],
    },
    Case {
        about: "cube",
        sql: "SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY CUBE (ds, cust)",
        reads: &[(O, "9", "all")],
    },
    Case {
        about: "grouping sets",
        sql: "SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY GROUPING SETS ((ds, cust), (ds))",
        reads: &[(O, "9", "null")],
    },
    Case {
        about: "intersect",
        sql: "SELECT ds, cust FROM shop.orders INTERSECT SELECT ds, cust FROM shop.clicks",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "month before",
        sql: "SELECT o.ds, sum(p.amount) AS a FROM shop.orders o JOIN shop.orders p ON date_trunc('month', p.ds) = date_trunc('month', o.ds) GROUP BY o.ds",
        reads: &[(O, "1..14", "none")],
    },
    Case {
        about: "a few days",
        sql: "SELECT ds, id FROM shop.orders WHERE ds IN (DATE '2013-01-03', DATE '2013-01-09')",
        reads: &[(O, "9", "none")],
    },
    Case {
        about: "a day that may not be",
        sql: "SELECT ds, id FROM shop.orders WHERE ds <> DATE '2013-01-09'",
        reads: &[(O, "none", "none")],
    },
    Case {
        about: "two windows, one after the other",
        sql: "SELECT ds, id, avg(s) OVER (ORDER BY ds RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) AS m FROM (SELECT ds, id, sum(amount) OVER (ORDER BY ds RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND CURRENT ROW) AS s FROM shop.orders)",
        reads: &[(O, "6..9", "null")],
    },
    Case {
        about: "recursive that moves the day",
        sql: "WITH RECURSIVE r AS (SELECT ds, id, 1 AS k FROM shop.orders UNION ALL SELECT ds + INTERVAL '1' DAY, id, k + 1 FROM r WHERE k < 3) SELECT ds, id, k FROM r",
        reads: &[(O, "all", "all")],
    },
    Case {
        about: "mark join",
        sql: "SELECT ds, id FROM shop.orders o WHERE amount > 2 OR EXISTS (SELECT 1 FROM shop.clicks c WHERE c.ds = o.ds AND c.cust = o.cust)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "mark join by not in",
        sql: "SELECT ds, id FROM shop.orders o WHERE amount > 2 OR cust NOT IN (SELECT cust FROM shop.clicks c WHERE c.ds = o.ds)",
        reads: &[(O, "9", "null"), (C, "9", "null")],
    },
    Case {
        about: "half of a day",
        sql: "SELECT ds, id FROM shop.orders WHERE id % 2 = 0 UNION ALL SELECT ds - INTERVAL '1' DAY, id FROM shop.orders WHERE id % 2 = 1",
        reads: &[(O, "9,10", "null")],
    },
    Case {
        about: "nothing of it",
        sql: "SELECT ds, id FROM shop.orders UNION ALL SELECT ds, n FROM shop.clicks WHERE false",
        reads: &[(O, "9", "null"), (C, "none", "none")],
    },
];
