//! Snapshots: the state that the records fold to, so that opening does not fold them all again.
//!
//! A snapshot is a shortcut, never a source: it is bound to the frame that it was taken after and covered by a hash of its
//! own, and one that does not fit is passed over for an older one, or for none.

use mainstay_base::Hash;

use super::Journal;
use crate::error::Error;
use crate::frame::Frame;
use crate::merkle::sha256;
use crate::store::StoredSnapshot;

/// How many snapshots are kept.
const KEEP: usize = 3;
/// What the hash of every snapshot begins with.
const DOMAIN: &[u8] = b"mainstay-snapshot-v1";
/// The largest snapshot that is taken.
const MAX_BYTES: usize = 900 << 20;

impl Journal {
    /// Keeps the state that the records up to the head fold to, and returns the head's number. Of an empty journal nothing
    /// is kept.
    ///
    /// # Errors
    /// `Invalid` if it is too large, and as [`Journal::append`].
    pub fn save_snapshot(&mut self, fold_version: u32, body: &[u8]) -> Result<u64, Error> {
        let epoch = self.writer()?;
        let head = self.head;
        if body.len() > MAX_BYTES {
            return Err(Error::invalid(format!(
                "a snapshot has {} bytes; {MAX_BYTES} fit",
                body.len()
            )));
        }
        if head.frame > 0 {
            let (seq, frame, frame_hash) = (head.last_seq, head.frame, head.frame_hash);
            let body = body.to_vec();
            let mut row = StoredSnapshot {
                seq,
                fold_version,
                frame,
                frame_hash,
                hash: Hash::default(),
                body,
            };
            row.hash = hash(&row);
            let added = self.store.add_snapshot(epoch, &row, KEEP);
            self.unless_failed(added)?;
        }
        Ok(head.last_seq)
    }

    /// Returns the newest whole snapshot of a fold version with the number of the last record in it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn load_snapshot(&self, fold_version: u32) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let mut below = self.head.last_seq.saturating_add(1);
        while let Some(row) = self.store.snapshot(fold_version, below)? {
            if self.fits(&row)? {
                return Ok(Some((row.seq, row.body)));
            }
            below = row.seq;
        }
        Ok(None)
    }

    /// Says whether a snapshot is whole and was taken after a frame of this journal.
    fn fits(&self, row: &StoredSnapshot) -> Result<bool, Error> {
        let frame = self.store.frames(row.frame, 1)?.into_iter().next();
        let frame = frame.filter(|frame| frame.number == row.frame && frame.hash == row.frame_hash);
        let ends = frame
            .and_then(|frame| Frame::decode(&frame).ok())
            .is_some_and(|frame| frame.last_seq() == row.seq);
        Ok(ends && hash(row) == row.hash)
    }
}

fn hash(row: &StoredSnapshot) -> Hash {
    sha256(&[
        DOMAIN,
        &row.fold_version.to_le_bytes(),
        &row.seq.to_le_bytes(),
        &row.frame.to_le_bytes(),
        row.frame_hash.as_bytes(),
        &row.body,
    ])
}
