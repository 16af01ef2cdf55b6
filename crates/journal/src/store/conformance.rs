//! What every store must do. A new store is right when [`CASES`] pass on it, each with a fixture of its own.
//!
//! The cases assert; they are made for tests, in whichever crate the store lives.

use std::fmt;
use std::time::Duration;

use mainstay_base::Hash;

use super::{
    Batch, BatchEnd, Chunk, Rows, State, Store, StoredBody, StoredCheckpoint, StoredFact, StoredFrame,
    StoredSnapshot, Tile, Want,
};
use crate::error::{Error, Kind};

/// Makes handles to one place that is empty at first.
pub trait Fixture: fmt::Debug + Sync {
    /// Returns another handle, as another process would have it.
    fn store(&self) -> Box<dyn Store>;
    /// Takes the lock from whoever holds it without telling them, as a machine that was thought dead has it.
    fn break_lock(&self);
}

/// A case: asserts what it is named after, or fails with an error of the store.
pub type Case = fn(&dyn Fixture) -> Result<(), Error>;

/// All cases with their names.
pub const CASES: &[(&str, Case)] = &[
    ("an empty place has no journal", empty_place),
    ("a journal is named once", naming),
    ("the second writer is told who the first is", second_writer),
    ("a waiting writer gets the lock when it is let go", waiting_writer),
    ("an old epoch writes nothing", old_epoch),
    (
        "what is appended is there, after opening again too",
        append_and_read,
    ),
    ("an append is all or nothing", all_or_nothing),
    ("readers see what is appended beside them", readers),
    ("an erased body is gone and says by whom", erasing),
    ("a cut removes what is behind it", cutting),
    ("rows of another store are loaded as they are", loading),
    ("checkpoints come back in order", checkpoints),
    ("the newest snapshots are kept", snapshots),
];

fn empty_place(fixture: &dyn Fixture) -> Result<(), Error> {
    assert_eq!(fixture.store().attach().map_err(|e| e.kind()), Err(Kind::Missing));
    let mut store = fixture.store();
    assert_eq!(store.claim(None)?, 1);
    assert_eq!(
        store.state()?,
        State {
            epoch: 1,
            ..State::default()
        }
    );
    assert_eq!(store.facts(want(1, 9))?, []);
    assert_eq!(store.frames(1, 9)?, []);
    assert_eq!(store.tiles(1, 0, 9)?, []);
    assert_eq!(store.checkpoints(1, 9)?, []);
    assert_eq!(store.snapshot(1, u64::MAX)?, None);
    assert_eq!(store.strays()?, 0);
    Ok(())
}

fn naming(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    store.name(epoch, "mainstay/a")?;
    assert_eq!(store.state()?.origin.as_deref(), Some("mainstay/a"));
    assert_eq!(
        store.name(epoch, "mainstay/b").map_err(|e| e.kind()),
        Err(Kind::Invalid)
    );
    assert_eq!(store.state()?.origin.as_deref(), Some("mainstay/a"));
    Ok(())
}

fn second_writer(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut first = fixture.store();
    assert_eq!(first.claim(None)?, 1);
    for wait in [None, Some(Duration::from_millis(30))] {
        let refused = fixture.store().claim(wait).map_err(|e| (e.kind(), e.holder()));
        assert_eq!(refused, Err((Kind::Locked, Some(std::process::id()))));
    }
    assert_eq!(first.state()?.epoch, 1, "a refused writer raises no epoch");
    drop(first);
    assert_eq!(fixture.store().claim(None)?, 2);
    assert_eq!(fixture.store().claim(None)?, 3);
    Ok(())
}

fn waiting_writer(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut first = fixture.store();
    first.claim(None)?;
    std::thread::scope(|scope| {
        let second = scope.spawn(|| fixture.store().claim(Some(Duration::from_secs(60))));
        drop(first);
        let epoch = second
            .join()
            .map_err(|_| Error::new(Kind::Unavailable, "the waiting thread has ended"))??;
        assert_eq!(epoch, 2);
        Ok(())
    })
}

fn old_epoch(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut old = fixture.store();
    let epoch = old.claim(None)?;
    old.append(epoch, &mut batch(1, 1..=2))?;
    fixture.break_lock();
    let mut new = fixture.store();
    assert_eq!(new.claim(None)?, epoch + 1);
    let before = new.state()?;
    let refused = [
        old.append(epoch, &mut batch(2, 3..=3)),
        old.cut(epoch, 0, 0),
        old.add_checkpoint(
            epoch,
            &StoredCheckpoint {
                number: 1,
                note: "note".into(),
            },
        ),
        old.add_snapshot(epoch, &snapshot(2, 1), 3),
        old.name(epoch, "mainstay/a"),
    ];
    for result in refused {
        assert_eq!(result.map_err(|e| e.kind()), Err(Kind::Fenced));
    }
    assert_eq!(new.state()?, before);
    assert_eq!(new.snapshot(1, u64::MAX)?, None);
    drop(old);
    let third = fixture.store().claim(None).map_err(|e| e.kind());
    assert_eq!(
        third,
        Err(Kind::Locked),
        "a fenced writer's end does not free its successor's lock"
    );
    new.append(epoch + 1, &mut batch(2, 3..=3))
}

fn append_and_read(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut writer = fixture.store();
    let epoch = writer.claim(None)?;
    let batches = [batch(1, 1..=3), batch(2, 4..=4), batch(3, 5..=9)];
    for batch in &batches {
        writer.append(epoch, &mut batch.clone())?;
    }
    let facts: Vec<_> = batches.iter().flat_map(|batch| batch.facts.clone()).collect();
    let bare = |fact: &StoredFact| StoredFact {
        body: StoredBody::Absent,
        ..fact.clone()
    };
    for again in [false, true] {
        let other = fixture.store();
        let store = if again {
            drop(std::mem::replace(&mut writer, other));
            writer.attach()?;
            &writer
        } else {
            &writer
        };
        assert_eq!(store.facts(want(1, u64::MAX))?, facts);
        assert_eq!(store.facts(want(4, 6))?, facts.get(3..6).unwrap_or_default());
        assert_eq!(store.facts(want(7, 6))?, []);
        assert_eq!(
            store.facts(Want {
                rows: 2,
                ..want(3, 9)
            })?,
            facts.get(2..4).unwrap_or_default()
        );
        assert_eq!(
            store.facts(Want {
                bytes: 0,
                ..want(3, 9)
            })?,
            facts.get(2..3).unwrap_or_default()
        );
        let headers = store.facts(Want {
            bodies: false,
            ..want(1, 9)
        })?;
        assert_eq!(headers, facts.iter().map(bare).collect::<Vec<_>>());
        assert_eq!(
            store.frames(2, 9)?,
            batches
                .iter()
                .skip(1)
                .map(|b| b.end.frame.clone())
                .collect::<Vec<_>>()
        );
        assert_eq!(store.frames(1, 1)?.len(), 1);
        assert_eq!(store.tiles(1, 2, 2)?, [tile(1, 2), tile(1, 3)]);
        assert_eq!(store.tiles(2, 0, 9)?, []);
        let state = store.state()?;
        assert_eq!((state.last_seq, state.epoch), (9, 1));
        assert_eq!(
            state.last_frame.as_ref(),
            batches.last().map(|batch| &batch.end.frame)
        );
    }
    Ok(())
}

fn all_or_nothing(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    store.append(epoch, &mut batch(1, 1..=2))?;
    let before = store.state()?;
    let mut repeated = batch(2, 3..=5);
    repeated.facts.push(fact(2));
    let same_frame = batch(1, 3..=4);
    let mut nothing_to_erase = batch(2, 3..=3);
    nothing_to_erase.end.erase = Some((77, 3));
    let mut broken = batch(2, 3..=5);
    broken.fails = true;
    for mut bad in [repeated, same_frame, nothing_to_erase, broken] {
        assert!(store.append(epoch, &mut bad).is_err());
        assert_eq!(store.state()?, before);
        assert_eq!(store.facts(want(1, 9))?, [fact(1), fact(2)]);
        assert_eq!(store.tiles(1, 0, 9)?, batch(1, 1..=2).end.tiles);
    }
    store.append(epoch, &mut batch(2, 3..=5))
}

fn readers(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut writer = fixture.store();
    let epoch = writer.claim(None)?;
    writer.append(epoch, &mut batch(1, 1..=2))?;
    let (mut one, mut two) = (fixture.store(), fixture.store());
    one.attach()?;
    two.attach()?;
    assert_eq!((one.state()?.last_seq, two.state()?.last_seq), (2, 2));
    writer.append(epoch, &mut batch(2, 3..=3))?;
    assert_eq!((one.state()?.last_seq, two.facts(want(1, 9))?.len()), (3, 3));
    assert!(
        one.append(epoch + 1, &mut batch(3, 4..=4)).is_err(),
        "a reader has no epoch"
    );
    Ok(())
}

fn erasing(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    store.append(epoch, &mut batch(1, 1..=3))?;
    let mut eraser = batch(2, 4..=4);
    eraser.end.erase = Some((2, 4));
    store.append(epoch, &mut eraser)?;
    for bodies in [true, false] {
        let rows = store.facts(Want { bodies, ..want(2, 2) })?;
        assert_eq!(
            rows,
            [StoredFact {
                body: StoredBody::Erased(4),
                ..fact(2)
            }]
        );
    }
    assert_eq!(store.facts(want(3, 3))?, [fact(3)]);
    Ok(())
}

fn cutting(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    for (frame, last) in [(1, 256), (2, 512), (3, 600)] {
        let mut batch = batch(frame, (frame - 1) * 256 + 1..=last);
        batch.end.tiles = if last % 256 == 0 {
            vec![tile(1, frame - 1)]
        } else {
            vec![]
        };
        store.append(epoch, &mut batch)?;
        store.add_snapshot(epoch, &snapshot(last, 1), 3)?;
    }
    store.cut(epoch, 511, 1)?;
    let state = store.state()?;
    assert_eq!(
        (state.last_seq, state.last_frame.map(|frame| frame.number)),
        (511, Some(1))
    );
    assert_eq!(store.tiles(1, 0, 9)?, [tile(1, 0)]);
    assert_eq!(store.snapshot(1, u64::MAX)?, Some(snapshot(256, 1)));
    Ok(())
}

fn loading(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    let pairs = batch(1, 1..=3);
    let rows = Rows {
        facts: pairs.facts.clone(),
        frames: vec![pairs.end.frame.clone()],
        tiles: pairs.end.tiles.clone(),
        erased: vec![(2, 3)],
        checkpoints: vec![StoredCheckpoint {
            number: 1,
            note: "note".to_owned(),
        }],
    };
    assert_eq!(
        store.load(epoch + 1, &rows).map_err(|e| e.kind()),
        Err(Kind::Fenced)
    );
    store.load(epoch, &rows)?;
    let erased = StoredFact {
        body: StoredBody::Erased(3),
        ..fact(2)
    };
    assert_eq!(store.facts(want(1, 9))?, [fact(1), erased, fact(3)]);
    assert_eq!(store.frames(1, 9)?, rows.frames);
    assert_eq!(store.tiles(1, 0, 9)?, rows.tiles);
    assert_eq!(store.checkpoints(1, 9)?, rows.checkpoints);
    let before = store.state()?;
    let mut half = Rows {
        facts: vec![fact(4), fact(3)],
        ..Rows::default()
    };
    assert!(store.load(epoch, &half).is_err());
    assert_eq!(store.state()?, before, "all or nothing");
    half.facts.truncate(1);

    assert_eq!(
        store.raise(epoch, epoch - 1).map_err(|e| e.kind()),
        Err(Kind::Invalid)
    );
    store.raise(epoch, epoch + 6)?;
    assert_eq!(store.load(epoch, &half).map_err(|e| e.kind()), Err(Kind::Fenced));
    store.load(epoch + 6, &half)?;
    drop(store);
    assert_eq!(fixture.store().claim(None)?, epoch + 7);
    Ok(())
}

fn checkpoints(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    let row = |number| StoredCheckpoint {
        number,
        note: format!("note {number}\nsecond line\n"),
    };
    for number in 1..=5 {
        store.add_checkpoint(epoch, &row(number))?;
    }
    assert_eq!(store.checkpoints(2, 2)?, [row(2), row(3)]);
    assert_eq!(store.state()?.last_checkpoint, Some(row(5)));
    Ok(())
}

fn snapshots(fixture: &dyn Fixture) -> Result<(), Error> {
    let mut store = fixture.store();
    let epoch = store.claim(None)?;
    for (seq, fold_version) in [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2)] {
        store.add_snapshot(epoch, &snapshot(seq, fold_version), 3)?;
    }
    assert_eq!(store.snapshot(1, u64::MAX)?, Some(snapshot(4, 1)));
    assert_eq!(store.snapshot(2, u64::MAX)?, Some(snapshot(4, 2)));
    assert_eq!(store.snapshot(1, 4)?, Some(snapshot(3, 1)));
    assert_eq!(store.snapshot(1, 3)?, None, "only three are kept");
    assert_eq!(store.snapshot(3, u64::MAX)?, None);
    let again = StoredSnapshot {
        body: b"other".to_vec(),
        ..snapshot(4, 2)
    };
    store.add_snapshot(epoch, &again, 3)?;
    assert_eq!(store.snapshot(2, u64::MAX)?, Some(again));
    Ok(())
}

fn want(from: u64, to: u64) -> Want {
    Want {
        from,
        to,
        rows: 10_000,
        bytes: usize::MAX,
        bodies: true,
    }
}

fn hash(n: u64) -> Hash {
    Hash::of(&n.to_le_bytes())
}

fn fact(seq: u64) -> StoredFact {
    let body = StoredBody::Kept(format!("body {seq}").into_bytes());
    StoredFact {
        seq,
        header: format!("header {seq}").into_bytes(),
        check: (!seq).to_le_bytes(),
        body,
    }
}

fn tile(level: u8, number: u64) -> Tile {
    Tile {
        level,
        number,
        hash: hash(number),
    }
}

/// A batch that hands out its records two at a time.
#[derive(Clone, Debug)]
struct Pairs {
    facts: Vec<StoredFact>,
    end: BatchEnd,
    /// Whether it fails after its records.
    fails: bool,
}

impl Batch for Pairs {
    fn chunk(&mut self) -> Result<Chunk, Error> {
        let mut chunk = Chunk::default();
        for fact in self.facts.drain(..self.facts.len().min(2)) {
            let StoredBody::Kept(body) = fact.body else {
                continue;
            };
            chunk.add(fact.seq, |bytes| {
                bytes.extend_from_slice(&body);
                let at = bytes.len();
                bytes.extend_from_slice(&fact.header);
                Ok((at, fact.check))
            })?;
        }
        Ok(chunk)
    }

    fn end(&mut self) -> Result<BatchEnd, Error> {
        assert!(self.facts.is_empty(), "the end comes last");
        if self.fails {
            Err(Error::new(Kind::Invalid, "a batch that fails"))
        } else {
            Ok(self.end.clone())
        }
    }
}

/// A batch with a tile for each of its records, which no tree would give.
fn batch(number: u64, seqs: std::ops::RangeInclusive<u64>) -> Pairs {
    let tiles = seqs.clone().map(|seq| tile(1, seq)).collect();
    let frame = StoredFrame {
        number,
        bytes: format!("frame {number}").into_bytes(),
        hash: hash(number),
    };
    Pairs {
        facts: seqs.map(fact).collect(),
        end: BatchEnd {
            frame,
            tiles,
            erase: None,
        },
        fails: false,
    }
}

fn snapshot(seq: u64, fold_version: u32) -> StoredSnapshot {
    StoredSnapshot {
        seq,
        fold_version,
        frame: seq,
        frame_hash: hash(seq),
        hash: hash(!seq),
        body: vec![7; 100],
    }
}
