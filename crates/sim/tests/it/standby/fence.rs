//! A leader that sleeps and wakes in the middle of removing what nothing refers to, as far as it knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::pair::{Pair, ask, wait_for};
use super::{GENEROUS, Postgres};

/// The data files below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "parquet") {
            found.insert(path);
        }
    }
    found
}

#[test]
fn a_woken_leader_removes_nothing_of_its_successor() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let mut pair = Pair::new(&database.url("fence"), &database.url("fence"));
    let project = pair.path().to_owned();
    let toml = project.join("mainstay.toml");
    let text = std::fs::read_to_string(&toml).expect("the project");
    let kept = text.replace(
        "slice = \"day\"\n",
        "slice = \"day\"\nretain = { versions = 1 }\n",
    );
    std::fs::write(&toml, kept).expect("the project");
    let order = |pieces: u32| {
        let text = format!("day,product,pieces,price\n2026-01-02,tea,{pieces},3.50\n");
        std::fs::write(project.join("data/orders/2026-01-02.csv"), text).expect("a file");
    };

    let hold = project.join("hold");
    std::fs::write(&hold, "").expect("a file");
    let held = format!("vacuum.recorded:{}", hold.display());
    pair.a.start_with(&[("MAINSTAY_HOLD_AT", &held)]);
    pair.share_keys();
    pair.b.start();
    let (token, a, b) = (pair.token(), pair.a.address.clone(), pair.b.address.clone());
    let done = |server: &str, path: &str, key: &str| {
        let answer = ask(server, "POST", path, &token, key, Some(&json!({}))).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?} {}", answer.json());
    };
    done(&a, "/v1/applies", "k-1");
    done(&a, "/v1/runs", "k-2");
    order(5);
    done(&a, "/v1/runs", "k-3");
    // It has recorded what goes, and is held before it looks for it.
    assert!(ask(&a, "POST", "/v1/vacuums", &token, "k-4", Some(&json!({}))).is_none());
    let vacuumed = ask(&a, "GET", "/v1/journal?kind=data.vacuumed", &token, "k-5", None);
    let vacuumed = vacuumed.expect("an answer").json();
    assert!(
        !vacuumed["facts"].as_array().expect("facts").is_empty(),
        "{vacuumed}"
    );
    pair.a.freeze();
    wait_for("the other one to serve", GENEROUS, || {
        (pair.b.role().as_deref() == Some("leader")).then_some(())
    });
    for (n, pieces) in (6..9).enumerate() {
        order(pieces);
        done(&b, "/v1/runs", &format!("b-{n}"));
    }
    let before = files(&project.join("tables"));
    std::fs::remove_file(&hold).expect("there");
    pair.a.thaw();
    let woken = pair.a.wait_until_it_ends(Duration::from_secs(20));
    assert!(woken.stdout.contains("MS0602"), "{woken:?}");
    let after = files(&project.join("tables"));
    let gone: Vec<&PathBuf> = before.difference(&after).collect();
    assert!(gone.is_empty(), "{gone:?}");
    pair.b.end();
    pair.verify();
}

#[test]
fn what_a_killed_leader_left_is_ended_made_again_and_removed() {
    let Some(database) = Postgres::start() else {
        return;
    };
    let url = database.url("left");
    let mut pair = Pair::new(&url, &url);
    pair.a.start_with(&[("MAINSTAY_KILL_AT", "attempt.staged")]);
    let killed = pair.a.id();
    pair.share_keys();
    pair.b.start();
    let (token, a, b) = (pair.token(), pair.a.address.clone(), pair.b.address.clone());
    let nothing = json!({});
    let applied = ask(&a, "POST", "/v1/applies", &token, "k-1", Some(&nothing));
    assert_eq!(applied.map(|answer| answer.status), Some(200));
    assert!(ask(&a, "POST", "/v1/runs", &token, "k-2", Some(&nothing)).is_none());
    let _ = pair.a.wait_until_it_ends(Duration::from_secs(5));
    let left = pair.path().join("tables/main/shop/daily_sales/r1-1");
    assert!(!files(&left).is_empty(), "it had staged files");
    let run = wait_for("the other one to run it", GENEROUS, || {
        let answer = ask(&b, "POST", "/v1/runs", &token, "k-2", Some(&nothing))?;
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(run["runs"][0]["id"], "R-2", "{run}");
    assert_eq!(run["runs"][0]["outcome"], "succeeded", "{run}");
    let lost = ask(&b, "GET", "/v1/runs/R-1", &token, "k-3", None).expect("an answer");
    let lost = lost.json().to_string();
    assert!(
        lost.contains("MS0504") && lost.contains(&format!("process {killed} on")),
        "{lost}"
    );
    wait_for("its files to be removed", GENEROUS, || {
        (!left.exists()).then_some(())
    });
    pair.b.end();
    pair.verify();
}
