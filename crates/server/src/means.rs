//! What runs may use: how many at once, threads, memory, and the engine that has them.

use mainstay_api::Error;
use mainstay_base::Bytes;
use mainstay_control::Sight;
use mainstay_engine::{Engine, EngineConfig};

use crate::error;
use crate::instance::{Instance, settings};

impl Instance {
    /// Returns how many jobs may run at once.
    pub(crate) fn parallel(&self) -> usize {
        self.with(parallel)
    }

    /// Returns the memory that all runs together may use.
    pub(crate) fn memory(&self) -> Bytes {
        Bytes(self.settings().memory.unwrap_or_else(memory_default))
    }

    /// Returns the engine, shared by all runs of this process.
    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = self.engine_with(cores())?;
        Ok(self.engine.get_or_init(|| engine))
    }

    /// Makes an engine that computes with so many threads.
    pub(crate) fn engine_with(&self, threads: usize) -> Result<Engine, Error> {
        self.engine_like(threads, None)
    }

    /// Makes an engine that computes with so many threads and so much memory; as the project says if left out.
    pub(crate) fn engine_like(&self, threads: usize, memory: Option<Bytes>) -> Result<Engine, Error> {
        let settings = self.settings();
        let config = EngineConfig {
            memory_limit: memory.unwrap_or_else(|| self.memory()),
            spill_dir: self.options.home.join(crate::recover::SPILL),
            spill_limit: Bytes(settings.spill.unwrap_or(100_000_000_000)),
            threads: threads.max(1),
        };
        Engine::new(config).map_err(|e| error::defect("start the engine", &e))
    }
}

/// Returns how many jobs of an account may run at once.
pub(crate) fn parallel(sight: &Sight<'_>) -> usize {
    settings(sight).parallel.map_or_else(cores, |p| p.max(1) as usize)
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// 60 % of the memory of the machine, or of the container if it has less; 2 GB if it cannot be told.
fn memory_default() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        Some(
            line.split_whitespace()
                .nth(1)?
                .parse::<u64>()
                .ok()?
                .saturating_mul(1024),
        )
    });
    // Without a limit of its own a container says `max`.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let total = machine.into_iter().chain(container).min();
    total.map_or(2_000_000_000, |bytes| bytes / 10 * 6)
}
