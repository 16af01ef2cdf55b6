//! Queries: as of now, a version, a time; every format; the tables of `system`.

use mainstay_sim::Sandbox;
use serde_json::json;

fn twice() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.write(
        "data/orders/2026-01-03.csv",
        "day,product,pieces,price\n2026-01-03,tea,10,3.50\n",
    );
    let _ = s.run(["run"]).expect_status(0);
    s
}

#[test]
fn the_past_is_still_there() {
    let s = twice();
    let count = "SELECT count(*) AS n FROM shop.orders";
    assert_eq!(s.query(count), json!([{ "n": 6 }]));
    let first = s
        .run(["query", count, "--version", "1", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(first, json!([{ "n": 5 }]));
    let times =
        s.query("SELECT CAST(min(time) AS VARCHAR) AS t FROM system.facts WHERE kind = 'run.finished'");
    let t = format!(
        "{}Z",
        times[0]["t"]
            .as_str()
            .unwrap_or_default()
            .replace(' ', "T")
            .trim_end_matches('Z')
    );
    let then = s
        .run(["query", count, "--as-of", &t, "--json"])
        .expect_status(0)
        .json();
    assert_eq!(then, json!([{ "n": 5 }]));
}

#[test]
fn every_format() {
    let s = twice();
    let sql = "SELECT product, pieces FROM shop.daily_sales ORDER BY pieces DESC, product LIMIT 1";
    assert_eq!(
        s.run(["query", sql, "--format", "csv"]).expect_status(0).stdout,
        "product,pieces\ntea,10\n"
    );
    let _ = s.run(["query", sql, "-o", "rows.parquet"]).expect_status(0);
    assert!(
        s.path()
            .join("rows.parquet")
            .metadata()
            .is_ok_and(|m| m.len() > 100)
    );
    let table = s.run(["query", sql]).expect_status(0).stdout;
    assert!(
        table.contains("product") && table.contains("tea") && table.contains("1 row"),
        "{table}"
    );
    assert_eq!(
        s.run(["query", "SELECT 1 AS one WHERE false", "--json"])
            .expect_status(0)
            .json(),
        json!([])
    );
}

#[test]
fn the_tables_of_system() {
    let s = twice();
    for table in ["facts", "runs", "slices", "resources", "deliveries", "usage"] {
        let n = s.query(&format!("SELECT count(*) AS n FROM system.{table}"));
        assert!(n[0]["n"].as_u64().is_some_and(|n| n > 0), "{table}: {n}");
    }
    let out = s.run(["query", "SELECT * FROM system.fact"]).expect_status(2);
    assert!(out.stderr.contains("system.facts"), "{}", out.stderr);
    let usage = s.query("SELECT sum(cpu_seconds) AS cpu, sum(rows) AS rows FROM system.usage");
    assert!(usage[0]["cpu"].as_f64().is_some_and(|c| c > 0.0), "{usage}");
}

#[test]
fn the_tables_of_system_have_the_columns_of_their_page() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/system-tables.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut tables = 0;
    for section in page.split("\n## ").skip(1) {
        let table = section.lines().next().unwrap_or_default();
        let cells = section
            .lines()
            .filter_map(|l| l.strip_prefix("| `")?.split(" |").next());
        let columns: Vec<&str> = cells
            .flat_map(|c| c.split(", "))
            .map(|c| c.trim_matches('`'))
            .collect();
        let sql = format!("SELECT * FROM {table} LIMIT 0");
        let header = s.run(["query", &sql, "--format", "csv"]).expect_status(0).stdout;
        assert_eq!(columns.join(","), header.trim(), "{table}");
        tables += 1;
    }
    let out = s.run(["query", "SELECT * FROM system.nope"]).expect_status(2);
    assert_eq!(tables, 7, "{}", out.stderr);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_not_the_end_of_the_process() {
    let s = Sandbox::shop();
    let project = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write(
        "mainstay.toml",
        project.replace("[project]\n", "[project]\nmemory = \"64 MB\"\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let long = "SELECT value FROM generate_series(1, 1000000000)";
    let error = s.run(["query", long, "--json"]).expect_status(1).json();
    assert_eq!(error["error"]["code"], "MS0301", "{error}");
    let short = "SELECT value FROM generate_series(1, 100000)";
    let table = s.run(["query", short]).expect_status(0).stdout;
    assert!(
        table.contains("… and 99,940 more rows") && table.contains("100,000 rows"),
        "{table}"
    );
}

#[test]
fn a_wrong_query_is_shown_with_its_place_and_what_was_perhaps_meant() {
    let s = twice();
    let cases = [
        (
            "SELECT peices FROM shop.orders",
            "MS0204",
            "query:1:8",
            "did you mean `pieces`?",
        ),
        (
            "SELECT *\nFROM shop.ordres",
            "MS0203",
            "query:2:6",
            "did you mean `shop.orders`?",
        ),
        (
            "SELECT * FROM orders",
            "MS0203",
            "query:1:15",
            "did you mean `shop.orders`?",
        ),
        (
            "SELECT * FROM system.fact",
            "MS0203",
            "query:1:15",
            "did you mean `system.facts`?",
        ),
        ("SELECT day FROM shop.orders WHERE", "MS0201", "query:1:34", ""),
        (
            "SELECT pieces AS n, price AS n FROM shop.orders",
            "MS0209",
            "query:1:30",
            "`n`",
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            "MS0202",
            "query:1:1",
            "write only the SELECT",
        ),
    ];
    for (sql, code, place, help) in cases {
        let text = s.run(["query", sql]).expect_status(2).stderr;
        assert!(text.contains(&format!("error[{code}]")), "{sql}: {text}");
        assert!(
            text.contains(place) && text.contains(help) && text.contains('┬'),
            "{sql}: {text}"
        );
        assert!(
            !text.contains("MS0312") && !text.contains(" AS n`"),
            "{sql}: {text}"
        );
        let error = s.run(["query", sql, "--json"]).expect_status(2).json();
        assert_eq!(error["error"]["code"], code, "{sql}: {error}");
        assert_eq!(error["error"]["mistakes"][0]["code"], code, "{sql}: {error}");
    }
}

#[test]
fn an_answer_keeps_its_columns_as_they_are_named_and_ordered_and_shows_null() {
    let s = twice();
    let sql = "SELECT product, NULL AS \"A note\", '' AS empty FROM shop.orders LIMIT 1";
    let json = s.run(["query", sql, "--json"]).expect_status(0).stdout;
    let at = |key: &str| json.find(key).unwrap_or(usize::MAX);
    assert!(
        at("\"product\"") < at("\"A note\"") && at("\"A note\"") < at("\"empty\""),
        "{json}"
    );
    let table = s.run(["query", sql]).expect_status(0).stdout;
    assert!(table.contains("product") && table.contains("A note"), "{table}");
    assert_eq!(table.matches('∅').count(), 1, "{table}");
}
