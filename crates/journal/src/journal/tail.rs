//! The end of the journal at opening: which frame is the last whole one, and whether the tree above it is the one it says.
//!
//! An append that was never whole is cut off; that is possible only for the last one, and only beyond the last checkpoint.
//! Everything else that does not fit is damage, and is left as it is.

use mainstay_base::Hash;

use super::{Head, Repair};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::frame::Frame;
use crate::merkle::{Edge, STEP, Tree, leaf};
use crate::store::{State, Store, StoredFrame, Want};

/// Rows read at a time where only headers are wanted.
const ROWS: usize = 4096;
/// Bytes read at a time.
pub(crate) const BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Tail {
    /// The last whole frame.
    pub(super) last_frame: Option<StoredFrame>,
    /// The edge of the tree over the records up to that frame's last.
    pub(super) edge: Edge,
    /// What has to go, or has gone, for the journal to end there.
    pub(super) repair: Option<Repair>,
}

impl Tail {
    /// Where the journal stands with this end.
    pub(super) fn head(&self, epoch: u64) -> Head {
        let (frame, frame_hash) = self
            .last_frame
            .as_ref()
            .map(|frame| (frame.number, frame.hash))
            .unwrap_or_default();
        Head {
            last_seq: self.edge.size(),
            frame,
            frame_hash,
            epoch,
        }
    }

    pub(super) fn read(store: &dyn Store, state: &State) -> Result<Self, Error> {
        let signed = match &state.last_checkpoint {
            Some(row) => {
                Checkpoint::parse(&row.note)
                    .map_err(|_| Error::damaged("the last checkpoint is damaged"))?
                    .size
            }
            None => 0,
        };
        let mut last = state.last_frame.clone();
        let mut frame = last.as_ref().map(Frame::decode).transpose()?;
        let mut torn = 0;
        if let Some(end) = &frame
            && !is_whole(store, end)?
        {
            torn = 1;
            last = match end.number - 1 {
                0 => None,
                number => Some(stored_frame(store, number)?),
            };
            frame = last.as_ref().map(Frame::decode).transpose()?;
            if let Some(before) = &frame
                && !is_whole(store, before)?
            {
                return Err(Error::damaged(format!(
                    "frame {} has lost records",
                    before.number
                )));
            }
        }
        let last_seq = frame.as_ref().map_or(0, Frame::last_seq);
        if last_seq < signed {
            let text = format!("a checkpoint signs {signed} records, and only {last_seq} are whole");
            return Err(Error::damaged(text));
        }
        let edge = Edge::read(&Rows(store), last_seq)?;
        if frame.as_ref().is_some_and(|frame| frame.root != edge.root()) {
            return Err(Error::damaged(
                "the last frame is not over the records that are there",
            ));
        }
        let facts = state.last_seq.saturating_sub(last_seq);
        let last_frame = frame.map_or(0, |frame| frame.number);
        let repair = (torn > 0 || facts > 0).then_some(Repair {
            last_seq,
            last_frame,
            facts,
            frames: torn,
        });
        Ok(Self {
            last_frame: last,
            edge,
            repair,
        })
    }
}

/// Says whether all records of a frame are there.
fn is_whole(store: &dyn Store, frame: &Frame) -> Result<bool, Error> {
    let (mut from, to) = (frame.first_seq, frame.last_seq());
    while from <= to {
        let rows = store.facts(Want {
            from,
            to,
            rows: ROWS,
            bytes: BYTES,
            bodies: false,
        })?;
        for row in &rows {
            if row.seq != from {
                return Ok(false);
            }
            from += 1;
        }
        if rows.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the row of a frame.
pub(crate) fn stored_frame(store: &dyn Store, number: u64) -> Result<StoredFrame, Error> {
    let row = store
        .frames(number, 1)?
        .into_iter()
        .find(|row| row.number == number);
    row.ok_or_else(|| Error::damaged(format!("frame {number} is missing")))
}

/// The hashes that a store has: leaves from the headers, every eighth level above from the tiles.
#[derive(Debug)]
pub(crate) struct Rows<'a>(pub(crate) &'a dyn Store);

impl Tree for Rows<'_> {
    fn row(&self, level: u32, from: u64, count: u64) -> Result<Vec<Hash>, Error> {
        let mut out = Vec::with_capacity(count as usize);
        let gap =
            |number: u64| Error::damaged(format!("hash {number} of level {level} of the tree is missing"));
        while (out.len() as u64) < count {
            let (next, left) = (from + out.len() as u64, count as usize - out.len());
            let before = out.len();
            if level == 0 {
                let want = Want {
                    from: next + 1,
                    to: from + count,
                    rows: left,
                    bytes: BYTES,
                    bodies: false,
                };
                for row in self.0.facts(want)? {
                    if row.seq != from + out.len() as u64 + 1 {
                        return Err(gap(from + out.len() as u64));
                    }
                    out.push(leaf(&row.header));
                }
            } else {
                for tile in self.0.tiles((level / STEP) as u8, next, left)? {
                    if tile.number != from + out.len() as u64 {
                        return Err(gap(from + out.len() as u64));
                    }
                    out.push(tile.hash);
                }
            }
            if out.len() == before {
                return Err(gap(next));
            }
        }
        Ok(out)
    }
}
