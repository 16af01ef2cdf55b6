//! Appending and reading.

use mainstay_base::{Hash, Timestamp};
use mainstay_journal::{Draft, Filter, Kind};

use crate::place::{draft, everywhere, fill, read, write};

#[test]
fn what_is_appended_is_read() {
    everywhere(|place| {
        let mut journal = write(place);
        let digest = Hash::of(b"state");
        let receipt = journal
            .append((1..=3).map(draft).collect(), Some(digest))
            .expect("a receipt");
        assert_eq!((receipt.first_seq, receipt.last_seq, receipt.frame), (1, 3, 1));
        fill(&mut journal, &[1, 300]);
        let head = journal.head();
        assert_eq!((head.last_seq, head.frame, head.epoch), (304, 3, 1));
        let records = journal.read(1, 1000).expect("records");
        assert_eq!(records.len(), 304);
        for (n, record) in (1..).zip(records) {
            let expected = draft(n);
            assert_eq!((record.seq, record.erases), (n, None));
            assert_eq!(
                (record.time, record.account, record.actor),
                (expected.time, expected.account, expected.actor)
            );
            assert_eq!((record.request, record.kind), (expected.request, expected.kind));
            assert_eq!(
                (record.kind_version, record.ignorable),
                (expected.kind_version, expected.ignorable)
            );
            assert_eq!(
                (record.subject, record.reason),
                (expected.subject, expected.reason)
            );
            assert_eq!((record.cause, record.body), (expected.cause, Some(expected.body)));
        }
        assert_eq!(journal.read(300, 2).expect("records").len(), 2);
        assert_eq!(journal.read(305, 2).expect("records"), []);
        assert_eq!(journal.record(305).expect_err("none").kind(), Kind::Missing);
        let frames = journal.frames(1, 10).expect("frames");
        assert_eq!(
            frames.iter().map(|f| (f.first_seq, f.count)).collect::<Vec<_>>(),
            [(1, 3), (4, 1), (5, 300)]
        );
        assert_eq!(
            (frames[0].state_digest, frames[1].state_digest),
            (Some(digest), None)
        );
        assert_eq!(frames[2].root, journal.root());
        assert!(journal.holds(&receipt).expect("an answer"));
        drop(journal);
        assert!(
            !write(place)
                .holds(&mainstay_journal::Receipt { frame: 9, ..receipt })
                .expect("an answer")
        );
    });
}

#[test]
fn records_are_found_by_what_they_are_about() {
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[1000, 1500]);
        let find = |filter: Filter| -> Vec<u64> {
            journal
                .records(1, filter)
                .map(|r| r.map(|r| r.body.map(|_| r.seq).expect("a body")))
                .collect::<Result<_, _>>()
                .expect("records")
        };
        let numbers = |fits: &dyn Fn(u64) -> bool| -> Vec<u64> { (1..=2500).filter(|n| fits(*n)).collect() };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(find(Filter::default()).len(), 2500);
        assert_eq!(
            find(Filter {
                kind: some("published"),
                ..Filter::default()
            }),
            numbers(&|n| n % 5 == 0)
        );
        assert_eq!(
            find(Filter {
                actor: some("ada"),
                ..Filter::default()
            }),
            numbers(&|n| n % 2 == 0)
        );
        assert_eq!(
            find(Filter {
                account: some("other"),
                ..Filter::default()
            }),
            [0; 0]
        );
        let since = Some(Timestamp::from_micros(2400 * 1_000_000));
        let subject = some("air.flights@3");
        assert_eq!(
            find(Filter {
                subject,
                since,
                ..Filter::default()
            }),
            numbers(&|n| n % 10 == 3 && n >= 2400)
        );
        assert_eq!(journal.records(2001, Filter::default()).count(), 500);
    });
}

#[test]
fn readers_follow() {
    everywhere(|place| {
        let mut writer = write(place);
        fill(&mut writer, &[10]);
        let mut reader = read(place);
        fill(&mut writer, &[400, 1]);
        assert_eq!(reader.read(1, 1000).expect("records").len(), 10);
        assert_eq!(
            reader.refresh().expect("a head").frame_hash,
            writer.head().frame_hash
        );
        assert_eq!(reader.root(), writer.root());
        assert_eq!(reader.read(1, 1000).expect("records").len(), 411);
        assert_eq!(
            reader.append(vec![draft(1)], None).expect_err("a reader").kind(),
            Kind::Invalid
        );
        assert_eq!(
            reader.save_snapshot(1, b"").expect_err("a reader").kind(),
            Kind::Invalid
        );
    });
}

#[test]
fn what_cannot_be_appended_leaves_nothing() {
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[2]);
        let head = journal.head();
        let long = Draft {
            reason: Some("x".repeat(70_000)),
            ..draft(4)
        };
        for drafts in [vec![], vec![draft(3), long]] {
            assert_eq!(
                journal.append(drafts, None).expect_err("refused").kind(),
                Kind::Invalid
            );
        }
        assert_eq!(journal.head(), head);
        fill(&mut journal, &[1]);
    });
}

#[test]
fn an_erased_body_leaves_the_rest_provable() {
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[3]);
        let before = journal.record(2).expect("a record");
        journal.erase(2, draft(4)).expect("a receipt");
        let after = journal.record(2).expect("a record");
        assert_eq!((after.body, after.body_hash), (None, before.body_hash));
        assert_eq!(journal.record(4).expect("a record").erases, Some(2));
        assert_eq!(
            journal.erase(2, draft(5)).expect_err("gone").kind(),
            Kind::Missing
        );
        assert_eq!(
            journal.erase(9, draft(5)).expect_err("none").kind(),
            Kind::Missing
        );
        let found = journal
            .verify(&Default::default(), &mut |_, _| {})
            .expect("a verification");
        assert!(found.ok, "{found:?}");
        assert_eq!((found.facts, found.frames), (4, 2));
    });
}

#[test]
fn an_erased_body_is_in_no_file() {
    let folder = crate::place::Folder::new();
    let mut journal = write(&folder);
    let secret = Draft {
        body: b"a-very-secret-body".to_vec(),
        ..draft(1)
    };
    journal.append(vec![secret], None).expect("a receipt");
    let found = || {
        let files = std::fs::read_dir(folder.0.path()).expect("files");
        let bytes = files.map(|file| std::fs::read(file.expect("a file").path()).expect("bytes"));
        bytes
            .into_iter()
            .any(|bytes| bytes.windows(18).any(|w| w == b"a-very-secret-body"))
    };
    assert!(found());
    journal.erase(1, draft(2)).expect("a receipt");
    assert!(!found());
}

#[test]
fn equal_seeds_give_equal_journals() {
    let mut heads = Vec::new();
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[3, 5]);
        assert_eq!(journal.origin(), write_name());
    });
    for _ in 0..2 {
        let mut journal = write(&crate::place::Memory::default());
        fill(&mut journal, &[3, 5]);
        heads.push(journal.head());
    }
    assert_eq!(heads[0], heads[1]);
}

fn write_name() -> String {
    write(&crate::place::Memory::default()).origin().to_owned()
}
