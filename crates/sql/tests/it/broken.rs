//! Each rule, broken on purpose, is found by the tests that try out what is said of slices; whole, it is not.
#![cfg(debug_assertions)]

use std::panic::catch_unwind;

use mainstay_sql::broken::{self, RULES, Rule};

use crate::cases::CASES;
use crate::oracle::{asked, try_out};

/// Queries of which one rule is what matters, beside the tricky ones; tried out before them.
const TELLING: [(Rule, &str); 10] = [
    (
        Rule::Aggregate,
        "SELECT cust, min(ds) AS ds FROM shop.orders GROUP BY cust",
    ),
    (
        Rule::GroupingSets,
        "SELECT ds, cust, sum(amount) AS a FROM shop.orders GROUP BY ROLLUP (ds, cust)",
    ),
    (
        Rule::Join,
        "SELECT o.ds, sum(c.n) AS n FROM shop.orders o JOIN shop.clicks c ON c.ds < o.ds GROUP BY o.ds",
    ),
    (
        Rule::Limit,
        "SELECT ds, id FROM shop.orders ORDER BY amount DESC LIMIT 5",
    ),
    (
        Rule::Projection,
        "SELECT ds + INTERVAL '1' DAY AS ds, id FROM shop.orders",
    ),
    (
        Rule::Recursive,
        "WITH RECURSIVE r AS (SELECT ds, id, 1 AS k FROM shop.orders UNION ALL SELECT ds + INTERVAL '1' DAY, id, k + 1 FROM r WHERE k < 3) SELECT ds, id, k FROM r",
    ),
    (
        Rule::Subquery,
        "SELECT ds, id, (SELECT max(n) FROM shop.clicks) AS most FROM shop.orders",
    ),
    (
        Rule::Union,
        "SELECT ds, cust FROM shop.orders UNION ALL SELECT ds, cust FROM shop.clicks",
    ),
    (
        Rule::Unnest,
        "SELECT unnest([ds, ds + INTERVAL '1' DAY]) AS ds, id FROM shop.orders",
    ),
    (
        Rule::Window,
        "SELECT ds, id, sum(amount) OVER (ORDER BY ds ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS r FROM shop.orders",
    ),
];

fn found(sql: &str, seeds: u64) -> bool {
    let slice = ["ds".to_owned()];
    catch_unwind(|| try_out("a broken rule", sql, &slice, &asked(), 0..seeds)).is_err()
}

#[test]
fn a_broken_rule_is_found() {
    for (name, rule) in RULES {
        let telling = TELLING.iter().filter(|(r, _)| *r == rule);
        let telling: Vec<&str> = telling.map(|(_, sql)| *sql).collect();
        assert!(!telling.is_empty(), "{name}");
        for sql in telling {
            assert!(!found(sql, 4), "{name} is wrong as it is: {sql}");
            broken::set(Some(rule));
            let seen = found(sql, 4);
            broken::set(None);
            assert!(seen, "{name} is broken, and nobody sees it: {sql}");
        }
    }
}

#[test]
fn the_tricky_cases_find_every_broken_rule() {
    for (name, rule) in RULES {
        broken::set(Some(rule));
        let mut tried = CASES.iter().filter(|c| !c.about.starts_with("46"));
        let seen = tried.any(|c| found(c.sql, 1));
        broken::set(None);
        assert!(seen, "{name} is broken, and no tricky case sees it");
    }
}
