//! `why`: causes back to the first one, the rows behind rows, and proofs by replaying.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

const JOB: &str = "jobs/shop/daily_sales.sql";

fn ran() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply", "--reason", "opening"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s
}

fn why(s: &Sandbox, arguments: &[&str]) -> Value {
    let mut all = vec!["why"];
    all.extend(arguments);
    all.push("--json");
    s.run(all).expect_status(0).json()
}

/// The causes of a kind.
fn of<'a>(answer: &'a Value, kind: &str) -> Vec<&'a Value> {
    let causes = answer["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    causes.iter().filter(|c| c["kind"] == kind).collect()
}

fn contains(v: &Value, text: &str) -> bool {
    v.as_str().is_some_and(|v| v.contains(text))
}

fn orders(rows: &str) -> String {
    format!("day,product,pieces,price\n{rows}")
}

/// Says which fact a cause names: its kind and who did it.
fn fact(s: &Sandbox, cause: &Value) -> (Value, Value) {
    let sql = format!(
        "SELECT kind, actor FROM system.facts WHERE seq = {}",
        cause["seq"]
    );
    let rows = s.query(&sql);
    (rows[0]["kind"].clone(), rows[0]["actor"].clone())
}

#[test]
fn a_run_leads_back_to_the_delivered_file() {
    let s = ran();
    s.write("data/orders/late.csv", orders("2026-01-02,tea,5,3.50\n"));
    let _ = s.run_with("MAINSTAY_USER", "bob", ["run"]).expect_status(0);
    for thing in ["R-2", "shop.daily_sales", "shop.daily_sales@2026-01-02"] {
        let answer = why(&s, &[thing]);
        let files = of(&answer, "delivery");
        assert_eq!(files.len(), 1, "{thing}: {answer}");
        assert!(contains(&files[0]["what"], "data/orders/late.csv"), "{answer}");
        assert_eq!(files[0]["who"], "bob");
        assert_eq!(fact(&s, files[0]), (json!("delivery.recorded"), json!("bob")));
        assert!(of(&answer, "code").is_empty(), "{answer}");
        assert_eq!(
            (&answer["run"], &answer["versus"]),
            (&json!("R-2"), &json!("R-1"))
        );
        assert_eq!(answer["proof"], json!(null));
        assert!(answer["summary"].is_string());
    }
    let identity = why(&s, &["R-2"]);
    assert_eq!(of(&identity, "identity")[0]["change"], "ana → bob");
    assert!(contains(&of(&identity, "cost")[0]["change"], "rows read"));
    // The day that nobody touched still stands as the first run left it.
    let other = why(&s, &["shop.daily_sales@2026-01-01"]);
    assert_eq!(other["run"], "R-1");
    assert!(
        !of(&other, "delivery")
            .iter()
            .any(|c| contains(&c["what"], "late.csv")),
        "{other}"
    );
    let reads = of(&other, "reads");
    assert!(contains(&reads[0]["what"], "shop.orders@2026-01-01"), "{other}");
    let text = s.run(["why", "R-2"]).expect_status(0);
    assert!(
        text.stdout.contains("└─") && text.stdout.contains("journal"),
        "{}",
        text.stdout
    );
    assert!(
        text.stderr.contains("mainstay why R-2 --prove"),
        "{}",
        text.stderr
    );
}

#[test]
fn causes_are_followed_upstream_and_said_once() {
    let s = Sandbox::shop();
    s.write(
        "jobs/shop/clean.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT day, product, pieces, price FROM shop.orders\n",
    );
    s.write(
        "jobs/shop/both.sql",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT c.day AS day, count(*) AS n FROM shop.clean AS c \
         JOIN shop.daily_sales AS d ON c.day = d.day AND c.product = d.product GROUP BY c.day\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.write("data/orders/late.csv", orders("2026-01-02,milk,5,1.50\n"));
    let _ = s.run(["run"]).expect_status(0);
    let answer = why(&s, &["shop.both@2026-01-02"]);
    let files = of(&answer, "delivery");
    assert_eq!(files.len(), 1, "{answer}");
    assert!(contains(&files[0]["what"], "late.csv"));
    // On its shortest path: the run of `both`, the run of one input, the file.
    assert_eq!(files[0]["depth"], 1, "{answer}");
    let runs: Vec<&str> = of(&answer, "run")
        .iter()
        .filter_map(|c| c["thing"].as_str())
        .collect();
    assert_eq!(runs.len(), 3, "{answer}");
}

#[test]
fn a_changed_query_is_shown_as_a_difference() {
    let s = ran();
    let sql = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    s.write(JOB, sql.replace("sum(pieces * price)", "sum(pieces * price) * 2"));
    let stale = || why(&s, &["shop.daily_sales"]);
    assert_eq!(stale()["state"], "fresh");
    let _ = s
        .run_with("MAINSTAY_USER", "bob", ["apply", "--reason", "prices doubled"])
        .expect_status(0);
    let answer = stale();
    assert_eq!(answer["state"], "stale", "{answer}");
    let _ = s.run(["run"]).expect_status(0);
    for answer in [answer, why(&s, &["R-2"]), why(&s, &["apply/2"])] {
        let code = of(&answer, "code");
        assert_eq!(code.len(), 1, "{answer}");
        assert!(
            contains(&code[0]["change"], "+    sum(pieces * price) * 2 AS money"),
            "{answer}"
        );
        assert_eq!(
            (&code[0]["who"], &code[0]["reason"]),
            (&json!("bob"), &json!("prices doubled"))
        );
        assert_eq!(fact(&s, code[0]).0, "project.applied");
        assert!(of(&answer, "delivery").is_empty(), "{answer}");
    }
    let fresh = stale();
    assert_eq!(fresh["state"], "fresh");
    assert!(
        contains(&fresh["summary"], "nothing that it reads changed since R-2"),
        "{fresh}"
    );
}

#[test]
fn a_failed_check_says_what_came_and_who_added_the_check() {
    let s = ran();
    s.write("data/orders/2026-01-03.csv", orders("2026-01-03,tea,0,3.50\n"));
    let _ = s.run(["run"]).expect_status(1);
    let answer = why(&s, &["shop.daily_sales"]);
    assert_eq!(
        (&answer["state"], &answer["run"]),
        (&json!("failed"), &json!("R-2")),
        "{answer}"
    );
    assert!(contains(&answer["summary"], "still served"), "{answer}");
    let check = of(&answer, "check");
    assert!(contains(&check[0]["what"], "shop.daily_sales:range"), "{answer}");
    assert_eq!(check[0]["reason"], "opening");
    assert!(
        contains(&of(&answer, "delivery")[0]["what"], "2026-01-03.csv"),
        "{answer}"
    );
    // The other days are not concerned.
    assert_eq!(why(&s, &["shop.daily_sales@2026-01-01"])["state"], "fresh");
    assert_eq!(why(&s, &["shop.daily_sales@2026-01-03"])["state"], "failed");
}

#[test]
fn a_correction_is_the_first_cause_of_what_it_reached() {
    let s = ran();
    let amend = [
        "amend",
        "shop.orders@2026-01-02",
        "--where",
        "product = 'tea'",
        "--set",
        "pieces = 40",
    ];
    let mut amend = amend.to_vec();
    amend.extend(["--reason", "a zero was lost", "--json"]);
    let made = s.run(amend).expect_status(0).json();
    assert_eq!(made["status"], "applied");
    let answer = why(&s, &["shop.daily_sales@2026-01-02"]);
    let corrections = of(&answer, "amendment");
    assert_eq!(corrections.len(), 1, "{answer}");
    assert_eq!(corrections[0]["reason"], "a zero was lost");
    assert_eq!(corrections[0]["thing"], "amendment/A-1");
    assert!(of(&answer, "delivery").is_empty(), "{answer}");
    let own = why(&s, &["amendment/A-1"]);
    assert_eq!(own["state"], "applied");
    assert!(contains(&own["causes"][0]["change"], "pieces = 40"), "{own}");
    let _ = s
        .run(["revert", "A-1", "--reason", "it was four"])
        .expect_status(0);
    let answer = why(&s, &["shop.daily_sales@2026-01-02"]);
    let reasons: Vec<&Value> = of(&answer, "amendment").iter().map(|c| &c["reason"]).collect();
    assert_eq!(
        reasons,
        [&json!("it was four"), &json!("a zero was lost")],
        "{answer}"
    );
    assert_eq!(why(&s, &["A-1"])["state"], "reverted");
    // What the first run had computed was taken, not computed again.
    let run = answer["run"].as_str().unwrap_or_default();
    assert!(run == "R-1" || !of(&answer, "reused").is_empty(), "{answer}");
}

#[test]
fn a_waiting_correction_says_who_may_release_it() {
    let s = Sandbox::shop();
    let toml = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write(
        "mainstay.toml",
        toml.replace("slice = \"day\"", "slice = \"day\"\napprove = 1"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let amend = [
        "amend",
        "shop.orders",
        "--where",
        "product = 'tea'",
        "--set",
        "pieces = 40",
        "--reason",
        "more",
    ];
    let _ = s.run(amend).expect_status(0);
    let answer = why(&s, &["A-1"]);
    assert_eq!(answer["state"], "waiting");
    assert!(
        contains(&answer["summary"], "1 person must approve who is not ana"),
        "{answer}"
    );
    assert_eq!(answer["next"][0], "mainstay approve amendment/A-1");
}

#[test]
fn a_promoted_branch_is_a_cause() {
    let s = ran();
    let _ = s
        .run(["branch", "create", "fix", "--reason", "double them"])
        .expect_status(0);
    let sql = std::fs::read_to_string(s.path().join(JOB)).expect("the job");
    s.write(JOB, sql.replace("sum(pieces * price)", "sum(pieces * price) * 2"));
    let _ = s.run(["apply", "--branch", "fix"]).expect_status(0);
    let _ = s.run(["run", "--branch", "fix"]).expect_status(0);
    let in_branch = why(&s, &["shop.daily_sales", "--branch", "fix"]);
    assert_eq!(of(&in_branch, "code").len(), 1, "{in_branch}");
    let _ = s.run(["branch", "promote", "fix"]).expect_status(0);
    let answer = why(&s, &["shop.daily_sales"]);
    assert_eq!(answer["state"], "fresh", "{answer}");
    assert!(
        contains(&of(&answer, "branch")[0]["what"], "branch fix was promoted"),
        "{answer}"
    );
}

#[test]
fn deliveries_old_and_new_are_found() {
    let s = ran();
    for i in 0..5 {
        s.write(
            "data/orders/late.csv",
            orders(&format!("2026-01-02,tea,{},3.50\n", 5 + i)),
        );
        let _ = s.run(["deliver"]).expect_status(0);
    }
    for id in ["D-1", "D-2", "D-3", "D-4", "D-5", "D-6", "D-7"] {
        let answer = why(&s, &[id]);
        assert_eq!(answer["causes"][0]["thing"], format!("delivery/{id}"), "{answer}");
    }
    let missing = s.run(["why", "D-8", "--json"]).expect_status(2).json();
    assert_eq!(missing["error"]["code"], "MS0401");
}

#[test]
fn what_has_no_cause_is_refused_with_a_help() {
    let s = ran();
    let _ = s.run(["plan"]).expect_status(0);
    for (arguments, code) in [
        (["why", "plan/P-1"].as_slice(), "MS0427"),
        (&["why", "shop.nothing"], "MS0401"),
        (&["why", "R-9"], "MS0401"),
        (&["why", "shop.daily_sales@1999-01-01"], "MS0401"),
        (&["why", "shop.orders", "--prove"], "MS0428"),
    ] {
        let mut all = arguments.to_vec();
        all.push("--json");
        let error = s.run(all).expect_status(2).json();
        assert_eq!(error["error"]["code"], code, "{error}");
    }
}

#[test]
fn the_rows_behind_a_row_are_found_by_what_is_passed_on() {
    let s = ran();
    s.write("data/orders/late.csv", orders("2026-01-01,tea,9,3.50\n"));
    let _ = s.run(["deliver"]).expect_status(0);
    let answer = why(&s, &["shop.daily_sales@2026-01-02", "--where", "product = 'tea'"]);
    assert_eq!(answer["rows"]["count"], 1, "{answer}");
    assert_eq!(answer["rows"]["rows"][0]["pieces"], 4);
    let input = &answer["rows"]["inputs"][0];
    assert_eq!(
        (&input["dataset"], &input["count"]),
        (&json!("shop.orders"), &json!(1)),
        "{answer}"
    );
    assert_eq!(
        input["rows"],
        json!([{ "day": "2026-01-02", "product": "tea", "pieces": 4, "price": 3.5 }])
    );
    assert!(contains(&input["condition"], "product = tea"), "{answer}");
    assert!(
        input["unknown"]
            .to_string()
            .contains("money does not narrow it down"),
        "{answer}"
    );
    // The inputs are those that the run read: the late file is not among them.
    let answer = why(&s, &["R-1", "--where", "pieces = 3"]);
    let input = &answer["rows"]["inputs"][0];
    assert_eq!(
        (&input["count"], &input["version"]),
        (&json!(2), &json!(1)),
        "{answer}"
    );
    let wrong = s
        .run(["why", "R-1", "--where", "peices = 3", "--json"])
        .expect_status(2)
        .json();
    assert!(
        wrong["error"]["message"].to_string().contains("peices"),
        "{wrong}"
    );
    let source = s
        .run(["why", "shop.orders", "--where", "pieces = 3", "--json"])
        .expect_status(2)
        .json();
    assert_eq!(source["error"]["code"], "MS0430", "{source}");
}

#[test]
fn joins_lead_to_both_sides_and_nested_queries_to_words() {
    let s = Sandbox::shop();
    s.write(
        "jobs/shop/shares.sql",
        "SELECT o.product AS product, o.pieces AS pieces, d.money AS money FROM shop.orders AS o JOIN shop.daily_sales AS d \
         ON o.day = d.day AND o.product = d.product WHERE o.pieces > 1\n",
    );
    s.write(
        "jobs/shop/nested.sql",
        "SELECT product, n FROM (SELECT product, count(*) AS n FROM shop.orders GROUP BY product) AS q\n",
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let answer = why(&s, &["shop.shares", "--where", "product = 'coffee'"]);
    let inputs = answer["rows"]["inputs"].as_array().cloned().unwrap_or_default();
    let counts: Vec<(&Value, &Value)> = inputs.iter().map(|i| (&i["dataset"], &i["count"])).collect();
    assert_eq!(
        counts,
        [
            (&json!("shop.orders"), &json!(1)),
            (&json!("shop.daily_sales"), &json!(1))
        ],
        "{answer}"
    );
    let answer = why(&s, &["shop.nested", "--where", "product = 'tea'"]);
    assert_eq!(answer["rows"]["count"], 1, "{answer}");
    assert!(
        answer["rows"]["unknown"].to_string().contains("FROM has a query"),
        "{answer}"
    );
    assert_eq!(answer["rows"]["inputs"], json!([]));
}

/// The state keeps the last 10,000 runs.
#[test]
fn runs_of_long_ago_are_explained_from_the_journal() {
    let s = ran();
    let _ = s.run(["run", "--force", "--reason", "again"]).expect_status(0);
    let runs = mainstay_sim::lengthen(&s.path().join(".mainstay"), 31_000).expect("a longer journal");
    assert!(runs > 10_000, "{runs}");
    let _ = s.run(["deliver"]).expect_status(0);
    let answer = why(&s, &["shop.daily_sales"]);
    assert!(
        of(&answer, "run")
            .iter()
            .any(|c| contains(&c["what"], "R-1 computed")),
        "{answer}"
    );
    assert_eq!(of(&answer, "delivery").len(), 2, "{answer}");
    let answer = why(&s, &["R-2"]);
    assert_eq!(
        (&answer["run"], &answer["versus"]),
        (&json!("R-2"), &json!("R-1")),
        "{answer}"
    );
    let answer = why(&s, &["R-100"]);
    assert_eq!(answer["versus"], "R-1", "{answer}");
    let _ = s.run(["why", "R-999999"]).expect_status(2);
}
