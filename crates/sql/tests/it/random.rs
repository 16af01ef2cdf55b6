//! Queries put together at random from all operators, each tried out: nothing but what is said to be read may matter.

use mainstay_sql::analyse;

use crate::oracle::{asked, try_out};
use crate::run::Numbers;
use crate::shop;

/// Makes queries that yield `ds`, `k` and `x`.
struct Maker {
    numbers: Numbers,
    joins: u8,
}

impl Maker {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.numbers.below(of.len() as u64)).unwrap()]
    }

    fn base(&mut self) -> String {
        let (table, x) = [("orders", "amount"), ("clicks", "n"), ("views", "seen")]
            [usize::try_from(self.numbers.below(3)).unwrap()];
        let filter = self.pick(&[
            "",
            "",
            "",
            " WHERE ds >= DATE '2013-01-03'",
            " WHERE ds IS NOT NULL",
            " WHERE cust <> 2",
        ]);
        format!("SELECT ds, cust AS k, {x} AS x FROM shop.{table}{filter}")
    }

    fn query(&mut self, depth: u8) -> String {
        if depth == 0 {
            return self.base();
        }
        match self.numbers.below(16) {
            0 => {
                let condition = self.pick(&[
                    "a.x > 1",
                    "a.ds <> DATE '2013-01-05'",
                    "a.ds IN (DATE '2013-01-02', DATE '2013-01-09') OR a.k = 1",
                    "a.ds IS NULL OR a.ds < DATE '2013-01-06'",
                    "a.k = a.x",
                    "NOT (a.ds < DATE '2013-01-04')",
                ]);
                format!(
                    "SELECT ds, k, x FROM ({}) a WHERE {condition}",
                    self.query(depth - 1)
                )
            }
            1 => self.grouped(depth),
            2 => {
                let ds = self.pick(&[
                    "ds + INTERVAL '1' DAY",
                    "ds - 2",
                    "CASE WHEN x > 1 THEN ds + INTERVAL '1' DAY ELSE ds END",
                    "coalesce(ds, DATE '2013-01-05')",
                    "nullif(ds, DATE '2013-01-05')",
                    "CAST(date_trunc('week', ds) AS DATE)",
                    "CASE WHEN ds = DATE '2013-01-02' THEN NULL ELSE ds END",
                    "make_date(2013, 1, k)",
                    "greatest(ds, DATE '2013-01-05')",
                ]);
                let k = self.pick(&["k", "x", "k + 1"]);
                format!(
                    "SELECT {ds} AS ds, {k} AS k, x FROM ({}) a",
                    self.query(depth - 1)
                )
            }
            3..=5 => self.window(depth),
            6..=9 if self.joins > 0 => {
                self.joins -= 1;
                self.join(depth)
            }
            10 => self.partners(depth),
            11 => {
                let all = self.pick(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
                format!("({}) {all} ({})", self.query(depth - 1), self.query(depth - 1))
            }
            12 => {
                let how = self.pick(&[
                    "DISTINCT",
                    "DISTINCT ON (ds)",
                    "DISTINCT ON (k)",
                    "DISTINCT ON (ds, k)",
                ]);
                format!("SELECT {how} ds, k, x FROM ({}) a", self.query(depth - 1))
            }
            13 => match self.numbers.below(3) {
                0 => format!(
                    "SELECT ds, k, x FROM ({}) a ORDER BY x DESC, k LIMIT 9",
                    self.query(depth - 1)
                ),
                1 => format!(
                    "SELECT unnest([ds, ds + INTERVAL '1' DAY]) AS ds, k, x FROM ({}) a",
                    self.query(depth - 1)
                ),
                _ => format!(
                    "SELECT ds, unnest([k, x]) AS k, x FROM ({}) a",
                    self.query(depth - 1)
                ),
            },
            14 => {
                let step = self.pick(&["ds", "ds + INTERVAL '1' DAY", "coalesce(ds, DATE '2013-01-05')"]);
                format!(
                    "SELECT ds, k, x FROM (WITH RECURSIVE r AS (SELECT ds, k, x FROM ({}) a UNION ALL SELECT {step}, k + 1, x FROM r WHERE k < 3) SELECT ds, k, x FROM r) b",
                    self.query(depth - 1)
                )
            }
            _ => {
                let sub = self.pick(&["max(b.x)", "sum(b.x)", "count(*)"]);
                let by = self.pick(&[
                    "",
                    "WHERE b.ds = a.ds",
                    "WHERE b.k = a.k",
                    "WHERE b.ds = a.ds AND b.k = a.k",
                ]);
                format!(
                    "SELECT ds, k, x FROM ({}) a WHERE x >= (SELECT {sub} FROM ({}) b {by})",
                    self.query(depth - 1),
                    self.base()
                )
            }
        }
    }

    fn grouped(&mut self, depth: u8) -> String {
        let (select, by) = [
            ("ds, k, sum(x) AS x", "ds, k"),
            ("ds, max(k) AS k, sum(x) AS x", "ds"),
            ("min(ds) AS ds, k, sum(x) AS x", "k"),
            ("ds, k, sum(x) AS x", "ROLLUP (ds, k)"),
            ("ds, k, sum(x) AS x", "CUBE (k, ds)"),
            ("ds, k, sum(x) AS x", "GROUPING SETS ((ds, k), (k))"),
            (
                "CAST(date_trunc('week', ds) AS DATE) AS ds, k, max(x) AS x",
                "1, k",
            ),
            ("ds, count(*) AS k, sum(x) AS x", "ds HAVING sum(x) > 2"),
        ][usize::try_from(self.numbers.below(8)).unwrap()];
        format!("SELECT {select} FROM ({}) a GROUP BY {by}", self.query(depth - 1))
    }

    fn window(&mut self, depth: u8) -> String {
        let by = self.pick(&[
            "",
            "PARTITION BY ds",
            "PARTITION BY k",
            "PARTITION BY k",
            "PARTITION BY ds, k",
            "PARTITION BY date_trunc('week', ds)",
        ]);
        let order = self.pick(&[
            "ds",
            "ds DESC",
            "ds NULLS FIRST",
            "ds DESC NULLS LAST",
            "x",
            "ds + INTERVAL '1' DAY",
        ]);
        let (function, frame) = [
            ("sum(x)", ""),
            (
                "sum(x)",
                "RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND CURRENT ROW",
            ),
            (
                "sum(x)",
                "RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND INTERVAL '2' DAY FOLLOWING",
            ),
            (
                "sum(x)",
                "RANGE BETWEEN INTERVAL '2' DAY PRECEDING AND INTERVAL '1' DAY PRECEDING",
            ),
            (
                "sum(x)",
                "RANGE BETWEEN INTERVAL '1' DAY FOLLOWING AND UNBOUNDED FOLLOWING",
            ),
            ("count(x)", "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW"),
            ("count(x)", "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING"),
            ("max(x)", "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW"),
            (
                "max(x)",
                "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            ),
            ("rank()", ""),
            ("row_number()", ""),
            ("lag(x)", ""),
            ("lead(x)", ""),
            ("lag(x, -1)", ""),
            ("first_value(x)", ""),
            ("last_value(x)", ""),
            ("ntile(3)", ""),
            ("cume_dist()", ""),
        ][usize::try_from(self.numbers.below(18)).unwrap()];
        let inner = self.query(depth - 1);
        // A distance is measured in days, so the key has to be one.
        let order = if frame.contains("INTERVAL") && order == "x" {
            "ds"
        } else {
            order
        };
        let function = if function == "cume_dist()" {
            "CAST(100 * cume_dist()".to_owned()
        } else {
            function.to_owned()
        };
        let close = if function.starts_with("CAST") {
            " AS BIGINT)"
        } else {
            ""
        };
        format!("SELECT ds, k, {function} OVER ({by} ORDER BY {order} {frame}){close} AS x FROM ({inner}) a")
    }

    fn join(&mut self, depth: u8) -> String {
        let kind = self.pick(&[
            "JOIN",
            "JOIN",
            "LEFT JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
        ]);
        let on = self.pick(&[
            "a.ds = b.ds",
            "a.ds = b.ds AND a.k = b.k",
            "a.k = b.k",
            "a.k = b.k AND b.ds BETWEEN a.ds - INTERVAL '2' DAY AND a.ds",
            "a.k = b.k AND a.ds - b.ds BETWEEN 0 AND 2",
            "b.ds = a.ds - INTERVAL '1' DAY",
            "a.k = b.k AND b.ds < a.ds",
            "a.ds = b.ds OR b.ds = DATE '2013-01-02'",
            "a.k = b.k AND date_trunc('week', a.ds) = date_trunc('week', b.ds)",
            "a.ds = b.ds AND a.x > 1",
            "a.ds = b.ds AND b.x = a.x",
            "coalesce(a.ds, DATE '2013-01-01') = coalesce(b.ds, DATE '2013-01-01') AND a.k = b.k",
            "a.ds IS NOT DISTINCT FROM b.ds AND a.k = b.k",
        ]);
        let on = match kind {
            "FULL JOIN" if !on.contains("a.ds = b.ds") && !on.contains("a.k = b.k") => {
                "a.ds = b.ds AND a.k = b.k"
            }
            _ => on,
        };
        let ds = self.pick(&[
            "a.ds",
            "a.ds",
            "b.ds",
            "coalesce(a.ds, b.ds)",
            "coalesce(b.ds, a.ds)",
            "b.ds + INTERVAL '1' DAY",
        ]);
        let after = self.pick(&[
            "",
            "",
            " WHERE b.ds IS NULL",
            " WHERE a.x > b.x",
            " WHERE b.ds > DATE '2013-01-02'",
        ]);
        let (left, right) = (self.query(depth - 1), self.query(depth.saturating_sub(2)));
        let joined = format!(
            "SELECT {ds} AS ds, a.k, coalesce(a.x, 0) + coalesce(b.x, 0) AS x FROM ({left}) a {kind} ({right}) b ON {on}{after}"
        );
        // Joins of joins would have too many rows.
        format!("SELECT ds, k, sum(x) AS x FROM ({joined}) j GROUP BY ds, k")
    }

    fn partners(&mut self, depth: u8) -> String {
        let (a, b) = (self.query(depth - 1), self.query(depth.saturating_sub(2)));
        let condition = match self.numbers.below(6) {
            0 => format!("EXISTS (SELECT 1 FROM ({b}) b WHERE b.ds = a.ds AND b.k = a.k)"),
            1 => format!("NOT EXISTS (SELECT 1 FROM ({b}) b WHERE b.ds < a.ds AND b.k = a.k)"),
            2 => format!("ds IN (SELECT ds FROM ({b}) b)"),
            3 => format!("ds NOT IN (SELECT ds FROM ({b}) b WHERE x > 1)"),
            4 => format!("k NOT IN (SELECT k FROM ({b}) b WHERE b.ds = a.ds)"),
            _ => format!("x > 1 OR EXISTS (SELECT 1 FROM ({b}) b WHERE b.ds = a.ds)"),
        };
        format!("SELECT ds, k, x FROM ({a}) a WHERE {condition}")
    }
}

#[test]
fn nothing_but_what_is_read_matters() {
    let slice = ["ds".to_owned()];
    let (mut tried, mut rows, mut narrow) = (0, 0, 0);
    let many = std::env::var("MAINSTAY_RANDOM_QUERIES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(160);
    for seed in 0..many {
        let mut maker = Maker {
            numbers: Numbers(seed * 7919 + 13),
            joins: 2,
        };
        maker.numbers.below(2);
        let depth = 1 + u8::try_from(maker.numbers.below(3)).unwrap();
        let sql = maker.query(depth);
        // Some combinations are refused, for reasons that are tested elsewhere.
        let Ok(found) = analyse(&sql, &shop::inputs(), &slice) else {
            continue;
        };
        tried += 1;
        narrow += usize::from(found.widened.is_empty());
        let about = format!("random query {seed}");
        rows += try_out(&about, &sql, &slice, &asked(), seed..seed + 1);
    }
    assert!(
        tried > many * 6 / 10 && rows > 0 && narrow > 0,
        "{tried} queries, {rows} rows, {narrow} narrow"
    );
}
