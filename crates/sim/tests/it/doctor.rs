//! What is wrong with a home is found, with its cause and what to do; what is right is not.

use mainstay_sim::Sandbox;
use serde_json::{Value, json};

fn examined(s: &Sandbox, status: i32) -> Vec<Value> {
    let report = s.run(["doctor", "--json"]).expect_status(status).json();
    assert_eq!(report["ok"], json!(status == 0), "{report}");
    report["findings"].as_array().expect("findings").clone()
}

/// The findings that are not good, as `check: condition`.
fn wrong(findings: &[Value]) -> Vec<String> {
    let bad = findings
        .iter()
        .filter(|f| f["condition"] != "ok" && f["check"] != "disk");
    bad.map(|f| {
        assert!(f["help"].as_str().is_some_and(|h| !h.is_empty()), "{f}");
        let (check, condition) = (f["check"].as_str(), f["condition"].as_str());
        format!("{}: {}", check.unwrap_or_default(), condition.unwrap_or_default())
    })
    .collect()
}

fn used() -> Sandbox {
    let s = Sandbox::shop();
    let _ = s.run(["apply"]).expect_status(0);
    let _ = s.run(["run"]).expect_status(0);
    s
}

#[test]
fn a_sound_home_has_nothing_wrong_and_is_left_as_it_is() {
    let s = used();
    let before = s.query("SELECT count(*) AS n FROM system.facts");
    let findings = examined(&s, 0);
    assert_eq!(wrong(&findings), [""; 0]);
    let checks: Vec<&str> = findings.iter().filter_map(|f| f["check"].as_str()).collect();
    for check in [
        "version", "disk", "lock", "key", "backup", "journal", "clock", "store", "files", "delta", "source",
    ] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    assert_eq!(s.query("SELECT count(*) AS n FROM system.facts"), before);
    assert!(!s.path().join(".mainstay/data/_probe").exists());
    let nothing = Sandbox::shop().run(["doctor"]).expect_status(2);
    assert!(nothing.stderr.contains("MS0603"), "{}", nothing.stderr);
}

#[test]
fn each_thing_that_is_broken_is_found() {
    let s = used();
    let table = s.path().join(".mainstay/data/main/shop/daily_sales");
    let attempt = table.join("r1-1");
    let aside = s.path().join("aside");
    let moved = |from: &std::path::Path| std::fs::rename(from, &aside).expect("moved");
    let back = |to: &std::path::Path| std::fs::rename(&aside, to).expect("moved");

    moved(&attempt);
    let findings = examined(&s, 1);
    assert_eq!(wrong(&findings), ["files: problem"]);
    let files = findings.iter().find(|f| f["check"] == "files").expect("one");
    let causes = files["causes"].to_string();
    assert!(
        causes.contains("shop.daily_sales: r1-1/") && causes.contains("is not there"),
        "{files}"
    );
    back(&attempt);

    // A file that was cut short.
    let file = std::fs::read_dir(&attempt)
        .expect("files")
        .flatten()
        .next()
        .expect("a file")
        .path();
    let bytes = std::fs::read(&file).expect("bytes");
    std::fs::write(&file, &bytes[..10]).expect("written");
    let findings = examined(&s, 1);
    assert_eq!(wrong(&findings), ["files: problem"]);
    std::fs::write(&file, &bytes).expect("written");

    moved(&table.join("_delta_log"));
    assert_eq!(wrong(&examined(&s, 1)), ["delta: problem"]);
    back(&table.join("_delta_log"));

    moved(&s.path().join("data/orders"));
    assert_eq!(wrong(&examined(&s, 1)), ["source: problem"]);
    back(&s.path().join("data/orders"));

    use std::os::unix::fs::PermissionsExt;
    let key = s.path().join(".mainstay/journal.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("a mode");
    assert!(wrong(&examined(&s, 1)).contains(&"key: problem".to_owned()));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("a mode");
    assert_eq!(wrong(&examined(&s, 0)), [""; 0]);
}

#[test]
fn what_a_killed_process_left_is_a_warning_until_the_next_one_mends_it() {
    let s = used();
    s.write(
        "data/orders/2026-01-03.csv",
        "day,product,pieces,price\n2026-01-03,tea,1,3.50\n",
    );
    let killed = s.run_with("MAINSTAY_KILL_AT", "publish.recorded", ["run"]);
    assert_eq!(killed.status, None);
    let found = wrong(&examined(&s, 0));
    assert!(found.contains(&"lock: warning".to_owned()), "{found:?}");
    assert!(found.contains(&"delta: warning".to_owned()), "{found:?}");
    assert!(found.contains(&"journal: warning".to_owned()), "{found:?}");
    let _ = s.run(["run"]).expect_status(0);
    assert_eq!(wrong(&examined(&s, 0)), [""; 0]);
}

#[test]
fn a_damaged_journal_is_examined_too() {
    let s = used();
    let database = s.path().join(".mainstay/journal.db");
    let mut bytes = std::fs::read(&database).expect("bytes");
    for byte in bytes.iter_mut().skip(5000).step_by(97) {
        *byte ^= 0x5a;
    }
    std::fs::write(&database, bytes).expect("written");
    let _ = std::fs::remove_file(s.path().join(".mainstay/journal.db-wal"));
    let found = wrong(&examined(&s, 1));
    assert!(found.contains(&"journal: problem".to_owned()), "{found:?}");
}
