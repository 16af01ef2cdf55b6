//! What other Delta readers see: the Python package `deltalake`, on a folder and on a real S3-like server.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use mainstay_catalog::Projector;
use mainstay_model::{Column, ColumnType};
use mainstay_storage::{ConditionalPut, Environment, Store, open, open_with};
use serde_json::{Value, json};

use crate::server::{Server, tool};
use crate::table::{flights, publish, schema_of, staged};

/// Reads a table with Python's `deltalake`; none if there is no Python with it.
fn read(uri: &str, version: &str, env: &Environment) -> Option<Value> {
    let python = tool("MAINSTAY_PYTHON", "python")?;
    let usable = Command::new(&python)
        .args(["-c", "import deltalake, pyarrow"])
        .output()
        .expect("python runs");
    if !usable.status.success() {
        let message =
            "NOT TESTED: python has no package `deltalake` with `pyarrow` (pip install deltalake pyarrow)";
        assert!(std::env::var_os("CI").is_none(), "{message}");
        eprintln!("{message}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_table.py");
    let options = serde_json::to_string(env).expect("JSON");
    let out = Command::new(python)
        .arg(script)
        .args([uri, version, &options])
        .output()
        .expect("python runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).expect("JSON"))
}

/// Publishes three versions: two days, a correction of the second, and 365 days with another column.
async fn publish_three(store: &Store, table: &str) {
    let projector = Projector::new(store);
    let first = flights(2, 10);
    let a = staged(store, table, "r1-1", &first).await;
    projector
        .project(table, &publish(1, schema_of(&first), a.clone(), vec![]))
        .await
        .expect("shown");
    let corrected = flights(2, 8).slice(8, 8);
    let b = staged(store, table, "r2-1", &corrected).await;
    projector
        .project(table, &publish(4, schema_of(&first), b.clone(), a[1..].to_vec()))
        .await
        .expect("shown");

    let year = flights(365, 4);
    let c = staged(store, table, "r3-1", &year).await;
    let mut schema = schema_of(&year);
    schema.0.push(Column {
        name: "gate".into(),
        column_type: ColumnType::TimestampNtz,
    });
    let gone = [a[..1].to_vec(), b].concat();
    let p = publish(9, schema, c, gone);
    let start = Instant::now();
    projector.project(table, &p).await.expect("shown");
    eprintln!("365 adds into {}: {:?}", store.url().scheme(), start.elapsed());
    let start = Instant::now();
    let again = Projector::new(store).project(table, &p).await.expect("there");
    eprintln!("found there by a new projector: {:?}", start.elapsed());
    assert!(again.repeated && again.version == 2);
}

fn check(uri: &str, env: &Environment) {
    let Some(first) = read(uri, "0", env) else { return };
    assert_eq!(first["rows"], 20);
    assert_eq!(first["protocol"], json!([1, 2]));
    assert_eq!(first["partitions"], json!(["day"]));
    assert_eq!(first["properties"]["delta.enableExpiredLogCleanup"], "false");
    let row = json!({ "flight": 0, "carrier": "UA", "day": "2013-01-01", "late": true, "price": "0.00",
        "time": "2013-01-01 00:00:00+00:00", "stops": [] });
    assert_eq!(first["first"], row);
    assert_eq!(first["columns"]["price"], "decimal128(12, 2)");

    let second = read(uri, "1", env).expect("it was there");
    assert_eq!(
        (&second["rows"], &second["days"], &second["txn"]),
        (&json!(18), &json!(2), &json!(4))
    );

    let third = read(uri, "newest", env).expect("it was there");
    assert_eq!(
        (&third["version"], &third["rows"], &third["files"]),
        (&json!(2), &json!(1460), &json!(365))
    );
    assert_eq!(third["protocol"], json!([3, 7]));
    assert_eq!(
        third["history"],
        json!([["WRITE", "run/R-9"], ["WRITE", "run/R-4"], ["WRITE", "run/R-1"]])
    );
    assert_eq!(third["id"], first["id"]);
    let expected: i64 = (0..365).flat_map(|d| (0..4).map(move |i| d * 1000 + i)).sum();
    assert_eq!(third["flights"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_read_by_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    publish_three(&store, "air/flights").await;
    check(
        &dir.path().join("air/flights").display().to_string(),
        &Environment::new(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_read_by_others() {
    let Some(server) = Server::start("lake") else {
        return;
    };
    let env = server.environment();
    let store = open_with("s3://lake/some/where", Path::new("/"), &env).expect("a store");
    assert_eq!(
        store.probe_conditional_put("it").await.expect("a probe"),
        ConditionalPut::Exclusive
    );
    publish_three(&store, "air/flights").await;
    check("s3://lake/some/where/air/flights", &env);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_projectors_on_a_server_show_every_publish_once() {
    let Some(server) = Server::start("lake") else {
        return;
    };
    let env = server.environment();
    let day = flights(1, 4);
    let setup = open_with("s3://lake/x", Path::new("/"), &env).expect("a store");
    let mut publishes = Vec::new();
    for seq in 1..=6u64 {
        let files = staged(&setup, "air/flights", &format!("r{seq}-1"), &day).await;
        publishes.push(publish(seq, schema_of(&day), files, vec![]));
    }
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (env, publishes) = (env.clone(), publishes.clone());
        racers.spawn(async move {
            let store = open_with("s3://lake/x", Path::new("/"), &env).expect("a store");
            let projector = Projector::new(&store);
            let mut made = 0;
            for (i, p) in publishes.iter().enumerate() {
                let shown = projector.project("air/flights", p).await.expect("shown");
                assert_eq!(shown.version, i as u64);
                made += u32::from(!shown.repeated);
            }
            made
        });
    }
    let made: u32 = racers.join_all().await.iter().sum();
    assert_eq!(made, 6);
    let Some(table) = read("s3://lake/x/air/flights", "newest", &env) else {
        return;
    };
    assert_eq!((&table["version"], &table["rows"]), (&json!(5), &json!(24)));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_and_old_commits_are_not_needed() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    let day = flights(1, 4);
    let projector = Projector::new(&store).with_checkpoint_every(4);
    let mut before = vec![];
    for seq in 1..=7u64 {
        let files = staged(&store, "air/flights", &format!("r{seq}-1"), &day).await;
        let start = Instant::now();
        let p = publish(
            seq,
            schema_of(&day),
            files.clone(),
            std::mem::replace(&mut before, files),
        );
        let shown = projector.project("air/flights", &p).await.expect("shown");
        assert!(shown.checkpoint_error.is_none(), "{:?}", shown.checkpoint_error);
        eprintln!("commit {}: {:?}", shown.version, start.elapsed());
    }
    let log = dir.path().join("air/flights/_delta_log");
    assert!(
        log.join("00000000000000000004.checkpoint.parquet").exists() && log.join("_last_checkpoint").exists()
    );
    for version in 0..4 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).expect("removed");
    }
    let next = staged(&store, "air/flights", "r8-1", &day).await;
    let shown = Projector::new(&store)
        .project("air/flights", &publish(8, schema_of(&day), next, before))
        .await
        .expect("shown");
    assert_eq!(shown.version, 7);
    let Some(table) = read(
        &dir.path().join("air/flights").display().to_string(),
        "newest",
        &Environment::new(),
    ) else {
        return;
    };
    assert_eq!(
        (&table["version"], &table["rows"], &table["txn"]),
        (&json!(7), &json!(4), &json!(8))
    );
}
