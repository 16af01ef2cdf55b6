//! Files: what is staged is what was given, and its digest is that of the rows with their slice columns.

use std::collections::BTreeSet;

use arrow::compute::concat_batches;
use mainstay_base::MultisetHash;
use mainstay_catalog::{Error, Kind, Stage, cleanup, digest};
use mainstay_model::SliceKey;
use mainstay_storage::{Store, open};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::table::{by_day, flights, schema_of, staged};

fn folder() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(".", dir.path()).expect("a store");
    (dir, store)
}

#[tokio::test]
async fn files_hold_the_rows_and_digests_add_up() {
    let (_dir, store) = folder();
    let batch = flights(3, 10);
    let files = staged(&store, "air/flights", "r12-1", &batch).await;
    let paths: Vec<&str> = files.iter().map(|(_, f)| f.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "r12-1/day=2013-01-01.parquet",
            "r12-1/day=2013-01-02.parquet",
            "r12-1/day=2013-01-03.parquet"
        ]
    );

    let coerced = mainstay_catalog::types::coerce(&batch, &schema_of(&batch)).expect("it fits");
    let (whole, rows) =
        digest::of_batches(&coerced.schema(), std::slice::from_ref(&coerced)).expect("a digest");
    assert_eq!(
        files.iter().map(|(_, f)| f.digest).collect::<MultisetHash>(),
        whole
    );
    assert_eq!(
        digest::of_batches(&batch.schema(), &[batch]).expect("a digest"),
        (whole, rows),
        "before and after coercion"
    );

    for (i, (_, file)) in files.iter().enumerate() {
        let bytes = store
            .read(&format!("air/flights/{}", file.path))
            .await
            .expect("a file");
        assert_eq!(bytes.len() as u64, file.bytes.0);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
        assert_eq!(reader.metadata().file_metadata().created_by(), Some("mainstay"));
        assert!(reader.metadata().row_group(0).column(0).statistics().is_some());
        let schema = reader.schema().clone();
        let read: Vec<_> = reader
            .build()
            .expect("a reader")
            .collect::<Result<_, _>>()
            .expect("rows");
        let expected = coerced.slice(i * 10, 10);
        let indices: Vec<usize> = (0..7).filter(|c| *c != 2).collect();
        assert_eq!(
            concat_batches(&schema, &read).expect("one").columns(),
            expected.project(&indices).expect("columns").columns()
        );
    }
}

#[tokio::test]
async fn large_files_go_up_in_parts_and_memory_stays_in_its_limit() {
    let (_dir, store) = folder();
    let batch = flights(40, 50);
    let stage = Stage::new(&store, "t", "r1-1", &schema_of(&batch), &by_day()).expect("a stage");
    let mut writer = stage.table().with_memory_limit(200_000);
    for i in 0..20 {
        writer.write(&batch.slice(i * 100, 100)).await.expect("rows");
        writer.write(&batch.slice(0, 100)).await.expect("rows");
    }
    let slices = writer.finish().await.expect("files");
    assert_eq!(slices.len(), 40);
    let rows: u64 = slices.values().flatten().map(|f| f.rows.0).sum();
    assert_eq!(rows, 4000);
    let files: Vec<_> = slices.into_values().flatten().collect();
    stage.persist(&files).await.expect("a sync");
}

#[tokio::test]
async fn a_slice_takes_its_own_rows_only() {
    let (_dir, store) = folder();
    let batch = flights(2, 5);
    let stage = Stage::new(&store, "t", "r1-1", &schema_of(&batch), &by_day()).expect("a stage");
    let mut writer = stage.slice(&SliceKey::of("2013-01-01")).expect("a slice");
    writer.write(&batch.slice(0, 5)).await.expect("its rows");
    writer
        .write(&batch.slice(0, 3).project(&[0, 1, 3, 4, 5, 6]).expect("columns"))
        .await
        .expect("without the slice column");
    let e = writer.write(&batch).await.expect_err("another day");
    assert!(
        matches!(&e, Error::WrongSlice { slice, column } if slice == "2013-01-01" && column == "day"),
        "{e}"
    );
    assert_eq!(e.kind(), Kind::Input);
    let files = writer.finish().await.expect("files");
    assert_eq!(files[0].rows.0, 8);

    let again = stage.slice(&SliceKey::of("2013-01-01")).expect("a slice");
    assert!(
        again.finish().await.expect("nothing").is_empty(),
        "no rows, no file"
    );
    let mut again = stage.slice(&SliceKey::of("2013-01-01")).expect("a slice");
    again.write(&batch.slice(0, 1)).await.expect("a row");
    assert_eq!(
        again.finish().await.expect("a file")[0].path,
        "r1-1/day=2013-01-01~3.parquet".replace("~3", "~2")
    );
    assert!(stage.slice(&SliceKey::of("yesterday")).is_err());
    assert!(Stage::new(&store, "t", "_run", &schema_of(&batch), &[]).is_err());
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_no_file() {
    let (dir, store) = folder();
    let batch = flights(1, 5);
    let full = store.with_faults("put:r1-1:1:full".parse().expect("a plan"));
    let stage = Stage::new(&full, "t", "r1-1", &schema_of(&batch), &by_day()).expect("a stage");
    let mut writer = stage.table();
    writer.write(&batch).await.expect("rows");
    let e = writer.finish().await.expect_err("no space");
    assert_eq!(e.kind(), Kind::Storage(mainstay_storage::Kind::Full), "{e:?}");
    assert!(!dir.path().join("t/r1-1/day=2013-01-01.parquet").exists());
}

#[tokio::test]
async fn what_nobody_refers_to_is_found_and_removed() {
    let (dir, store) = folder();
    let batch = flights(2, 5);
    let kept = staged(&store, "air/flights", "r1-1", &batch).await;
    staged(&store, "air/flights", "r2-1", &batch).await;
    std::fs::create_dir_all(dir.path().join("air/flights/_delta_log")).expect("a folder");
    std::fs::create_dir_all(dir.path().join("air/flights/r3-1")).expect("a folder");
    std::fs::write(dir.path().join("air/flights/r3-1/all.parquet#1"), "half").expect("a file");
    let referenced: BTreeSet<String> = kept.iter().map(|(_, f)| f.path.clone()).collect();
    let found = cleanup::leavings(&store, "air/flights", &referenced)
        .await
        .expect("a list");
    assert_eq!(found, ["r2-1", "r3-1"]);
    for attempt in found {
        cleanup::remove_attempt(&store, "air/flights", &attempt)
            .await
            .expect("removed");
    }
    assert!(
        cleanup::leavings(&store, "air/flights", &referenced)
            .await
            .expect("a list")
            .is_empty()
    );
    assert!(
        cleanup::remove_attempt(&store, "air/flights", "_delta_log")
            .await
            .is_err()
    );
    assert!(!dir.path().join("air/flights/r3-1").exists());
    assert!(
        cleanup::leavings(&store, "no/table", &referenced)
            .await
            .expect("a list")
            .is_empty()
    );
}
