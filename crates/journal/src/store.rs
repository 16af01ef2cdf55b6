//! Where a journal is kept: one trait, its rows, and the suite of tests that every store must pass.
//!
//! A store keeps rows and knows neither what a hash covers nor what a record says. What it must get right: an append is
//! all or nothing and durable when it returns, and it refuses a writer whose epoch is not the newest, inside the same
//! transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainstay_base::Hash;

use crate::error::{Error, Kind};
pub use crate::merkle::Tile;

pub mod conformance;
mod lease;
mod lock;
pub mod memory;
pub mod postgres;
pub mod sqlite;

pub use lease::{Leader, Lease};
pub use lock::Lock;
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

/// A record's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFact {
    /// The record's number.
    pub seq: u64,
    /// The header's bytes.
    pub header: Vec<u8>,
    /// The first eight bytes of the header's leaf hash: they tell which of a frame's records is damaged.
    pub check: [u8; 8],
    /// The body, or what became of it.
    pub body: StoredBody,
}

/// What a record's row has for a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBody {
    /// Salt and body.
    Kept(Vec<u8>),
    /// Erased by the record of that number.
    Erased(u64),
    /// Neither: it was not asked for, or it is damaged.
    Absent,
}

/// A frame's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFrame {
    /// The frame's number.
    pub number: u64,
    /// The frame's bytes.
    pub bytes: Vec<u8>,
    /// The frame's hash.
    pub hash: Hash,
}

/// A checkpoint's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Its number; the first is 1, and there are no gaps.
    pub number: u64,
    /// The signed note.
    pub note: String,
}

/// A snapshot's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The last record that is folded into it.
    pub seq: u64,
    /// The version of the fold that made it.
    pub fold_version: u32,
    /// The frame that ends with that record.
    pub frame: u64,
    /// That frame's hash.
    pub frame_hash: Hash,
    /// The hash over all of the above and the body.
    pub hash: Hash,
    /// The folded state.
    pub body: Vec<u8>,
}

/// The end of a journal, read in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The journal's name; `None` before the first writer gave it one.
    pub origin: Option<String>,
    /// The epoch of the newest writer; 0 before the first.
    pub epoch: u64,
    /// The number of the last record's row; 0 if there is none.
    pub last_seq: u64,
    /// The last frame's row.
    pub last_frame: Option<StoredFrame>,
    /// The last checkpoint's row.
    pub last_checkpoint: Option<StoredCheckpoint>,
}

/// What one append writes, in parts, so that the first rows can be on their way while the last are still being hashed.
pub trait Batch {
    /// Returns the next records in order; none when there are no more.
    ///
    /// # Errors
    /// Whatever kept them from being made; the append then writes nothing and returns it.
    fn chunk(&mut self) -> Result<Chunk, Error>;

    /// Returns the rest, after the last of the records.
    ///
    /// # Errors
    /// As [`Batch::chunk`].
    fn end(&mut self) -> Result<BatchEnd, Error>;
}

/// Records' rows that are to be written, side by side in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    bytes: Vec<u8>,
    rows: Vec<Place>,
}

/// Where in a chunk a row is: the body up to `header`, the header up to `end`, beginning where the row before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    seq: u64,
    check: [u8; 8],
    header: usize,
    end: usize,
}

/// A record's row that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFact<'a> {
    /// The record's number.
    pub seq: u64,
    /// The header's bytes.
    pub header: &'a [u8],
    /// The first eight bytes of the header's leaf hash.
    pub check: [u8; 8],
    /// Salt and body.
    pub body: &'a [u8],
}

impl Chunk {
    /// Makes room for so many rows and bytes.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            rows: Vec::with_capacity(rows),
        }
    }

    /// Adds a row whose body and header `write` appends to the bytes, the body first. It returns where the header begins,
    /// and the check.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn add(
        &mut self,
        seq: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(usize, [u8; 8]), Error>,
    ) -> Result<(), Error> {
        let (header, check) = write(&mut self.bytes)?;
        self.rows.push(Place {
            seq,
            check,
            header,
            end: self.bytes.len(),
        });
        Ok(())
    }

    /// Says whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the rows in order.
    pub fn iter(&self) -> impl Iterator<Item = NewFact<'_>> {
        let mut start = 0;
        self.rows.iter().map(move |place| {
            let from = std::mem::replace(&mut start, place.end);
            let part = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
            let (header, body) = (part(place.header, place.end), part(from, place.header));
            NewFact {
                seq: place.seq,
                header,
                check: place.check,
                body,
            }
        })
    }
}

/// What an append writes besides the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEnd {
    /// The frame around the records.
    pub frame: StoredFrame,
    /// The subtrees that they complete.
    pub tiles: Vec<Tile>,
    /// The record whose body goes, and the one of this batch that says so.
    pub erase: Option<(u64, u64)>,
}

/// Rows of whole frames as another store has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The records.
    pub facts: Vec<StoredFact>,
    /// The frames around them.
    pub frames: Vec<StoredFrame>,
    /// The subtrees that they complete.
    pub tiles: Vec<Tile>,
    /// Records that are there or among these and whose bodies go, each with the one that says so.
    pub erased: Vec<(u64, u64)>,
    /// Checkpoints.
    pub checkpoints: Vec<StoredCheckpoint>,
}

/// Which records' rows are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// The first number.
    pub from: u64,
    /// The last number.
    pub to: u64,
    /// At most so many rows.
    pub rows: usize,
    /// No further row once so many bytes are read; one row always comes.
    pub bytes: usize,
    /// Whether bodies are wanted; without, they are [`StoredBody::Absent`] unless erased.
    pub bodies: bool,
}

/// A place that keeps a journal's rows.
///
/// A store is made without touching anything; [`Store::claim`] or [`Store::attach`] comes first. What is damaged in a row
/// is handed on as it is, for the layer above to find.
pub trait Store: Send + fmt::Debug {
    /// Becomes the only writer: takes the lock, creates what is missing and raises the epoch by one, which is returned.
    /// Waits for the lock up to `wait`.
    ///
    /// # Errors
    /// `Locked` with the holder, `Newer`, `Unavailable`.
    fn claim(&mut self, wait: Option<Duration>) -> Result<u64, Error>;

    /// Becomes a reader, beside any writer.
    ///
    /// # Errors
    /// `Missing` if there is no journal, `Newer`, `Unavailable`.
    fn attach(&mut self) -> Result<(), Error>;

    /// Gives a journal without a name its name.
    ///
    /// # Errors
    /// `Fenced`, `Invalid` if it has one, `Unavailable`.
    fn name(&mut self, epoch: u64, origin: &str) -> Result<(), Error>;

    /// Reads the end of the journal, as of one moment.
    fn state(&self) -> Result<State, Error>;

    /// Writes a batch, all or nothing, and returns when it is durable.
    ///
    /// # Errors
    /// `Fenced` if `epoch` is not the newest, `Unavailable`; nothing is written then, unless the
    /// failure came while committing.
    fn append(&mut self, epoch: u64, batch: &mut dyn Batch) -> Result<(), Error>;

    /// Writes rows of whole frames as they are, all or nothing, and returns when they are durable: for copies.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    fn load(&mut self, epoch: u64, rows: &Rows) -> Result<(), Error>;

    /// Raises the epoch from this writer's to a later one, which is its own from now on: a copy's epochs go on from those of the
    /// original.
    ///
    /// # Errors
    /// `Fenced`, `Invalid` if it would go back, `Unavailable`.
    fn raise(&mut self, epoch: u64, to: u64) -> Result<(), Error>;

    /// Removes the records after `last_seq`, the frames after `last_frame`, and the tiles and snapshots beyond them.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    fn cut(&mut self, epoch: u64, last_seq: u64, last_frame: u64) -> Result<(), Error>;

    /// Returns records' rows in order; fewer than wanted does not mean that there are no more, none does.
    fn facts(&self, want: Want) -> Result<Vec<StoredFact>, Error>;

    /// Returns up to `limit` frames' rows in order, from number `from`.
    fn frames(&self, from: u64, limit: usize) -> Result<Vec<StoredFrame>, Error>;

    /// Returns up to `limit` tiles of a level in order, from number `from`.
    fn tiles(&self, level: u8, from: u64, limit: usize) -> Result<Vec<Tile>, Error>;

    /// Adds a checkpoint, durably.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    fn add_checkpoint(&mut self, epoch: u64, checkpoint: &StoredCheckpoint) -> Result<(), Error>;

    /// Returns up to `limit` checkpoints' rows in order, from number `from`.
    fn checkpoints(&self, from: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, Error>;

    /// Adds a snapshot, in place of one with the same number, and removes all but the `keep` newest.
    ///
    /// # Errors
    /// `Fenced`, `Unavailable`.
    fn add_snapshot(&mut self, epoch: u64, snapshot: &StoredSnapshot, keep: usize) -> Result<(), Error>;

    /// Returns the newest snapshot of a fold version with a number below `below`.
    fn snapshot(&self, fold_version: u32, below: u64) -> Result<Option<StoredSnapshot>, Error>;

    /// Counts rows at numbers that no reader asks for (zero and below), which no writer makes.
    fn strays(&self) -> Result<u64, Error>;

    /// Says who writes; none where only processes of one machine may, which a lock keeps apart.
    fn leader(&self) -> Result<Option<Leader>, Error> {
        Ok(None)
    }

    /// Returns what this writer knows of its turn; none where nobody can take over from a writer that is alive.
    fn lease(&self) -> Option<Arc<Lease>> {
        None
    }
}

/// The error of a writer whose epoch is over.
pub fn fenced(mine: u64, newest: u64) -> Error {
    Error::new(
        Kind::Fenced,
        format!("a newer writer (epoch {newest}) has taken over from this one (epoch {mine})"),
    )
}
