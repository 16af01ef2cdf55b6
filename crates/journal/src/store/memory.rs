//! The store that forgets: rows in memory, shared by its clones, for simulation and tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    Batch, BatchEnd, NewFact, State, Store, StoredBody, StoredCheckpoint, StoredFact, StoredFrame,
    StoredSnapshot, Want,
};
use crate::error::{Error, Kind};
use crate::merkle::Tile;

/// Keeps a journal in memory. A clone is another process's view of the same journal.
#[derive(Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// The epoch that this handle claimed.
    claimed: Option<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    rows: Mutex<Rows>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Rows {
    /// The epoch of the handle that holds the lock.
    holder: Option<u64>,
    epoch: u64,
    origin: Option<String>,
    facts: BTreeMap<u64, StoredFact>,
    frames: BTreeMap<u64, StoredFrame>,
    tiles: BTreeMap<(u8, u64), Tile>,
    checkpoints: BTreeMap<u64, StoredCheckpoint>,
    snapshots: BTreeMap<(u64, u32), StoredSnapshot>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the lock away from whoever holds it, as the death of a machine would.
    pub fn break_lock(&self) {
        self.rows().holder = None;
        self.shared.released.notify_all();
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the rows for a writer of that epoch.
    fn writing(&self, epoch: u64) -> Result<MutexGuard<'_, Rows>, Error> {
        let rows = self.rows();
        if rows.epoch == epoch {
            Ok(rows)
        } else {
            Err(super::fenced(epoch, rows.epoch))
        }
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            claimed: None,
        }
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        let mut rows = self.rows();
        if self.claimed.is_some() && rows.holder == self.claimed {
            rows.holder = None;
            self.shared.released.notify_all();
        }
    }
}

impl Store for MemoryStore {
    fn claim(&mut self, wait: Option<Duration>) -> Result<u64, Error> {
        let wait = wait.unwrap_or_default();
        let waited = self
            .shared
            .released
            .wait_timeout_while(self.rows(), wait, |rows| rows.holder.is_some());
        let (mut rows, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if rows.holder.is_some() {
            let holder = std::process::id();
            return Err(Error::locked(
                format!("process {holder} writes to this journal"),
                Some(holder),
            ));
        }
        rows.epoch += 1;
        rows.holder = Some(rows.epoch);
        let epoch = rows.epoch;
        drop(rows);
        self.claimed = Some(epoch);
        Ok(epoch)
    }

    fn attach(&mut self) -> Result<(), Error> {
        match self.rows().epoch {
            0 => Err(Error::missing("there is no journal here")),
            _ => Ok(()),
        }
    }

    fn name(&mut self, epoch: u64, origin: &str) -> Result<(), Error> {
        let mut rows = self.writing(epoch)?;
        if rows.origin.is_some() {
            return Err(Error::invalid("the journal has a name already"));
        }
        rows.origin = Some(origin.to_owned());
        Ok(())
    }

    fn state(&self) -> Result<State, Error> {
        let rows = self.rows();
        Ok(State {
            origin: rows.origin.clone(),
            epoch: rows.epoch,
            last_seq: rows.facts.keys().next_back().copied().unwrap_or(0),
            last_frame: rows.frames.values().next_back().cloned(),
            last_checkpoint: rows.checkpoints.values().next_back().cloned(),
        })
    }

    fn append(&mut self, epoch: u64, batch: &mut dyn Batch) -> Result<(), Error> {
        drop(self.writing(epoch)?);
        let mut facts = BTreeMap::new();
        let taken = || Error::new(Kind::Unavailable, "a row of that number is there already");
        loop {
            let chunk = batch.chunk()?;
            if chunk.is_empty() {
                break;
            }
            for NewFact {
                seq,
                header,
                check,
                body,
            } in chunk.iter()
            {
                let body = StoredBody::Kept(body.to_vec());
                if facts
                    .insert(
                        seq,
                        StoredFact {
                            seq,
                            header: header.to_vec(),
                            check,
                            body,
                        },
                    )
                    .is_some()
                {
                    return Err(taken());
                }
            }
        }
        let BatchEnd { frame, tiles, erase } = batch.end()?;
        let mut rows = self.writing(epoch)?;
        if facts.keys().any(|seq| rows.facts.contains_key(seq)) || rows.frames.contains_key(&frame.number) {
            return Err(taken());
        }
        if let Some((target, by)) = erase {
            let fact = rows.facts.get_mut(&target);
            fact.ok_or_else(|| Error::missing(format!("there is no record {target}")))?
                .body = StoredBody::Erased(by);
        }
        rows.facts.append(&mut facts);
        rows.frames.insert(frame.number, frame);
        rows.tiles
            .extend(tiles.into_iter().map(|tile| ((tile.level, tile.number), tile)));
        Ok(())
    }

    fn load(&mut self, epoch: u64, new: &super::Rows) -> Result<(), Error> {
        let mut rows = self.writing(epoch)?;
        let taken = new.facts.iter().any(|fact| rows.facts.contains_key(&fact.seq))
            || new
                .frames
                .iter()
                .any(|frame| rows.frames.contains_key(&frame.number))
            || new
                .checkpoints
                .iter()
                .any(|row| rows.checkpoints.contains_key(&row.number));
        if taken {
            return Err(Error::new(
                Kind::Unavailable,
                "a row of that number is there already",
            ));
        }
        rows.facts
            .extend(new.facts.iter().map(|fact| (fact.seq, fact.clone())));
        rows.frames
            .extend(new.frames.iter().map(|frame| (frame.number, frame.clone())));
        rows.tiles
            .extend(new.tiles.iter().map(|tile| ((tile.level, tile.number), *tile)));
        rows.checkpoints
            .extend(new.checkpoints.iter().map(|row| (row.number, row.clone())));
        for (target, by) in &new.erased {
            if let Some(fact) = rows.facts.get_mut(target) {
                fact.body = StoredBody::Erased(*by);
            }
        }
        Ok(())
    }

    fn raise(&mut self, epoch: u64, to: u64) -> Result<(), Error> {
        let mut rows = self.writing(epoch)?;
        if to < epoch {
            return Err(Error::invalid("an epoch does not go back"));
        }
        rows.epoch = to;
        if rows.holder == Some(epoch) {
            rows.holder = Some(to);
        }
        drop(rows);
        self.claimed = Some(to);
        Ok(())
    }

    fn cut(&mut self, epoch: u64, last_seq: u64, last_frame: u64) -> Result<(), Error> {
        let mut rows = self.writing(epoch)?;
        rows.facts.retain(|seq, _| *seq <= last_seq);
        rows.frames.retain(|number, _| *number <= last_frame);
        rows.tiles.retain(|_, tile| tile.end() <= last_seq);
        rows.snapshots.retain(|(seq, _), _| *seq <= last_seq);
        Ok(())
    }

    fn facts(&self, want: Want) -> Result<Vec<StoredFact>, Error> {
        let mut out = Vec::new();
        let mut bytes = 0;
        if want.from > want.to {
            return Ok(out);
        }
        for fact in self
            .rows()
            .facts
            .range(want.from..=want.to)
            .map(|(_, fact)| fact)
            .take(want.rows)
        {
            let body = match &fact.body {
                StoredBody::Kept(_) if !want.bodies => StoredBody::Absent,
                body => body.clone(),
            };
            bytes += fact.header.len()
                + if let StoredBody::Kept(body) = &body {
                    body.len()
                } else {
                    0
                };
            out.push(StoredFact {
                seq: fact.seq,
                header: fact.header.clone(),
                check: fact.check,
                body,
            });
            if bytes >= want.bytes {
                break;
            }
        }
        Ok(out)
    }

    fn frames(&self, from: u64, limit: usize) -> Result<Vec<StoredFrame>, Error> {
        Ok(self
            .rows()
            .frames
            .range(from..)
            .take(limit)
            .map(|(_, frame)| frame.clone())
            .collect())
    }

    fn tiles(&self, level: u8, from: u64, limit: usize) -> Result<Vec<Tile>, Error> {
        let rows = self.rows();
        Ok(rows
            .tiles
            .range((level, from)..=(level, u64::MAX))
            .take(limit)
            .map(|(_, tile)| *tile)
            .collect())
    }

    fn add_checkpoint(&mut self, epoch: u64, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        self.writing(epoch)?
            .checkpoints
            .insert(checkpoint.number, checkpoint.clone());
        Ok(())
    }

    fn checkpoints(&self, from: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, Error> {
        Ok(self
            .rows()
            .checkpoints
            .range(from..)
            .take(limit)
            .map(|(_, row)| row.clone())
            .collect())
    }

    fn add_snapshot(&mut self, epoch: u64, snapshot: &StoredSnapshot, keep: usize) -> Result<(), Error> {
        let mut rows = self.writing(epoch)?;
        rows.snapshots
            .insert((snapshot.seq, snapshot.fold_version), snapshot.clone());
        while rows.snapshots.len() > keep {
            rows.snapshots.pop_first();
        }
        Ok(())
    }

    fn snapshot(&self, fold_version: u32, below: u64) -> Result<Option<StoredSnapshot>, Error> {
        let rows = self.rows();
        let mut older = rows.snapshots.range(..(below, 0)).rev().map(|(_, row)| row);
        Ok(older.find(|row| row.fold_version == fold_version).cloned())
    }

    fn strays(&self) -> Result<u64, Error> {
        let rows = self.rows();
        let zero = [
            rows.facts.contains_key(&0),
            rows.frames.contains_key(&0),
            rows.checkpoints.contains_key(&0),
        ];
        Ok(zero.into_iter().filter(|stray| *stray).count() as u64)
    }
}
