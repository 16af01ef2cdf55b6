//! Memory of one run: what its operators hold out of the limit that all runs share.
//!
//! Owns the run's own sum and peak; the limit, and who has to spill, is the shared pool's business. What the allocator does
//! with memory that no operator has reserved (a batch in flight, a writer's buffers) is not seen here.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use mainstay_base::Bytes;

/// One run's window on the shared pool.
#[derive(Debug)]
pub(crate) struct RunPool {
    shared: Arc<dyn MemoryPool>,
    held: AtomicUsize,
    peak: AtomicUsize,
}

impl RunPool {
    /// Opens a window on `shared`.
    pub(crate) fn new(shared: Arc<dyn MemoryPool>) -> Self {
        Self {
            shared,
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Returns the most that was held at once.
    pub(crate) fn peak(&self) -> Bytes {
        Bytes(self.peak.load(Ordering::Relaxed) as u64)
    }

    fn took(&self, bytes: usize) {
        let now = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }
}

impl fmt::Display for RunPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run({})", self.shared)
    }
}

impl MemoryPool for RunPool {
    fn name(&self) -> &str {
        "run"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.took(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
        self.held.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.shared.try_grow(reservation, additional)?;
        self.took(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::FairSpillPool;

    #[test]
    fn runs_share_a_limit_and_have_their_own_peaks() {
        let shared: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(1000));
        let (a, b) = (
            Arc::new(RunPool::new(Arc::clone(&shared))),
            Arc::new(RunPool::new(shared)),
        );
        let (pa, pb): (Arc<dyn MemoryPool>, Arc<dyn MemoryPool>) = (a.clone(), b.clone());
        let ra = MemoryConsumer::new("a").register(&pa);
        let rb = MemoryConsumer::new("b").register(&pb);
        ra.try_grow(700).expect("there is room");
        assert!(rb.try_grow(400).is_err(), "the limit is one for all");
        ra.shrink(600);
        rb.try_grow(400).expect("there is room again");
        assert_eq!((a.peak(), b.peak()), (Bytes(700), Bytes(400)));
        assert_eq!((a.reserved(), b.reserved()), (100, 400));
    }
}
