//! What a run used, from what was counted: thread clocks, the memory window, operators' metrics, fetched bytes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use mainstay_base::{Bytes, CpuTime, Rows};
use mainstay_model::run::{Amount, Usage};
use mainstay_model::{DatasetName, SliceKey, SliceVersion};

use crate::session::{Meters, dataset_at};

/// Time that attempts took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: CpuTime,
    pub(crate) wall: Duration,
}

/// What operators have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    rows: BTreeMap<DatasetName, Rows>,
    spilled: Bytes,
}

impl Counted {
    /// Adds what the operators of a plan have counted so far.
    pub(crate) fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        if let Some(metrics) = plan.metrics() {
            self.spilled += Bytes(metrics.spilled_bytes().unwrap_or(0) as u64);
            if let Some(name) = scanned(plan.as_ref()) {
                // Rows that the reader itself sorted out were read as well.
                let sorted_out = metrics
                    .sum_by_name("pushdown_rows_pruned")
                    .map_or(0, |n| n.as_usize());
                let rows = metrics.output_rows().unwrap_or(0) + sorted_out;
                *self.rows.entry(name).or_default() += Rows(rows as u64);
            }
        }
        plan.children().into_iter().for_each(|child| self.add(child));
    }
}

/// What was counted so far, plans that are still at work included.
fn counted(meters: &Meters) -> Counted {
    let working = meters.plans.lock().unwrap_or_else(PoisonError::into_inner);
    let mut counted = meters
        .settled
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    working.iter().for_each(|plan| counted.add(plan));
    counted
}

/// Sums up a run; what was written is not in it yet.
pub(crate) fn of_run(meters: &Meters, spent: &Spent) -> Usage {
    let counted = counted(meters);
    let mut read: BTreeMap<DatasetName, Amount> = BTreeMap::new();
    for (name, rows) in counted.rows {
        read.entry(name).or_default().rows += rows;
    }
    for (name, bytes) in meters
        .fetched
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        read.entry(name.clone()).or_default().bytes += Bytes(bytes.load(Ordering::Relaxed));
    }
    Usage {
        cpu: spent.cpu,
        wall_us: u64::try_from(spent.wall.as_micros()).unwrap_or(u64::MAX),
        peak_memory: meters.pool.peak(),
        spilled: counted.spilled,
        read,
        written: BTreeMap::new(),
    }
}

/// Sums up staged files.
pub(crate) fn written(slices: &[(SliceKey, SliceVersion)]) -> Amount {
    Amount {
        rows: slices.iter().map(|(_, v)| v.rows()).sum(),
        bytes: slices.iter().map(|(_, v)| v.bytes()).sum(),
    }
}

/// Returns the rows that scans have yielded so far.
pub(crate) fn rows_read(meters: &Meters) -> Rows {
    counted(meters).rows.into_values().sum()
}

/// The dataset that a scan reads; none if it is not a scan.
fn scanned(node: &dyn ExecutionPlan) -> Option<DatasetName> {
    let source = node.downcast_ref::<DataSourceExec>()?;
    let files = source.data_source().downcast_ref::<FileScanConfig>()?;
    dataset_at(&files.object_store_url)
}
