//! Bad input: said with place and help, all at once, and nothing is lost.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

fn codes(v: &Value) -> Vec<String> {
    let list = v.as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|m| {
            format!(
                "{}:{} {}",
                m["file"].as_str().unwrap_or(""),
                m["line"],
                m["code"].as_str().unwrap_or("")
            )
        })
        .collect()
}

#[test]
fn all_mistakes_of_a_project_at_once() {
    let s = Sandbox::shop();
    let job = "jobs/shop/daily_sales.sql";
    let sql = std::fs::read_to_string(s.path().join(job)).expect("the job");
    s.write(job, sql.replace("-- slice =", "-- slise ="));
    s.write(
        "jobs/shop/typo.sql",
        "SELECT day, sum(peices) AS n FROM shop.orders GROUP BY day\n",
    );
    s.write("jobs/shop/nowhere.sql", "SELECT 1 AS one FROM shop.ordres\n");
    let out = s.run(["check", "--json"]).expect_status(2).json();
    let found = codes(&out["mistakes"]);
    assert!(found.len() >= 3, "{found:?}");
    assert!(
        found.iter().any(|m| m.starts_with("jobs/shop/daily_sales.sql:3")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|m| m.starts_with("jobs/shop/typo.sql:1")),
        "{found:?}"
    );
    let text = s.run(["check"]).expect_status(2).stderr;
    assert!(text.contains("did you mean `slice`?"), "{text}");
    assert!(text.contains("did you mean `shop.orders`?"), "{text}");
    let refused = s.run(["apply", "--json"]).expect_status(2).json();
    assert_eq!(refused["error"]["code"], "MS0002");
    assert_eq!(
        s.run(["list", "job", "--json"]).expect_status(0).json()["items"],
        json!([])
    );
}

#[test]
fn a_circle_and_two_jobs_for_one_dataset() {
    let s = Sandbox::shop();
    s.write("jobs/shop/a.sql", "SELECT n FROM shop.b\n");
    s.write("jobs/shop/b.sql", "SELECT n FROM shop.a\n");
    s.write(
        "jobs/other.sql",
        "-- /// mainstay\n-- job = \"shop.daily_sales\"\n-- ///\nSELECT 1 AS one\n",
    );
    let text = s.run(["check"]).expect_status(2).stderr;
    assert!(text.contains("shop.a → shop.b → shop.a"), "{text}");
    assert!(text.contains("shop.daily_sales"), "{text}");
}

#[test]
fn bad_files_are_set_aside_and_the_others_go_on() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    s.write(
        "data/orders/short.csv",
        "day,product,pieces,price\n2026-01-03,tea,1,3.50\n2026-01-03,cake,1\n",
    );
    s.write(
        "data/orders/word.csv",
        "day,product,pieces,price\n2026-01-04,tea,many,3.50\n",
    );
    s.write(
        "data/orders/extra.csv",
        "day,product,pieces,price,note\n2026-01-05,tea,1,3.50,x\n",
    );
    let out = s.run(["deliver", "--json"]).expect_status(1).json();
    let outcome = |file: &str| {
        let list = out["deliveries"].as_array().cloned().unwrap_or_default();
        list.into_iter().find(|d| d["file"] == file).unwrap_or_default()
    };
    let short = outcome("data/orders/short.csv");
    assert_eq!(
        (&short["outcome"], &short["error"]["row"]),
        (&json!("set_aside"), &json!(2)),
        "{short}"
    );
    let word = outcome("data/orders/word.csv");
    assert_eq!(
        (&word["error"]["row"], &word["error"]["column"]),
        (&json!(1), &json!("pieces")),
        "{word}"
    );
    assert!(
        word["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("many")),
        "{word}"
    );
    assert_eq!(outcome("data/orders/extra.csv")["outcome"], "set_aside");
    assert_eq!(outcome("data/orders/2026-01-01.csv")["outcome"], "taken");
    let listed = s.run(["list", "delivery", "--json"]).expect_status(0).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(5));
    s.write(
        "data/orders/word.csv",
        "day,product,pieces,price\n2026-01-04,tea,3,3.50\n",
    );
    let out = s.run(["deliver", "--json"]).expect_status(0).json();
    assert_eq!(out["deliveries"][0]["outcome"], "taken", "{out}");
}

#[test]
fn wrong_requests_have_their_exit_status_and_no_panic() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let cases: [(&[&str], i32); 10] = [
        (&["run", "shop.nothing"], 2),
        (&["show", "run/R-99"], 2),
        (&["show", "a boat"], 2),
        (&["query", "SELEC 1"], 2),
        (&["query", "SELECT nope FROM shop.orders"], 2),
        (&["query", "DROP TABLE shop.orders"], 2),
        (&["apply", "plan/P-77"], 2),
        (&["revert", "apply/9"], 2),
        (&["frobnicate"], 2),
        (&["query", "SELECT * FROM shop.orders", "--version", "9"], 2),
    ];
    for (arguments, status) in cases {
        let mut json_arguments = arguments.to_vec();
        json_arguments.push("--json");
        let out = s.run(arguments).expect_status(status);
        assert!(!out.stderr.contains("panicked"), "{arguments:?}: {}", out.stderr);
        let error = s.run(&json_arguments).expect_status(status).json();
        assert!(
            error["error"]["code"]
                .as_str()
                .is_some_and(|c| c.starts_with("MS0")),
            "{arguments:?}: {error}"
        );
    }
}

#[test]
fn without_a_project_it_says_what_to_do() {
    let s = Sandbox::new();
    let out = s.run(["plan"]).expect_status(2);
    assert!(out.stderr.contains("mainstay init"), "{}", out.stderr);
}
