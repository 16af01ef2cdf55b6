//! Projections: once, whatever is repeated or races.

use mainstay_base::{Bytes, MultisetHash, Rows};
use mainstay_model::{Column, ColumnType};

use super::*;

fn file(path: &str) -> (SliceKey, DataFile) {
    let file = DataFile {
        path: path.to_owned(),
        rows: Rows(3),
        bytes: Bytes(9),
        digest: MultisetHash::EMPTY,
        origin: None,
    };
    (SliceKey::of("2013-02-03"), file)
}

fn publish(seq: u64, add: &[&str], remove: &[&str]) -> Projection {
    let columns = [("day", ColumnType::Date), ("n", ColumnType::Long)];
    Projection {
        account: "main".to_owned(),
        dataset: "air.daily".parse().expect("a name"),
        version: seq,
        seq,
        schema: Schema(
            columns
                .map(|(name, column_type)| Column {
                    name: name.to_owned(),
                    column_type,
                })
                .into(),
        ),
        slice_columns: vec!["day".to_owned()],
        add: add.iter().map(|p| file(p)).collect(),
        remove: remove.iter().map(|p| file(p)).collect(),
        timestamp: Timestamp::from_micros(1_359_864_306_000_000),
        run: Some(RunId(12)),
    }
}

fn store() -> Store {
    mainstay_storage::open("memory:", std::path::Path::new("/")).expect("a store")
}

async fn log_of(store: &Store) -> Vec<String> {
    let objects = store.object_store();
    let found: Vec<_> = futures::TryStreamExt::try_collect(objects.list(None))
        .await
        .expect("a list");
    found
        .into_iter()
        .map(|o| o.location.filename().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_repeated_projection_commits_once() {
    let store = store();
    let (first, second) = (publish(7, &["r1-1/a"], &[]), publish(9, &["r2-1/b"], &["r1-1/a"]));
    let projector = Projector::new(&store);
    assert_eq!(projector.project("t", &first).await.expect("made").version, 0);
    let again = project(&store, "t", &first).await.expect("there");
    assert_eq!((again.version, again.repeated), (0, true));
    assert_eq!(projector.project("t", &second).await.expect("made").version, 1);
    for p in [&first, &second] {
        for projector in [&projector, &Projector::new(&store)] {
            let there = projector.project("t", p).await.expect("there");
            assert_eq!(
                (there.version, there.repeated),
                (if p.seq == 7 { 0 } else { 1 }, true)
            );
        }
    }
    assert_eq!(log_of(&store).await.len(), 2);
}

#[tokio::test]
async fn a_death_between_the_commit_and_its_answer_changes_nothing() {
    let store = store();
    project(&store, "t", &publish(1, &["r1-1/a"], &[]))
        .await
        .expect("made");
    let dying = store.with_faults("put:_delta_log:1:after-unreachable".parse().expect("a plan"));
    let p = publish(2, &["r2-1/b"], &[]);
    let projector = Projector::new(&dying);
    projector.project("t", &p).await.expect_err("the answer is lost");
    let there = projector.project("t", &p).await.expect("there");
    assert_eq!((there.version, there.repeated), (1, true));
    let full = store.with_faults("put:_delta_log:1:full".parse().expect("a plan"));
    let p = publish(3, &["r3-1/c"], &[]);
    let e = project(&full, "t", &p).await.expect_err("no space");
    assert_eq!(e.kind(), crate::Kind::Storage(mainstay_storage::Kind::Full));
    assert_eq!(project(&full, "t", &p).await.expect("made").version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_projectors_show_every_publish_once() {
    let store = store();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        racers.spawn(async move {
            let projector = Projector::new(&store);
            let mut versions = Vec::new();
            for seq in 1..=20 {
                let p = publish(seq, &[&format!("r{seq}-1/x")], &[]);
                versions.push(projector.project("t", &p).await.expect("shown").version);
            }
            versions
        });
    }
    while let Some(versions) = racers.join_next().await {
        assert_eq!(versions.expect("a racer"), (0..20).collect::<Vec<_>>());
    }
    assert_eq!(log_of(&store).await.len(), 20);
}

#[tokio::test]
async fn commits_of_others_are_reported_and_never_written_over() {
    let store = store();
    let projector = Projector::new(&store);
    projector
        .project("t", &publish(1, &["r1-1/a"], &[]))
        .await
        .expect("made");
    for version in 1..=2 {
        let text = br#"{"commitInfo":{"operation":"OPTIMIZE"}}"#.to_vec();
        assert!(log::append(&store, "t", version, text).await.expect("a put"));
    }
    for projector in [projector, Projector::new(&store)] {
        let e = projector
            .project("t", &publish(2, &["r2-1/b"], &[]))
            .await
            .expect_err("foreign");
        assert!(matches!(e, Error::ForeignCommit { version: 1, .. }), "{e}");
        assert_eq!(e.kind(), crate::Kind::Foreign);
    }
    assert_eq!(log_of(&store).await.len(), 3);
}

#[tokio::test]
async fn other_files_under_a_known_record_are_damage() {
    let store = store();
    project(&store, "t", &publish(1, &["r1-1/a"], &[]))
        .await
        .expect("made");
    project(&store, "t", &publish(5, &["r5-1/b"], &[]))
        .await
        .expect("made");
    let e = project(&store, "t", &publish(1, &["r1-2/a"], &[]))
        .await
        .expect_err("other files");
    assert!(
        matches!(
            e,
            Error::Diverged {
                version: 0,
                seq: 1,
                ..
            }
        ),
        "{e}"
    );
    let e = project(&store, "t", &publish(3, &["r3-1/a"], &[]))
        .await
        .expect_err("passed over");
    assert!(
        matches!(
            e,
            Error::OutOfOrder {
                seq: 3,
                newest: 5,
                ..
            }
        ),
        "{e}"
    );
    store
        .put("t/_delta_log/00000000000000000002.json", "{\"add\":".into())
        .await
        .expect("a put");
    let e = project(&store, "t", &publish(6, &[], &[]))
        .await
        .expect_err("torn");
    assert!(matches!(e, Error::Damaged { version: 2, .. }), "{e}");
}

async fn actions_of(store: &Store, version: u64) -> Vec<serde_json::Value> {
    let text = store
        .read(&format!("t/_delta_log/{version:020}.json"))
        .await
        .expect("a commit");
    text.split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).expect("JSON"))
        .collect()
}

fn keys(actions: &[serde_json::Value]) -> Vec<String> {
    actions
        .iter()
        .flat_map(|a| a.as_object().expect("an object").keys().cloned())
        .collect()
}

#[tokio::test]
async fn metadata_is_written_when_the_columns_change_and_only_then() {
    let store = store();
    let projector = Projector::new(&store);
    projector
        .project("t", &publish(1, &["a"], &[]))
        .await
        .expect("made");
    projector
        .project("t", &publish(2, &["b"], &["a"]))
        .await
        .expect("made");
    let mut wider = publish(3, &["c"], &["b", "x"]);
    wider.add.push(file("x"));
    wider.schema.0.push(Column {
        name: "t".into(),
        column_type: ColumnType::TimestampNtz,
    });
    projector.project("t", &wider).await.expect("made");
    let mut narrow = publish(4, &["d"], &[]);
    narrow.timestamp = Timestamp::from_micros(1_400_000_000_000_000);
    Projector::new(&store).project("t", &narrow).await.expect("made");

    let first = actions_of(&store, 0).await;
    assert_eq!(keys(&first), ["commitInfo", "txn", "protocol", "metaData", "add"]);
    assert_eq!(first[1]["txn"]["appId"], "mainstay/main/air.daily");
    assert_eq!(first[4]["add"]["stats"], "{\"numRecords\":3}");
    assert_eq!(first[4]["add"]["partitionValues"]["day"], "2013-02-03");
    assert_eq!(
        keys(&actions_of(&store, 1).await),
        ["commitInfo", "txn", "remove", "add"]
    );
    let third = actions_of(&store, 2).await;
    assert_eq!(
        keys(&third),
        ["commitInfo", "txn", "protocol", "metaData", "remove", "add"],
        "a file that stays is left out"
    );
    assert_eq!(third[2]["protocol"]["minReaderVersion"], 3);
    let fourth = actions_of(&store, 3).await;
    assert_eq!(
        keys(&fourth),
        ["commitInfo", "txn", "metaData", "add"],
        "the protocol never goes back"
    );
    assert_eq!(
        fourth[2]["metaData"]["id"], first[3]["metaData"]["id"],
        "one table, one id"
    );
}
