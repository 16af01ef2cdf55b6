//! Who changes what at the same time, within one process.
//!
//! Each account has two turns. Whoever delivers or runs takes the turn of *work* beside others who do; who applies, promotes or
//! vacuums has it alone. Whoever corrects takes that of *corrections*. So amendments come one after the other, and what goes on besides
//! neither waits for them nor holds them up: each is computed beside the live side, and the journal refuses what rests on something that
//! moved meanwhile. Who corrects may take the turn of work, too, never the other way round, so that nobody waits for each other. Of
//! those who run, so many are at it at once for each class that a long line of one does not keep another out; runs themselves wait for
//! places (`run/places.rs`), and files of one source are taken in by one at a time.
//!
//! Invariant: files that nothing refers to are removed only while nobody else stages any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_engine::CancelToken;
use mainstay_model::DatasetName;
use mainstay_model::queue::Class;
use tokio::sync::{
    Mutex as Lock, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit,
    RwLock, Semaphore,
};

use crate::instance::Instance;

/// How often somebody who waits for a turn looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);

/// How many requests of a class and an account are at work at once.
const AT_ONCE: [(Class, usize); 3] = [
    (Class::Interactive, 32),
    (Class::Scheduled, 16),
    (Class::Backfill, 8),
];

/// What somebody does who takes a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Delivers or runs, beside others who do.
    Work(Class),
    /// Changes what others rest on.
    Change,
    /// Corrects.
    Correction,
}

/// The turns of an account.
#[derive(Debug)]
struct OfAccount {
    work: Arc<RwLock<()>>,
    corrections: Arc<Lock<()>>,
    at_once: Vec<(Class, Arc<Semaphore>)>,
    sources: Mutex<BTreeMap<DatasetName, Arc<Lock<()>>>>,
}

impl Default for OfAccount {
    fn default() -> Self {
        let each = AT_ONCE
            .iter()
            .map(|(class, n)| (*class, Arc::new(Semaphore::new(*n))));
        Self {
            work: Arc::default(),
            corrections: Arc::default(),
            at_once: each.collect(),
            sources: Mutex::default(),
        }
    }
}

/// A turn that is held.
#[derive(Debug)]
pub enum Turn {
    /// Beside others.
    Beside(Option<OwnedSemaphorePermit>, OwnedRwLockReadGuard<()>),
    /// Alone.
    Alone(OwnedRwLockWriteGuard<()>),
    /// Of those who correct.
    Correction(OwnedMutexGuard<()>),
}

impl OfAccount {
    async fn take(&self, doing: Doing) -> Turn {
        match doing {
            Doing::Work(class) => {
                let places = self.at_once.iter().find(|(c, _)| *c == class);
                let permit = match places {
                    // They are never closed.
                    Some((_, places)) => Arc::clone(places).acquire_owned().await.ok(),
                    None => None,
                };
                Turn::Beside(permit, Arc::clone(&self.work).read_owned().await)
            }
            Doing::Change => Turn::Alone(Arc::clone(&self.work).write_owned().await),
            Doing::Correction => Turn::Correction(Arc::clone(&self.corrections).lock_owned().await),
        }
    }
}

/// The turns by account, and who stages files.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    accounts: Mutex<BTreeMap<String, Arc<OfAccount>>>,
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
    /// Waits for a turn of an account.
    pub async fn turn(&self, account: &str, doing: Doing) -> Turn {
        self.turns_of(account).take(doing).await
    }

    /// Waits until nobody of any account has a turn.
    pub async fn all_turns_ended(&self) {
        let accounts: Vec<Arc<OfAccount>> = self.accounts_with_turns().values().cloned().collect();
        for account in accounts {
            let _ = account.take(Doing::Correction).await;
            let _ = account.take(Doing::Change).await;
        }
    }

    fn accounts_with_turns(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<OfAccount>>> {
        self.turns.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns_of(&self, account: &str) -> Arc<OfAccount> {
        let mut accounts = self.accounts_with_turns();
        Arc::clone(accounts.entry(account.to_owned()).or_default())
    }

    /// Says that somebody changes something, perhaps beside others, for as long as what is returned is held.
    pub fn busy(&self) -> Busy {
        self.staging().busy += 1;
        Busy(self.clone())
    }

    /// Waits for the turn of work, alone; none if it is not wanted any more.
    pub(crate) fn take_work(&self, cancel: &CancelToken) -> Option<Turn> {
        let turns = self.turns_of(self.account());
        self.unless_stopped(cancel, turns.take(Doing::Change))
    }

    /// Waits until nobody else takes in files of a source; none if it is not wanted any more.
    pub(crate) fn take_source(
        &self,
        name: &DatasetName,
        cancel: &CancelToken,
    ) -> Option<OwnedMutexGuard<()>> {
        let turns = self.turns_of(self.account());
        let source = {
            let mut sources = turns.sources.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sources.entry(name.clone()).or_default())
        };
        self.unless_stopped(cancel, source.lock_owned())
    }

    fn unless_stopped<T>(&self, cancel: &CancelToken, turn: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            let stopped = async {
                while !cancel.is_cancelled() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // It stands in line with the others; one that is free is taken, stopped or not.
            tokio::select! {
                biased;
                turn = turn => Some(turn),
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
