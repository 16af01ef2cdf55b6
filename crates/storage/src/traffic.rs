//! Counters of what a store was asked.

use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_base::Bytes;

/// What a store was asked since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, one for each operation on an object and one for each listing.
    pub requests: u64,
    /// Bytes that were read.
    pub read: Bytes,
    /// Bytes that were written.
    pub written: Bytes,
}

impl Traffic {
    /// Returns what was asked since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            read: Bytes(self.read.0.saturating_sub(earlier.read.0)),
            written: Bytes(self.written.0.saturating_sub(earlier.written.0)),
        }
    }
}

/// Counts while many tasks ask.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

impl Meter {
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn so_far(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            read: Bytes(self.read.load(Ordering::Relaxed)),
            written: Bytes(self.written.load(Ordering::Relaxed)),
        }
    }
}
