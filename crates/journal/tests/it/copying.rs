//! Stretches of the journal, and journals built from them.

use mainstay_journal::{Filter, Journal, Kind, MemoryStore, OpenOptions, Rebuild, Until, verify};

use crate::place::{draft, everywhere, fill, key, write};

/// A journal of 20 frames with checkpoints and an erased body, in stretches of a few frames.
fn stretches(journal: &mut Journal) -> Vec<Vec<u8>> {
    let key = key(journal);
    for _ in 0..6 {
        fill(journal, &[1, 40, 60]);
        journal.checkpoint(&key).expect("a checkpoint");
    }
    journal.erase(20, draft(607)).expect("a receipt");
    fill(journal, &[2]);
    let mut all = Vec::new();
    let (mut frame, mut checkpoint) = (1, 0);
    while let Some(s) = journal.stretch(frame, checkpoint, 20_000).expect("a stretch") {
        assert_eq!(s.has.first_frame, frame);
        (frame, checkpoint) = (s.has.last_frame + 1, s.has.last_checkpoint);
        all.push(s.bytes);
    }
    assert_eq!((frame, checkpoint), (21, 6));
    assert!(all.len() > 3, "{}", all.len());
    all
}

fn built(stretches: &[Vec<u8>], origin: &str, until: Until) -> MemoryStore {
    let store = MemoryStore::new();
    let mut rebuild = Rebuild::begin(store.clone(), origin, until).expect("a beginning");
    for stretch in stretches {
        if !rebuild.add(stretch).expect("added") {
            break;
        }
    }
    rebuild.end().expect("an end");
    store.break_lock();
    store
}

#[test]
fn a_copy_is_the_journal_and_goes_on_with_it() {
    everywhere(|place| {
        let mut journal = write(place);
        let stretches = stretches(&mut journal);
        let verifier = key(&journal).verifier();
        let options = mainstay_journal::VerifyOptions {
            key: Some(verifier),
            ..Default::default()
        };
        let store = built(&stretches, journal.origin(), Until::End);
        let found = verify(store.clone(), &options, &mut |_, _| {}).expect("a verification");
        assert!(found.ok, "{found:?}");
        assert_eq!((found.facts, found.frames, found.checkpoints), (609, 20, 6));
        let mut copy = Journal::open(store.clone(), OpenOptions::write()).expect("a journal");
        assert_eq!(copy.head().frame_hash, journal.head().frame_hash);
        assert!(copy.head().epoch > journal.head().epoch);
        let all = |j: &Journal| {
            let records = j.records(1, Filter::default());
            records.collect::<Result<Vec<_>, _>>().expect("records")
        };
        assert_eq!(all(&copy), all(&journal));
        fill(&mut copy, &[3]);
        let found = copy.verify(&options, &mut |_, _| {}).expect("a verification");
        assert!(found.ok && found.facts == 612, "{found:?}");
    });
}

#[test]
fn a_copy_ends_at_a_frame_and_verifies_there() {
    everywhere(|place| {
        let mut journal = write(place);
        let stretches = stretches(&mut journal);
        // Frames end with records 1, 41, 101, 102, 142, …
        for (seq, last) in [(1, 1), (100, 41), (101, 101), (150, 142), (606, 606), (608, 607)] {
            let store = built(&stretches, journal.origin(), Until::Seq(seq));
            let found = verify(store.clone(), &Default::default(), &mut |_, _| {}).expect("a verification");
            // The body that record 607 erased is gone from the copies of before, too: it is nowhere any more.
            let erased = (20..607).contains(&last);
            assert_eq!(
                (found.ok, found.facts),
                (!erased, if erased { found.facts } else { last }),
                "{seq}: {found:?}"
            );
            let copy = Journal::open(store, OpenOptions::read()).expect("a journal");
            assert_eq!(copy.head().last_seq, last, "{seq}");
        }
        let frames = journal.frames(1, 9).expect("frames");
        let store = built(&stretches, journal.origin(), Until::Time(frames[4].time));
        let copy = Journal::open(store, OpenOptions::read()).expect("a journal");
        assert!(copy.head().frame >= 5, "{:?}", copy.head());
        let next = journal.frames(copy.head().frame + 1, 1).expect("frames");
        assert!(next.first().is_none_or(|f| f.time > frames[4].time));
    });
}

#[test]
fn a_body_that_is_erased_after_it_was_copied_is_not_brought_back() {
    everywhere(|place| {
        let mut journal = write(place);
        fill(&mut journal, &[3]);
        let before = journal.stretch(1, 0, 1).expect("a stretch").expect("frames");
        journal.erase(2, draft(4)).expect("a receipt");
        let after = journal.stretch(2, 0, 1).expect("a stretch").expect("frames");
        let store = built(&[before.bytes, after.bytes], journal.origin(), Until::End);
        let found = verify(store.clone(), &Default::default(), &mut |_, _| {}).expect("a verification");
        assert!(found.ok, "{found:?}");
        let copy = Journal::open(store, OpenOptions::read()).expect("a journal");
        assert_eq!(copy.record(2).expect("a record").body, None);
    });
}

#[test]
fn what_is_no_stretch_or_not_the_next_is_refused() {
    everywhere(|place| {
        let mut journal = write(place);
        let stretches = stretches(&mut journal);
        let begin = || Rebuild::begin(MemoryStore::new(), journal.origin(), Until::End).expect("a beginning");
        let mut second = begin();
        assert_eq!(
            second.add(&stretches[1]).expect_err("not the first").kind(),
            Kind::Damaged
        );
        assert_eq!(
            begin().add(b"mainstay").expect_err("too short").kind(),
            Kind::Damaged
        );
        let other = [b"x".as_slice(), &stretches[0]].concat();
        assert_eq!(begin().add(&other).expect_err("another").kind(), Kind::Newer);
        let half = &stretches[0][..stretches[0].len() - 5];
        assert_eq!(begin().add(half).expect_err("cut short").kind(), Kind::Damaged);
        // A changed byte of a body is found by verifying.
        let mut changed = stretches.clone();
        let at = changed[0].len() - 2_000;
        let body = changed[0][at..]
            .windows(5)
            .position(|w| w == b"{\"n\":")
            .expect("a body");
        changed[0][at + body + 1] = b'N';
        let store = built(&changed, journal.origin(), Until::End);
        let found = verify(store, &Default::default(), &mut |_, _| {}).expect("a verification");
        assert!(!found.ok, "{found:?}");
    });
}
