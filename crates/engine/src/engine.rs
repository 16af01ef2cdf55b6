//! The engine of a process: what all its runs share.
//!
//! Owns the memory limit, the folder for spilling and its limit, the caches of file footers, the settings, the threads that wait
//! for work. Knows nothing of any one run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::cache::cache_manager::{CacheManager, CacheManagerConfig};
use datafusion::execution::memory_pool::MemoryPool;
use mainstay_base::Bytes;

use crate::error::translate::{Limits, translate};
use crate::error::{Error, Kind};
use crate::memory::SharedPool;
use crate::settings::Settings;
use crate::spill::SpillFolder;
use crate::threads::Idle;

/// The engine and its version, as recorded with runs.
pub const ENGINE: &str = "datafusion 55.2.0";

/// What an engine may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Memory that the operators of all runs together may hold.
    pub memory_limit: Bytes,
    /// The folder for spilling; made if it is not there. What dead processes left in it is removed.
    pub spill_dir: PathBuf,
    /// Disk that all runs together may use for spilling.
    pub spill_limit: Bytes,
    /// Threads that each run computes with; at least 1.
    pub threads: usize,
}

/// Computes jobs and answers queries; one for a process, used from any thread.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Settings,
    pub(crate) idle: Idle,
}

/// What all runs share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Arc<dyn MemoryPool>,
    pub(crate) spill: SpillFolder,
    pub(crate) caches: Arc<CacheManager>,
    pub(crate) limits: Limits,
}

impl Engine {
    /// Makes an engine.
    ///
    /// # Errors
    ///
    /// [`Kind::Resources`] if the spill folder cannot be made.
    pub fn new(config: EngineConfig) -> Result<Self, Error> {
        let limits = Limits {
            memory: config.memory_limit,
            spill: config.spill_limit,
        };
        let settings = Settings::new(config.threads, config.memory_limit);
        let spill = SpillFolder::open(&config.spill_dir, config.spill_limit, settings.merge_streams());
        let spill = spill.map_err(|e| {
            let why = format!(
                "the folder for spilling, `{}`, cannot be used: {e}",
                config.spill_dir.display()
            );
            Error::new(Kind::Resources, "MS0315", why)
                .help("choose another home with --home, or make the folder writable")
        })?;
        let caches =
            CacheManager::try_new(&CacheManagerConfig::default()).map_err(|e| translate(&e, limits))?;
        let memory = usize::try_from(config.memory_limit.0).unwrap_or(usize::MAX);
        let shared = Shared {
            pool: Arc::new(SharedPool::new(memory)),
            spill,
            caches,
            limits,
        };
        Ok(Self {
            shared: Arc::new(shared),
            settings,
            idle: Idle::default(),
        })
    }

    /// Changes how many rows operators hand on at once; results do not depend on it.
    #[must_use]
    pub fn with_batch_rows(mut self, rows: usize) -> Self {
        self.settings.batch_rows = rows.max(1);
        self
    }

    /// Returns the settings that are recorded with runs.
    pub fn settings(&self) -> BTreeMap<String, String> {
        self.settings.record()
    }
}
