//! The store for more than one machine: a schema in a PostgreSQL database.
//!
//! One transaction for each frame, durable when the server confirms it; a row that is locked first says who may write. The
//! lease in it keeps other writers waiting; the epoch in it keeps out those who got past the lease. When a connection is lost
//! the server is waited for, and what was going on is begun again or found to have come about.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::lock::Lock;
use super::{
    Batch, Leader, Lease, State, Store, StoredCheckpoint, StoredFact, StoredFrame, StoredSnapshot, Want,
};
use crate::entropy;
use crate::error::{Error, Kind};
use crate::merkle::Tile;

mod address;
mod append;
mod leader;
mod link;
mod load;
mod rows;
mod schema;
mod tls;
mod wire;

pub use address::Address;
use append::Whole;
use leader::Claim;
use link::Step;
use wire::{ANSWER, Wire};

/// How often a waiting writer looks again.
const PAUSE: Duration = Duration::from_millis(25);
/// How long giving the journal back may take; without it the lease ends by itself.
const RELEASE: Duration = Duration::from_secs(2);

/// Keeps a journal in a PostgreSQL database.
pub struct PostgresStore {
    address: Arc<Address>,
    lock_file: Option<PathBuf>,
    wire: Option<Wire>,
    claim: Option<Claim>,
    heart: Option<JoinHandle<()>>,
    lease: Arc<Lease>,
    lock: Option<Lock>,
}

impl PostgresStore {
    /// Names the place; nothing is connected yet.
    pub fn new(address: Address) -> Self {
        Self {
            address: Arc::new(address),
            lock_file: None,
            wire: None,
            claim: None,
            heart: None,
            lease: Arc::default(),
            lock: None,
        }
    }

    /// Lets its writers on this machine take turns by a file, too, which names the writer's process.
    #[must_use]
    pub fn with_lock(mut self, file: impl Into<PathBuf>) -> Self {
        self.lock_file = Some(file.into());
        self
    }

    fn wire(&self) -> Result<&Wire, Error> {
        self.wire
            .as_ref()
            .ok_or_else(|| Error::invalid("the store has not been opened"))
    }

    /// Answers a question.
    fn ask<T, W>(&self, question: impl FnMut(Arc<link::Link>) -> W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Step<T>> + Send + 'static,
    {
        self.wire()?.again(ANSWER, question)
    }

    /// Returns the claim of a writer of that epoch.
    fn claim_of(&self, epoch: u64) -> Result<Claim, Error> {
        self.claim.filter(|claim| claim.epoch == epoch).ok_or_else(|| {
            Error::new(
                Kind::Fenced,
                format!("this handle is not the writer of epoch {epoch}"),
            )
        })
    }

    /// Becomes the writer, waiting for another one up to `wait`. One whose connection is gone is waited for in any case, until
    /// its lease is over: it may be connecting again.
    fn take(&self, wait: Duration) -> Result<Claim, Error> {
        let mut token = [0; 8];
        entropy::fill(&mut token)?;
        let token = i64::from_le_bytes(token);
        let begun = Instant::now();
        loop {
            match self.ask(move |link| async move { leader::claim(&link, token).await })? {
                Ok(claim) => return Ok(claim),
                Err(holder) if !holder.gone && begun.elapsed() >= wait => {
                    return Err(holder.refusal(&self.address));
                }
                Err(_) => std::thread::park_timeout(PAUSE),
            }
        }
    }

    /// Lets go of what an earlier claim of this handle had.
    fn let_go(&mut self) {
        if let Some(heart) = self.heart.take() {
            heart.abort();
        }
        if let (Some(wire), Some(claim)) = (&self.wire, self.claim.take()) {
            wire.if_connected(
                RELEASE,
                move |link| async move { leader::release(&link, claim).await },
            );
        }
        self.wire = None;
        self.lock = None;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Store for PostgresStore {
    fn claim(&mut self, wait: Option<Duration>) -> Result<u64, Error> {
        self.let_go();
        let (wait, begun) = (wait.unwrap_or_default(), Instant::now());
        self.lock = match &self.lock_file {
            Some(file) => Some(Lock::take(file, wait)?),
            None => None,
        };
        self.wire = Some(Wire::open(&self.address, true)?);
        let address = Arc::clone(&self.address);
        self.ask(move |link| {
            let address = Arc::clone(&address);
            async move { schema::set_up(&link, &address).await }
        })?;
        let claim = self.take(wait.saturating_sub(begun.elapsed()))?;
        self.lease = Arc::default();
        self.heart = leader::keep(self.wire()?, &self.address, claim, Arc::clone(&self.lease));
        self.claim = Some(claim);
        Ok(claim.epoch)
    }

    fn attach(&mut self) -> Result<(), Error> {
        self.let_go();
        self.wire = Some(Wire::open(&self.address, false)?);
        if self.ask(|link| async move { schema::is_there(&link).await })? {
            return Ok(());
        }
        Err(Error::missing(format!("there is no journal in {}", self.address)))
    }

    fn name(&mut self, epoch: u64, origin: &str) -> Result<(), Error> {
        let origin = origin.to_owned();
        self.ask(move |link| {
            let origin = origin.clone();
            async move {
                leader::begin(&link, epoch).await?;
                let named = rows::name(&link, &origin).await;
                link.end(named).await
            }
        })
    }

    fn state(&self) -> Result<State, Error> {
        self.ask(|link| async move { rows::state(&link).await })
    }

    fn append(&mut self, epoch: u64, batch: &mut dyn Batch) -> Result<(), Error> {
        let claim = self.claim_of(epoch)?;
        let whole = Arc::new(Whole::collect(batch)?);
        let append = |link| append::append(link, claim, Arc::clone(&whole));
        self.wire()?.again(whole.limit(), append)?;
        self.claim = Some(Claim {
            end: whole.last(),
            ..claim
        });
        Ok(())
    }

    fn load(&mut self, epoch: u64, rows: &super::Rows) -> Result<(), Error> {
        let claim = self.claim_of(epoch)?;
        let rows = Arc::new(rows.clone());
        let end = self.ask(move |link| {
            let rows = Arc::clone(&rows);
            async move {
                leader::begin(&link, epoch).await?;
                let loaded = load::load(&link, &rows).await;
                link.end(loaded).await
            }
        })?;
        self.claim = Some(Claim { end, ..claim });
        Ok(())
    }

    fn raise(&mut self, epoch: u64, to: u64) -> Result<(), Error> {
        if to < epoch {
            return Err(Error::invalid("an epoch does not go back"));
        }
        let claim = self.claim_of(epoch)?;
        self.ask(move |link| async move {
            leader::begin(&link, epoch).await?;
            let raised = load::raise(&link, epoch, to).await;
            link.end(raised).await
        })?;
        let claim = Claim { epoch: to, ..claim };
        if let Some(heart) = self.heart.take() {
            heart.abort();
        }
        self.heart = leader::keep(self.wire()?, &self.address, claim, Arc::clone(&self.lease));
        self.claim = Some(claim);
        Ok(())
    }

    fn cut(&mut self, epoch: u64, last_seq: u64, last_frame: u64) -> Result<(), Error> {
        let end = self.ask(move |link| async move {
            leader::begin(&link, epoch).await?;
            let cut = rows::cut(&link, last_seq, last_frame).await;
            link.end(cut).await
        })?;
        self.claim = self.claim.map(|claim| Claim { end, ..claim });
        Ok(())
    }

    fn facts(&self, want: Want) -> Result<Vec<StoredFact>, Error> {
        self.ask(move |link| async move { rows::facts(&link, want).await })
    }

    fn frames(&self, from: u64, limit: usize) -> Result<Vec<StoredFrame>, Error> {
        self.ask(move |link| async move { rows::frames(&link, from, limit).await })
    }

    fn tiles(&self, level: u8, from: u64, limit: usize) -> Result<Vec<Tile>, Error> {
        self.ask(move |link| async move { rows::tiles(&link, level, from, limit).await })
    }

    fn add_checkpoint(&mut self, epoch: u64, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        let checkpoint = Arc::new(checkpoint.clone());
        self.ask(move |link| {
            let checkpoint = Arc::clone(&checkpoint);
            async move {
                leader::begin(&link, epoch).await?;
                let added = rows::add_checkpoint(&link, &checkpoint).await;
                link.end(added).await
            }
        })
    }

    fn checkpoints(&self, from: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, Error> {
        self.ask(move |link| async move { rows::checkpoints(&link, from, limit).await })
    }

    fn add_snapshot(&mut self, epoch: u64, snapshot: &StoredSnapshot, keep: usize) -> Result<(), Error> {
        let snapshot = Arc::new(snapshot.clone());
        self.ask(move |link| {
            let snapshot = Arc::clone(&snapshot);
            async move {
                leader::begin(&link, epoch).await?;
                let added = rows::add_snapshot(&link, &snapshot, keep).await;
                link.end(added).await
            }
        })
    }

    fn snapshot(&self, fold_version: u32, below: u64) -> Result<Option<StoredSnapshot>, Error> {
        self.ask(move |link| async move { rows::snapshot(&link, fold_version, below).await })
    }

    fn strays(&self) -> Result<u64, Error> {
        self.ask(|link| async move { rows::strays(&link).await })
    }

    fn leader(&self) -> Result<Option<Leader>, Error> {
        self.ask(|link| async move { leader::look(&link).await.map(Some) })
    }

    fn lease(&self) -> Option<Arc<Lease>> {
        self.claim.map(|_| Arc::clone(&self.lease))
    }
}
