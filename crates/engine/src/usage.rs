//! What a run used, from what was counted: thread clocks, the memory window, operators' metrics, fetched bytes.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

/// Sums up a run; what was written is not in it yet.
pub(crate) fn of_run(meters: &Meters, spent: &Spent) -> Usage {
    let mut read: BTreeMap<DatasetName, Amount> = BTreeMap::new();
    let mut spilled = 0;
    for plan in executed(meters).iter() {
        each(plan, &mut |node| {
            if let Some(metrics) = node.metrics() {
                spilled += metrics.spilled_bytes().unwrap_or(0) as u64;
            }
            if let Some(name) = scanned(node) {
                read.entry(name).or_default().rows += rows_of(node);
            }
        });
    }
    for (name, bytes) in meters.fetched.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        read.entry(name.clone()).or_default().bytes += Bytes(bytes.load(Ordering::Relaxed));
    }
    Usage {
        cpu: spent.cpu,
        wall_us: u64::try_from(spent.wall.as_micros()).unwrap_or(u64::MAX),
        peak_memory: meters.pool.peak(),
        spilled: Bytes(spilled),
        read,
        written: BTreeMap::new(),
    }
}

/// Sums up staged files.
pub(crate) fn written(slices: &[(SliceKey, SliceVersion)]) -> Amount {
    Amount { rows: slices.iter().map(|(_, v)| v.rows()).sum(), bytes: slices.iter().map(|(_, v)| v.bytes()).sum() }
}

/// Returns the rows that scans have yielded so far.
pub(crate) fn rows_read(meters: &Meters) -> Rows {
    let mut rows = Rows(0);
    for plan in executed(meters).iter() {
        each(plan, &mut |node| {
            if scanned(node).is_some() {
                rows += rows_of(node);
            }
        });
    }
    rows
}

fn executed(meters: &Meters) -> Vec<Arc<dyn ExecutionPlan>> {
    meters.plans.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn each(plan: &Arc<dyn ExecutionPlan>, see: &mut dyn FnMut(&dyn ExecutionPlan)) {
    see(plan.as_ref());
    for child in plan.children() {
        each(child, see);
    }
}

/// The dataset that a scan reads; none if it is not a scan.
fn scanned(node: &dyn ExecutionPlan) -> Option<DatasetName> {
    let source = node.downcast_ref::<DataSourceExec>()?;
    let files = source.data_source().downcast_ref::<FileScanConfig>()?;
    dataset_at(&files.object_store_url)
}

fn rows_of(node: &dyn ExecutionPlan) -> Rows {
    Rows(node.metrics().and_then(|m| m.output_rows()).unwrap_or(0) as u64)
}
