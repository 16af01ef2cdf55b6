//! What is seen of a place, and what is not yet.

use std::fs;

use mainstay_base::{Clock, ManualClock, SystemClock};
use mainstay_ingest::{Arrival, Watch};
use mainstay_model::spec::{Format, SourceSpec};

use crate::desk::spec;

fn source() -> SourceSpec {
    SourceSpec {
        files: "in/*.csv".to_owned(),
        ..spec(Format::Csv)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn complete_files_are_found_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("in")).expect("a folder");
    for name in ["b.csv", "a.csv", ".c.csv", "d.csv.tmp", "e.txt"] {
        fs::write(dir.path().join("in").join(name), "a\n1\n").expect("a file");
    }
    // A pipe would be read for ever.
    let pipe = std::process::Command::new("mkfifo")
        .arg(dir.path().join("in/p.csv"))
        .status();
    assert!(pipe.is_ok_and(|s| s.success()));
    let place = Watch::open(&source(), dir.path()).expect("a place");
    // A minute later, nothing is young, and nobody waits.
    let later = ManualClock::new(SystemClock.now().plus_millis(60_000));
    let found = runtime().block_on(place.observe(&later)).expect("found");
    let names: Vec<&str> = found.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(names, ["in/a.csv", "in/b.csv"]);
    let arrival = runtime()
        .block_on(place.fetch(&found[0], dir.path()))
        .expect("fetched");
    let Arrival::Complete(content) = arrival else {
        panic!("unstable")
    };
    assert_eq!(
        (content.length(), content.hash()),
        (4, mainstay_base::Hash::of(b"a\n1\n"))
    );
}

#[test]
fn a_file_that_grows_is_left_for_the_next_look() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("in")).expect("a folder");
    let (growing, still) = (dir.path().join("in/g.csv"), dir.path().join("in/s.csv"));
    fs::write(&growing, "a\n1\n").expect("a file");
    fs::write(&still, "a\n1\n").expect("a file");
    let place = Watch::open(&source(), dir.path()).expect("a place");
    let found = runtime().block_on(async {
        let write = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            fs::write(&growing, "a\n1\n2\n").expect("more");
        };
        tokio::join!(place.observe(&SystemClock), write).0
    });
    let found = found.expect("found");
    assert_eq!(
        found.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(),
        ["in/s.csv"]
    );
    fs::write(&still, "b\n1\n2\n").expect("changed");
    let arrival = runtime()
        .block_on(place.fetch(&found[0], dir.path()))
        .expect("fetched");
    assert!(matches!(arrival, Arrival::Unstable));
    fs::remove_file(&still).expect("removed");
    let arrival = runtime()
        .block_on(place.fetch(&found[0], dir.path()))
        .expect("fetched");
    assert!(matches!(arrival, Arrival::Unstable));
}

#[test]
fn large_files_are_copied_and_hash_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("in")).expect("a folder");
    let bytes =
        "a,b\n".to_owned() + &"1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(700_000);
    fs::write(dir.path().join("in/l.csv"), &bytes).expect("a file");
    let place = Watch::open(&source(), dir.path()).expect("a place");
    let later = ManualClock::new(SystemClock.now().plus_millis(60_000));
    let found = runtime().block_on(place.observe(&later)).expect("found");
    let Arrival::Complete(content) = runtime()
        .block_on(place.fetch(&found[0], dir.path()))
        .expect("fetched")
    else {
        panic!("unstable")
    };
    assert_eq!(content.hash(), mainstay_base::Hash::of(bytes.as_bytes()));
    let columns = mainstay_ingest::infer(&source(), "in/l.csv", &content).expect("columns");
    assert_eq!(crate::desk::columns(&columns), "a: long, b: string");
}
