//! Threads of attempts, kept for the next one.
//!
//! Starting threads takes longer than a small attempt computes, and the memory in which a new one works has to be cleared by the
//! system first. So threads of an attempt that ended well serve the next. Owns that nothing of the one is left when the next
//! begins, and what of their processor time belongs to which. Knows nothing of limits and queries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mainstay_base::CpuTime;
use tokio::runtime::{Builder, Runtime};

use crate::cpu::{self, CpuMeter};

/// The stack of each thread: long expressions are planned by recursion. What is not used takes no memory.
const STACK: usize = 64 << 20;

/// How many are kept: more attempts side by side than that are rare, and what they start ends with them.
const KEPT: usize = 8;

/// How often it is looked at once whether threads have come to rest, and how often, with a pause each, after that.
const LOOKS: (usize, usize) = (64, 20);

/// The threads of one attempt at a time.
#[derive(Debug)]
pub(crate) struct Threads {
    pub(crate) runtime: Runtime,
    /// Where an attempt's clock is watched: threads that are busy with one batch for long look at no clock of theirs.
    pub(crate) waiting: Runtime,
    pub(crate) cpu: CpuMeter,
    count: usize,
    /// How many of them wait for work.
    resting: Arc<AtomicUsize>,
    /// What attempts before used.
    used: CpuTime,
}

impl Threads {
    fn start(count: usize) -> std::io::Result<Self> {
        let cpu = CpuMeter::default();
        let (began, ended, rests) = (cpu.clone(), cpu.clone(), cpu.clone());
        let resting = Arc::new(AtomicUsize::new(0));
        let (more, fewer) = (Arc::clone(&resting), Arc::clone(&resting));
        let waiting = Builder::new_current_thread().enable_time().build()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            // For reading local files side by side. Each thread has memory of its own that is cleared first, so that many for
            // little work cost more than they gain.
            .max_blocking_threads(count.max(2).saturating_mul(2))
            .thread_name("engine")
            .thread_stack_size(STACK)
            .thread_keep_alive(Duration::from_secs(60))
            .on_thread_start(move || began.thread_began())
            .on_thread_stop(move || ended.thread_ends())
            .on_thread_park(move || {
                rests.thread_rests();
                more.fetch_add(1, Ordering::Release);
            })
            .on_thread_unpark(move || {
                fewer.fetch_sub(1, Ordering::Release);
            })
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            waiting,
            cpu,
            count,
            resting,
            used: CpuTime::default(),
        })
    }

    /// Returns the processor time since the attempt before.
    pub(crate) fn spent(&self) -> CpuTime {
        CpuTime(self.cpu.total().0.saturating_sub(self.used.0))
    }

    /// Says whether all of them wait for work, and nothing is left that any of them could do; for that it waits a moment.
    fn are_idle(&self) -> bool {
        let handle = self.runtime.handle();
        let idle =
            || handle.metrics().num_alive_tasks() == 0 && self.resting.load(Ordering::Acquire) == self.count;
        for _ in 0..LOOKS.0 {
            if idle() {
                return true;
            }
            std::thread::yield_now();
        }
        self.waiting.block_on(async {
            for _ in 0..LOOKS.1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if idle() {
                    return true;
                }
            }
            false
        })
    }

    /// Ends them, and waits for that for a while if asked to.
    fn end(self, patience: Option<Duration>) {
        match patience {
            Some(patience) => self.runtime.shutdown_timeout(patience),
            None => self.runtime.shutdown_background(),
        }
        self.waiting.shutdown_background();
    }
}

/// Threads without work.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<Vec<Threads>>);

impl Idle {
    /// Returns `count` threads: some that have served already, or new ones.
    ///
    /// # Errors
    ///
    /// If the system gives no threads.
    pub(crate) fn take(&self, count: usize) -> std::io::Result<Threads> {
        let kept = {
            let mut kept = self.kept();
            let at = kept.iter().rposition(|t| t.count == count);
            at.map(|i| kept.remove(i))
        };
        kept.map_or_else(|| Threads::start(count), Ok)
    }

    /// Takes threads back from an attempt, and returns what that used of the processor. Those of an attempt that did not end
    /// `well` are stopped, as is what cannot be told of from outside while it lives; for that no more than `patience` is waited.
    pub(crate) fn give(&self, mut threads: Threads, well: bool, patience: Duration) -> CpuTime {
        if !well || !cpu::is_told() || !threads.are_idle() {
            let (cpu, used) = (threads.cpu.clone(), threads.used);
            threads.end(Some(patience));
            return CpuTime(cpu.total().0.saturating_sub(used.0));
        }
        let spent = threads.spent();
        threads.used = CpuTime(threads.used.0 + spent.0);
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(threads);
        } else {
            drop(kept);
            threads.end(None);
        }
        spent
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Threads>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // They wait for work and hold nothing, so nobody has to wait for them.
        self.kept().drain(..).for_each(|threads| threads.end(None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn busy(threads: &Threads, millis: u64) -> std::thread::ThreadId {
        let work = threads.runtime.spawn(async move {
            let from = cpu::thread_nanos();
            let mut x = 1u64;
            while cpu::thread_nanos() < from + millis * 1_000_000 {
                x = std::hint::black_box(x.wrapping_mul(3));
            }
            std::thread::current().id()
        });
        threads.waiting.block_on(work).expect("done")
    }

    #[test]
    fn threads_that_served_serve_again_and_each_attempt_has_its_own_time() {
        let idle = Idle::default();
        let first = idle.take(1).expect("threads");
        let worker = busy(&first, 40);
        let spent = idle.give(first, true, PATIENCE);
        assert!((40_000..80_000).contains(&spent.0), "{spent:?}");

        let other = idle.take(2).expect("threads");
        assert_eq!(idle.kept().len(), 1, "these are of another number");
        idle.give(other, false, PATIENCE);
        let second = idle.take(1).expect("threads");
        assert_eq!(busy(&second, 5), worker);
        let spent = idle.give(second, true, PATIENCE);
        assert!((5_000..40_000).contains(&spent.0), "{spent:?}");
    }

    #[test]
    fn threads_that_still_have_something_to_do_do_not_serve_again() {
        let idle = Idle::default();
        let threads = idle.take(1).expect("threads");
        threads.runtime.spawn(std::future::pending::<()>());
        idle.give(threads, true, PATIENCE);
        assert!(idle.kept().is_empty());

        let threads = idle.take(1).expect("threads");
        busy(&threads, 1);
        idle.give(threads, false, PATIENCE);
        assert!(idle.kept().is_empty(), "it did not end well");
    }
}
