//! Running one assignment from its query to staged, checked files.
//!
//! Owns the order of things: compute, write, check, measure; and that a run which fails leaves nothing behind. Refuses to
//! publish, to try again after anything but a lack of memory, and to read a clock for anything but measuring.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mainstay_base::{Bytes, Rows};
use mainstay_catalog::cleanup::remove_attempt;
use mainstay_model::run::{CheckOutcome, Usage};
use mainstay_model::{SliceKey, SliceVersion};
use tokio::sync::mpsc;

use crate::assignment::{Assignment, Finished, Progress};
use crate::attempt::{Attempt, afterwards};
use crate::cancel::CancelToken;
use crate::engine::{Engine, Shared};
use crate::error::translate::translate;
use crate::error::{Error, Kind};
use crate::session::{Meters, Session};
use crate::settings::Settings;
use crate::{check, diagnose, output, usage};

/// What the computing part of a run yields.
type Computed = (Vec<(SliceKey, SliceVersion)>, Vec<CheckOutcome>);

impl Engine {
    /// Computes an assignment: its output is staged under the attempt's prefix, digested and checked; nothing is published.
    /// Blocks until it is done; call it from a plain thread, not from within an asynchronous task. `progress` is called some
    /// times a second.
    ///
    /// A run that does not fit into memory is computed a second time in a way that needs less and takes longer, before it is
    /// said to fail.
    ///
    /// # Errors
    ///
    /// [`Error`], with what was used until then. Whatever was staged is removed again.
    pub fn run(
        &self,
        assignment: Assignment,
        cancel: &CancelToken,
        progress: &dyn Fn(Progress),
    ) -> Result<Finished, Error> {
        let assignment = Arc::new(assignment);
        let meters = Arc::new(Meters::new(&self.shared));
        let mut used = usage::Spent::default();
        let mut settings = self.settings;
        let outcome = loop {
            let outcome = self.once(&assignment, settings, &meters, &mut used, cancel, progress);
            let failed = match outcome {
                Ok(computed) => break Ok(computed),
                Err(failed) => failed,
            };
            self.unstage(&assignment);
            if failed.code != "MS0301" || settings.frugal {
                break Err(failed);
            }
            settings.frugal = true;
        };
        match outcome {
            Ok((slices, checks)) => {
                let mut usage = of_inputs(usage::of_run(&meters, &used), &assignment);
                usage
                    .written
                    .insert(assignment.output.dataset.clone(), usage::written(&slices));
                Ok(Finished {
                    slices,
                    checks,
                    usage,
                })
            }
            Err(failed) => {
                let mut failed = match (failed.kind, cancel.is_cancelled()) {
                    (Kind::Data | Kind::Store, false) => {
                        let found = afterwards(diagnose::diagnose(&assignment, failed.clone()));
                        found.unwrap_or(failed)
                    }
                    _ => failed,
                };
                failed.usage = Box::new(of_inputs(usage::of_run(&meters, &used), &assignment));
                Err(failed.within(&assignment.label))
            }
        }
    }

    /// One try with given settings.
    fn once(
        &self,
        assignment: &Arc<Assignment>,
        settings: Settings,
        meters: &Arc<Meters>,
        used: &mut usage::Spent,
        cancel: &CancelToken,
        progress: &dyn Fn(Progress),
    ) -> Result<Computed, Error> {
        let limit = assignment.time_limit.map(|l| l.saturating_sub(used.wall));
        let attempt = Attempt::start(&self.idle, settings.threads, limit)?;
        let work = compute(
            Arc::clone(&self.shared),
            settings,
            Arc::clone(assignment),
            Arc::clone(meters),
        );
        let nothing = mpsc::channel::<()>(1).1;
        let result = attempt.carry_out(work, nothing, cancel, |_| {
            progress(so_far(meters));
            Ok(())
        });
        let (cpu, wall) = attempt.end(result.is_ok());
        meters.settle();
        used.add(cpu, wall);
        if let (Err(e), Some(limit)) = (&result, assignment.time_limit)
            && e.kind == Kind::TimeLimit
        {
            return Err(Error::time_limit(limit));
        }
        result
    }

    /// Removes what an attempt has staged.
    fn unstage(&self, assignment: &Assignment) {
        let output = &assignment.output;
        // What cannot be removed now is nobody's: it was never published, and is found as such by the next clean-up.
        let _ = afterwards(remove_attempt(
            &output.store,
            &output.table,
            &output.attempt_prefix,
        ));
    }
}

/// Everything that happens on the attempt's own threads.
async fn compute(
    shared: Arc<Shared>,
    settings: Settings,
    assignment: Arc<Assignment>,
    meters: Arc<Meters>,
) -> Result<Computed, Error> {
    let told = |e: datafusion::error::DataFusionError| translate(&e, shared.limits);
    let session = Session::new(&shared, &settings, assignment.as_of, meters).map_err(told)?;
    for input in &assignment.inputs {
        session.mount(input).map_err(told)?;
    }
    let query = session.logical(&assignment.query)?;
    let logical = output::plan(query, &assignment.output, &assignment.scope)?;
    let plan = session.physical(&logical).await.map_err(told)?;
    let slices = output::write(&session, plan, &assignment.output, &assignment.scope)
        .await
        .map_err(told)?;
    session.meters.settle();
    let checks = check::all(&session, &assignment, &slices, shared.limits).await?;
    Ok((slices, checks))
}

/// What a run used without what its checks read of its own output: nobody looks for that among what it read.
fn of_inputs(mut usage: Usage, assignment: &Assignment) -> Usage {
    let own = &assignment.output.dataset;
    if !assignment.inputs.iter().any(|i| i.name == *own) {
        usage.read.remove(own);
    }
    usage
}

fn so_far(meters: &Meters) -> Progress {
    Progress {
        rows_read: usage::rows_read(meters),
        bytes_read: Bytes(meters.bytes_read()),
        rows_written: Rows(meters.rows_written.load(Ordering::Relaxed)),
        slices: meters.slices_written.load(Ordering::Relaxed),
    }
}

impl usage::Spent {
    fn add(&mut self, cpu: mainstay_base::CpuTime, wall: Duration) {
        self.cpu += cpu;
        self.wall += wall;
    }
}
