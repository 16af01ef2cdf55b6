//! Data that comes again under amendments: what they change then is said, asked about, and judged as readers would see it.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

use crate::amend::{corrected, money};

/// Makes the source say something more, and applies it.
fn declare(s: &Sandbox, what: &str) {
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    let toml = toml.replace("slice = \"day\"\n", &format!("slice = \"day\"\n{what}\n"));
    s.write("mainstay.toml", toml);
    let _ = s.run(["apply", "--reason", "from now on"]).expect_status(0);
}

fn day(s: &Sandbox, day: &str, rows: &[&str]) {
    let rows: String = rows.iter().map(|r| format!("{day},{r}\n")).collect();
    s.write(
        &format!("orders/{day}.csv"),
        format!("day,product,pieces,price\n{rows}"),
    );
}

fn show(s: &Sandbox, thing: &str) -> Value {
    s.run(["show", thing, "--json"]).expect_status(0).json()
}

fn pieces(s: &Sandbox, day: &str) -> Value {
    let sql =
        format!("SELECT product, pieces FROM shop.orders WHERE day = DATE '{day}' ORDER BY product, pieces");
    s.query(&sql)
}

#[test]
fn a_delivery_says_which_corrections_change_other_rows() {
    let s = corrected();
    // The row that was corrected comes as it was, beside another one: nothing to say.
    day(&s, "2026-01-02", &["tea,700,2.50", "cups,3,9.00"]);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"][0]["outcome"], "taken", "{out}");
    assert_eq!(out["deliveries"][0]["reapplied"], json!([]));
    // It comes with another price, and there is one more of its kind.
    day(&s, "2026-01-02", &["tea,700,3.00", "cups,3,9.00"]);
    day(&s, "2026-01-04", &["pots,700,1.00"]);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    let said: Vec<&Value> = out["deliveries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| &d["reapplied"][0])
        .collect();
    // The correction is about one day only.
    assert_eq!(
        said,
        [&json!({"amendment": "A-1", "gone": 1, "new": 1}), &Value::Null]
    );
    let id = out["deliveries"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(show(&s, &format!("delivery/{id}"))["reapplied"][0]["new"], 1);
    let amendment = show(&s, "amendment/A-1");
    assert_eq!(amendment["redelivered"][0]["delivery"], id, "{amendment}");
    assert_eq!(amendment["redelivered"][0]["held"], false);
    let text = s.run(["show", "A-1"]).expect_status(0).stdout;
    assert!(
        text.contains("it changes 1 row that it did not before, and 1 no more that it did"),
        "{text}"
    );
    // The mistake is mended where it was made: the correction has nothing to do any more.
    day(&s, "2026-01-02", &["tea,7,3.00", "cups,3,9.00"]);
    let text = s.run(["deliver"]).expect_status(0).stdout;
    assert!(text.contains("it changes 1 row less than it did"), "{text}");
    let fact =
        s.query("SELECT body FROM system.facts WHERE kind = 'delivery.recorded' ORDER BY seq DESC LIMIT 1");
    assert!(
        fact[0]["body"]
            .to_string()
            .contains(r#"\"reapplied\":[{\"amendment\":\"A-1\",\"gone\":1,\"new\":0}]"#),
        "{fact}"
    );
}

#[test]
fn a_source_that_asks_holds_back_just_the_files_in_question() {
    let s = corrected();
    declare(&s, "on_redelivery = \"ask\"");
    let before = pieces(&s, "2026-01-02");
    day(&s, "2026-01-02", &["tea,700,3.00", "cups,2,9.00"]);
    day(&s, "2026-01-04", &["pots,1,1.00"]);
    let out = s.run(["run", "--json"]).expect_status(4).json();
    let list = out["deliveries"].as_array().expect("a list");
    let held = list.iter().find(|d| d["outcome"] == "held").expect("one is held");
    assert_eq!(held["file"], "orders/2026-01-02.csv");
    assert_eq!(held["error"]["code"], "MS0273");
    assert!(
        list.iter().any(|d| d["outcome"] == "taken"),
        "the other goes on: {out}"
    );
    assert_eq!(pieces(&s, "2026-01-02"), before, "nothing of it is published");
    assert_eq!(money(&s).as_array().map(Vec::len), Some(4));
    let id = format!("delivery/{}", held["id"].as_str().unwrap_or_default());
    assert_eq!(show(&s, "A-1")["redelivered"][0]["held"], true);
    let why = s.run(["why", &id, "--json"]).expect_status(0).json();
    assert!(why["causes"].to_string().contains("held back"), "{why}");
    // It waits, and nothing more is said until something changes.
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"], json!([]), "{out}");
    let _ = s.run(["run"]).expect_status(0);
    let yes = s.run(["approve", &id, "--reason", "asked them", "--json"]);
    assert_eq!(yes.expect_status(0).json()["deliveries"][0]["outcome"], "taken");
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(money(&s)[1]["money"], "39.00");
    let _ = s.run(["approve", &id]).expect_status(2);
    let _ = s.run(["journal", "verify"]).expect_status(0);
}

#[test]
fn what_is_held_back_is_given_up_or_tried_again_when_something_changes() {
    let s = corrected();
    declare(&s, "on_redelivery = \"ask\"");
    let before = s.contents();
    day(&s, "2026-01-02", &["tea,700,3.00", "cups,2,9.00"]);
    let out = s.run(["deliver", "--json"]).expect_status(4).json();
    let id = format!(
        "delivery/{}",
        out["deliveries"][0]["id"].as_str().unwrap_or_default()
    );
    // Once it is another file than the one that was agreed to, it is asked about anew.
    day(&s, "2026-01-02", &["tea,700,4.00", "tea,700,5.00", "cups,2,9.00"]);
    let out = s.run(["approve", &id, "--json"]).expect_status(4).json();
    let next = &out["deliveries"][0];
    assert_eq!(
        next["reapplied"],
        json!([{"amendment": "A-1", "gone": 1, "new": 2}]),
        "{out}"
    );
    let next = format!("delivery/{}", next["id"].as_str().unwrap_or_default());
    let _ = s
        .run(["drop", &next, "--reason", "a mistake of theirs"])
        .expect_status(0);
    assert_eq!(show(&s, &next)["outcome"], "dropped");
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"], json!([]), "{out}");
    assert_eq!(s.contents(), before);
    // Another file is looked at again; with nothing to correct in it there is nothing to ask.
    day(&s, "2026-01-02", &["tea,700,3.00", "cups,2,9.00"]);
    let _ = s.run(["deliver"]).expect_status(4);
    let _ = s
        .run([
            "amend",
            "shop.orders@2026-01-01",
            "--where",
            "product = 'cups'",
            "--delete",
            "--reason",
            "no",
            "--json",
        ])
        .expect_status(0);
    let _ = s.run(["deliver"]).expect_status(4);
    declare(&s, "description = \"orders\"");
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write("mainstay.toml", toml.replace("\"ask\"", "\"apply\""));
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"][0]["outcome"], "taken", "{out}");
    assert_eq!(pieces(&s, "2026-01-02")[1]["pieces"], 7);
}

#[test]
fn checks_are_about_what_readers_see() {
    let s = corrected();
    // What was delivered breaks this, and what is read does not.
    declare(
        &s,
        "checks.range = { pieces = { max = 100 }, price = { max = 50 } }",
    );
    day(&s, "2026-01-02", &["tea,700,3.00", "cups,2,9.00"]);
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"][0]["outcome"], "taken", "{out}");
    assert_eq!(pieces(&s, "2026-01-02")[1]["pieces"], 7);
    // What a correction makes of a row can break it, too: then the file is set aside, and others go on.
    let set = [
        "amend",
        "shop.orders",
        "--where",
        "product = 'cups'",
        "--set",
        "price = price * 3",
        "--reason",
        "pounds",
    ];
    let _ = s.run(set).expect_status(0);
    day(&s, "2026-01-05", &["cups,1,20.00"]);
    day(&s, "2026-01-06", &["cups,1,10.00"]);
    let out = s.run(["deliver", "--json"]).expect_status(1).json();
    let outcome = |i: usize| {
        out["deliveries"][i]["outcome"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        (outcome(0), outcome(1)),
        ("set_aside".to_owned(), "taken".to_owned()),
        "{out}"
    );
    s.remove("orders/2026-01-05.csv");
    // A job's dataset is judged under its corrections, too: 1,750 is more than its check allows, until it is corrected.
    let _ = s.run(["run", "--json"]);
    let set = [
        "amend",
        "shop.daily@2026-01-01",
        "--set",
        "money = 2000.00",
        "--reason",
        "x",
        "--json",
    ];
    let failed = s.run(set).expect_status(1).json();
    assert_eq!(failed["error"]["code"], "MS0501", "{failed}");
    let set = [
        "amend",
        "shop.daily@2026-01-03",
        "--where",
        "money > 1000",
        "--set",
        "money = 1.00",
        "--reason",
        "x",
    ];
    let _ = s.run(set).expect_status(2);
    let set = [
        "amend",
        "shop.daily@2026-01-03",
        "--where",
        "orders = 1",
        "--set",
        "money = 1.00",
        "--reason",
        "x",
    ];
    let _ = s.run(set).expect_status(0);
    day(&s, "2026-01-03", &["tea,90,40.00"]);
    let out = s.run(["run", "shop.daily", "--json"]).expect_status(0).json();
    assert_eq!(out["runs"][0]["outcome"], "succeeded", "{out}");
    let day3 = "SELECT CAST(money AS VARCHAR) AS m FROM shop.daily WHERE day = DATE '2026-01-03'";
    assert_eq!(s.query(day3)[0]["m"], "1.00");
}

#[test]
fn rows_that_are_brought_are_compared_with_those_that_are_there() {
    let s = corrected();
    declare(&s, "checks.unique = [[\"day\", \"product\"]]");
    s.write("late.csv", "day,product,pieces,price\n2026-01-03,tea,1,1.00\n");
    let insert = [
        "amend",
        "shop.orders",
        "--insert",
        "late.csv",
        "--reason",
        "found",
        "--json",
    ];
    let failed = s.run(insert).expect_status(1).json();
    assert_eq!(failed["error"]["code"], "MS0501", "{failed}");
}
