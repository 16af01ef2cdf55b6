//! What people are told of a correction, before and after, and what happens when two are about the same rows.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

use crate::amend::{corrected, money};

fn amend(s: &Sandbox, arguments: &[&str]) -> Value {
    let all = ["amend"].iter().chain(arguments).chain(&["--json"]);
    s.run(all).expect_status(0).json()
}

fn show(s: &Sandbox, amendment: &str) -> Value {
    s.run(["show", amendment, "--json"]).expect_status(0).json()
}

#[test]
fn rows_before_and_after_are_shown_and_kept() {
    let s = corrected();
    let shown = show(&s, "amendment/A-1");
    assert_eq!(shown["sample"][0]["before"]["pieces"], 700);
    assert_eq!(shown["sample"][0]["after"]["pieces"], 7);
    assert_eq!(shown["sample"][0]["after"]["product"], "tea");
    assert!(
        shown["estimate"]["runs"].is_u64() && shown["took"]["runs"].is_u64(),
        "{shown}"
    );
    let text = s.run(["show", "amendment/A-1"]).expect_status(0).stdout;
    assert!(text.contains("pieces 700 → 7"), "{text}");

    s.write("late.csv", "day,product,pieces,price\n2026-01-03,cups,4,9.00\n");
    let inserted = amend(&s, &["shop.orders", "--insert", "late.csv", "--dry-run"]);
    assert_eq!(inserted["sample"][0]["before"], Value::Null);
    assert_eq!(inserted["sample"][0]["after"]["product"], "cups");
    let text = s
        .run(["amend", "shop.orders", "--insert", "late.csv", "--dry-run"])
        .expect_status(0)
        .stdout;
    assert!(text.contains("+ day 2026-01-03 · product cups"), "{text}");
    let replace = [
        "shop.orders@2026-01-03",
        "--where",
        "product = 'tea'",
        "--replace",
        "late.csv",
        "--dry-run",
    ];
    let replaced = amend(&s, &replace);
    let sides: Vec<(bool, bool)> = replaced["sample"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|r| (r["before"].is_object(), r["after"].is_object()))
        .collect();
    assert_eq!(sides, [(true, false), (false, true)], "{replaced}");
    // Taking it back shows the way back.
    let back = s
        .run(["revert", "amendment/A-1", "--dry-run", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(back["sample"][0]["before"]["pieces"], 7);
    assert_eq!(back["sample"][0]["after"]["pieces"], 700);
}

#[test]
fn a_preview_says_where_it_stops_and_whose_data_it_reaches() {
    let s = corrected();
    s.write(
        "jobs/shop/prices.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, max(price) AS highest FROM shop.orders WHERE product <> 'x' GROUP BY day\n",
    );
    s.write(
        "jobs/shop/top.sql",
        "SELECT max(highest) AS highest FROM shop.prices\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let set = |column: &str| {
        let set = format!("{column} = NULL");
        amend(&s, &["shop.orders@2026-01-03", "--set", &set, "--dry-run"])
    };
    let of = |report: &Value, name: &str| {
        let all = report["datasets"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|d| d["name"] == name)
    };
    let pieces = set("pieces");
    let prices = of(&pieces, "shop.prices").expect("it reads the slice");
    assert_eq!(prices["stops"], "what would change is not read");
    assert_eq!(of(&pieces, "shop.top"), None, "{pieces}");
    assert_eq!(
        of(&pieces, "shop.daily").expect("it reads pieces")["stops"],
        Value::Null
    );
    // The condition reads the product, so that rows may come or go.
    let product = set("product");
    assert_eq!(
        of(&product, "shop.prices").expect("it is reached")["stops"],
        Value::Null
    );
    assert!(of(&product, "shop.top").is_some(), "{product}");
    assert_eq!(pieces["consumers"][0]["account"], "main");
    let reached = pieces["consumers"][0]["datasets"].as_array().map(Vec::len);
    assert_eq!(reached, pieces["datasets"].as_array().map(|d| d.len() - 1));
    // What is said before is what happens.
    let made = amend(
        &s,
        &[
            "shop.orders@2026-01-03",
            "--set",
            "pieces = NULL",
            "--reason",
            "unknown",
        ],
    );
    assert_eq!(
        of(&made, "shop.prices").expect("it was reached")["stops"],
        "what changed is not read"
    );
    assert_eq!(of(&made, "shop.top"), None, "{made}");
}

#[test]
fn two_corrections_of_the_same_rows_are_told_apart() {
    let s = corrected();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write(
        "mainstay.toml",
        toml.replace("slice = \"day\"\n", "slice = \"day\"\napprove = 1\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let propose = |who: &str, pieces: &str| {
        let set = format!("pieces = {pieces}");
        let all = [
            "amend",
            "shop.orders@2026-01-01",
            "--where",
            "pieces = 3",
            "--set",
            &set,
            "--reason",
            "counted",
        ];
        s.run_with("MAINSTAY_USER", who, all).expect_status(0)
    };
    let _ = propose("cy", "4");
    let _ = propose("dora", "5");
    let _ = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "amendment/A-3"])
        .expect_status(0);
    let failed = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "amendment/A-2"])
        .expect_status(1);
    for part in [
        "MS0414",
        "A-2 of cy and A-3 of dora (counted) are about the same rows",
    ] {
        assert!(failed.stdout.contains(part), "{}", failed.stdout);
    }
    assert_eq!(money(&s)[0], json!({"day": "2026-01-01", "money": "21.50"}));
    // Once the other is taken back, it can be made.
    let _ = s
        .run_with("MAINSTAY_USER", "cy", ["revert", "A-3", "--reason", "mine"])
        .expect_status(0);
    let _ = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "amendment/A-4"])
        .expect_status(0);
    let made = s
        .run(["retry", "amendment/A-2", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(
        (&made["status"], &made["rows"]["changed"]),
        (&json!("applied"), &json!(1))
    );
    assert_eq!(money(&s)[0], json!({"day": "2026-01-01", "money": "19.00"}));
    // Two who take the same back, both before either is approved.
    for who in ["cy", "dora"] {
        let _ = s
            .run_with("MAINSTAY_USER", who, ["revert", "A-2", "--reason", "mine"])
            .expect_status(0);
    }
    let _ = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "amendment/A-5"])
        .expect_status(0);
    let second = s
        .run_with("MAINSTAY_USER", "bo", ["approve", "amendment/A-6"])
        .expect_status(1);
    let wanted = "A-6 of dora and A-5 of cy (mine) both take A-2 back";
    assert!(second.stdout.contains(wanted), "{}", second.stdout);
    let twice = s.run(["revert", "A-3", "--reason", "again"]).expect_status(2);
    assert!(
        twice.stderr.contains("A-3 is reverted by A-4 of cy"),
        "{}",
        twice.stderr
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_recorded() {
    let s = corrected();
    s.write("empty.csv", "day,product,pieces,price\n");
    s.write("other.csv", "a,b\n1,2\n");
    s.write("bad.csv", "day,product,pieces,price\n2026-01-03,tea,many,2.50\n");
    s.write("rows.xlsx", "");
    let before = s.query("SELECT count(*) AS n FROM system.facts");
    for (arguments, wanted) in [
        (
            ["--set", "pieces = 1", "--set", "pieces = 2"].as_slice(),
            "`pieces` is set twice",
        ),
        (&["--set", "pieces"], "has no `=`"),
        (&["--set", "= 3"], "no column ``"),
        (&["--set", "Pieces = 1"], "did you mean `pieces`?"),
        (&["--set", "pieces = 1.5"], "double"),
        (&["--set", "pieces = 'many'"], "pieces"),
        (
            &["--set", "pieces = (SELECT max(pieces) FROM shop.daily)"],
            "reads a dataset",
        ),
        (&["--set", "pieces = sum(pieces)"], "one row at a time"),
        (
            &["--set", "pieces = row_number() OVER (ORDER BY price)"],
            "one row at a time",
        ),
        (&["--where", "count(*) > 1", "--delete"], "one row at a time"),
        (&["--set", "pieces = random()"], "--set pieces"),
        (&["--set", "pieces = pieces / 0"], "shop.orders"),
        (&["--set", "pieces = 9223372036854775807 + pieces"], "shop.orders"),
        (&["--set", "pieces = 1; DROP TABLE x"], "--set pieces"),
        (&["--set", "pieces = 1) AS x, (2"], "is not one expression"),
        (&["--where", "pieces >", "--set", "pieces = 1"], "--where"),
        (
            &["--where", "pieces", "--set", "pieces = 1"],
            "is not a condition",
        ),
        (
            &["--where", "true) OR (true", "--delete"],
            "is not one expression",
        ),
        (
            &["--where", "product = 'nothing'", "--delete"],
            "no row of shop.orders would change",
        ),
        (
            &["--where", "pieces > 0 -- all", "--set", "price = 'cheap'"],
            "price",
        ),
        (&["--insert", "empty.csv"], "empty.csv"),
        (&["--insert", "other.csv"], "other.csv"),
        (&["--insert", "bad.csv"], "row 1, column pieces"),
        (&["--insert", "rows.xlsx"], "no format"),
        (&["--insert", "nowhere.csv"], "nowhere.csv"),
        (&["--insert", "bad.csv", "--where", "true"], "takes no --where"),
    ] {
        let all = ["amend", "shop.orders"]
            .iter()
            .chain(arguments)
            .chain(&["--reason", "r"]);
        let said = s.run(all);
        assert!(
            said.status == Some(2) || said.status == Some(6),
            "{arguments:?}: {said:?}"
        );
        assert!(said.stderr.contains(wanted), "{arguments:?}: {}", said.stderr);
        assert!(!said.stderr.contains("MS0901"), "{arguments:?}: {}", said.stderr);
    }
    for arguments in [
        [
            "amend",
            "shop.orders@2026-13",
            "--set",
            "pieces = 1",
            "--reason",
            "r",
        ]
        .as_slice(),
        &["amend", "shop.orders@2027-01-01", "--delete", "--reason", "r"],
        &[
            "amend",
            "shop.nothing",
            "--delete",
            "--where",
            "true",
            "--reason",
            "r",
        ],
        &["amend", "run/R-1", "--delete", "--where", "true", "--reason", "r"],
        &["amend", "shop.orders", "--set", "pieces = 1", "--reason", "  "],
        &["revert", "amendment/A-99", "--reason", "r"],
        &["revert", "amendment/A-1"],
        &["retry", "amendment/A-1"],
        &["drop", "amendment/A-1"],
        &["approve", "amendment/A-1"],
    ] {
        let _ = s.run(arguments).expect_status(2);
    }
    assert_eq!(s.query("SELECT count(*) AS n FROM system.facts"), before);
    s.only_published_files("shop.orders");
}

#[test]
fn corrections_live_on_when_columns_come() {
    let s = corrected();
    s.write("late.csv", "day,product,pieces,price\n2026-01-03,cups,4,9.00\n");
    let _ = amend(&s, &["shop.orders", "--insert", "late.csv", "--reason", "late"]);
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    let with = "slice = \"day\"\non_schema_change = \"add\"\n";
    s.write(
        "mainstay.toml",
        toml.replace("slice = \"day\"\n", with).replace(
            "price = \"decimal(10,2)\" }",
            "price = \"decimal(10,2)\", shop = \"string\" }",
        ),
    );
    let _ = s.run(["apply"]);
    s.write(
        "orders/2026-01-04.csv",
        "day,product,pieces,price,shop\n2026-01-04,tea,1,2.50,harbour\n",
    );
    let _ = s.run(["run"]).expect_status(0);
    let rows = s.query("SELECT count(*) AS n, count(shop) AS shops, sum(pieces) FILTER (WHERE day = DATE '2026-01-02') AS second FROM shop.orders");
    assert_eq!(rows, json!([{"n": 7, "shops": 1, "second": 9}]));
    let _ = amend(
        &s,
        &[
            "shop.orders@2026-01-04",
            "--set",
            "shop = 'station'",
            "--reason",
            "it was there",
        ],
    );
    assert_eq!(
        s.query("SELECT shop FROM shop.orders WHERE shop IS NOT NULL"),
        json!([{"shop": "station"}])
    );
}

/// The slice of a day and that of a month may have one name and the same rows; the files are not the same.
#[test]
fn a_corrected_dataset_can_be_sliced_otherwise() {
    let s = Sandbox::new();
    s.write(
        "mainstay.toml",
        "[project]\nname = \"lab\"\n\n[source.\"lab.s\"]\nfiles = \"in/*.csv\"\n\
         columns = { day = \"date\", month = \"date\", n = \"long\" }\nslice = \"day\"\n",
    );
    s.write(
        "in/a.csv",
        "day,month,n\n2024-02-02,2024-02-01,1\n2024-02-04,2024-02-01,2\n2024-03-01,2024-03-01,3\n",
    );
    let job = |slice: &str| {
        s.write(
            "jobs/lab/j.sql",
            format!("-- /// mainstay\n-- slice = \"{slice}\"\n-- ///\nSELECT day, month, n FROM lab.s\n"),
        );
        let _ = s.run(["apply", "--yes"]).expect_status(0);
        let _ = s.run(["run"]).expect_status(0);
    };
    job("day");
    let _ = amend(
        &s,
        &[
            "lab.j", "--where", "n = 1", "--set", "n = 10", "--reason", "wrong",
        ],
    );
    job("month");
    assert_eq!(
        s.query("SELECT day, month, n FROM lab.j ORDER BY n"),
        json!([
            { "day": "2024-02-04", "month": "2024-02-01", "n": 2 },
            { "day": "2024-03-01", "month": "2024-03-01", "n": 3 },
            { "day": "2024-02-02", "month": "2024-02-01", "n": 10 },
        ])
    );
}
