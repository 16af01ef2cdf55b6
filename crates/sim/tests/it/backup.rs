//! Copies of a home: made beside its writer, whole or not there, and homes that are made from them.

use std::path::{Path, PathBuf};

use mainstay_server::step::COPY_STEPS;
use mainstay_sim::{Outcome, Sandbox};
use serde_json::Value;

const MORE: &str = "day,product,pieces,price\n2026-01-02,tea,5,3.50\n2026-01-03,tea,1,3.50\n";

const AMEND: [&str; 8] = [
    "amend",
    "shop.orders",
    "--where",
    "pieces = 5",
    "--set",
    "pieces = 6",
    "--reason",
    "miscounted",
];

/// A shop that was used: two deliveries, runs, a correction, a branch with another result.
fn used() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s.write("data/orders/2026-01-02.csv", MORE);
    let _ = s.run(["run"]).expect_status(0);
    let _ = s.run(AMEND).expect_status(0);
    let _ = s.run(["branch", "create", "side"]).expect_status(0);
    let job = std::fs::read_to_string(s.path().join("jobs/shop/daily_sales.sql")).expect("the job");
    s.write(
        "jobs/shop/daily_sales.sql",
        job.replace("sum(pieces)", "2 * sum(pieces)"),
    );
    let _ = s.run(["apply", "--branch", "side"]).expect_status(0);
    let _ = s.run(["run", "--branch", "side"]).expect_status(0);
    s.write("jobs/shop/daily_sales.sql", job);
    s
}

fn backup(s: &Sandbox) -> Outcome {
    s.run(["backup", "backup", "--json"])
}

fn restore(s: &Sandbox, home: &str, more: &[&str]) -> Outcome {
    let arguments = ["restore", "backup", "--home", home, "--json"];
    s.run(arguments.iter().chain(more))
}

/// A command in another home of the same folder, without the project.
fn there(s: &Sandbox, home: &str, arguments: &[&str]) -> Outcome {
    s.run(arguments.iter().chain(&["--home", home]))
}

const CONTENTS: &str = "SELECT dataset, slice, rows, digest FROM system.slices ORDER BY dataset, slice";
const ROWS: &str = "SELECT * FROM shop.daily_sales ORDER BY day, product";

fn rows(s: &Sandbox, home: &str, more: &[&str]) -> Value {
    let arguments: Vec<&str> = ["query", ROWS, "--json"].iter().chain(more).copied().collect();
    there(s, home, &arguments).expect_status(0).json()
}

fn contents(s: &Sandbox, home: &str) -> Value {
    there(s, home, &["query", CONTENTS, "--json"])
        .expect_status(0)
        .json()
}

/// The data files of a backup.
fn data_files(s: &Sandbox) -> Vec<PathBuf> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => walk(&path, out),
                path => out.push(path),
            }
        }
    }
    let mut out = Vec::new();
    walk(&s.path().join("backup/data"), &mut out);
    out.sort();
    out
}

#[test]
fn a_copy_verifies_and_reads_the_same_on_every_side() {
    let s = used();
    let made = backup(&s).expect_status(0).json();
    assert!(made["copied_files"].as_u64() > Some(2), "{made}");
    assert_eq!(made["files"], made["copied_files"]);
    let again = backup(&s).expect_status(0).json();
    assert_eq!(
        (again["copied_files"].as_u64(), again["files"].clone()),
        (Some(0), made["files"].clone())
    );
    assert_eq!(again["journal_bytes"], 0, "{again}");

    let done = restore(&s, "copy", &[]).expect_status(0).json();
    assert_eq!(done["seq"], made["seq"]);
    let verified = there(&s, "copy", &["journal", "verify", "--json"])
        .expect_status(0)
        .json();
    assert!(verified["checkpoints"].as_u64() > Some(3), "{verified}");
    for side in [[].as_slice(), &["--branch", "side"], &["--version", "1"]] {
        assert_eq!(rows(&s, "copy", side), rows(&s, ".mainstay", side), "{side:?}");
    }
    assert_eq!(contents(&s, "copy"), contents(&s, ".mainstay"));
    let _ = there(&s, "copy", &["replay", "R-2", "R-1"]).expect_status(0);
    // Delta readers see the newest version, in one commit.
    let shown = there(&s, "copy", &["show", "shop.daily_sales", "--json"])
        .expect_status(0)
        .json();
    assert_eq!(shown["delta_version"], 0, "{shown}");
    let log = "data/main/shop/daily_sales/_delta_log/00000000000000000000.json";
    assert!(s.path().join("copy").join(log).is_file());
    // And it can go on by itself: the correction is taken back, and nothing of the original moves.
    let before = contents(&s, ".mainstay");
    let _ = there(&s, "copy", &["revert", "amendment/A-1", "--reason", "try"]).expect_status(0);
    assert_ne!(contents(&s, "copy"), before);
    assert_eq!(contents(&s, ".mainstay"), before);
    let _ = there(&s, "copy", &["journal", "verify"]).expect_status(0);
    // It leaves the original's backups alone while it rests; once it is in the original's place, it goes on with them, and the
    // original's history is another one.
    let refused = there(&s, "copy", &["backup", "backup"]).expect_status(4);
    assert!(
        refused.stderr.contains("MS0643") && refused.stderr.contains("rests"),
        "{}",
        refused.stderr
    );
    let _ = there(&s, "copy", &["resume"]).expect_status(0);
    let _ = there(&s, "copy", &["backup", "backup"]).expect_status(0);
    s.write("data/orders/2026-01-03.csv", MORE);
    let _ = s.run(["deliver"]).expect_status(0);
    let refused = s.run(["backup", "backup"]).expect_status(4);
    assert!(refused.stderr.contains("another course"), "{}", refused.stderr);
}

#[test]
fn a_copy_of_a_moment_has_what_was_there_then() {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let then = (rows(&s, ".mainstay", &[]), contents(&s, ".mainstay"));
    let facts = s.query("SELECT max(seq) AS n, max(time) AS t FROM system.facts");
    s.write("data/orders/2026-01-02.csv", MORE);
    let _ = s.run(["run"]).expect_status(0);
    let _ = backup(&s).expect_status(0);
    let seq = facts[0]["n"].to_string();
    let time = facts[0]["t"].as_str().expect("a time").to_owned();
    let time = if time.ends_with('Z') {
        time
    } else {
        format!("{}Z", time.replace(' ', "T"))
    };
    for (home, as_of) in [("by-seq", &seq), ("by-time", &time)] {
        let done = restore(&s, home, &["--as-of", as_of]).expect_status(0).json();
        assert_eq!(done["seq"].to_string(), seq, "{as_of}");
        assert_eq!((rows(&s, home, &[]), contents(&s, home)), then, "{as_of}");
        let _ = there(&s, home, &["journal", "verify"]).expect_status(0);
    }
    // In the middle of what was recorded together, it is as it was before.
    let inside = restore(&s, "inside", &["--as-of", "2"]).expect_status(0).json();
    assert!(inside["seq"].as_u64() <= Some(2), "{inside}");
    let late = restore(&s, "late", &["--as-of", "999999"]).expect_status(2);
    assert!(late.stdout.contains("MS0645"), "{}", late.stdout);
    let early = restore(&s, "early", &["--as-of", "2001-01-01T00:00:00Z"]).expect_status(2);
    assert!(early.stdout.contains("MS0645"), "{}", early.stdout);
    assert!(!s.path().join("late").exists() && !s.path().join("early").exists());
}

#[test]
fn a_later_backup_brings_what_is_new_and_keeps_what_a_vacuum_takes() {
    let s = Sandbox::shop();
    let project = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write(
        "mainstay.toml",
        project.replace(
            "slice = \"day\"\n",
            "slice = \"day\"\nretain = { versions = 1 }\n",
        ),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let then = contents(&s, ".mainstay");
    let first = backup(&s).expect_status(0).json();
    s.write("data/orders/2026-01-02.csv", MORE);
    let _ = s.run(["run"]).expect_status(0);
    let freed = s.run(["vacuum", "--yes", "--json"]).expect_status(0).json();
    assert!(freed["files"].as_u64() > Some(0), "{freed}");
    let second = backup(&s).expect_status(0).json();
    assert!(second["copied_files"].as_u64() > Some(0), "{second}");
    assert!(
        second["copied_files"].as_u64() < second["files"].as_u64(),
        "{second}"
    );
    // What is gone from the home is still in the backup.
    let seq = first["seq"].to_string();
    let _ = restore(&s, "before", &["--as-of", &seq]).expect_status(0);
    assert_eq!(contents(&s, "before"), then);
    let _ = restore(&s, "after", &[]).expect_status(0);
    assert_eq!(contents(&s, "after"), contents(&s, ".mainstay"));
}

#[test]
fn a_killed_backup_is_none_and_the_next_one_finishes_it() {
    let s = used();
    for step in COPY_STEPS.iter().filter(|s| s.starts_with("backup.")) {
        let _ = std::fs::remove_dir_all(s.path().join("backup"));
        let killed = s.run_with("MAINSTAY_KILL_AT", step, ["backup", "backup"]);
        assert_eq!(killed.status, None, "{step}: {}", killed.stderr);
        let tried = restore(&s, "early", &[]);
        if *step == "backup.complete" {
            let _ = tried.expect_status(0);
            let _ = std::fs::remove_dir_all(s.path().join("early"));
        } else {
            let tried = tried.expect_status(2);
            assert!(tried.stdout.contains("MS0641"), "{step}: {}", tried.stdout);
            assert!(!s.path().join("early").exists(), "{step}");
        }
        let finished = backup(&s).expect_status(0).json();
        if *step != "backup.copied" {
            assert_eq!(
                finished["copied_files"], 0,
                "{step}: what was listed is not copied again"
            );
        }
        let _ = restore(&s, "whole", &[]).expect_status(0);
        assert_eq!(contents(&s, "whole"), contents(&s, ".mainstay"), "{step}");
        let _ = std::fs::remove_dir_all(s.path().join("whole"));
    }
}

#[test]
fn a_killed_restore_leaves_no_home_and_the_next_one_makes_it() {
    let s = used();
    let _ = backup(&s).expect_status(0);
    for step in COPY_STEPS.iter().filter(|s| s.starts_with("restore.")) {
        let killed = s.run_with("MAINSTAY_KILL_AT", step, ["restore", "backup", "--home", "copy"]);
        assert_eq!(killed.status, None, "{step}: {}", killed.stderr);
        if *step != "restore.complete" {
            assert!(!s.path().join("copy").exists(), "{step}");
            let _ = restore(&s, "copy", &[]).expect_status(0);
        }
        assert_eq!(contents(&s, "copy"), contents(&s, ".mainstay"), "{step}");
        let _ = there(&s, "copy", &["journal", "verify"]).expect_status(0);
        let refused = restore(&s, "copy", &[]).expect_status(4);
        assert!(refused.stdout.contains("MS0644"), "{step}: {}", refused.stdout);
        std::fs::remove_dir_all(s.path().join("copy")).expect("a copy");
    }
    assert!(!s.path().join(".copy.restoring").exists());
}

#[test]
fn what_is_missing_or_changed_in_a_backup_is_named() {
    let s = used();
    let _ = backup(&s).expect_status(0);
    let files = data_files(&s);
    let name = |f: &Path| f.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = std::fs::read(&files[0]).expect("a file");

    // A changed byte in a data file.
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&files[0], &changed).expect("written");
    let refused = restore(&s, "copy", &[]).expect_status(7);
    assert!(
        refused.stdout.contains("MS0642") && refused.stdout.contains(&name(&files[0])),
        "{}",
        refused.stdout
    );

    // Two that are not there, one of them cut short: both are named.
    std::fs::write(&files[0], &bytes[..middle]).expect("written");
    std::fs::remove_file(&files[1]).expect("removed");
    let refused = restore(&s, "copy", &[]).expect_status(7);
    assert!(refused.stdout.contains("2 data files"), "{}", refused.stdout);
    for file in &files[..2] {
        assert!(refused.stdout.contains(&name(file)), "{}", refused.stdout);
    }
    assert!(!s.path().join("copy").exists());
    // Another backup brings them back.
    let mended = backup(&s).expect_status(0).json();
    assert_eq!(mended["copied_files"], 2, "{mended}");
    let _ = restore(&s, "copy", &[]).expect_status(0);

    // The journal, the lists and the backup itself.
    for folder in ["journal", "files", "backups"] {
        let whole = s.path().join("backup").join(folder);
        let file = std::fs::read_dir(&whole)
            .expect("a folder")
            .flatten()
            .next()
            .expect("a file")
            .path();
        let bytes = std::fs::read(&file).expect("a file");
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 0x55;
        std::fs::write(&file, &changed).expect("written");
        let refused = restore(&s, "other", &[]).expect_status(7);
        assert!(
            refused.stdout.contains(&name(&file)),
            "{folder}: {}",
            refused.stdout
        );
        std::fs::remove_file(&file).expect("removed");
        let status = if folder == "backups" { 2 } else { 7 };
        let refused = restore(&s, "other", &[]).expect_status(status);
        assert!(refused.stdout.contains("MS064"), "{folder}: {}", refused.stdout);
        std::fs::write(&file, &bytes).expect("written");
    }
    assert!(!s.path().join("other").exists());
}

#[test]
fn a_file_that_the_home_has_lost_is_named() {
    let s = used();
    let _ = backup(&s).expect_status(0);
    let lost = data_files(&s).into_iter().next().expect("a file");
    let path = lost
        .strip_prefix(s.path().join("backup"))
        .expect("a path")
        .to_owned();
    std::fs::remove_file(s.path().join(".mainstay").join(&path)).expect("removed");
    std::fs::remove_file(&lost).expect("removed");
    let refused = backup(&s).expect_status(7);
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    assert!(
        refused.stdout.contains("MS0646") && refused.stdout.contains(&name),
        "{}",
        refused.stdout
    );
}

#[test]
fn one_place_has_the_backups_of_one_home() {
    let (one, other) = (used(), used());
    let _ = backup(&one).expect_status(0);
    let place = one.path().join("backup").display().to_string();
    let refused = other.run(["backup", &place]).expect_status(4);
    assert!(refused.stderr.contains("MS0643"), "{}", refused.stderr);
    let nothing = other
        .run(["restore", "nowhere", "--home", "copy"])
        .expect_status(2);
    assert!(nothing.stderr.contains("MS0641"), "{}", nothing.stderr);
    assert!(!other.path().join("nowhere").exists());
}

#[test]
fn the_key_in_a_backup_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let s = used();
    let _ = backup(&s).expect_status(0);
    let _ = restore(&s, "copy", &[]).expect_status(0);
    for key in ["backup/journal.key", "copy/journal.key"] {
        let mode = std::fs::metadata(s.path().join(key))
            .expect("a key")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn tables_beside_the_home_come_into_the_copy() {
    let s = Sandbox::shop();
    let project = std::fs::read_to_string(s.path().join("mainstay.toml")).expect("the project");
    s.write(
        "mainstay.toml",
        project.replace("[project]\n", "[project]\nstore = \"lake\"\n"),
    );
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    let _ = backup(&s).expect_status(0);
    let listed = |folder: &str| {
        let found = std::fs::read_dir(s.path().join(folder))
            .into_iter()
            .flatten()
            .flatten();
        found.count()
    };
    let _ = restore(&s, "copy", &[]).expect_status(0);
    let _ = restore(&s, "third", &["--store", "tables"]).expect_status(0);
    assert!(listed("copy/data/main/shop") > 0 && listed("tables/main/shop") > 0 && listed("third/data") == 0);
    for home in ["copy", "third"] {
        assert_eq!(contents(&s, home), contents(&s, ".mainstay"), "{home}");
    }
    // With the same project, what they compute goes to their own places.
    let before = listed("lake/main/shop/daily_sales");
    s.write("data/orders/2026-01-02.csv", MORE);
    let _ = there(&s, "copy", &["run"]).expect_status(0);
    assert_eq!(listed("lake/main/shop/daily_sales"), before);
    let refused = restore(&s, "fourth", &["--store", "tables"]).expect_status(4);
    assert!(refused.stdout.contains("MS0644"), "{}", refused.stdout);
}
