//! Compares checkpoints, the stored ones and those kept elsewhere, with the journal as it passes by.

use std::collections::VecDeque;

use mainstay_base::Hash;

use super::{Stop, VerifyOptions, bad, finding};
use crate::checkpoint::Checkpoint;
use crate::frame::Frame;
use crate::key::VerifierKey;
use crate::merkle::Edge;
use crate::store::{State, Store, StoredCheckpoint};

/// Checkpoints read at a time.
const ROWS: usize = 256;

#[derive(Debug)]
pub(super) struct Checkpoints<'a> {
    store: &'a dyn Store,
    origin: String,
    key: Option<&'a VerifierKey>,
    /// Those kept elsewhere, by size.
    kept: VecDeque<Checkpoint>,
    /// The number of the next to be read, and of the last there was at the beginning.
    next: u64,
    last: u64,
    ready: VecDeque<StoredCheckpoint>,
    /// The next one, not compared yet.
    front: Option<Checkpoint>,
    /// Smaller ones are not looked at.
    start: u64,
    /// The size of the last one that was good: what is bad is after it.
    good: u64,
    /// The size of the last one that was read.
    size: u64,
}

impl<'a> Checkpoints<'a> {
    pub(super) fn new(store: &'a dyn Store, state: &State, options: &'a VerifyOptions, start: u64) -> Self {
        let mut kept = options.kept.clone();
        kept.retain(|checkpoint| checkpoint.size >= start);
        kept.sort_by_key(|checkpoint| checkpoint.size);
        Self {
            store,
            origin: state.origin.clone().unwrap_or_default(),
            key: options.key.as_ref(),
            kept: kept.into(),
            next: 1,
            last: state.last_checkpoint.as_ref().map_or(0, |row| row.number),
            ready: VecDeque::new(),
            front: None,
            start,
            good: start,
            size: 0,
        }
    }

    /// Compares those of the present size, and counts them.
    pub(super) fn compare(
        &mut self,
        count: &mut u64,
        edge: &Edge,
        frame: Option<&(Frame, Hash)>,
    ) -> Result<(), Stop> {
        let here = |c: &mut Checkpoint| c.size <= edge.size();
        let (number, hash) = frame
            .map(|(frame, hash)| (frame.number, *hash))
            .unwrap_or_default();
        loop {
            self.read()?;
            let stored = self.front.take_if(here);
            let Some(checkpoint) = stored.or_else(|| self.kept.pop_front_if(here)) else {
                break;
            };
            self.check(&checkpoint)?;
            let same = checkpoint.size == edge.size() && checkpoint.root == edge.root();
            if !same || (checkpoint.frame, checkpoint.frame_hash) != (number, hash) {
                let what = format!(
                    "the first {} records are not those that a checkpoint signs",
                    checkpoint.size
                );
                return bad(self.good + 1, what);
            }
            self.good = checkpoint.size;
            *count += 1;
        }
        Ok(())
    }

    /// Checks that none is over more records than there are.
    pub(super) fn end(mut self, edge: &Edge) -> Result<(), Stop> {
        let mut count = 0;
        if edge.size() == 0 {
            self.compare(&mut count, edge, None)?;
        }
        self.read()?;
        match self.front.take().or_else(|| self.kept.pop_front()) {
            None => Ok(()),
            Some(checkpoint) => {
                let what = format!(
                    "a checkpoint signs {} records, and there are {}",
                    checkpoint.size,
                    edge.size()
                );
                bad(edge.size() + 1, what)
            }
        }
    }

    /// Reads the next stored one, if it has not been read.
    fn read(&mut self) -> Result<(), Stop> {
        while self.front.is_none() && self.next <= self.last {
            if self.ready.is_empty() {
                self.ready = self.store.checkpoints(self.next, ROWS)?.into();
            }
            let Some(row) = self.ready.pop_front().filter(|row| row.number == self.next) else {
                return bad(self.good + 1, format!("checkpoint {} is missing", self.next));
            };
            let checkpoint = Checkpoint::parse(&row.note).map_err(finding(self.good + 1))?;
            if checkpoint.size < self.size {
                return bad(
                    self.good + 1,
                    format!("checkpoint {} signs less than the one before", row.number),
                );
            }
            self.size = checkpoint.size;
            self.next += 1;
            self.front = Some(checkpoint).filter(|checkpoint| checkpoint.size >= self.start);
        }
        Ok(())
    }

    /// Checks whose a checkpoint is.
    fn check(&self, checkpoint: &Checkpoint) -> Result<(), Stop> {
        if checkpoint.origin != self.origin {
            let what = format!(
                "a checkpoint is of {}, and this journal is {}",
                checkpoint.origin, self.origin
            );
            return bad(self.good + 1, what);
        }
        self.key
            .map_or(Ok(()), |key| checkpoint.check(key))
            .map_err(finding(self.good + 1))
    }
}
