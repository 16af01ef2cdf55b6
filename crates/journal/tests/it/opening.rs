//! Opening: one writer, epochs, torn tails, snapshots.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_journal::{Journal, Kind, MemoryStore, Mode, OpenOptions, Repair, verify};

use crate::place::{Folder, draft, everywhere, fill, key, read, write};

#[test]
fn a_journal_keeps_its_name() {
    everywhere(|place| {
        let mut journal = write(place);
        let name = journal.origin().to_owned();
        assert!(name.starts_with("mainstay/") && name.len() == 25, "{name}");
        fill(&mut journal, &[1]);
        drop(journal);
        let other = OpenOptions {
            origin: Some("mainstay/other".into()),
            ..OpenOptions::write()
        };
        let refused = Journal::open_boxed(place.store(), other).expect_err("another journal");
        assert_eq!(refused.kind(), Kind::Invalid);
        let same = OpenOptions {
            origin: Some(name.clone()),
            ..OpenOptions::read()
        };
        assert_eq!(
            Journal::open_boxed(place.store(), same)
                .expect("a journal")
                .origin(),
            name
        );
    });
    let named = OpenOptions {
        origin: Some("log.example.org/a".into()),
        ..OpenOptions::write()
    };
    assert_eq!(
        Journal::open(MemoryStore::new(), named)
            .expect("a journal")
            .origin(),
        "log.example.org/a"
    );
    let bad = OpenOptions {
        origin: Some("a b".into()),
        ..OpenOptions::write()
    };
    assert_eq!(
        Journal::open(MemoryStore::new(), bad)
            .expect_err("a bad name")
            .kind(),
        Kind::Invalid
    );
    let nothing = Journal::open(MemoryStore::new(), OpenOptions::read()).expect_err("nothing to read");
    assert_eq!(nothing.kind(), Kind::Missing);
}

#[test]
fn a_fenced_writer_stops() {
    everywhere(|place| {
        let mut old = write(place);
        fill(&mut old, &[2]);
        place.break_lock();
        let mut new = write(place);
        assert_eq!((old.head().epoch, new.head().epoch), (1, 2));
        for _ in 0..2 {
            assert_eq!(
                old.append(vec![draft(3)], None).expect_err("fenced").kind(),
                Kind::Fenced
            );
        }
        let key = key(&old);
        assert_eq!(old.checkpoint(&key).expect_err("fenced").kind(), Kind::Fenced);
        fill(&mut new, &[1]);
        assert_eq!(read(place).read(1, 9).expect("records").len(), 3);
        assert!(
            new.verify(&Default::default(), &mut |_, _| {})
                .expect("a verification")
                .ok
        );
    });
}

/// Not a test of its own: what [`another_process_is_named_and_waited_for`] runs in another process.
#[test]
#[expect(clippy::print_stdout, reason = "the parent process reads it")]
fn hold_the_lock_for_another_test() {
    let Ok(folder) = std::env::var("JOURNAL_TO_HOLD") else {
        return;
    };
    let store = mainstay_journal::SqliteStore::new(folder);
    let mut journal = Journal::open(store, OpenOptions::write()).expect("a journal");
    fill(&mut journal, &[2]);
    println!("\nheld");
    // Holds the lock until the parent closes the pipe or kills it.
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("the end of input");
}

#[test]
fn another_process_is_named_and_waited_for() {
    let folder = Folder::new();
    let start = || {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "--nocapture",
                "opening::hold_the_lock_for_another_test",
            ])
            .env("JOURNAL_TO_HOLD", folder.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        assert!(out.lines().any(|line| line.expect("a line") == "held"));
        child
    };
    let open = |wait| {
        Journal::open(
            folder.sqlite(),
            OpenOptions {
                mode: Mode::Write { wait },
                ..OpenOptions::write()
            },
        )
    };

    let mut child = start();
    let refused = open(Some(Duration::from_millis(20))).expect_err("locked");
    assert_eq!(
        (refused.kind(), refused.holder()),
        (Kind::Locked, Some(child.id()))
    );
    assert!(refused.to_string().contains(&child.id().to_string()));
    assert_eq!(read(&folder).head().last_seq, 2, "readers come in");
    drop(child.stdin.take());
    let journal = open(Some(Duration::from_secs(60))).expect("a journal");
    assert_eq!(journal.head().epoch, 2);
    child.wait().expect("its end");
    drop(journal);

    let mut child = start();
    child.kill().expect("a kill");
    child.wait().expect("its end");
    let journal = open(None).expect("a lock dies with its process");
    assert_eq!((journal.head().last_seq, journal.head().epoch), (4, 4));
    assert_eq!(journal.repaired(), None);
}

#[test]
fn a_torn_tail_is_cut_off() {
    let cases: [(&str, Option<Repair>); 5] = [
        ("SELECT 1", None),
        (
            "INSERT INTO fact (seq, header, leaf, body) VALUES (301, x'00', x'00', x'00'), (302, x'00', x'00', x'00')",
            Some(Repair {
                last_seq: 300,
                last_frame: 3,
                facts: 2,
                frames: 0,
            }),
        ),
        (
            "DELETE FROM fact WHERE seq > 290",
            Some(Repair {
                last_seq: 250,
                last_frame: 2,
                facts: 40,
                frames: 1,
            }),
        ),
        (
            "DELETE FROM fact WHERE seq = 270",
            Some(Repair {
                last_seq: 250,
                last_frame: 2,
                facts: 50,
                frames: 1,
            }),
        ),
        (
            "DELETE FROM frame WHERE number = 3",
            Some(Repair {
                last_seq: 250,
                last_frame: 2,
                facts: 50,
                frames: 0,
            }),
        ),
    ];
    for (sql, expected) in cases {
        let folder = Folder::new();
        let mut journal = write(&folder);
        fill(&mut journal, &[200, 50]);
        let head = journal.head();
        let key = key(&journal);
        journal.checkpoint(&key).expect("a checkpoint");
        fill(&mut journal, &[50]);
        journal.save_snapshot(1, b"state").expect("a snapshot");
        drop(journal);
        folder.sql().execute_batch(sql).expect(sql);

        let reader = read(&folder);
        assert_eq!(
            reader.head().last_seq,
            expected.map_or(300, |repair| repair.last_seq),
            "{sql}"
        );
        assert_eq!(reader.repaired(), None);
        let mut journal = write(&folder);
        assert_eq!(journal.repaired().copied(), expected, "{sql}");
        if let Some(repair) = expected.filter(|repair| repair.last_seq == 250) {
            assert_eq!(
                (journal.head().frame, journal.head().frame_hash),
                (repair.last_frame, head.frame_hash)
            );
            assert_eq!(journal.load_snapshot(1).expect("an answer"), None);
        }
        fill(&mut journal, &[300]);
        let found = journal
            .verify(&Default::default(), &mut |_, _| {})
            .expect("a verification");
        assert!(found.ok, "{sql}: {found:?}");
        drop(journal);
        assert_eq!(write(&folder).repaired(), None);
    }
}

#[test]
fn what_a_checkpoint_covers_is_never_cut_off() {
    for sql in [
        "DELETE FROM fact WHERE seq > 290",
        "DELETE FROM frame WHERE number = 3",
        "DELETE FROM fact",
    ] {
        let folder = Folder::new();
        let mut journal = write(&folder);
        fill(&mut journal, &[200, 50, 50]);
        let key = key(&journal);
        journal.checkpoint(&key).expect("a checkpoint");
        drop(journal);
        folder.sql().execute_batch(sql).expect(sql);
        for options in [OpenOptions::write(), OpenOptions::read()] {
            let refused = Journal::open(folder.sqlite(), options).expect_err("damaged");
            assert_eq!(refused.kind(), Kind::Damaged, "{sql}: {refused}");
        }
        assert!(
            !verify(folder.sqlite(), &Default::default(), &mut |_, _| {})
                .expect("a verification")
                .ok
        );
    }
}

#[test]
fn damage_at_the_end_is_not_a_torn_tail() {
    for sql in [
        "UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE number = 3",
        "UPDATE frame SET hash = zeroblob(32) WHERE number = 3",
        "UPDATE fact SET header = zeroblob(length(header)) WHERE seq = 300",
        "UPDATE tile SET hash = zeroblob(32)",
        "DELETE FROM tile",
        "DELETE FROM fact WHERE seq IN (240, 290)",
    ] {
        let folder = Folder::new();
        fill(&mut write(&folder), &[200, 50, 50]);
        folder.sql().execute_batch(sql).expect(sql);
        let refused = Journal::open(folder.sqlite(), OpenOptions::write()).expect_err(sql);
        assert_eq!(refused.kind(), Kind::Damaged, "{sql}: {refused}");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let folder = Folder::new();
    fill(&mut write(&folder), &[1]);
    folder
        .sql()
        .execute_batch("UPDATE journal SET format = 2")
        .expect("sql");
    for options in [OpenOptions::write(), OpenOptions::read()] {
        assert_eq!(
            Journal::open(folder.sqlite(), options).expect_err("newer").kind(),
            Kind::Newer
        );
    }
}

#[test]
fn a_file_that_is_no_database_is_damaged() {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("journal.db"), "x".repeat(5000)).expect("a file");
    assert_eq!(
        Journal::open(folder.sqlite(), OpenOptions::write())
            .expect_err("damaged")
            .kind(),
        Kind::Damaged
    );
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let changes = [
        "UPDATE snapshot SET body = x'00' WHERE seq = 3",
        "UPDATE snapshot SET hash = zeroblob(32) WHERE seq = 3",
        "UPDATE snapshot SET frame_hash = zeroblob(32) WHERE seq = 3",
        "UPDATE snapshot SET frame = 2 WHERE seq = 3",
        "UPDATE snapshot SET fold_version = 2 WHERE seq = 3",
        "UPDATE snapshot SET seq = 4 WHERE seq = 3",
    ];
    for sql in changes {
        let folder = Folder::new();
        let mut journal = write(&folder);
        assert_eq!(journal.load_snapshot(1).expect("an answer"), None);
        assert_eq!(journal.save_snapshot(1, b"nothing").expect("a number"), 0);
        for n in 1..=3 {
            fill(&mut journal, &[1]);
            journal
                .save_snapshot(1, format!("state {n}").as_bytes())
                .expect("a snapshot");
        }
        fill(&mut journal, &[5]);
        assert_eq!(
            journal.load_snapshot(1).expect("an answer"),
            Some((3, b"state 3".to_vec()))
        );
        assert_eq!(journal.load_snapshot(2).expect("an answer"), None);
        assert_eq!(folder.sql().execute(sql, []).expect(sql), 1);
        assert_eq!(
            journal.load_snapshot(1).expect("an answer"),
            Some((2, b"state 2".to_vec())),
            "{sql}"
        );
        assert_eq!(journal.load_snapshot(2).expect("an answer"), None, "{sql}");
        folder
            .sql()
            .execute_batch("UPDATE snapshot SET body = x'00'")
            .expect("sql");
        assert_eq!(journal.load_snapshot(1).expect("an answer"), None);
    }
}
