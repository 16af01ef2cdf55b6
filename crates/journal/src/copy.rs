//! Copies: stretches of the journal as bytes, kept elsewhere, and a journal built from them again.
//!
//! A stretch has whole frames with their records, byte by byte as they are stored, and the checkpoints about them; nothing in it
//! is computed again. Building takes stretches in their order and stops at a frame; it computes what the tree needs and judges
//! nothing: whoever builds verifies the result. The bytes are described in `docs/formats/backup.md`.

use mainstay_base::{Hash, Timestamp};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Kind};
use crate::frame::Frame;
use crate::journal::tail::BYTES;
use crate::journal::{Journal, check};
use crate::merkle::{Edge, leaf, sha256};
use crate::record::decode;
use crate::store::{Rows, Store, StoredBody, StoredCheckpoint, StoredFact, StoredFrame, Want};
use crate::wire::{Reader, put_bytes};

/// What every stretch begins with.
const MAGIC: &[u8; 24] = b"mainstay-journal-copy-1\n";
/// Rows read at a time.
const ROWS: usize = 1024;

const FRAME: u8 = 1;
const FACT: u8 = 2;
const ERASED: u8 = 3;
const CHECKPOINT: u8 = 4;

/// What a stretch has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of the first frame.
    pub first_frame: u64,
    /// The number of the last frame.
    pub last_frame: u64,
    /// The number of the first record.
    pub first_seq: u64,
    /// The number of the last record.
    pub last_seq: u64,
    /// The number of the last checkpoint in it or before it.
    pub last_checkpoint: u64,
}

/// A stretch of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What it has.
    pub has: Copied,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Journal {
    /// Copies frames from number `from` to the head, but no further one once there are `most` bytes; one frame always comes, and
    /// none if there are no more. Checkpoints after number `checkpoint` go with the frames that they sign.
    ///
    /// # Errors
    /// `Damaged`, `Unavailable`.
    pub fn stretch(&self, from: u64, checkpoint: u64, most: usize) -> Result<Option<Stretch>, Error> {
        let mut bytes = MAGIC.to_vec();
        let mut has = Copied {
            first_frame: from,
            last_checkpoint: checkpoint,
            ..Copied::default()
        };
        let mut next = from.max(1);
        'all: while next <= self.head().frame {
            let rows = self.store().frames(next, ROWS)?;
            if rows.is_empty() {
                return Err(Error::damaged(format!("frame {next} is missing")));
            }
            for row in rows.iter().filter(|row| row.number <= self.head().frame) {
                if row.number != next {
                    return Err(Error::damaged(format!("frame {next} is missing")));
                }
                if bytes.len() >= most && has.last_frame > 0 {
                    break 'all;
                }
                let frame = Frame::decode(row)?;
                bytes.push(FRAME);
                put_bytes(&mut bytes, &row.bytes)?;
                self.copy_facts(&frame, &mut bytes)?;
                if has.last_frame == 0 {
                    (has.first_frame, has.first_seq) = (frame.number, frame.first_seq);
                }
                (has.last_frame, has.last_seq) = (frame.number, frame.last_seq());
                next = row.number + 1;
            }
        }
        if has.last_frame == 0 {
            return Ok(None);
        }
        'checkpoints: loop {
            let rows = self.store().checkpoints(has.last_checkpoint + 1, ROWS)?;
            for row in &rows {
                let is_next = row.number == has.last_checkpoint + 1;
                if !is_next || Checkpoint::parse(&row.note)?.size > has.last_seq {
                    break 'checkpoints;
                }
                bytes.push(CHECKPOINT);
                bytes.extend_from_slice(&row.number.to_le_bytes());
                put_bytes(&mut bytes, row.note.as_bytes())?;
                has.last_checkpoint = row.number;
            }
            if rows.is_empty() {
                break;
            }
        }
        Ok(Some(Stretch { has, bytes }))
    }

    fn copy_facts(&self, frame: &Frame, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut next = frame.first_seq;
        while next <= frame.last_seq() {
            let want = Want {
                from: next,
                to: frame.last_seq(),
                rows: ROWS,
                bytes: BYTES,
                bodies: true,
            };
            let rows = self.store().facts(want)?;
            let missing = |n: u64| Error::damaged(format!("record {n} is missing"));
            if rows.is_empty() {
                return Err(missing(next));
            }
            for row in rows {
                if row.seq != next {
                    return Err(missing(next));
                }
                match &row.body {
                    StoredBody::Kept(body) => {
                        bytes.push(FACT);
                        put_bytes(bytes, &row.header)?;
                        put_bytes(bytes, body)?;
                    }
                    StoredBody::Erased(by) => {
                        bytes.push(ERASED);
                        put_bytes(bytes, &row.header)?;
                        bytes.extend_from_slice(&by.to_le_bytes());
                    }
                    StoredBody::Absent => {
                        return Err(Error::damaged(format!("the body of record {next} is missing")));
                    }
                }
                next += 1;
            }
        }
        Ok(())
    }

    /// Returns the hash of a frame; none if there is no such frame.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn frame_hash(&self, number: u64) -> Result<Option<Hash>, Error> {
        let rows = self.store().frames(number, 1)?;
        let row = rows.first().filter(|row| row.number == number);
        Ok(row.map(|row| row.hash))
    }
}

/// Up to where a journal is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end.
    End,
    /// To the last frame whose records are not after this one.
    Seq(u64),
    /// To the last frame before the first that is later than this.
    Time(Timestamp),
}

impl Until {
    fn has(self, frame: &Frame) -> bool {
        match self {
            Self::End => true,
            Self::Seq(seq) => frame.last_seq() <= seq,
            Self::Time(time) => frame.time <= time,
        }
    }
}

/// A journal that is built from stretches.
#[derive(Debug)]
pub struct Rebuild<S: Store> {
    store: S,
    epoch: u64,
    until: Until,
    edge: Edge,
    last_frame: u64,
    /// The latest time of its frames.
    time: Option<Timestamp>,
    newest_epoch: u64,
    full: bool,
}

impl<S: Store> Rebuild<S> {
    /// Begins in a store that has no journal yet.
    ///
    /// # Errors
    /// `Invalid` if it has one, otherwise as the store says.
    pub fn begin(mut store: S, origin: &str, until: Until) -> Result<Self, Error> {
        crate::key::check_name(origin)?;
        let epoch = store.claim(None)?;
        store.name(epoch, origin)?;
        Ok(Self {
            store,
            epoch,
            until,
            edge: Edge::default(),
            last_frame: 0,
            time: None,
            newest_epoch: epoch,
            full: false,
        })
    }

    /// Adds the next stretch, and says whether more are wanted.
    ///
    /// # Errors
    /// `Damaged` if the bytes are no stretch or not the one that follows, otherwise as the store says.
    pub fn add(&mut self, stretch: &[u8]) -> Result<bool, Error> {
        let Some((magic, rest)) = stretch.split_first_chunk::<24>() else {
            return Err(Error::damaged("a stretch of a journal is cut short"));
        };
        if magic != MAGIC {
            return Err(Error::new(
                Kind::Newer,
                "this is no stretch of a journal, or one of a newer format",
            ));
        }
        let mut r = Reader::new(rest, "stretch of a journal");
        let mut rows = Rows::default();
        while !r.is_empty() {
            match r.u8()? {
                FRAME => self.frame(r.bytes()?, &mut rows)?,
                FACT => {
                    let (header, body) = (r.bytes()?, r.bytes()?);
                    self.fact(header, StoredBody::Kept(body.to_vec()), &mut rows)?;
                }
                ERASED => {
                    let (header, by) = (r.bytes()?, r.u64()?);
                    self.fact(header, StoredBody::Erased(by), &mut rows)?;
                }
                CHECKPOINT => {
                    let (number, note) = (r.u64()?, r.bytes()?);
                    let note = String::from_utf8_lossy(note).into_owned();
                    if Checkpoint::parse(&note)?.size <= self.edge.size() {
                        rows.checkpoints.push(StoredCheckpoint { number, note });
                    }
                }
                tag => {
                    return Err(Error::damaged(format!(
                        "a stretch of a journal has a piece of unknown kind {tag}"
                    )));
                }
            }
        }
        self.store.load(self.epoch, &rows)?;
        Ok(!self.full)
    }

    fn frame(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Error> {
        let number = self.last_frame + 1;
        let stored = StoredFrame {
            number,
            bytes: bytes.to_vec(),
            hash: sha256(&[crate::frame::DOMAIN, bytes]),
        };
        // Frames after the one at which it ends are passed over.
        if self.full {
            return Ok(());
        }
        let frame = Frame::decode(&stored)?;
        if frame.first_seq != self.edge.size() + 1 {
            return Err(Error::damaged(format!(
                "frame {number} begins with record {}, not {}",
                frame.first_seq,
                self.edge.size() + 1
            )));
        }
        if !self.until.has(&frame) {
            self.full = true;
            return Ok(());
        }
        self.last_frame = number;
        self.time = self.time.max(Some(frame.time));
        self.newest_epoch = self.newest_epoch.max(frame.epoch);
        rows.frames.push(stored);
        Ok(())
    }

    fn fact(&mut self, header: &[u8], body: StoredBody, rows: &mut Rows) -> Result<(), Error> {
        if self.full {
            return Ok(());
        }
        let seq = self.edge.size() + 1;
        let hash = leaf(header);
        if let Some(target) = decode(header)?.erases {
            rows.erased.push((target, seq));
        }
        self.edge.push(hash, &mut rows.tiles);
        rows.facts.push(StoredFact {
            seq,
            header: header.to_vec(),
            check: check(&hash),
            body,
        });
        Ok(())
    }

    /// Ends, and returns the number of the last record and the time of the latest frame.
    ///
    /// # Errors
    /// As the store says.
    pub fn end(mut self) -> Result<(u64, Option<Timestamp>), Error> {
        self.store.raise(self.epoch, self.newest_epoch)?;
        Ok((self.edge.size(), self.time))
    }
}
