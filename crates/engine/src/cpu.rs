//! Processor time of a run: the sum over its threads of what each thread's own clock says.
//!
//! Every thread of the run's runtime, blocking ones too, adds its clock when it ends; the thread that waits for the run adds
//! what it used meanwhile. Elapsed time never enters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_base::CpuTime;
use rustix::time::{ClockId, clock_gettime};

/// Sums the processor time of threads that have ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuMeter(Arc<AtomicU64>);

impl CpuMeter {
    /// Adds what the calling thread has used since `since` nanoseconds of its own clock.
    pub(crate) fn add_thread_since(&self, since: u64) {
        self.0
            .fetch_add(thread_nanos().saturating_sub(since), Ordering::Relaxed);
    }

    /// Returns the sum so far.
    pub(crate) fn total(&self) -> CpuTime {
        CpuTime(self.0.load(Ordering::Relaxed) / 1000)
    }
}

/// Returns the processor time of the calling thread, in nanoseconds.
pub(crate) fn thread_nanos() -> u64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}
