//! Frames: the links of the chain. One frame is one append, one transaction, one sync.
//!
//! A frame's hash covers its bytes as stored, among them the hash of the frame before, the writer's epoch and the root of
//! the whole tree after it; so the last frame's hash stands for everything before it.

use mainstay_base::{Hash, Timestamp};

use crate::error::{Error, Kind};
use crate::merkle::sha256;
use crate::store::StoredFrame;
use crate::wire::Reader;

const FORMAT: u8 = 1;
const HAS_STATE_DIGEST: u8 = 1;
/// What the hash of every frame begins with.
pub(crate) const DOMAIN: &[u8] = b"mainstay-frame-v1";

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its number; the first is 1, and there are no gaps.
    pub number: u64,
    /// The epoch of the writer that appended it.
    pub epoch: u64,
    /// The number of its first record.
    pub first_seq: u64,
    /// How many records it has, at least one.
    pub count: u32,
    /// The latest time among its records.
    pub time: Timestamp,
    /// The root of the tree over all records up to its last.
    pub root: Hash,
    /// The hash of the frame before; all zero for the first.
    pub previous: Hash,
    /// The digest of the state that the records fold to, where the writer gave one.
    pub state_digest: Option<Hash>,
}

impl Frame {
    /// Returns the number of its last record.
    pub fn last_seq(&self) -> u64 {
        self.first_seq
            .saturating_add(u64::from(self.count))
            .saturating_sub(1)
    }

    pub(crate) fn encode(&self) -> StoredFrame {
        let flags = if self.state_digest.is_some() {
            HAS_STATE_DIGEST
        } else {
            0
        };
        let mut bytes = Vec::with_capacity(144);
        bytes.extend_from_slice(&[FORMAT, flags]);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.first_seq.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.time.as_micros().to_le_bytes());
        bytes.extend_from_slice(self.root.as_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        if let Some(digest) = &self.state_digest {
            bytes.extend_from_slice(digest.as_bytes());
        }
        let hash = sha256(&[DOMAIN, &bytes]);
        StoredFrame {
            number: self.number,
            bytes,
            hash,
        }
    }

    /// Decodes a stored frame after checking its hash and its number.
    pub(crate) fn decode(stored: &StoredFrame) -> Result<Self, Error> {
        let number = stored.number;
        if sha256(&[DOMAIN, &stored.bytes]) != stored.hash {
            return Err(Error::damaged(format!(
                "frame {number} does not have the hash that it was stored with"
            )));
        }
        let mut r = Reader::new(&stored.bytes, "frame");
        let format = r.u8()?;
        if format != FORMAT {
            let text = format!("frame {number} has format {format}; this version reads format {FORMAT}");
            return Err(Error::new(Kind::Newer, text));
        }
        let flags = r.u8()?;
        let frame = Self {
            number: r.u64()?,
            epoch: r.u64()?,
            first_seq: r.u64()?,
            count: r.u32()?,
            time: Timestamp::from_micros(r.i64()?),
            root: r.hash()?,
            previous: r.hash()?,
            state_digest: (flags == HAS_STATE_DIGEST).then(|| r.hash()).transpose()?,
        };
        r.end()?;
        if frame.number != number || flags > HAS_STATE_DIGEST || frame.count == 0 || frame.first_seq == 0 {
            return Err(Error::damaged(format!(
                "frame {number} is not a frame of that number"
            )));
        }
        Ok(frame)
    }
}
