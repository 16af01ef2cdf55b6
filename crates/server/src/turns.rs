//! Who changes what at the same time, within one process.
//!
//! Owns two turns. Whoever delivers, runs, applies or promotes takes the turn of *work*; whoever corrects takes that of
//! *corrections*. So amendments come one after the other, and what goes on besides neither waits for them nor holds them up: each
//! is computed beside the live side, and the journal refuses what rests on something that moved meanwhile. Who corrects may take
//! the turn of work, too, never the other way round, so that nobody waits for each other.
//!
//! Invariant: files that nothing refers to are removed only while nobody else stages any.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_engine::CancelToken;
use mainstay_model::DatasetName;
use tokio::sync::OwnedMutexGuard;

use crate::instance::Instance;

/// How often somebody who waits for a turn looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// A turn: held by the one whose it is.
pub type Turn = Arc<tokio::sync::Mutex<()>>;

/// The turns, and who stages files.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    work: Turn,
    corrections: Turn,
    staging: Mutex<Staging>,
}

/// Who stages files.
#[derive(Debug, Default)]
struct Staging {
    /// How many.
    busy: usize,
    /// By account, datasets whose tables are looked through when nobody does.
    later: BTreeSet<(String, DatasetName)>,
}

/// Held by who changes something beside others.
#[derive(Debug)]
pub struct Busy(Instance);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut staging = self.0.staging();
        staging.busy = staging.busy.saturating_sub(1);
        if staging.busy > 0 {
            return;
        }
        // Held all the while, so that nobody begins to stage.
        for (account, name) in std::mem::take(&mut staging.later) {
            self.0.of_account(account).clean_now(&name);
        }
    }
}

impl Instance {
    /// Returns the turn of those who deliver, run, apply and promote.
    pub fn turn_of_work(&self) -> Turn {
        Arc::clone(&self.turns.work)
    }

    /// Returns the turn of those who correct.
    pub fn turn_of_corrections(&self) -> Turn {
        Arc::clone(&self.turns.corrections)
    }

    /// Says that somebody changes something, perhaps beside others, for as long as what is returned is held.
    pub fn busy(&self) -> Busy {
        self.staging().busy += 1;
        Busy(self.clone())
    }

    /// Waits for the turn of work; none if it is not wanted any more.
    pub(crate) fn take_work(&self, cancel: &CancelToken) -> Option<OwnedMutexGuard<()>> {
        let turn = self.turn_of_work();
        self.runtime.block_on(async {
            let stopped = async {
                while !cancel.is_cancelled() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // It stands in line with the others; one that is free is taken, stopped or not.
            tokio::select! {
                biased;
                turn = turn.lock_owned() => Some(turn),
                () = stopped => None,
            }
        })
    }

    /// Removes what was staged for a dataset and is not published: now, or when nobody else stages anything.
    pub(crate) fn clean(&self, name: &DatasetName) {
        let mut staging = self.staging();
        if staging.busy > 1 {
            staging.later.insert((self.account().to_owned(), name.clone()));
        } else {
            self.clean_now(name);
        }
    }

    fn staging(&self) -> std::sync::MutexGuard<'_, Staging> {
        self.turns.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
