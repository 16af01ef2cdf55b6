//! From which columns the columns of queries come.

use super::*;
use crate::InputTable;
use mainstay_model::{Column as Declared, ColumnType, Schema};

fn inputs() -> BTreeMap<DatasetName, InputTable> {
    let column = |name: &str| Declared {
        name: name.into(),
        column_type: ColumnType::Long,
    };
    let table = |names: &[&str]| InputTable {
        schema: Schema(names.iter().map(|n| column(n)).collect()),
        slice_columns: Vec::new(),
    };
    BTreeMap::from([
        ("a.t".parse().expect("a name"), table(&["day", "id", "n"])),
        ("a.u".parse().expect("a name"), table(&["id", "m", "kind"])),
    ])
}

fn said(sources: &Sources) -> String {
    let each = sources.iter().map(|((dataset, column), ways)| {
        let ways: Vec<&str> = ways.iter().map(|w| w.name()).collect();
        format!("{dataset}.{column} {}", ways.join("+"))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn lineage(sql: &str) -> Vec<String> {
    let lineage = column_lineage(sql, &inputs()).expect("a query");
    let fields = lineage
        .fields
        .iter()
        .map(|(name, from)| format!("{name}: {}", said(from)));
    let rows = format!("*: {}", said(&lineage.rows));
    fields.chain([rows]).collect()
}

#[test]
fn what_is_passed_on_and_what_is_computed() {
    assert_eq!(
        lineage("SELECT day, n + id AS s, CASE WHEN id > 3 THEN n END AS c, 1 AS one FROM a.t WHERE n > 0"),
        [
            "c: a.t.id CONDITIONAL, a.t.n TRANSFORMATION",
            "day: a.t.day IDENTITY",
            "one: ",
            "s: a.t.id TRANSFORMATION, a.t.n TRANSFORMATION",
            "*: a.t.n FILTER",
        ]
    );
}

#[test]
fn groups_joins_and_windows() {
    assert_eq!(
        lineage("SELECT t.day, sum(u.m * t.n) AS s FROM a.t t JOIN a.u u ON t.id = u.id GROUP BY t.day"),
        [
            "day: a.t.day IDENTITY",
            "s: a.t.n AGGREGATION, a.u.m AGGREGATION",
            "*: a.t.day GROUP_BY, a.t.id JOIN, a.u.id JOIN",
        ]
    );
    assert_eq!(
        lineage("SELECT id, sum(n) OVER (PARTITION BY day ORDER BY id, n) AS s FROM a.t"),
        [
            "id: a.t.id IDENTITY",
            "s: a.t.day WINDOW, a.t.id WINDOW, a.t.n AGGREGATION+WINDOW",
            "*: ",
        ]
    );
    assert_eq!(
        lineage("SELECT day, id, count(n) AS c FROM a.t GROUP BY ROLLUP (day, id)"),
        [
            "c: a.t.n AGGREGATION",
            "day: a.t.day IDENTITY",
            "id: a.t.id IDENTITY",
            "*: a.t.day GROUP_BY, a.t.id GROUP_BY",
        ]
    );
}

#[test]
fn queries_in_queries() {
    assert_eq!(
        lineage(
            "WITH w AS (SELECT id, max(m) AS top FROM a.u GROUP BY id) SELECT w.top - 1 AS x FROM w UNION ALL SELECT n FROM a.t"
        ),
        ["x: a.t.n IDENTITY, a.u.m AGGREGATION", "*: a.u.id GROUP_BY",]
    );
    assert_eq!(
        lineage(
            "SELECT n, (SELECT max(m) FROM a.u WHERE kind = 7) AS top FROM a.t WHERE id IN (SELECT id FROM a.u)"
        ),
        [
            "n: a.t.n IDENTITY",
            "top: a.u.kind FILTER, a.u.m AGGREGATION",
            "*: a.t.id FILTER, a.u.id FILTER",
        ]
    );
    assert_eq!(
        lineage("SELECT n FROM a.t t WHERE EXISTS (SELECT 1 FROM a.u u WHERE u.id = t.id AND u.kind = 1)"),
        [
            "n: a.t.n IDENTITY",
            "*: a.t.id FILTER, a.u.id FILTER, a.u.kind FILTER",
        ]
    );
}
