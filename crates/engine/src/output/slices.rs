//! Writing an output of many slices: the plan's parts side by side, in each one slice after the other.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::partition;
use datafusion::error::Result;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream};
use futures::StreamExt;
use mainstay_model::SliceKey;

use super::Files;
use crate::attempt::Tasks;
use crate::session::{Meters, Session};
use crate::stage::{SliceWriter, Target};

/// Writes all parts of a plan whose parts hold whole slices in order.
pub(super) async fn write(
    session: &Session,
    plan: Arc<dyn ExecutionPlan>,
    target: Arc<Target>,
) -> Result<Files> {
    let mut tasks = Tasks::new();
    for part in 0..plan.output_partitioning().partition_count() {
        let stream = plan.execute(part, session.task())?;
        tasks.spawn(write_part(
            stream,
            Arc::clone(&target),
            Arc::clone(&session.meters),
        ));
    }
    let mut files = Vec::new();
    while let Some(part) = tasks.next().await {
        files.extend(part?);
    }
    Ok(files)
}

async fn write_part(
    mut rows: SendableRecordBatchStream,
    target: Arc<Target>,
    meters: Arc<Meters>,
) -> Result<Files> {
    let mut files = Files::new();
    let mut open: Option<SliceWriter> = None;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        for range in runs(&target, &batch)? {
            let piece = batch.slice(range.start, range.len());
            let key = target.key_of_first(&piece)?;
            if open.as_ref().is_some_and(|w| *w.key() != key)
                && let Some(done) = open.take()
            {
                finish(done, &mut files, &meters).await?;
            }
            let writer = match &mut open {
                Some(writer) => writer,
                None => open.insert(SliceWriter::new(&target, key)?),
            };
            writer.write(&piece).await?;
        }
        meters
            .rows_written
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
    }
    if let Some(done) = open {
        finish(done, &mut files, &meters).await?;
    }
    Ok(files)
}

async fn finish(writer: SliceWriter, files: &mut Files, meters: &Meters) -> Result<()> {
    let key: SliceKey = writer.key().clone();
    files.extend(writer.finish().await?.into_iter().map(|f| (key.clone(), f)));
    meters.slices_written.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// The runs of rows with equal slice values.
fn runs(target: &Target, batch: &RecordBatch) -> Result<Vec<Range<usize>>> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let columns: Vec<ArrayRef> = target.slice_arrays(batch)?;
    Ok(partition(&columns)?.ranges())
}
