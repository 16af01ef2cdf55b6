//! Memory: the limit that all runs share, who has to spill, and what one run holds.
//!
//! Owns the shares of operators that can spill, the run's own sum and peak. What the allocator does with memory that no operator
//! has reserved (a batch in flight) is not seen here. Invariants: the limit is never exceeded by what asks first; a third of it
//! is never given to operators that can spill, so that those that cannot (merges of what was spilled, writers) find room
//! however many sorts are still collecting.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::{Result, resources_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use mainstay_base::Bytes;

/// The pool that all runs share: operators that can spill get equal parts of two thirds of it, the others whoever comes first.
///
/// DataFusion's own fair pool gives sorts everything; one that has collected all its rows and begins to merge is then refused,
/// because another has meanwhile taken its part.
#[derive(Debug)]
pub(crate) struct SharedPool {
    limit: usize,
    state: Mutex<Held>,
}

/// What is held of a pool, in bytes.
#[derive(Debug, Default)]
struct Held {
    /// Operators that can spill.
    spillers: usize,
    by_spillers: usize,
    by_others: usize,
}

impl SharedPool {
    /// A pool of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can still be given to one who holds `held`.
    fn free(&self, state: &Held, can_spill: bool, held: usize) -> usize {
        let rest = self.limit.saturating_sub(state.by_spillers + state.by_others);
        if !can_spill {
            return rest;
        }
        let for_spillers = self.limit - state.by_others.max(self.limit / 3).min(self.limit);
        let share = for_spillers / state.spillers.max(1);
        share.saturating_sub(held).min(rest)
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared({} of {} bytes)", self.reserved(), self.limit)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.state().spillers += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut state = self.state();
            state.spillers = state.spillers.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut state = self.state();
        match reservation.consumer().can_spill() {
            true => state.by_spillers += additional,
            false => state.by_others += additional,
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state();
        match reservation.consumer().can_spill() {
            true => state.by_spillers = state.by_spillers.saturating_sub(shrink),
            false => state.by_others = state.by_others.saturating_sub(shrink),
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let can_spill = reservation.consumer().can_spill();
        let free = self.free(&state, can_spill, reservation.size());
        if additional > free {
            let name = reservation.consumer().name();
            return resources_err!("{name} asked for {additional} bytes, {free} are left to it");
        }
        match can_spill {
            true => state.by_spillers += additional,
            false => state.by_others += additional,
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state();
        state.by_spillers + state.by_others
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

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

    fn spiller(name: &str, pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new(name).with_can_spill(true).register(pool)
    }

    #[test]
    fn runs_share_a_limit_and_have_their_own_peaks() {
        let shared: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
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

    #[test]
    fn who_can_spill_leaves_a_third_to_who_cannot() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(900));
        let a = spiller("a", &pool);
        assert!(a.try_grow(601).is_err());
        a.try_grow(600).expect("all that spillers may have");
        let b = spiller("b", &pool);
        assert!(a.try_grow(1).is_err(), "more than its share now");
        b.try_grow(300)
            .expect("its share, out of the third, since `a` has more than its own");
        assert_eq!(pool.reserved(), 900);
        a.shrink(450);
        let merge = MemoryConsumer::new("merge").register(&pool);
        merge.try_grow(450).expect("all that is free");
        assert!(merge.try_grow(1).is_err());
        assert!(a.try_grow(76).is_err(), "half of what the merge leaves is 225");
        merge.shrink(100);
        a.try_grow(75).expect("up to its share");
        drop(b);
        a.try_grow(325).expect("the share of one alone is 550");
        assert!(a.try_grow(1).is_err());
    }
}
