//! What a source says about reading changes after it holds data; and its checks, asked before anything is published.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

const ORDERS: &str =
    "[project]\nname = \"shop\"\n\n[source.\"shop.orders\"]\nfiles = \"data/orders/*.csv\"\n";

const BY_MONTH: &str = "slice = { month = \"CAST(date_trunc('month', day) AS DATE)\" }\n";

const SALES_BY_MONTH: &str = "-- /// mainstay\n-- slice = \"month\"\n-- ///\n\
    SELECT month, product, sum(pieces) AS pieces FROM shop.orders GROUP BY month, product\n";

fn shop(source: &str) -> Sandbox {
    let s = Sandbox::shop();
    s.remove("jobs/shop/daily_sales.sql");
    s.write("mainstay.toml", format!("{ORDERS}{source}"));
    s
}

fn change(s: &Sandbox, source: &str) {
    s.write("mainstay.toml", format!("{ORDERS}{source}"));
}

fn slices(s: &Sandbox, dataset: &str) -> Vec<String> {
    let out = s.run(["slices", dataset, "--json"]).expect_status(0).json();
    let list = out["slices"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|v| v["slice"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn pieces(s: &Sandbox, dataset: &str) -> Value {
    s.query(&format!("SELECT sum(pieces) AS n FROM {dataset}"))[0]["n"].clone()
}

#[test]
fn another_slice_reads_all_files_again_and_leaves_no_old_slice() {
    let s = shop("slice = \"day\"\n");
    s.write(
        "jobs/shop/sales.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, product, sum(pieces) AS pieces FROM shop.orders GROUP BY day, product\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    change(&s, BY_MONTH);
    s.write("jobs/shop/sales.sql", SALES_BY_MONTH);
    let plan = s.run(["plan", "--json"]).expect_status(0).json();
    assert_eq!(plan["stale"][0]["dataset"], "shop.orders", "{plan}");
    let because = plan["stale"][0]["because"].as_str().unwrap_or_default();
    assert!(because.contains("2 files will be read again"), "{because}");
    assert_eq!(plan["stale"][1]["dataset"], "shop.sales", "{plan}");
    let _ = s.run(["apply"]).expect_status(0);
    let state = s.run(["show", "shop.orders", "--json"]).expect_status(0).json();
    assert_eq!(state["state"], "stale");
    let ran = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(ran["deliveries"].as_array().map(Vec::len), Some(2), "{ran}");
    assert_eq!(slices(&s, "shop.orders"), ["2026-01-01"]);
    assert_eq!(slices(&s, "shop.sales"), ["2026-01-01"]);
    assert_eq!(pieces(&s, "shop.orders"), json!(10));
    assert_eq!(pieces(&s, "shop.sales"), json!(10));
    let shown = s.run(["show", "shop.orders", "--json"]).expect_status(0).json();
    assert_eq!(shown["version"], 2, "republished in one step: {shown}");
    let again = s.run(["run", "--json"]).expect_status(0).json();
    assert_eq!(again["deliveries"], json!([]));
    assert_eq!(again["runs"], json!([]));
}

#[test]
fn other_columns_are_read_and_what_cannot_be_read_so_changes_nothing() {
    let s = shop("");
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    let columns = |price: &str| {
        format!(
            "columns = {{ day = \"date\", product = \"string\", pieces = \"long\", price = \"{price}\" }}\n"
        )
    };
    change(&s, &columns("decimal(10,2)"));
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    assert_eq!(
        s.query("SELECT sum(pieces * price) AS m, arrow_typeof(max(price)) AS t FROM shop.orders"),
        json!([{ "m": 34.3, "t": "Decimal128(10, 2)" }])
    );
    let before = s.contents();
    change(&s, &columns("date"));
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver", "--json"]).expect_status(1).json();
    assert_eq!(out["refused"][0]["error"]["code"], "MS0272", "{out}");
    assert_eq!(out["deliveries"], json!([]));
    assert_eq!(s.contents(), before);
    let _ = s.run(["revert", "apply/3"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    assert_eq!(s.contents(), before);
}

#[test]
fn files_that_are_gone_are_named_and_keep_the_old_rows() {
    let s = shop("slice = \"day\"\n");
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    let before = s.contents();
    s.remove("data/orders/2026-01-01.csv");
    s.write(
        "data/orders/2026-01-03.csv",
        "day,product,pieces,price\n2026-01-03,tea,1,3.50\n",
    );
    change(&s, BY_MONTH);
    let plan = s.run(["plan"]).expect_status(0).stdout;
    assert!(
        plan.contains("1 of them is gone: data/orders/2026-01-01.csv"),
        "{plan}"
    );
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver"]).expect_status(1).stdout;
    assert!(out.contains("data/orders/2026-01-01.csv is gone"), "{out}");
    let failed = s.run(["run", "--json"]).expect_status(1).json();
    assert_eq!(failed["error"]["code"], "MS0272");
    assert_eq!(s.contents(), before);
}

#[test]
fn a_file_that_was_set_aside_is_tried_again_when_its_source_says_something_else() {
    let s = shop("slice = \"day\"\n");
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    s.write(
        "data/orders/2026-01-03.csv",
        "day,product,pieces,price,note\n2026-01-03,tea,1,3.50,x\n",
    );
    let _ = s.run(["deliver"]).expect_status(1);
    let _ = s.run(["deliver"]).expect_status(0);
    change(&s, "slice = \"day\"\non_schema_change = \"add\"\n");
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"].as_array().map(Vec::len), Some(1), "{out}");
    assert_eq!(out["deliveries"][0]["outcome"], "taken");
    assert_eq!(out["unchanged"], 2);
}

#[test]
fn a_file_whose_rows_break_a_check_is_set_aside_and_the_others_go_on() {
    let s = shop("slice = \"day\"\nchecks.range = { pieces = { min = 1 } }\n");
    s.write(
        "data/orders/bad.csv",
        "day,product,pieces,price\n2026-01-02,tea,0,3.50\n2026-01-03,tea,1,3.50\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver", "--json"]).expect_status(1).json();
    let list = out["deliveries"].as_array().cloned().unwrap_or_default();
    let bad = list.iter().find(|d| d["outcome"] == "set_aside").expect("one");
    assert_eq!(bad["file"], "data/orders/bad.csv");
    assert_eq!(bad["error"]["code"], "MS0271");
    let message = bad["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("shop.orders:range") && message.contains("pieces=0"),
        "{message}"
    );
    assert_eq!(slices(&s, "shop.orders"), ["2026-01-01", "2026-01-02"]);
    assert_eq!(pieces(&s, "shop.orders"), json!(10));
    // Nothing has changed: there is nothing to try.
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"], json!([]));
    change(&s, "slice = \"day\"\nchecks.range = { pieces = { min = 0 } }\n");
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"][0]["outcome"], "taken", "{out}");
    assert_eq!(slices(&s, "shop.orders").len(), 3);
}

#[test]
fn files_that_break_a_check_together_wait_for_company() {
    let s = shop(
        "slice = \"day\"\nchecks.unique = [[\"day\", \"product\", \"pieces\"]]\nchecks.row_count = { min = 2 }\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["deliver"]).expect_status(0);
    let before = s.contents();
    let day3 = "day,product,pieces,price\n2026-01-03,tea,1,3.50\n";
    s.write("data/orders/a.csv", day3);
    let out = s.run(["run", "--json"]).expect_status(1).json();
    assert_eq!(out["deliveries"][0]["outcome"], "set_aside", "{out}");
    assert_eq!(s.contents(), before);
    s.write("data/orders/b.csv", day3.replace("tea", "cake"));
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"].as_array().map(Vec::len), Some(2), "{out}");
    assert_eq!(pieces(&s, "shop.orders"), json!(12));
    // The same row in two files: neither is at fault alone.
    let day4 = "day,product,pieces,price\n2026-01-04,tea,1,3.50\n2026-01-04,tea,2,3.50\n";
    s.write("data/orders/c.csv", day4);
    s.write("data/orders/d.csv", day4.replace("3.50", "3.60"));
    let out = s.run(["deliver", "--json"]).expect_status(1).json();
    let list = out["deliveries"].as_array().cloned().unwrap_or_default();
    assert!(
        list.len() == 2 && list.iter().all(|d| d["outcome"] == "set_aside"),
        "{out}"
    );
    assert_eq!(pieces(&s, "shop.orders"), json!(12));
}

#[test]
fn a_warning_publishes_and_says_it() {
    let s = shop(
        "slice = \"day\"\nchecks.cheap = { sql = \"SELECT * FROM shop.orders WHERE price < 3\", severity = \"warn\" }\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver"]).expect_status(0).stdout;
    assert!(out.contains("warning shop.orders:cheap"), "{out}");
    assert!(out.contains("product=coffee"), "{out}");
    assert_eq!(pieces(&s, "shop.orders"), json!(10));
}
