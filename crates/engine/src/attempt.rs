//! One attempt's threads: a runtime of its own, which ends with it.
//!
//! Owns that everything an attempt started has stopped when it returns (or is given up on after a moment), how it is cancelled
//! and limited in time, and that its processor time is the sum over its threads. Knows nothing of queries.

use std::future::Future;
use std::time::{Duration, Instant};

use datafusion::error::{DataFusionError, Result as Outcome};
use mainstay_base::CpuTime;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cancel::CancelToken;
use crate::cpu::{CpuMeter, thread_nanos};
use crate::error::{Error, Kind};

/// How long threads have to notice that their attempt was stopped. They notice between two batches.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The stack of each thread: long expressions are planned by recursion. What is not used takes no memory.
const STACK: usize = 64 << 20;

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

/// The threads of one attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    runtime: Runtime,
    /// Where its clock is watched: threads that are busy with one batch for long look at no clock of theirs.
    waiting: Runtime,
    cpu: CpuMeter,
    started: Instant,
    /// The clock of the thread that waits for the attempt, when it began to.
    waiting_since: u64,
    limit: Option<Duration>,
}

impl Attempt {
    /// Starts `threads` threads.
    ///
    /// # Errors
    ///
    /// [`Kind::Resources`] if the system gives no threads.
    pub(crate) fn start(threads: usize, limit: Option<Duration>) -> Result<Self, Error> {
        let cpu = CpuMeter::default();
        let (began, ended) = (cpu.clone(), cpu.clone());
        let no_threads = |e: std::io::Error| {
            Error::new(
                Kind::Resources,
                "MS0315",
                format!("no threads could be started: {e}"),
            )
            .transient(true)
        };
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(no_threads)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            // For reading local files side by side. Each thread has memory of its own that is cleared first, so that many for
            // little work cost more than they gain.
            .max_blocking_threads(threads.max(2).saturating_mul(2))
            .thread_name("engine")
            .thread_stack_size(STACK)
            .thread_keep_alive(Duration::from_secs(60))
            .on_thread_start(move || began.thread_began())
            .on_thread_stop(move || ended.thread_ends())
            .enable_all()
            .build()
            .map_err(no_threads)?;
        Ok(Self {
            runtime,
            waiting,
            cpu,
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
        tasks.spawn_on(work, self.runtime.handle());
        let limit = self.limit.unwrap_or(NO_LIMIT).min(NO_LIMIT);
        let late = self.started + limit;
        loop {
            let next = self.waiting.block_on(async {
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

    /// Stops all threads; returns their processor time and the time since the start.
    pub(crate) fn end(self) -> (CpuTime, Duration) {
        self.runtime.shutdown_timeout(PATIENCE);
        self.cpu.add_thread_since(self.waiting_since);
        (self.cpu.total(), self.started.elapsed())
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
