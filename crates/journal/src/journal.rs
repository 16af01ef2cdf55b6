//! The journal itself: open, append, and where it stands. Reading, snapshots and proofs are in the modules below.
//!
//! Invariants: the head and the tree's edge in memory are those of the last frame in the store; after an append that
//! failed nothing more is written with this handle, because it is not known what the store kept.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use mainstay_base::Hash;

use crate::checkpoint::Checkpoint;
use crate::entropy::Entropy;
use crate::error::{Error, Kind};
use crate::key::{SigningKey, check_name};
use crate::merkle::Edge;
use crate::record::Draft;
use crate::store::{Store, StoredCheckpoint};

mod append;
mod follow;
mod read;
mod snapshot;
pub(crate) mod tail;

pub use read::{Filter, Records, is_beginning};
use tail::Tail;

/// Whether to write or to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Be the only writer; wait so long for another to finish.
    Write {
        /// How long to wait; not at all if `None`.
        wait: Option<Duration>,
    },
    /// Read, beside any writer.
    Read,
}

/// How a journal is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Whether to write or to read.
    pub mode: Mode,
    /// The journal's name: given to a new one (`mainstay/` and a random id if `None`), expected of an old one.
    pub origin: Option<String>,
    /// Where salts and the random id come from.
    pub entropy: Entropy,
}

impl OpenOptions {
    /// Opens for writing without waiting.
    pub fn write() -> Self {
        Self {
            mode: Mode::Write { wait: None },
            origin: None,
            entropy: Entropy::System,
        }
    }

    /// Opens for reading.
    pub fn read() -> Self {
        Self {
            mode: Mode::Read,
            ..Self::write()
        }
    }
}

/// Where a journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record; 0 if there is none.
    pub last_seq: u64,
    /// The number of the last frame; 0 if there is none.
    pub frame: u64,
    /// The last frame's hash; all zero if there is none.
    pub frame_hash: Hash,
    /// The epoch of the writer: this handle's, or for a reader the newest in the store.
    pub epoch: u64,
}

/// What an append was acknowledged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The number of the first record.
    pub first_seq: u64,
    /// The number of the last record.
    pub last_seq: u64,
    /// The frame's number.
    pub frame: u64,
    /// The frame's hash.
    pub frame_hash: Hash,
}

/// What was cut off when the journal was opened for writing: the rest of an append that was never whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The last record that stayed.
    pub last_seq: u64,
    /// The last frame that stayed.
    pub last_frame: u64,
    /// How many records were cut off.
    pub facts: u64,
    /// How many frames were cut off.
    pub frames: u64,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    store: Box<dyn Store>,
    origin: String,
    head: Head,
    edge: Edge,
    entropy: Entropy,
    access: Access,
    repaired: Option<Repair>,
    worker: Option<append::Worker>,
}

/// What this handle may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Write,
    Read,
    Broken(Kind),
}

impl Journal {
    /// Opens a journal; for writing, one that is not there yet is created, and what a power cut left of the last frame is
    /// cut off.
    ///
    /// # Errors
    /// `Locked`, `Missing` (reading), `Damaged`, `Invalid` if it has another origin, `Newer`, `Unavailable`.
    pub fn open(store: impl Store + 'static, options: OpenOptions) -> Result<Self, Error> {
        Self::open_boxed(Box::new(store), options)
    }

    /// Opens a journal whose store is known only at run time.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_boxed(mut store: Box<dyn Store>, options: OpenOptions) -> Result<Self, Error> {
        let OpenOptions {
            mode,
            origin,
            entropy,
        } = options;
        let claimed = match mode {
            Mode::Write { wait } => Some(store.claim(wait)?),
            Mode::Read => store.attach().map(|()| None)?,
        };
        let state = store.state()?;
        let name = match (state.origin.clone(), claimed) {
            (Some(name), _) => name,
            (None, None) => return Err(Error::missing("the journal has not been begun")),
            (None, Some(epoch)) => {
                let name = match &origin {
                    Some(origin) => origin.clone(),
                    None => format!(
                        "mainstay/{}",
                        BASE32_NOPAD.encode(&entropy.name()?).to_ascii_lowercase()
                    ),
                };
                check_name(&name)?;
                store.name(epoch, &name)?;
                name
            }
        };
        if let Some(origin) = origin.filter(|origin| *origin != name) {
            return Err(Error::invalid(format!(
                "this is the journal {name}, not {origin}"
            )));
        }
        let tail = Tail::read(store.as_ref(), &state)?;
        if let (Some(epoch), Some(repair)) = (claimed, &tail.repair) {
            store.cut(epoch, repair.last_seq, repair.last_frame)?;
        }
        let head = tail.head(claimed.unwrap_or(state.epoch));
        let access = if claimed.is_some() {
            Access::Write
        } else {
            Access::Read
        };
        let repaired = tail.repair.filter(|_| claimed.is_some());
        Ok(Self {
            store,
            origin: name,
            head,
            edge: tail.edge,
            entropy,
            access,
            repaired,
            worker: None,
        })
    }

    /// Returns where the journal stands, as far as this handle knows.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Says whether this handle writes: not if it was opened for reading, nor after an append that failed.
    pub fn can_write(&self) -> bool {
        self.access == Access::Write
    }

    /// Returns the journal's name, which its checkpoints and its key bear.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the root of the tree over all records.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Returns what was cut off at opening.
    pub fn repaired(&self) -> Option<&Repair> {
        self.repaired.as_ref()
    }

    /// Lets a reader see what has been appended since; a writer knows already.
    ///
    /// # Errors
    /// `Damaged`, `Unavailable`.
    pub fn refresh(&mut self) -> Result<Head, Error> {
        if self.access == Access::Read {
            let state = self.store.state()?;
            let last = state
                .last_frame
                .as_ref()
                .map(|frame| (frame.number, frame.hash))
                .unwrap_or_default();
            if last != (self.head.frame, self.head.frame_hash) {
                let tail = Tail::read(self.store.as_ref(), &state)?;
                self.head = tail.head(state.epoch);
                self.edge = tail.edge;
            }
        }
        Ok(self.head)
    }

    /// Appends records as one frame, durably: when this returns they are there, all of them.
    ///
    /// # Errors
    /// `Invalid` (nothing to append, something too large, opened for reading), `Fenced`, `Unavailable`. After the last two
    /// this handle writes no more.
    pub fn append(&mut self, drafts: Vec<Draft>, state_digest: Option<Hash>) -> Result<Receipt, Error> {
        self.write(drafts, state_digest, None)
    }

    /// Erases the body of a record and appends the record that says so, in one frame. Snapshots and what else was computed
    /// from the body are their owner's business.
    ///
    /// # Errors
    /// As [`Journal::append`], and `Missing` if there is no such record or its body has gone already.
    pub fn erase(&mut self, seq: u64, draft: Draft) -> Result<Receipt, Error> {
        let record = self.record(seq)?;
        if record.body.is_none() {
            return Err(Error::missing(format!(
                "the body of record {seq} has been erased already"
            )));
        }
        self.write(vec![draft], None, Some(seq))
    }

    /// Signs where the journal stands, and keeps the signature. Nothing new is signed if the last checkpoint says the same.
    ///
    /// # Errors
    /// `Invalid` if the key is of another journal, and as [`Journal::append`].
    pub fn checkpoint(&mut self, key: &SigningKey) -> Result<Checkpoint, Error> {
        let epoch = self.writer()?;
        if key.name() != self.origin {
            return Err(Error::invalid(format!(
                "the key is of {}, this journal is {}",
                key.name(),
                self.origin
            )));
        }
        let last = self.store.state()?.last_checkpoint;
        let number = last.as_ref().map_or(0, |row| row.number) + 1;
        let Head {
            last_seq,
            frame,
            frame_hash,
            ..
        } = self.head;
        let checkpoint = Checkpoint::sign(key, last_seq, self.edge.root(), frame, frame_hash);
        // Ed25519 is deterministic: the same statement under the same key is the same note.
        if last.is_none_or(|row| row.note != checkpoint.note()) {
            let row = StoredCheckpoint {
                number,
                note: checkpoint.note().to_owned(),
            };
            let added = self.store.add_checkpoint(epoch, &row);
            self.unless_failed(added)?;
        }
        Ok(checkpoint)
    }

    /// Returns why this handle writes no more, if an append has failed.
    pub fn broken(&self) -> Option<Error> {
        match self.access {
            Access::Broken(_) => self.writer().err(),
            Access::Write | Access::Read => None,
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Returns the epoch if this handle may write.
    fn writer(&self) -> Result<u64, Error> {
        match self.access {
            Access::Write => Ok(self.head.epoch),
            Access::Read => Err(Error::invalid("the journal was opened for reading")),
            Access::Broken(Kind::Fenced) => Err(Error::new(Kind::Fenced, "a newer writer has taken over")),
            Access::Broken(_) => Err(Error::new(
                Kind::Unavailable,
                "an earlier append failed: open the journal again",
            )),
        }
    }

    /// Stops this handle from writing after a failure.
    fn unless_failed<T>(&mut self, written: Result<T, Error>) -> Result<T, Error> {
        written.inspect_err(|e| self.access = Access::Broken(e.kind()))
    }
}

/// Returns the part of a leaf hash that stands beside the header.
pub(crate) fn check(leaf: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *leaf.as_bytes();
    [a, b, c, d, e, f, g, h]
}
