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

#[test]
fn a_place_that_is_not_there_keeps_no_other_source_waiting() {
    let s = Sandbox::shop();
    let project = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("there");
    s.write(
        "mainstay.toml",
        format!("{project}\n[source.\"a.first\"]\nfiles = \"nowhere/*.csv\"\ncolumns = {{ a = \"long\" }}\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let out = s.run(["run", "--json"]).expect_status(1).json();
    assert_eq!(out["refused"][0]["source"], "a.first", "{out}");
    assert_eq!(out["refused"][0]["error"]["code"], "MS0704", "{out}");
    assert_eq!(out["deliveries"].as_array().map(Vec::len), Some(2), "{out}");
    assert_eq!(out["runs"][0]["outcome"], "succeeded", "{out}");
    let text = s.run(["deliver"]).expect_status(1).stdout;
    assert!(
        text.contains("refused MS0704") && text.contains("nowhere"),
        "{text}"
    );
    let _ = s.run(["deliver", "a.first"]).expect_status(6);
}

#[test]
fn a_project_file_of_another_encoding_is_not_guessed_at() {
    let s = Sandbox::shop();
    s.write("jobs/shop/city.sql", b"SELECT 'Z\xfcrich' AS city\n");
    let out = s.run(["check", "--json"]).expect_status(2).json();
    assert_eq!(codes(&out["mistakes"]), ["jobs/shop/city.sql:1 MS0136"], "{out}");
    assert_eq!(out["mistakes"][0]["column"], 10, "{out}");
}

#[test]
fn a_second_home_does_not_touch_the_tables_of_the_first() {
    let first = Sandbox::shop();
    let lake = first.path().join("lake");
    let project = std::fs::read_to_string(first.path().join("mainstay.toml")).expect("there");
    let project = project.replace(
        "[project]\n",
        &format!("[project]\nstore = \"{}\"\n", lake.display()),
    );
    first.write("mainstay.toml", &project);
    let _ = first.run(["apply"]).expect_status(0);
    let _ = first.run(["run"]).expect_status(0);
    let before = first.contents();

    // A copy of the project, as a colleague has it: without the home.
    let second = Sandbox::shop();
    second.write("mainstay.toml", &project);
    second.write(
        "data/orders/2026-01-01.csv",
        "day,product,pieces,price\n2026-01-01,bun,9,9.00\n",
    );
    let _ = second.run(["apply"]).expect_status(0);
    for command in ["deliver", "run"] {
        let refused = second.run([command, "--json"]).expect_status(4).json();
        assert_eq!(refused["error"]["code"], "MS0706", "{refused}");
    }
    assert_eq!(first.contents(), before);
    let rows = first.query("SELECT product FROM shop.orders WHERE day = '2026-01-01' ORDER BY product");
    assert_eq!(
        rows,
        json!([{ "product": "cake" }, { "product": "tea" }, { "product": "tea" }])
    );
    let _ = first.run(["run", "--force"]).expect_status(0);

    // Who looks elsewhere does not find what is here.
    first.write("mainstay.toml", project.replace("/lake", "/elsewhere"));
    let asked = first.run(["apply", "--json"]).expect_status(4).json();
    assert_eq!(asked["error"]["code"], "MS0010", "{asked}");
    assert!(
        asked["error"]["causes"][0]
            .as_str()
            .is_some_and(|c| c.contains("2 datasets")),
        "{asked}"
    );
    first.write("mainstay.toml", &project);

    // With a store of its own the copy works.
    second.write("mainstay.toml", project.replace("/lake", "/other"));
    let _ = second.run(["apply"]).expect_status(0);
    let _ = second.run(["run"]).expect_status(0);
}

#[test]
fn an_endless_expression_is_a_mistake_and_not_the_end_of_the_process() {
    let s = Sandbox::shop();
    let chain = |n: usize, between: &str| vec!["pieces"; n].join(between);
    s.write(
        "jobs/shop/endless.sql",
        format!("SELECT {} AS x FROM shop.orders\n", chain(20_000, "+")),
    );
    s.write(
        "jobs/shop/long.sql",
        format!("SELECT {} AS x FROM shop.orders\n", chain(100, " + ")),
    );
    s.write(
        "jobs/shop/wrong.sql",
        "SELECT substr(product) AS x FROM shop.orders\n",
    );
    let out = s.run(["check", "--json"]).expect_status(2).json();
    assert_eq!(
        codes(&out["mistakes"]),
        ["jobs/shop/endless.sql:1 MS0201", "jobs/shop/wrong.sql:1 MS0218"],
        "{out}"
    );
    let said = out["mistakes"][1]["message"].as_str().unwrap_or_default();
    assert!(said.contains("substring") && !said.contains('{'), "{said}");
    s.remove("jobs/shop/endless.sql");
    s.remove("jobs/shop/wrong.sql");
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let wrong = format!("SELECT {} AS x", vec!["1"; 20_000].join("*"));
    let _ = s.run(["query", &wrong]).expect_status(2);
}
