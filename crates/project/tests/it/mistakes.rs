//! What is said about mistakes, case by case: code, place, message, label and help.

use std::fmt::Write;

use mainstay_project::load;

use crate::{files, seen};

const PROJECT: &str = "[project]\nname = \"x\"\n";

/// Writes what is wrong with each text put into a project, one mistake a line.
fn said<'a>(cases: &[&'a str], put: impl Fn(&'a str) -> Vec<(&'a str, String)>) -> String {
    let mut out = String::new();
    for case in cases {
        let list = put(case);
        let list: Vec<(&str, &str)> = list.iter().map(|(p, t)| (*p, t.as_str())).collect();
        let (_, mistakes) = load(&files(&list));
        let _ = writeln!(out, "{}", case.trim());
        if mistakes.is_empty() {
            let _ = writeln!(out, "    fine");
        }
        for m in mistakes {
            let help = m.help.map(|h| format!(" — {h}")).unwrap_or_default();
            let place = format!("{}:{}-{}", m.line, m.column, m.end_column);
            let _ = writeln!(out, "    {} {place} {} [{}]{help}", m.code, m.message, m.label);
        }
    }
    out
}

fn in_source(case: &str) -> Vec<(&str, String)> {
    let text = format!("{PROJECT}[source.\"a.b\"]\nfiles = \"x/*.csv\"\n{case}\n");
    vec![("mainstay.toml", text)]
}

fn in_settings(case: &str) -> Vec<(&str, String)> {
    let lines: String = case.lines().map(|l| format!("-- {l}\n")).collect();
    let job = format!("-- /// mainstay\n{lines}-- ///\nSELECT 1 AS day\n");
    vec![("mainstay.toml", PROJECT.to_owned()), ("jobs/a/b.sql", job)]
}

#[test]
fn everything_at_once() {
    let list = [
        (
            "mainstay.toml",
            "[project]\nname = \"x\"\nparalel = 2\nmemory = \"2 gigs\"\n\n[sorce.\"a.b\"]\nfiles = \"x\"\n",
        ),
        (
            "broken.toml",
            "[source.\"a.c\"]\nfiles = \"x/*.csv\nslice = \"day\"\n[check.y]\ndataset = \"what.ever\"\n",
        ),
        (
            "jobs/a/one.sql",
            "-- /// mainstay\n-- retrys = 2\n-- slice = [\"day\", \"day\"]\n-- ///\n",
        ),
        (
            "jobs/a/two.sql",
            "-- /// mainstay\n-- job = \"a.one\"\n-- checks.unique = 4\n-- ///\nSELECT 1\n",
        ),
    ];
    insta::assert_snapshot!(seen(&list));
}

#[test]
fn toml() {
    let cases = [
        "format = csv",
        "format =",
        "format = \"csv",
        "format \"csv\"",
        "tags = { a = \"b\", a = \"c\" }",
        "tags = { a = \"b\"",
        "null = [\"a\" \"b\"]\nformat = 3",
        "tags.a = \"x\\qy\"",
        "slice = 2013-13-01",
        "[source.\"a.b\"]\nformat = \"csv\"",
        "= 3",
    ];
    insta::assert_snapshot!(said(&cases, in_source));
}

#[test]
fn sources() {
    let cases = [
        "slice = []",
        "slice = {}",
        "slice = { day = 3 }",
        "slice = { day = \" \" }",
        "slice = { day = \"x\", DAY = \"y\" }",
        "slice = [\"day\", 3, \"\"]",
        "slice = 3",
        "columns = {}",
        "columns = { a = \"int\", A = \"date\", b = 3 }",
        "columns = [\"a\"]",
        "columns = { a = \"long\" }\nslice = { b = \"a + 1\" }",
        "columns = { a = \"long\" }\nslice = [\"a\", \"c\"]",
        "delimiter = \"ab\"",
        "delimiter = \"\\n\"",
        "delimiter = \"\\t\"",
        "null = \"NA\"",
        "null = [\"NA\", 3]",
        "format = \"ndjson\"\ndelimiter = \";\"",
        "tags = { a = 1, \"\" = \"x\" }",
        "tags = \"a\"",
        "checks = [\"day\"]",
        "on_schema_change = true",
        "owner = \"me\"",
        "[source.\"a.b.c\"]\nfiles = \"x.csv\"",
        "[source.a.c]\nfiles = \"x.csv\"",
        "[source.a]\nfiles = \"x.csv\"",
        "[[source.\"a.c\"]]\nfiles = \"x.csv\"",
        "[job.\"a.c\"]\nslice = { day = \"x\" }",
        "[job.\"a.c\"]\nsql = \"-- nothing\"\njob = \"a.d\"",
    ];
    insta::assert_snapshot!(said(&cases, in_source));
}

#[test]
fn settings() {
    let cases = [
        "slice = \"\"",
        "slice = { day = \"x\" }",
        "retries = \"2\"",
        "retries = -1",
        "retries = 1001",
        "retries = { count = 1, pause = 2 }",
        "retries = { cuont = 1 }",
        "retries = {}",
        "time_limit = 10",
        "time_limit = \"0 s\"",
        "time_limit = \"soon\"",
        "keep_fresh = 15",
        "keep_fresh = \"500 ms\"",
        "keep_fresh = \"15 minutes\"",
        "keep_frehs = \"15 min\"",
        "description = 3",
        "job = \"b\"",
        "job = \"A.B-c\"",
        "sql = \"SELECT 1\"",
        "tags = {\n  a = \"b\",\n  c = 3,\n}",
    ];
    insta::assert_snapshot!(said(&cases, in_settings));
}

#[test]
fn checks() {
    let cases = [
        "checks.not_null = \"day\"",
        "checks.not_null = { colums = [\"day\"] }",
        "checks.not_null = { columns = [\"day\"], severity = \"wran\" }",
        "checks.not_nul = [\"day\"]",
        "checks.mine = \"SELECT 1\"",
        "checks.mine = { sql = \"\" }",
        "checks.Mine = { sql = \"SELECT 1\" }",
        "checks.mine = { not_null = [\"day\"], sql = \"SELECT 1\" }",
        "checks.mine = { range = { day = {} } }",
        "checks.unique = [[\"a\", \"b\"], \"c\"]",
        "checks.unique = [[\"a\", \"a\"], 3, []]",
        "checks.accepted = { a = \"x\" }",
        "checks.accepted = { a = [[1]], values = [1] }",
        "checks.accepted = {}",
        "checks.accepted = { a = [99999999999999999999, nan, 12:00:00] }",
        "checks.range = { a = { min = 2, max = 1 }, b = { least = 1 } }",
        "checks.range = { a = { min = 2013-02-01, max = 2013-01-01 } }",
        "checks.range = { a = 3, bounds = { min = 1 } }",
        "checks.row_count = 3",
        "checks.row_count = { severity = \"warn\" }",
        "checks.row_count = { min = -1 }",
        "checks.reference = { a = \"x.y.z\", b = 3 }",
        "checks.reference = { a = \"a.b.z\", to = \"a.b.z\" }",
    ];
    insta::assert_snapshot!(said(&cases, in_settings));
}

#[test]
fn job_files() {
    let cases = [
        "-- /// mainstay\n-- slice = \"day\"\n\n-- ///\nSELECT 1",
        "  --/// mainstay\n--slice = \"day\"\n  --///\nSELECT 1",
        "-- /// mainstay\nslice = \"day\"\n-- ///\nSELECT 1",
        "-- /// mainstay\n-- slice = \"day\"",
        "-- ///\n-- slice = \"day\"\n-- ///\nSELECT 1",
        "-- /// mianstay\n-- slice = \"day\"\n-- ///\nSELECT 1",
        "-- /// other\n-- ///x\nSELECT 1",
        "-- /// mainstay\n-- ///\n-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT 1",
        "/* licence */\n-- /// mainstay\n-- slice = \"day\"\n-- ///\nSELECT 1",
        "",
        "-- /// mainstay\n-- slice = \"day\"\n-- ///\n/* nothing */ ;",
    ];
    insta::assert_snapshot!(said(&cases, |case| {
        vec![
            ("mainstay.toml", PROJECT.to_owned()),
            ("jobs/a/b.sql", case.to_owned()),
        ]
    }));
}

#[test]
fn paths() {
    let cases = [
        "jobs/a.sql",
        "jobs/a/b/c.sql",
        "jobs/Air/Daily-Delays.sql",
        "jobs/a/2x.sql",
        "jobs/.sql",
    ];
    insta::assert_snapshot!(said(&cases, |path| {
        vec![
            ("mainstay.toml", PROJECT.to_owned()),
            (path, "\n\nSELECT 1\n".to_owned()),
        ]
    }));
}

#[test]
fn whole_projects() {
    let cases = [
        "",
        "name = \"x\"",
        "[project]",
        "[[project]]\nname = \"x\"",
        "[project]\nname = \"-\"\naccount = \"a-b\"\nstore = \"\"\nmemory = 0\nspill = \"0 MB\"\nparallel = 2.5",
        "project = \"x\"",
        "[project]\nname = 3",
        "[project]\nname = \"x\"\n[check.c]\nnot_null = [\"a\"]",
        "[project]\nname = \"x\"\n[check.c]\ndataset = \"no.where\"\nreference = { a = \"also.no.where\" }",
        "[project]\nname = \"x\"\nsource = 3\n[check.c]\ndataset = \"no.where\"\nsql = \"SELECT 1\"",
        "[project]\nname = \"x\"\n[source.\"a b\"]\nfiles = \"x.csv\"\n[check.c]\ndataset = \"a.b\"\nsql = \"SELECT 1\"",
    ];
    insta::assert_snapshot!(said(&cases, |text| vec![("mainstay.toml", text.to_owned())]));
    assert_eq!(load(&[]).1[0].code, "MS0118");
}

/// What is in a file that cannot be read is not said to be missing, nor is a dataset whose source has mistakes.
#[test]
fn nothing_is_said_of_what_may_be_there() {
    let check = "[check.c]\ndataset = \"a.b\"\nrow_count = { min = 1 }\n";
    let codes = |list: &[(&str, &str)]| load(&files(list)).1.iter().map(|m| m.code).collect::<Vec<_>>();
    let project = format!("{PROJECT}{check}");
    assert_eq!(codes(&[("mainstay.toml", &project)]), ["MS0113"]);
    assert_eq!(
        codes(&[("mainstay.toml", &project), ("x.toml", "[source.\"a.b\"\n")]),
        ["MS0101"]
    );
    assert_eq!(
        codes(&[("mainstay.toml", &project), ("x.toml", "[source.\"a.b\"]\n")]),
        ["MS0105"]
    );
    assert_eq!(
        codes(&[("mainstay.toml", &project), ("jobs/a/b.sql", "")]),
        ["MS0116"]
    );
    assert_eq!(
        codes(&[
            ("mainstay.toml", &project),
            ("jobs/a/x.sql", "-- /// mainstay\nSELECT 1")
        ]),
        ["MS0115"]
    );
}
