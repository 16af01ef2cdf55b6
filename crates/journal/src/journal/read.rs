//! Reading: records by number and by what they are about, frames, proofs. No record is handed out that is not the one
//! that was appended.

use std::collections::VecDeque;

use mainstay_base::{Hash, Timestamp};

use super::tail::{BYTES, Rows, stored_frame};
use super::{Journal, Receipt, check};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::frame::Frame;
use crate::merkle::{self, leaf};
use crate::proof::Proof;
use crate::record::{Record, decode, with_body};
use crate::store::{StoredBody, StoredFact, Want};

/// Rows read at a time.
const ROWS: usize = 1024;

/// Which records are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of that kind.
    pub kind: Option<String>,
    /// About that subject.
    pub subject: Option<String>,
    /// Of that account.
    pub account: Option<String>,
    /// By that actor.
    pub actor: Option<String>,
    /// Decided then or later.
    pub since: Option<Timestamp>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn fits(&self, record: &Record) -> bool {
        let is = |want: &Option<String>, have: &String| want.as_ref().is_none_or(|want| want == have);
        is(&self.kind, &record.kind)
            && is(&self.subject, &record.subject)
            && is(&self.account, &record.account)
            && is(&self.actor, &record.actor)
            && self.since.is_none_or(|since| record.time >= since)
    }
}

/// Records in order, read in batches.
#[derive(Debug)]
pub struct Records<'a> {
    journal: &'a Journal,
    filter: Filter,
    next: u64,
    end: u64,
    rows: usize,
    ready: VecDeque<StoredFact>,
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next <= self.end {
            let found = self.step();
            if found.is_err() {
                self.next = u64::MAX;
            }
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
        None
    }
}

impl Records<'_> {
    /// Looks at the next record, and returns it if it fits.
    fn step(&mut self) -> Result<Option<Record>, Error> {
        // With a filter, bodies are fetched only for what fits.
        let bodies = self.filter.is_empty();
        if self.ready.is_empty() {
            let want = Want {
                from: self.next,
                to: self.end,
                rows: self.rows,
                bytes: BYTES,
                bodies,
            };
            self.ready = self.journal.store.facts(want)?.into();
        }
        let Some(fact) = self.ready.pop_front().filter(|fact| fact.seq == self.next) else {
            return Err(Error::damaged(format!("record {} is missing", self.next)));
        };
        self.next += 1;
        let record = header(&fact)?;
        if !self.filter.fits(&record) {
            return Ok(None);
        }
        if bodies {
            whole(record, &fact.body).map(Some)
        } else {
            self.journal.record(fact.seq).map(Some)
        }
    }
}

impl Journal {
    /// Returns up to `limit` records from number `from_seq`; fewer only at the journal's end.
    ///
    /// # Errors
    /// `Damaged`, `Unavailable`.
    pub fn read(&self, from_seq: u64, limit: usize) -> Result<Vec<Record>, Error> {
        let records = Records {
            rows: limit.min(ROWS),
            ..self.records(from_seq, Filter::default())
        };
        records.take(limit).collect()
    }

    /// Returns one record.
    ///
    /// # Errors
    /// `Missing` if there is none of that number, `Damaged`, `Unavailable`.
    pub fn record(&self, seq: u64) -> Result<Record, Error> {
        let fact = self.fact(seq)?;
        whole(header(&fact)?, &fact.body)
    }

    /// Returns the records from number `from_seq` to the head that fit, in order. An error ends them.
    pub fn records(&self, from_seq: u64, filter: Filter) -> Records<'_> {
        Records {
            journal: self,
            filter,
            next: from_seq.max(1),
            end: self.head.last_seq,
            rows: ROWS,
            ready: VecDeque::new(),
        }
    }

    /// Returns up to `limit` frames from number `from`.
    ///
    /// # Errors
    /// `Damaged`, `Unavailable`.
    pub fn frames(&self, from: u64, limit: usize) -> Result<Vec<Frame>, Error> {
        let rows = self.store.frames(from.max(1), limit)?;
        rows.iter()
            .filter(|row| row.number <= self.head.frame)
            .map(Frame::decode)
            .collect()
    }

    /// Says whether this journal has the frame that a receipt was given for. If not, acknowledged records are lost.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn holds(&self, receipt: &Receipt) -> Result<bool, Error> {
        let row = self.store.frames(receipt.frame, 1)?;
        Ok(row
            .first()
            .is_some_and(|row| row.number == receipt.frame && row.hash == receipt.frame_hash))
    }

    /// Returns the last checkpoint.
    ///
    /// # Errors
    /// `Forged` if it cannot be read, `Unavailable`.
    pub fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.store
            .state()?
            .last_checkpoint
            .map(|row| Checkpoint::parse(&row.note))
            .transpose()
    }

    /// Proves that a record stands in the journal, under the last checkpoint.
    ///
    /// # Errors
    /// `Missing` if there is no such record or no checkpoint covers it yet, `Damaged`, `Unavailable`.
    pub fn prove(&self, seq: u64) -> Result<Proof, Error> {
        let fact = self.fact(seq)?;
        let checkpoint = self
            .last_checkpoint()?
            .filter(|checkpoint| checkpoint.size >= seq);
        let checkpoint =
            checkpoint.ok_or_else(|| Error::missing(format!("no checkpoint covers record {seq} yet")))?;
        let path = merkle::path(&Rows(self.store.as_ref()), seq - 1, checkpoint.size)?;
        if merkle::climb(leaf(&fact.header), seq - 1, checkpoint.size, &path) != Some(checkpoint.root) {
            return Err(Error::damaged(format!(
                "record {seq} is not under the last checkpoint's root"
            )));
        }
        whole(header(&fact)?, &fact.body)?;
        Ok(Proof::new(seq, &fact.header, &fact.body, &path, &checkpoint))
    }

    /// Proves that the journal of an earlier size is the beginning of the one of a later size: the consistency proof of
    /// RFC 6962, for [`is_beginning`].
    ///
    /// # Errors
    /// `Missing` if there are fewer records, `Damaged`, `Unavailable`.
    pub fn prove_growth(&self, from: u64, to: u64) -> Result<Vec<Hash>, Error> {
        if to > self.head.last_seq || from > to {
            return Err(Error::missing(format!(
                "there are no {from} and {to} records to compare"
            )));
        }
        merkle::growth(&Rows(self.store.as_ref()), from, to)
    }

    /// Returns the frame that has a record.
    pub(crate) fn frame_of(
        store: &dyn crate::store::Store,
        seq: u64,
        last_frame: u64,
    ) -> Result<Frame, Error> {
        let (mut low, mut high) = (1, last_frame);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if Frame::decode(&stored_frame(store, middle)?)?.first_seq <= seq {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Frame::decode(&stored_frame(store, low)?)
    }

    fn fact(&self, seq: u64) -> Result<StoredFact, Error> {
        if seq == 0 || seq > self.head.last_seq {
            return Err(Error::missing(format!("there is no record {seq}")));
        }
        let want = Want {
            from: seq,
            to: seq,
            rows: 1,
            bytes: BYTES,
            bodies: true,
        };
        let gone = || Error::damaged(format!("record {seq} is missing"));
        self.store.facts(want)?.pop().ok_or_else(gone)
    }
}

/// Says whether the first journal is the beginning of the second, from their sizes, roots and a consistency proof.
pub fn is_beginning(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    merkle::grew(old.0, old.1, new.0, new.1, proof)
}

/// Decodes a header after checking it against the hash beside it and its row's number.
fn header(fact: &StoredFact) -> Result<Record, Error> {
    let seq = fact.seq;
    if check(&leaf(&fact.header)) != fact.check {
        return Err(Error::damaged(format!(
            "the header of record {seq} is not the one that was appended"
        )));
    }
    let record = decode(&fact.header)?;
    if record.seq == seq {
        Ok(record)
    } else {
        Err(Error::damaged(format!("record {} stands at {seq}", record.seq)))
    }
}

/// Gives a record its body, unless that was erased.
fn whole(record: Record, body: &StoredBody) -> Result<Record, Error> {
    match body {
        StoredBody::Kept(stored) => with_body(record, stored),
        StoredBody::Erased(_) => Ok(record),
        StoredBody::Absent => Err(Error::damaged(format!(
            "the body of record {} is missing",
            record.seq
        ))),
    }
}
