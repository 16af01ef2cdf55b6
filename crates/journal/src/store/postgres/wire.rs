//! From the calling thread to the server and back: steps are carried out by a thread of their own, every wait has an end, and
//! what a lost connection kept from happening is tried again.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::address::Address;
use super::link::{Failure, Link, Step};
use crate::error::{Error, Kind};

/// How long a step may take before the connection counts as lost.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// How long a server that has gone away is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The way to the server.
pub(super) struct Wire {
    address: Arc<Address>,
    writes: bool,
    /// Gone only while this is dropped.
    runtime: Option<Runtime>,
    link: RefCell<Option<Arc<Link>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Connects. A server that is just starting is waited for; one that is not there is not.
    pub(super) fn open(address: &Arc<Address>, writes: bool) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mainstay-journal")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Kind::Unavailable, "no thread can be started").with_source(e))?;
        let wire = Self {
            address: Arc::clone(address),
            writes,
            runtime: Some(runtime),
            link: RefCell::default(),
        };
        let begun = Instant::now();
        loop {
            match wire.link() {
                Ok(_) => return Ok(wire),
                Err(Failure::Lost { starting: true, .. }) if begun.elapsed() < PATIENCE => {
                    std::thread::park_timeout(PAUSE);
                }
                Err(failure) => return Err(wire.told(failure)),
            }
        }
    }

    /// Starts something that goes on beside the steps.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
        self.runtime.as_ref().map(|runtime| runtime.spawn(work))
    }

    /// Carries out a step that changes nothing when it is repeated; again, while the server is away.
    pub(super) fn again<T, W>(
        &self,
        limit: Duration,
        mut step: impl FnMut(Arc<Link>) -> W,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Step<T>> + Send + 'static,
    {
        let mut lost: Option<Instant> = None;
        loop {
            let done = self.link().and_then(|link| self.wait(limit, step(link)));
            let failure = match done {
                Ok(value) => return Ok(value),
                Err(failure @ Failure::Refused(_)) => return Err(self.told(failure)),
                Err(failure) => failure,
            };
            self.link.replace(None);
            if lost.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                return Err(self.told(failure));
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Carries out a step if there is a connection, once, within a time.
    pub(super) fn if_connected<W>(&self, limit: Duration, step: impl FnOnce(Arc<Link>) -> W)
    where
        W: Future<Output = Step<()>> + Send + 'static,
    {
        let link = self.link.borrow().clone();
        if let Some(link) = link {
            // The caller does without it.
            let _ = self.wait(limit, step(link));
        }
    }

    fn link(&self) -> Step<Arc<Link>> {
        if let Some(link) = self.link.borrow().as_ref() {
            return Ok(Arc::clone(link));
        }
        let (address, writes) = (Arc::clone(&self.address), self.writes);
        let link = self.wait(
            ANSWER,
            async move { Link::open(&address, writes).await.map(Arc::new) },
        )?;
        self.link.replace(Some(Arc::clone(&link)));
        Ok(link)
    }

    /// Waits for something that the other thread does. The calling thread may be one that serves others; no wait is longer
    /// than `limit`.
    fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Step<T>> + Send + 'static,
    ) -> Step<T> {
        let gone = || Failure::lost("the thread that speaks with the journal's database has ended");
        let (done, waits) = sync_channel(1);
        let task = self.spawn(async move {
            // Nobody waits any more if the time was over.
            let _ = done.send(work.await);
        });
        let task = task.ok_or_else(gone)?;
        match waits.recv_timeout(limit) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Err(Failure::lost(format!(
                    "the server has not answered for {} seconds",
                    limit.as_secs()
                )))
            }
        }
    }

    /// Says which server it is that failed.
    fn told(&self, failure: Failure) -> Error {
        match failure {
            Failure::Refused(error) => error,
            Failure::Lost { error, .. } => {
                let text = format!("the journal's database {} cannot be reached", self.address);
                Error::new(Kind::Unavailable, text).with_source(error)
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.link.replace(None);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
