//! Processor time of a run: the sum over its threads of what each thread's own clock says.
//!
//! Every thread of the run's runtime, blocking ones too, adds its clock when it ends, and notes it when it begins to wait for
//! work; the thread that waits for the run adds what it used meanwhile. A thread that does not end with its run, because it
//! serves the next one or was stopped in the middle of something long, is asked from outside. Elapsed time never enters.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use mainstay_base::CpuTime;
use rustix::time::{ClockId, clock_gettime};

/// Sums the processor time of a run's threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuMeter(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Of threads that have ended, in nanoseconds.
    ended: AtomicU64,
    /// The system's numbers of those that have not, and their clocks when they began to wait for work last: from outside a
    /// clock is told as of when the system looked at it last, which may be some milliseconds ago.
    living: Mutex<BTreeMap<i32, Arc<AtomicU64>>>,
}

thread_local! {
    /// Where the thread notes its clock.
    static NOTED: RefCell<Arc<AtomicU64>> = RefCell::default();
}

impl CpuMeter {
    /// Begins to count the calling thread.
    pub(crate) fn thread_began(&self) {
        let noted = NOTED.with(|n| Arc::clone(&n.borrow()));
        self.living().insert(number(), noted);
    }

    /// Notes what the calling thread, which waits for work now, has used.
    pub(crate) fn thread_rests(&self) {
        NOTED.with(|n| n.borrow().store(thread_nanos(), Ordering::Release));
    }

    /// Adds what the calling thread has used, all in all; it is not asked again.
    pub(crate) fn thread_ends(&self) {
        let mut living = self.living();
        living.remove(&number());
        self.0.ended.fetch_add(thread_nanos(), Ordering::Relaxed);
    }

    /// Adds what the calling thread, which goes on, has used since `since` nanoseconds of its own clock.
    pub(crate) fn add_thread_since(&self, since: u64) {
        self.0
            .ended
            .fetch_add(thread_nanos().saturating_sub(since), Ordering::Relaxed);
    }

    /// Returns the sum so far, threads that are still at work included where the system tells what they used.
    pub(crate) fn total(&self) -> CpuTime {
        let living = self.living();
        // Both lag behind, never ahead.
        let used = |(number, noted): (&i32, &Arc<AtomicU64>)| {
            nanos_of(*number).unwrap_or(0).max(noted.load(Ordering::Acquire))
        };
        let working: u64 = living.iter().map(used).sum();
        CpuTime((self.0.ended.load(Ordering::Relaxed) + working) / 1000)
    }

    fn living(&self) -> std::sync::MutexGuard<'_, BTreeMap<i32, Arc<AtomicU64>>> {
        self.0.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's number of the calling thread.
fn number() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// Says whether the system tells the processor time of other threads.
pub(crate) fn is_told() -> bool {
    static TOLD: LazyLock<bool> = LazyLock::new(|| nanos_of(number()).is_some_and(|n| n > 0));
    *TOLD
}

/// Returns the processor time of another thread of this process, in nanoseconds; none where the system does not tell.
fn nanos_of(thread: i32) -> Option<u64> {
    let told = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    told.split_whitespace().next()?.parse().ok()
}

/// Returns the processor time of the calling thread, in nanoseconds.
pub(crate) fn thread_nanos() -> u64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_still_at_work_counts() {
        let meter = CpuMeter::default();
        let (counting, (started, wait)) = (meter.clone(), std::sync::mpsc::channel());
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            counting.thread_began();
            let mut x = 1u64;
            while thread_nanos() < 30_000_000 {
                x = std::hint::black_box(x.wrapping_mul(3));
            }
            started.send(()).expect("heard");
            let _ = stopped.recv();
            counting.thread_ends();
        });
        wait.recv().expect("at work");
        let working = meter.total();
        assert!(working.0 >= 20_000, "{working:?}");
        drop(stop);
        worker.join().expect("ended");
        assert!(meter.total() >= working);
        assert!(meter.total().0 < working.0 + 10_000, "counted once");
    }
}
