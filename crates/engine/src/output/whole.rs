//! Writing an output of one slice: all parts of the plan feed as many writers as can keep up with them.
//!
//! A small output is one file. Further writers join only when rows come faster than those at work can encode them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream};
use futures::StreamExt;
use mainstay_model::{DataFile, SliceKey};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, mpsc};

use super::Files;
use crate::attempt::Tasks;
use crate::session::{Meters, Session};
use crate::stage::{SliceWriter, Target};

/// What every writer should have had to do before another one joins, in bytes of memory.
const WORTH_A_FILE: usize = 64 << 20;

/// Batches that wait to be encoded.
const WAITING: usize = 4;

/// Where rows wait for a writer.
struct Queue {
    rows: Mutex<mpsc::Receiver<RecordBatch>>,
    /// Bytes that were put in so far.
    bytes: AtomicUsize,
    /// Given when a batch found the queue full.
    full: Notify,
}

/// Writes all rows of a plan as one slice.
pub(super) async fn write(
    session: &Session,
    plan: Arc<dyn ExecutionPlan>,
    target: Arc<Target>,
    key: &SliceKey,
) -> Result<Files> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let queue = Arc::new(Queue {
        rows: Mutex::new(receiver),
        bytes: AtomicUsize::new(0),
        full: Notify::new(),
    });
    let parts = plan.output_partitioning().partition_count();
    let most = session.state().config().target_partitions().max(1);
    let mut feeding = Tasks::new();
    for part in 0..parts {
        let stream = plan.execute(part, session.task())?;
        feeding.spawn(feed(stream, sender.clone(), Arc::clone(&queue)));
    }
    drop(sender);
    let mut writing = Tasks::new();
    let start = |writing: &mut Tasks<Vec<DataFile>>| -> Result<()> {
        let writer = SliceWriter::new(&target, key.clone())?;
        writing.spawn(drain(writer, Arc::clone(&queue), Arc::clone(&session.meters)));
        Ok(())
    };
    start(&mut writing)?;
    let mut writers = 1;
    let mut files = Files::new();
    loop {
        tokio::select! {
            fed = feeding.next(), if !feeding.is_empty() => {
                if let Some(result) = fed {
                    result?;
                }
            }
            done = writing.next() => match done {
                Some(result) => files.extend(result?.into_iter().map(|f| (key.clone(), f))),
                None => break,
            },
            () = queue.full.notified(), if writers < most => {
                if queue.bytes.load(Ordering::Relaxed) > writers * WORTH_A_FILE {
                    start(&mut writing)?;
                    writers += 1;
                }
            }
        }
    }
    // The writers end when nothing feeds them any more, also when that is because of an error.
    while let Some(fed) = feeding.next().await {
        fed?;
    }
    session.meters.slices_written.fetch_add(1, Ordering::Relaxed);
    Ok(files)
}

async fn feed(
    mut rows: SendableRecordBatchStream,
    to: mpsc::Sender<RecordBatch>,
    queue: Arc<Queue>,
) -> Result<()> {
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        queue
            .bytes
            .fetch_add(batch.get_array_memory_size(), Ordering::Relaxed);
        let batch = match to.try_send(batch) {
            Ok(()) => continue,
            Err(TrySendError::Full(batch)) => batch,
            // The writers are gone: one of them failed and says why.
            Err(TrySendError::Closed(_)) => return Ok(()),
        };
        queue.full.notify_one();
        if to.send(batch).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn drain(mut writer: SliceWriter, queue: Arc<Queue>, meters: Arc<Meters>) -> Result<Vec<DataFile>> {
    loop {
        let next = queue.rows.lock().await.recv().await;
        let Some(batch) = next else { break };
        if batch.num_rows() > 0 {
            writer.write(&batch).await?;
            meters
                .rows_written
                .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
    }
    writer.finish().await
}
