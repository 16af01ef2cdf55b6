//! A local folder, and faults on demand.

use std::os::unix::fs::PermissionsExt as _;

use futures::TryStreamExt as _;
use mainstay_base::Hash;
use mainstay_storage::object_store::ObjectStore as _;
use mainstay_storage::object_store::path::Path;
use mainstay_storage::{ConditionalPut, Kind, open};

#[tokio::test]
async fn what_is_written_is_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open("lake", dir.path()).expect("a store");
    store.put("air/a b.csv", "x\n1\n".into()).await.expect("a put");
    assert_eq!(
        std::fs::read(dir.path().join("lake/air/a b.csv")).expect("a file"),
        b"x\n1\n"
    );
    assert_eq!(store.read("air/a b.csv").await.expect("a read"), "x\n1\n");
    assert_eq!(
        store.read("air/none").await.expect_err("nothing").kind,
        Kind::NotFound
    );

    let found = store.list("air/*.csv").await.expect("a list");
    assert_eq!((found[0].path.as_str(), found[0].bytes.0), ("air/a b.csv", 4));
    let copy = store.fetch("air/a b.csv", dir.path()).await.expect("a copy");
    assert_eq!((copy.content, copy.bytes.0), (Hash::of(b"x\n1\n"), 4));
    assert_eq!(std::fs::read(copy.file.path()).expect("the copy"), b"x\n1\n");

    let traffic = store.traffic();
    assert_eq!((traffic.requests, traffic.read.0, traffic.written.0), (5, 8, 4));
    store.persist(&["air/a b.csv".into()]).await.expect("a sync");
    assert_eq!(
        store
            .persist(&["air/none".into()])
            .await
            .expect_err("nothing")
            .kind,
        Kind::NotFound
    );
}

#[tokio::test]
async fn one_file_of_many_that_cannot_be_synced_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    let names: Vec<String> = (0..40).map(|n| format!("t/{}/{n}", n % 3)).collect();
    for name in &names {
        store.put(name, "x".into()).await.expect("a put");
    }
    store.persist(&names).await.expect("a sync");
    store.persist(&[]).await.expect("nothing to sync");
    for name in &names {
        let file = dir.path().join(name);
        std::fs::rename(&file, dir.path().join("away")).expect("a rename");
        let refused = store.persist(&names).await.expect_err(name);
        assert_eq!(refused.kind, Kind::NotFound, "{name}");
        std::fs::rename(dir.path().join("away"), &file).expect("a rename");
    }
}

#[tokio::test]
async fn a_removed_folder_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    for name in ["t/r1/a", "t/r1/b/c", "t/r10/d"] {
        store.put(name, "x".into()).await.expect("a put");
    }
    // What a killed process leaves: object stores do not list it.
    std::fs::write(dir.path().join("t/r1/e#1"), "half").expect("a file");
    assert_eq!(store.folders("t").await.expect("folders"), ["r1", "r10"]);
    assert_eq!(store.delete_prefix("t/r1").await.expect("removed"), 2);
    assert_eq!(store.folders("t").await.expect("folders"), ["r10"]);
    assert!(!dir.path().join("t/r1").exists());
    assert_eq!(store.delete_prefix("t/r1").await.expect("again"), 0);
    assert_eq!(
        store.delete_prefix("/").await.expect_err("the root").kind,
        Kind::Invalid
    );
    store.delete("t/none").await.expect("nothing to do");
}

#[tokio::test]
async fn libraries_see_names_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    let names: Vec<String> = (0..30).map(|i| format!("log/{i:03}.json")).collect();
    for name in names.iter().rev() {
        store.put(name, "x".into()).await.expect("a put");
    }
    let prefix = Path::from("log");
    for entries in [
        store.object_store().list(Some(&prefix)),
        store
            .object_store()
            .list_with_offset(Some(&prefix), &Path::from("log/")),
    ] {
        let seen: Vec<String> = entries
            .map_ok(|o| o.location.to_string())
            .try_collect()
            .await
            .expect("a list");
        assert_eq!(seen, names);
    }
}

#[tokio::test]
async fn one_of_many_conditional_puts_wins() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    assert!(store.put_if_absent("x", "1".into()).await.expect("a put"));
    assert!(!store.put_if_absent("x", "2".into()).await.expect("a put"));
    assert_eq!(store.read("x").await.expect("a read"), "1");
    assert_eq!(store.conditional_put_outcome(), None);
    assert_eq!(
        store.probe_conditional_put("p1").await.expect("a probe"),
        ConditionalPut::Exclusive
    );
    assert_eq!(store.conditional_put_outcome(), Some(ConditionalPut::Exclusive));
    assert!(!dir.path().join("_probe/p1").exists());
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let locked = dir.path().join("locked");
    std::fs::create_dir(&locked).expect("a folder");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).expect("permissions");
    if std::fs::write(locked.join("probe"), "").is_ok() {
        return; // the superuser may do everything
    }
    let store = open("locked", dir.path()).expect("a store");
    assert_eq!(
        store.put("a", "x".into()).await.expect_err("locked").kind,
        Kind::Denied
    );
}

#[tokio::test]
async fn faults_strike_before_or_after_the_write() {
    let dir = tempfile::tempdir().expect("a folder");
    let plain = open(".", dir.path()).expect("a store");
    let store = plain.with_faults(
        "put:full:1:full;put:lost:1:after-unreachable;get:x:2+:error"
            .parse()
            .expect("a plan"),
    );
    let e = store.put("full", "x".into()).await.expect_err("no space");
    assert_eq!(
        (e.kind, e.to_string().contains("no space left")),
        (Kind::Full, true)
    );
    assert!(plain.head("full").await.is_err());
    store.put("full", "x".into()).await.expect("only the first");

    let e = store
        .put("lost", "x".into())
        .await
        .expect_err("the answer is lost");
    assert_eq!(e.kind, Kind::Unreachable);
    assert_eq!(plain.read("lost").await.expect("but it landed"), "x");

    plain.put("x", "x".into()).await.expect("a put");
    store.read("x").await.expect("the first");
    assert_eq!(store.read("x").await.expect_err("the second").kind, Kind::Other);
    assert_eq!(store.read("x").await.expect_err("and on").kind, Kind::Other);
}
