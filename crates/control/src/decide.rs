//! Deciding: a command and the state in, facts or a refusal out.

mod apply;
mod deliver;
mod run;

use mainstay_base::Timestamp;
use mainstay_model::fact::{CancelRequested, Fact, Planned, Projected};
use mainstay_model::id::PlanId;

use crate::command::{Command, Refusal, RefusalKind};
use crate::diff::diff;
use crate::state::{RunStatus, State};

/// Decides what a command means now. No facts is a success that changes nothing.
///
/// # Errors
///
/// A [`Refusal`], and nothing is to be recorded.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Vec<Fact>, Refusal> {
    match command {
        Command::Plan { desired } => {
            let planned = Planned {
                plan: PlanId(state.last_plan + 1),
                base: state.last_apply(),
                changes: diff(state, &desired),
            };
            Ok(vec![planned.into()])
        }
        Command::Apply { desired } => Ok(apply::apply(state, &desired)),
        Command::ApplyPlan { plan } => apply::plan(state, plan),
        Command::RevertApply { apply } => apply::revert(state, apply),
        Command::Deliver {
            source,
            schema,
            slice_columns,
            files,
        } => Ok(deliver::deliver(state, &source, schema, slice_columns, files)),
        Command::RecordRun { pinned, because } => Ok(vec![run::record(state, pinned, because)]),
        Command::StartAttempt { run } => run::start(state, run),
        Command::FinishAttempt {
            run,
            attempt,
            finish,
            usage,
            checks,
        } => run::finish(state, run, attempt, finish, usage, checks, now),
        Command::SkipRun { pinned, error } => Ok(run::skip(state, pinned, error)),
        Command::AbandonRun { run, error } => run::abandon(state, run, error),
        Command::Cancel { run } => match state.runs.get(&run).map(|r| r.status) {
            None => Err(not_found(format!("there is no run {run}"))),
            Some(RunStatus::Ended(_)) => Err(Refusal {
                kind: RefusalKind::Invalid,
                code: "MS0402",
                message: format!("run {run} has ended already"),
                help: None,
            }),
            Some(_) => Ok(vec![CancelRequested { run }.into()]),
        },
        Command::Projected {
            dataset,
            version,
            delta_version,
        } => {
            let shown = state.datasets.get(&dataset).and_then(|d| d.projected);
            if shown == Some((version, delta_version)) {
                return Ok(Vec::new());
            }
            Ok(vec![
                Projected {
                    dataset,
                    version,
                    delta_version,
                }
                .into(),
            ])
        }
    }
}

pub(crate) fn not_found(message: String) -> Refusal {
    Refusal {
        kind: RefusalKind::NotFound,
        code: "MS0401",
        message,
        help: None,
    }
}
