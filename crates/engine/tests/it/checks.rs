//! Checks on staged files: every rule passes and fails, with a sample and words.

use std::collections::BTreeMap;

use mainstay_engine::{Assignment, Finished, Mounted};
use mainstay_model::SliceKey;
use mainstay_model::run::{CheckOutcome, Scope};
use mainstay_model::spec::{Bounds, Rule, Severity};

use crate::support::{Lake, check, flights, lake, name, run};

const COLUMNS: [(&str, &str); 4] = [
    ("day", "date"),
    ("carrier", "string"),
    ("delay", "double"),
    ("seats", "integer"),
];

fn job(lake: &Lake, input: &Mounted, rule: Rule) -> Assignment {
    let mut job = lake.job("SELECT * FROM air.flights", &[input], &COLUMNS, &["day"]);
    job.checks.push(check(rule, Severity::Error));
    job
}

fn outcome(lake: &Lake, rule: Rule) -> CheckOutcome {
    let done = run(&lake.engine(2, 100 << 20), &job(lake, &flights(lake), rule)).expect("done");
    let failed = done.failed_checks().count();
    let [outcome] = done.checks.as_slice() else {
        panic!("one outcome")
    };
    assert_eq!(failed, usize::from(outcome.violations > 0));
    assert_eq!(outcome.violations == 0, outcome.message.is_empty());
    outcome.clone()
}

fn sample(outcome: &CheckOutcome) -> String {
    serde_json::to_string(&outcome.sample).expect("json")
}

fn strings(s: &[&str]) -> Vec<String> {
    s.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn not_null() {
    let lake = lake();
    assert_eq!(
        outcome(
            &lake,
            Rule::NotNull {
                columns: strings(&["carrier", "seats"])
            }
        )
        .violations,
        0
    );
    let o = outcome(
        &lake,
        Rule::NotNull {
            columns: strings(&["day", "delay"]),
        },
    );
    assert_eq!(
        (o.violations, o.message.as_str()),
        (2, "1 row has no `day`; 1 row has no `delay`")
    );
    assert_eq!(
        sample(&o),
        r#"[{"day":null,"carrier":"ZZ","delay":9.0,"seats":1},{"day":"2013-02-02","carrier":"AA","delay":null,"seats":100}]"#
    );
}

#[test]
fn unique() {
    let lake = lake();
    assert_eq!(
        outcome(
            &lake,
            Rule::Unique {
                keys: vec![strings(&["day", "carrier"]), strings(&["delay"])]
            }
        )
        .violations,
        0
    );
    let o = outcome(
        &lake,
        Rule::Unique {
            keys: vec![strings(&["seats"]), strings(&["carrier"])],
        },
    );
    assert_eq!(
        (o.violations, o.message.as_str()),
        (
            6,
            "2 rows have the same `seats` as another; 4 rows have the same `carrier` as another"
        )
    );
    assert_eq!(
        sample(&o),
        r#"[{"seats":100,"rows":2},{"carrier":"AA","rows":2},{"carrier":"UA","rows":2}]"#
    );
}

#[test]
fn accepted() {
    let lake = lake();
    let rule = |values: &[&str]| Rule::Accepted {
        values: BTreeMap::from([("carrier".to_owned(), strings(values))]),
    };
    assert_eq!(
        outcome(&lake, rule(&["'AA'", "'UA'", "'DL'", "'ZZ'"])).violations,
        0
    );
    let o = outcome(&lake, rule(&["'AA'", "'UA'"]));
    assert_eq!(
        (o.violations, o.message.as_str()),
        (2, "2 rows have a `carrier` other than 'AA', 'UA'")
    );
}

#[test]
fn range() {
    let lake = lake();
    let rule = |column: &str, min: Option<&str>, max: Option<&str>| Rule::Range {
        bounds: BTreeMap::from([(
            column.to_owned(),
            Bounds {
                min: min.map(str::to_owned),
                max: max.map(str::to_owned),
            },
        )]),
    };
    assert_eq!(
        outcome(&lake, rule("delay", Some("-2"), Some("9"))).violations,
        0,
        "NULL is in every range"
    );
    let o = outcome(&lake, rule("delay", Some("0"), None));
    assert_eq!(
        (o.violations, o.message.as_str()),
        (1, "1 row has a `delay` below 0")
    );
    let o = outcome(&lake, rule("day", None, Some("DATE '2013-02-01'")));
    assert_eq!(
        (o.violations, o.message.as_str()),
        (3, "3 rows have a `day` above DATE '2013-02-01'")
    );
}

#[test]
fn row_count() {
    let lake = lake();
    assert_eq!(
        outcome(
            &lake,
            Rule::RowCount {
                min: Some(1),
                max: Some(2)
            }
        )
        .violations,
        0
    );
    let o = outcome(
        &lake,
        Rule::RowCount {
            min: Some(2),
            max: None,
        },
    );
    assert_eq!(
        (o.violations, o.message.as_str()),
        (
            2,
            "slice null has 1 row, at least 2 must be there, and so on for 2 slices"
        )
    );
    assert_eq!(
        sample(&o),
        r#"[{"slice":"null","rows":1},{"slice":"2013-02-03","rows":1}]"#
    );
}

#[test]
fn an_empty_slice_is_counted() {
    let lake = lake();
    let mut job = job(
        &lake,
        &flights(&lake),
        Rule::RowCount {
            min: Some(1),
            max: None,
        },
    );
    job.scope = Scope::Slices(vec![SliceKey::of("2020-01-01")]);
    let done = run(&lake.engine(1, 100 << 20), &job).expect("done");
    assert_eq!(
        done.checks[0].message,
        "slice 2020-01-01 has 0 rows, at least 1 must be there"
    );
}

#[test]
fn reference() {
    let lake = lake();
    let carriers = |rows: &str| lake.table("air.carriers", &[("code", "string")], &[], &[rows]);
    let rule = Rule::Reference {
        to: BTreeMap::from([("carrier".to_owned(), (name("air.carriers"), "code".to_owned()))]),
    };
    let with = |carriers: Mounted| -> Finished {
        let mut job = job(&lake, &flights(&lake), rule.clone());
        job.check_inputs.push(carriers);
        run(&lake.engine(2, 100 << 20), &job).expect("done")
    };
    assert_eq!(
        with(carriers(
            "{\"code\":\"AA\"}\n{\"code\":\"UA\"}\n{\"code\":\"DL\"}\n{\"code\":\"ZZ\"}"
        ))
        .checks[0]
            .violations,
        0
    );
    let done = with(carriers("{\"code\":\"AA\"}\n{\"code\":\"UA\"}\n{}"));
    let o = &done.checks[0];
    assert_eq!(
        (o.violations, o.message.as_str()),
        (2, "2 rows have a `carrier` that no `code` of air.carriers has")
    );
}

#[test]
fn sql_sees_the_dataset_as_it_would_be_published() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let input = flights(&lake);
    let whole = run(
        &engine,
        &lake.job("SELECT * FROM air.flights", &[&input], &COLUMNS, &["day"]),
    )
    .expect("done");
    // One day is recomputed, the others stay.
    let rule = Rule::Sql {
        sql: "SELECT count(*) AS rows FROM air.out HAVING count(*) <> 6".to_owned(),
    };
    let mut again = job(&lake, &input, rule);
    again.output.attempt_prefix = "r2-1".to_owned();
    again.scope = Scope::Slices(vec![SliceKey::of("2013-02-01")]);
    again.previous = whole.slices.clone();
    let done = run(&engine, &again).expect("done");
    assert_eq!(done.checks[0].violations, 0, "{}", done.checks[0].message);
    again.previous.clear();
    again.output.attempt_prefix = "r3-1".to_owned();
    let done = run(&engine, &again).expect("done");
    assert_eq!(
        (done.checks[0].violations, sample(&done.checks[0]).as_str()),
        (1, r#"[{"rows":2}]"#)
    );
    assert_eq!(done.checks[0].message, "1 row should not be there");
}

#[test]
fn a_key_is_looked_for_in_the_slices_that_stay() {
    let lake = lake();
    let engine = lake.engine(2, 100 << 20);
    let input = flights(&lake);
    let whole = run(
        &engine,
        &lake.job("SELECT * FROM air.flights", &[&input], &COLUMNS, &["day"]),
    )
    .expect("done");
    let mut again = job(
        &lake,
        &input,
        Rule::Unique {
            keys: vec![strings(&["carrier"])],
        },
    );
    again.output.attempt_prefix = "r2-1".to_owned();
    again.scope = Scope::Slices(vec![SliceKey::of("2013-02-03")]);
    assert_eq!(run(&engine, &again).expect("done").checks[0].violations, 0);
    again.previous = whole.slices;
    again.output.attempt_prefix = "r3-1".to_owned();
    assert_eq!(run(&engine, &again).expect("done").checks[0].violations, 4);
}

#[test]
fn a_warning_never_fails() {
    let lake = lake();
    let mut job = job(
        &lake,
        &flights(&lake),
        Rule::NotNull {
            columns: strings(&["delay"]),
        },
    );
    job.checks[0].1.severity = Severity::Warn;
    job.checks.push(check(
        Rule::Sql {
            sql: "SELECT nothing FROM air.out".to_owned(),
        },
        Severity::Warn,
    ));
    let done = run(&lake.engine(2, 100 << 20), &job).expect("done");
    assert_eq!(done.failed_checks().count(), 0);
    assert_eq!(done.checks[0].violations, 1);
    assert!(
        done.checks[1].message.starts_with("it could not be evaluated: "),
        "{}",
        done.checks[1].message
    );
}

#[test]
fn a_check_that_cannot_be_evaluated_fails_the_run() {
    let lake = lake();
    let job = job(
        &lake,
        &flights(&lake),
        Rule::Sql {
            sql: "SELECT 1 / (seats - 100) AS x FROM air.out".to_owned(),
        },
    );
    let e = run(&lake.engine(2, 100 << 20), &job).expect_err("it fails");
    assert_eq!(
        (e.code, e.message.as_str()),
        ("MS0304", "job air.out: check `it`: a number was divided by zero")
    );
    assert_eq!(lake.staged(), Vec::<String>::new());
}
