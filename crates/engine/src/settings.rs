//! The settings of execution, in one place: every value that differs from DataFusion's default says why.
//!
//! What a query means is set where it is planned (`mainstay_sql::session_config`); what is set here changes only how fast and
//! with how much memory it is computed, never its rows. All of it is recorded with every run.

use std::collections::BTreeMap;

use datafusion::prelude::SessionConfig;
use mainstay_base::Bytes;

/// How queries are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads that compute, and into how many parts work is split; at least 1.
    pub threads: usize,
    /// Rows that operators hand on at once; at least 1.
    pub batch_rows: usize,
    /// Memory that all runs of the process share.
    pub memory_limit: Bytes,
    /// Joins by sorting instead of by hash tables, texts in their own memory: slower, and less of it. Chosen by the engine
    /// itself for a second try when a query did not fit into memory.
    pub(crate) frugal: bool,
}

impl Settings {
    /// The settings for this many threads and this much memory.
    pub fn new(threads: usize, memory_limit: Bytes) -> Self {
        Self {
            threads: threads.max(1),
            batch_rows: 8192,
            memory_limit,
            frugal: false,
        }
    }

    /// Adds the settings of execution to those of planning.
    pub(crate) fn apply(&self, config: SessionConfig) -> SessionConfig {
        let mut config = config
            .with_target_partitions(self.threads)
            .with_batch_size(self.batch_rows.max(1));
        let options = config.options_mut();

        // Scans decide for themselves whether filters run inside the Parquet reader (`table.rs`).
        options.execution.parquet.pushdown_filters = false;
        // Row counts, sizes and column ranges of pinned files are read before planning: join order depends on them.
        options.execution.collect_statistics = true;

        // The planner says of a counting subquery that its column is never NULL, the plan that it may be; both are right, and
        // that is no reason not to compute (DataFusion 55.2 refuses: 'Physical input schema should be the same').
        options.execution.skip_physical_aggregate_schema_check = true;

        // What a top-k or an aggregate has found so far is not pushed into scans: ranges of floats in files of others leave NaN out,
        // so rows that are NaN would be skipped.
        options.optimizer.enable_topk_dynamic_filter_pushdown = false;
        options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;

        // What a join has found is looked up in its hash table, never in a list of values: a list tells -0.0 from 0.0, which the
        // join itself does not.
        options.optimizer.hash_join_inlist_pushdown_max_size = 0;
        options.optimizer.hash_join_inlist_pushdown_max_distinct_values = 0;

        // Every sort sets this much aside for its merge, so that it can still merge when memory is used up. The default of 10 MB
        // alone exceeds a small limit as soon as several sorts run side by side.
        let share = usize::try_from(self.memory_limit.0 / 32).unwrap_or(usize::MAX) / self.threads.max(1);
        let merge = share.clamp(64 << 10, 10 << 20);
        options.execution.sort_spill_reservation_bytes = merge;

        if self.frugal {
            // Hash joins hold one side in memory and cannot spill it; sorted ones can.
            options.optimizer.prefer_hash_join = false;
            // Fewer operators side by side: each gets a larger share of what there is. Below two, the planner does not consider
            // joins by sorting.
            options.execution.target_partitions = 2;
        }
        config
    }

    /// How many spilled pieces one merge reads at once. Without a limit a merge takes all the memory that is free, and sorts
    /// beside it that are still collecting find none: with a quarter of the memory for the merges of a run, and some 4 MB for
    /// each piece, all of them have room.
    pub(crate) fn merge_streams(&self) -> usize {
        let streams = self.memory_limit.0 / 4 / self.threads.max(1) as u64 / (4 << 20);
        usize::try_from(streams).unwrap_or(usize::MAX).clamp(2, 64)
    }

    /// The memory that one writer may hold before it ends a row group, in bytes: an eighth of the limit for all of a
    /// run's writers, and not more than makes row groups better.
    pub(crate) fn writer_bytes(&self) -> usize {
        let share = self.memory_limit.0 / 8 / self.threads.max(1) as u64;
        usize::try_from(share)
            .unwrap_or(usize::MAX)
            .clamp(256 << 10, 128 << 20)
    }

    /// Returns the settings as they are recorded with runs.
    pub fn record(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::from([
            ("threads".to_owned(), self.threads.to_string()),
            ("batch_rows".to_owned(), self.batch_rows.to_string()),
            ("memory_limit".to_owned(), self.memory_limit.0.to_string()),
        ]);
        map.insert("cpu".to_owned(), std::env::consts::ARCH.to_owned());
        map
    }
}
