//! Deciding: a command and the state in, facts or a refusal out.

mod access;
mod amend;
mod apply;
mod branch;
mod deliver;
mod publish;
mod run;
mod vacuum;

pub use deliver::base_after_delivery;
pub use publish::base_after_run;
pub use vacuum::vacuum;

use mainstay_base::Timestamp;
use mainstay_model::BranchName;
use mainstay_model::fact::{CancelRequested, Fact, Planned, Projected};
use mainstay_model::id::PlanId;

use crate::command::{Command, Refusal, RefusalKind};
use crate::diff::diff;
use crate::state::{RunStatus, State};
use crate::view::Sight;

/// Decides what a command means now, on the live side or in a branch. No facts is a success that changes nothing.
///
/// # Errors
///
/// A [`Refusal`], and nothing is to be recorded.
pub fn decide(
    state: &State,
    side: Option<&BranchName>,
    command: Command,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let line = branch::open(state, side)?;
    let sight = Sight {
        state,
        line,
        branch: side,
    };
    match command {
        Command::CreateToken {
            name,
            role,
            expires,
            secret,
        } => access::create(state, name, role, expires, secret, now),
        Command::RevokeToken { token } => access::revoke(state, token),
        Command::RecordAccess { decided } => Ok(vec![decided.into()]),
        Command::RecordAnswer { answered } => Ok(vec![answered.into()]),
        Command::Plan { desired } => {
            let planned = Planned {
                plan: PlanId(state.last_plan + 1),
                base: line.last_apply,
                changes: diff(line, &desired),
            };
            Ok(vec![planned.into()])
        }
        Command::Apply { desired } => Ok(apply::apply(&sight, &desired)),
        Command::ApplyPlan { plan } => apply::plan(&sight, plan),
        Command::RevertApply { apply } => apply::revert(&sight, apply),
        Command::Deliver {
            source,
            schema,
            slice_columns,
            files,
            overlaid,
        } => deliver::deliver(&sight, &source, schema, slice_columns, files, overlaid),
        Command::RecordRun { pinned, because } => Ok(vec![run::record(state, pinned, because)]),
        Command::StartAttempt { run } => run::start(state, run),
        Command::FinishAttempt {
            run,
            attempt,
            finish,
            usage,
            checks,
            reused,
            overlaid,
        } => {
            let ending = run::Ending {
                finish,
                usage,
                checks,
                reused,
                overlaid,
            };
            run::finish(state, run, attempt, ending, now)
        }
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
            let shown = state.main.datasets.get(&dataset).and_then(|d| d.projected);
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
        Command::CreateBranch { branch } => branch::create(state, branch),
        Command::RebaseBranch { branch } => branch::rebase(state, branch),
        Command::PromoteBranch { branch, amendment } => branch::promote(state, branch, amendment),
        Command::DropBranch { branch } => branch::drop(state, branch),
        Command::ProposeAmendment {
            dataset,
            edit,
            approvals,
            preview,
        } => amend::propose(&sight, dataset, edit, approvals, preview),
        Command::ApproveAmendment { amendment, approver } => amend::approve(state, amendment, &approver),
        Command::PublishOverlay {
            dataset,
            amendment,
            overlaid,
        } => amend::overlay(&sight, dataset, amendment, overlaid),
        Command::Vacuum { now } => Ok(vacuum::vacuum(state, now).into_iter().map(Into::into).collect()),
        Command::FinishAmendment { made } => amend::finish(state, made),
        Command::FailAmendment {
            amendment,
            error,
            runs,
        } => amend::fail(state, amendment, error, runs),
        Command::DropAmendment { amendment } => amend::drop(state, amendment),
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
