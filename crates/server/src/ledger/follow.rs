//! The ledger of a standby: it folds what another writes, compares digests, and becomes the writer's ledger when it is its turn.

use std::path::Path;
use std::sync::Arc;

use mainstay_api::{Error, ErrorKind};
use mainstay_base::{Clock, Hash};
use mainstay_journal::{Head, OpenOptions, Store};

use super::Ledger;
use super::digest::{digest, is_comparable};
use crate::error;
use crate::place::Place;

/// Frames read at a time.
const FRAMES: usize = 1024;

/// A state that is not what the writer says it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The frame with the digest.
    pub(crate) frame: u64,
    /// The last record up to it.
    pub(crate) seq: u64,
    ours: Hash,
    theirs: Hash,
}

impl Difference {
    /// Returns it as an error.
    pub(crate) fn error(self) -> Error {
        let message = format!(
            "what the journal folds to here is not what its writer has: after fact {} (frame {})",
            self.seq, self.frame
        );
        let mut error = Error::new(ErrorKind::Damaged, "MS0842", message)
            .help("this standby does not take over: start it again, and look at mainstay journal verify if that does not help");
        error.causes = vec![format!(
            "the digest here is {}, the writer's {}",
            self.ours, self.theirs
        )];
        error
    }
}

impl Ledger {
    /// Opens the journal in a home for following: to read it beside its writer, and perhaps to be the next one.
    pub(crate) fn follow(folder: &Path, place: Place, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::open(folder, place, OpenOptions::read(), clock, false)
    }

    /// Folds what was written since, and compares its newest digest with that of the state here.
    pub(crate) fn catch_up_comparing(&mut self) -> Result<(), Error> {
        let now = self.journal.refresh().map_err(|e| error::journal(&e))?;
        self.fold_comparing(now)
    }

    /// Says whether all that is known to be in the journal is folded.
    pub(crate) fn is_whole(&self) -> bool {
        self.folded == self.journal.head().last_seq
    }

    fn fold_comparing(&mut self, now: Head) -> Result<(), Error> {
        let (mut next, mut newest) = (self.looked + 1, None);
        while next <= now.frame {
            let frames = self
                .journal
                .frames(next, FRAMES)
                .map_err(|e| error::journal(&e))?;
            let Some(last) = frames.last() else {
                break;
            };
            next = last.number + 1;
            let digested = frames.iter().rev().find_map(|frame| {
                let theirs = frame.state_digest.filter(is_comparable)?;
                let seq = frame.last_seq();
                (seq > self.folded).then_some((frame.number, seq, theirs))
            });
            newest = digested.or(newest);
        }
        if let Some((frame, seq, theirs)) = newest {
            self.fold_to(seq)?;
            let ours = digest(self.states()).map_err(|e| error::defect("digest the state", &e))?;
            if ours != theirs {
                let difference = Difference {
                    frame,
                    seq,
                    ours,
                    theirs,
                };
                // The first one says most.
                self.difference.get_or_insert(difference);
            } else {
                self.compared = frame;
            }
        }
        self.catch_up()?;
        self.looked = now.frame;
        Ok(())
    }

    /// Returns where the state here was found not to be the writer's.
    pub(crate) fn difference(&self) -> Option<Difference> {
        self.difference
    }

    /// Returns the newest frame whose digest was that of the state here; 0 if none was compared yet.
    pub(crate) fn compared(&self) -> u64 {
        self.compared
    }

    /// Returns a further way to the journal's store, which nothing was done with yet.
    pub(crate) fn another_store(&self) -> Box<dyn Store> {
        self.place.store()
    }

    /// Notes in the home which journal is its own, and how far it is known.
    pub(crate) fn keep_place(&mut self) -> Result<(), Error> {
        self.place.keep(&self.journal)
    }

    /// Becomes the writer, if nobody else is; false if somebody is.
    pub(crate) fn lead(&mut self) -> Result<bool, Error> {
        let now = match self.journal.lead() {
            Ok(head) => head,
            Err(e) if e.kind() == mainstay_journal::Kind::Locked => return Ok(false),
            Err(e) => return Err(error::journal(&e)),
        };
        self.place.check(&self.journal)?;
        self.fold_comparing(now)?;
        if let Some(difference) = self.difference {
            return Err(difference.error());
        }
        self.place.keep(&self.journal)?;
        self.writes = true;
        Ok(true)
    }
}
