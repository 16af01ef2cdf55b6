//! Records read by one thread and hashed by another.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use mainstay_base::Hash;

use crate::error::{Error, Kind};
use crate::journal::check;
use crate::journal::tail::BYTES;
use crate::merkle::{leaf, sha256};
use crate::record::decode;
use crate::store::{Store, StoredBody, StoredFact, Want};

/// Rows in one batch.
const ROWS: usize = 4096;
/// Batches on their way.
const BATCHES: usize = 2;

/// What the hashes of a record say.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) seq: u64,
    pub(super) leaf: Hash,
    /// Whether the header fits the hash beside it.
    pub(super) header_fits: bool,
    /// Which record's body it erases, if the header can be read.
    pub(super) erases: Result<Option<u64>, Error>,
    pub(super) body: Body,
}

/// What the hash of a body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    Good,
    Bad,
    Erased(u64),
    Absent,
}

/// Hashed records in order.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    store: &'a dyn Store,
    next: u64,
    last: u64,
    rows: SyncSender<Vec<StoredFact>>,
    hashes: Receiver<Vec<Hashed>>,
    on_the_way: usize,
    ready: VecDeque<Hashed>,
}

impl<'a> Stream<'a> {
    /// Begins to read the records from `next` to `last`.
    pub(super) fn new<'scope>(
        store: &'a dyn Store,
        scope: &'scope Scope<'scope, '_>,
        next: u64,
        last: u64,
    ) -> Self {
        let (rows, work) = sync_channel::<Vec<StoredFact>>(BATCHES);
        let (done, hashes) = sync_channel(BATCHES);
        scope.spawn(move || {
            for batch in work {
                if done.send(batch.iter().map(hash).collect()).is_err() {
                    break;
                }
            }
        });
        Self {
            store,
            next,
            last,
            rows,
            hashes,
            on_the_way: 0,
            ready: VecDeque::new(),
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        while self.on_the_way < BATCHES && self.next <= self.last {
            let want = Want {
                from: self.next,
                to: self.last,
                rows: ROWS,
                bytes: BYTES,
                bodies: true,
            };
            let batch = self.store.facts(want)?;
            self.next = batch.last().map_or(u64::MAX, |row| row.seq.saturating_add(1));
            if batch.is_empty() {
                break;
            }
            self.rows.send(batch).map_err(|_| lost())?;
            self.on_the_way += 1;
        }
        if self.on_the_way > 0 {
            self.ready = self.hashes.recv().map_err(|_| lost())?.into();
            self.on_the_way -= 1;
        }
        Ok(())
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Hashed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && let Err(e) = self.fill()
        {
            return Some(Err(e));
        }
        self.ready.pop_front().map(Ok)
    }
}

fn lost() -> Error {
    Error::new(Kind::Unavailable, "the thread that computes hashes has ended")
}

fn hash(fact: &StoredFact) -> Hashed {
    let leaf = leaf(&fact.header);
    let record = decode(&fact.header).and_then(|record| {
        let fits = record.seq == fact.seq;
        if fits {
            Ok(record)
        } else {
            Err(Error::damaged(format!(
                "record {} stands at {}",
                record.seq, fact.seq
            )))
        }
    });
    let body = match (&fact.body, &record) {
        (StoredBody::Kept(body), Ok(record)) if sha256(&[body]) == record.body_hash => Body::Good,
        (StoredBody::Kept(_), _) => Body::Bad,
        (StoredBody::Erased(by), _) => Body::Erased(*by),
        (StoredBody::Absent, _) => Body::Absent,
    };
    let erases = record.map(|record| record.erases);
    Hashed {
        seq: fact.seq,
        leaf,
        header_fits: check(&leaf) == fact.check,
        erases,
        body,
    }
}
