//! Who leads: what a store says of its writer to those who only look, and what a writer knows of its own turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mainstay_base::Hash;

/// The writer of a journal, as its store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its epoch.
    pub epoch: u64,
    /// Its process, where that is known.
    pub pid: Option<u32>,
    /// The machine that it runs on.
    pub host: String,
    /// Whether somebody else may become the writer now: it gave the journal back, or nothing was heard of it for too long.
    pub free: bool,
    /// Whether it gave the journal back.
    pub released: bool,
    /// The number of the journal's last frame.
    pub frame: u64,
    /// That frame's hash.
    pub frame_hash: Hash,
}

impl Leader {
    /// Names it, for people: which process, and on which machine.
    pub fn name(&self) -> String {
        match self.pid {
            Some(pid) if !self.host.is_empty() => format!("process {pid} on {}", self.host),
            Some(pid) => format!("process {pid}"),
            None => "another process".to_owned(),
        }
    }
}

/// What a writer knows of its turn without asking: it is told in passing, and may be looked at from anywhere.
#[derive(Debug)]
pub struct Lease {
    over: AtomicBool,
    heard: Mutex<Instant>,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            over: AtomicBool::new(false),
            heard: Mutex::new(Instant::now()),
        }
    }
}

impl Lease {
    /// Says whether somebody else is the writer now.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Returns since when the store has not heard of this writer.
    pub fn silent_for(&self) -> Duration {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    pub(super) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
