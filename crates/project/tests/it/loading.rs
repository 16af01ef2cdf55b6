//! What files declare.

use mainstay_model::resource::Spec;
use mainstay_model::spec::{Bounds, CheckSpec, Retries, Rule, Severity};
use mainstay_project::{Declared, DeclaredCheck, load};

use crate::{EVERYTHING, files};

fn everything() -> Declared {
    let (declared, mistakes) = load(&files(EVERYTHING));
    assert!(mistakes.is_empty(), "{}", crate::seen(EVERYTHING));
    declared.expect("there is a project")
}

fn check<'a>(declared: &'a Declared, name: &str) -> &'a DeclaredCheck {
    declared.checks.iter().find(|c| c.name == name).expect(name)
}

#[test]
fn a_project() {
    let declared = everything();
    assert_eq!(
        (declared.name.as_str(), declared.account.as_str()),
        ("flights-2013", "main")
    );
    let Spec::Project(spec) = &declared.project.spec else {
        panic!("not a project")
    };
    assert_eq!(spec.memory, Some(3 << 29));
    assert_eq!((spec.spill, spec.parallel), (Some(100_000_000), Some(4)));
    assert_eq!((spec.cross_check, spec.recompute_on_engine), (Some(10), true));
    assert!(declared.complete && declared.broken.is_empty());
    let names: Vec<String> = declared.datasets().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "air.airlines",
            "air.flights",
            "air.daily_delays",
            "air.monthly",
            "air.plain"
        ]
    );
}

#[test]
fn sources() {
    let declared = everything();
    let lines: Vec<String> = (declared.sources.iter())
        .map(|s| serde_json::to_string_pretty(&s.resource()).expect("it is JSON"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    let [airlines, flights] = declared.sources.as_slice() else {
        panic!("two sources")
    };
    assert_eq!(airlines.columns[2].to_string(), "mainstay.toml:35:49");
    let day = flights.slice[0].expression.as_ref().expect("it is made");
    assert_eq!(day.as_str(), "make_date(year, \"month\", day)");
    let at = day.as_str().rfind("day").expect("it is there");
    assert_eq!(
        day.place(at..at + 3).to_string(),
        "mainstay.toml:16:45",
        "behind two escapes"
    );
    assert_eq!(
        flights.slice[1].expression, None,
        "a column by its own name is the delivered one"
    );
}

#[test]
fn jobs() {
    let declared = everything();
    let [daily, monthly, plain] = declared.jobs.as_slice() else {
        panic!("three jobs")
    };
    assert_eq!(
        daily.retries,
        Retries {
            count: 3,
            pause_ms: 1000
        }
    );
    assert_eq!(daily.time_limit_ms, Some(5_400_000));
    assert_eq!(daily.description.as_deref(), Some("Delays\n  by day"));
    assert!(daily.sql.as_str().starts_with("SELECT day") && daily.sql.as_str().ends_with("day, carrier"));
    assert_eq!(
        daily.sql.place_at(2, 6).to_string(),
        "jobs/air/daily_delays.sql:23:6"
    );
    assert_eq!(daily.slice[0].place.to_string(), "jobs/air/daily_delays.sql:5:13");
    assert_eq!(daily.dataset.place.to_string(), "jobs/air/daily_delays.sql:4:10");
    let tags: Vec<_> = daily.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(tags, ["class=internal", "purpose=dashboard", "team=ops"]);

    assert_eq!(
        monthly.retries,
        Retries {
            count: 0,
            pause_ms: 500
        }
    );
    assert_eq!(
        monthly.sql.as_str(),
        "SELECT month, count(*) AS flights\nFROM air.daily_delays GROUP BY month\n"
    );
    let count = monthly.sql.as_str().find("count").expect("it is there");
    assert_eq!(
        monthly.sql.place(count..count + 5).to_string(),
        "air/more.toml:4:8"
    );
    assert_eq!(monthly.sql.place_at(2, 6).to_string(), "air/more.toml:5:6");

    assert_eq!(
        (plain.sql.as_str(), plain.retries),
        ("SELECT 1 AS x;", Retries::default())
    );
    assert_eq!(plain.dataset.place.to_string(), "jobs/air/plain.sql:1:1");
}

#[test]
fn checks() {
    let declared = everything();
    let names: Vec<&str> = declared.checks.iter().map(|c| c.name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"));
    let Rule::Accepted { values } = &check(&declared, "air.daily_delays:accepted").spec.rule else {
        panic!("another rule")
    };
    assert_eq!(
        values["origin"],
        [
            "'EWR'",
            "'O''Hare'",
            "1",
            "31",
            "2.50",
            "TRUE",
            "DATE '2013-02-03'",
            "TIMESTAMP '2013-02-03 04:05:06'"
        ]
    );
    let some = check(&declared, "air.monthly:some_flights");
    let bounds = |min: &str, max: &str| Bounds {
        min: Some(min.into()),
        max: Some(max.into()),
    };
    let expected = CheckSpec {
        dataset: "air.monthly".parse().expect("a name"),
        rule: Rule::Range {
            bounds: [
                ("flights".to_owned(), bounds("1", "1e6")),
                ("month".to_owned(), bounds("DATE '2013-01-01'", "'2013-12-31'")),
            ]
            .into(),
        },
        severity: Severity::Warn,
    };
    assert_eq!(some.spec, expected);
    assert_eq!(some.tags["class"], "check");
    assert_eq!(some.tags["purpose"], "dashboard", "from its dataset");
    assert_eq!(some.columns[1].place.to_string(), "air/more.toml:17:45");
    let unique = check(&declared, "air.daily_delays:unique");
    let Rule::Unique { keys } = &unique.spec.rule else {
        panic!("another rule")
    };
    assert_eq!(
        keys,
        &[
            vec!["day".to_owned(), "carrier".to_owned()],
            vec!["id".to_owned()]
        ]
    );
    let reference = check(&declared, "air.flights:reference");
    assert_eq!(reference.references[0].value.0.to_string(), "air.airlines");
    let sql = check(&declared, "air.daily_delays:no_impossible")
        .sql
        .as_ref()
        .expect("it is a query");
    assert_eq!(sql.place_at(1, 15).to_string(), "jobs/air/daily_delays.sql:19:50");
    assert_eq!(
        check(&declared, "air.flights:row_count").spec.severity,
        Severity::Warn
    );
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing_but_places() {
    let windows: Vec<(&str, String)> = EVERYTHING
        .iter()
        .map(|(p, t)| (*p, format!("\u{feff}{}", t.replace('\n', "\r\n"))))
        .collect();
    let windows: Vec<(&str, &str)> = windows.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let (declared, mistakes) = load(&files(&windows));
    assert_eq!(mistakes, []);
    let (ours, theirs) = (everything(), declared.expect("there is a project"));
    assert_eq!(ours.jobs[0].slice, theirs.jobs[0].slice);
    assert_eq!(ours.jobs[0].sql.place_at(2, 6), theirs.jobs[0].sql.place_at(2, 6));
    assert_eq!(ours.checks.len(), theirs.checks.len());
    assert_eq!(ours.sources, theirs.sources);
}

#[test]
fn the_order_of_files_changes_nothing() {
    let mut reversed = files(EVERYTHING);
    reversed.reverse();
    assert_eq!(load(&reversed), load(&files(EVERYTHING)));
}

#[test]
fn files_of_others_are_passed_over() {
    let mut list = EVERYTHING.to_vec();
    list.push(("deny.toml", "[sources]\nunknown-registry = \"warn\"\n[bans]\n"));
    list.push(("other.toml", "x = [1\n"));
    list.push(("sql/x.sql", "not ours"));
    list.push(("README.md", "[project]"));
    assert_eq!(load(&files(&list)), load(&files(EVERYTHING)));
}
