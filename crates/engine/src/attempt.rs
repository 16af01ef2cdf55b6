//! One attempt: threads of its own while it lasts.
//!
//! Owns that everything an attempt started has stopped when it returns (or is given up on after a moment), how it is cancelled
//! and limited in time, and that its processor time is the sum over its threads while they were its own. Knows nothing of queries.

use std::future::Future;
use std::time::{Duration, Instant};

use datafusion::error::{DataFusionError, Result as Outcome};
use mainstay_base::CpuTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cancel::CancelToken;
use crate::cpu::thread_nanos;
use crate::error::{Error, Kind};
use crate::threads::{Idle, Threads};

/// How long threads have to notice that their attempt was stopped. They notice between two batches.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// Longer than any attempt takes, and short enough to be added to a time.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What the waiting thread hears.
#[derive(Debug)]
pub(crate) enum Event<I> {
    /// Some time has passed.
    Tick,
    /// The work sent something.
    Item(I),
}

/// What happens next while work goes on.
enum Next<T, I> {
    Hear(Event<I>),
    End(Result<T, Error>),
}

/// An attempt and its threads.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    idle: &'a Idle,
    threads: Threads,
    started: Instant,
    /// The clock of the thread that waits for the attempt, when it began to.
    waiting_since: u64,
    limit: Option<Duration>,
}

impl<'a> Attempt<'a> {
    /// Begins with `threads` threads, of those that are idle or new ones.
    ///
    /// # Errors
    ///
    /// [`Kind::Resources`] if the system gives no threads.
    pub(crate) fn start(idle: &'a Idle, threads: usize, limit: Option<Duration>) -> Result<Self, Error> {
        let no_threads = |e: std::io::Error| {
            Error::new(
                Kind::Resources,
                "MS0315",
                format!("no threads could be started: {e}"),
            )
            .transient(true)
        };
        Ok(Self {
            idle,
            threads: idle.take(threads.max(1)).map_err(no_threads)?,
            started: Instant::now(),
            waiting_since: thread_nanos(),
            limit,
        })
    }

    /// Carries out `work` until it is done, cancelled or out of time. Meanwhile `on` hears on this thread what the work sends,
    /// and that time passes.
    ///
    /// # Errors
    ///
    /// Those of the work and of `on`; [`Kind::Cancelled`]; [`Kind::TimeLimit`]; [`Kind::Bug`] if the work panicked.
    pub(crate) fn carry_out<T, I, F>(
        &self,
        work: F,
        mut sent: mpsc::Receiver<I>,
        cancel: &CancelToken,
        mut on: impl FnMut(Event<I>) -> Result<(), Error>,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        // Nothing of `on` happens inside the runtime: it may wait for things of its own.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, self.threads.runtime.handle());
        let limit = self.limit.unwrap_or(NO_LIMIT).min(NO_LIMIT);
        let late = self.started + limit;
        loop {
            let next = self.threads.waiting.block_on(async {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => Next::End(Err(Error::cancelled())),
                    () = tokio::time::sleep_until(late.into()) => Next::End(Err(Error::time_limit(limit))),
                    Some(item) = sent.recv() => Next::Hear(Event::Item(item)),
                    done = tasks.join_next() => Next::End(match done {
                        Some(Ok(result)) => result,
                        _ => Err(Error::bug("a part of it stopped unexpectedly")),
                    }),
                    () = tokio::time::sleep(TICK) => Next::Hear(Event::Tick),
                }
            });
            match next {
                Next::Hear(event) => on(event)?,
                Next::End(result) => {
                    let result = result?;
                    while let Ok(item) = sent.try_recv() {
                        on(Event::Item(item))?;
                    }
                    return Ok(result);
                }
            }
        }
    }

    /// Gives the threads back, or stops them unless it ended `well`; returns their processor time and the time since the start.
    pub(crate) fn end(self, well: bool) -> (CpuTime, Duration) {
        self.threads.cpu.add_thread_since(self.waiting_since);
        let cpu = self.idle.give(self.threads, well, PATIENCE);
        (cpu, self.started.elapsed())
    }
}

/// Carries out what has to happen after an attempt has ended, within some seconds; none if it took longer.
pub(crate) fn afterwards<T>(work: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let result = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), work).await.ok() });
    runtime.shutdown_timeout(PATIENCE);
    result
}

/// Tasks that stop when they are dropped.
#[derive(Debug)]
pub(crate) struct Tasks<T>(JoinSet<Outcome<T>>);

impl<T: Send + 'static> Tasks<T> {
    /// No tasks.
    pub(crate) fn new() -> Self {
        Self(JoinSet::new())
    }

    /// Starts a task.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = Outcome<T>> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Says whether all results were taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for the next result; none if all were taken.
    pub(crate) async fn next(&mut self) -> Option<Outcome<T>> {
        let joined = self.0.join_next().await?;
        Some(joined.unwrap_or_else(|e| Err(DataFusionError::ExecutionJoin(Box::new(e)))))
    }
}
