//! Deciding: a command and the state in, facts or a refusal out.

mod access;
mod alarm;
mod amend;
mod apply;
mod branch;
mod deliver;
mod hook;
mod lineage;
mod message;
mod promise;
mod publish;
mod run;
mod trigger;
mod vacuum;

pub use alarm::{Judged, alarms_are_due, judge};
pub use deliver::{base_after_delivery, is_held};
pub use lineage::{LineageChannel, lineage_channels};
pub use promise::{Keeping, Standing, has_begun, look_every_ms, promise, promises, standing, upstream};
pub use publish::{base_after_run, shown_under};
pub use trigger::{Happening, next_tick, next_times, react};
pub use vacuum::vacuum;

use mainstay_base::Timestamp;
use mainstay_model::fact::{CancelRequested, Fact, HomeResumed, Planned, Projected};
use mainstay_model::id::PlanId;
use mainstay_model::{BranchName, DatasetName};

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
        Command::Restored { restored } => Ok(vec![restored.into()]),
        Command::Resume if state.rests() => Ok(vec![HomeResumed {}.into()]),
        Command::Resume => Ok(Vec::new()),
        Command::Plan { desired } => {
            let planned = Planned {
                plan: PlanId(state.last_plan + 1),
                base: line.last_apply,
                branch: side.cloned(),
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
        Command::AnswerDelivery { delivery, accepted } => deliver::answer(state, delivery, accepted),
        Command::RecordRun {
            pinned,
            because,
            class,
            starts,
        } => Ok(run::record(state, pinned, because, class, starts)),
        Command::StartAttempt { run } => run::start(state, run),
        Command::FinishAttempt {
            run,
            attempt,
            finish,
            usage,
            checks,
            reused,
            overlaid,
            cross_check,
            unread,
            rests_on,
        } => {
            let ending = run::Ending {
                finish,
                usage,
                checks,
                reused,
                overlaid,
                cross_check,
                unread,
                rests_on,
            };
            run::finish(state, run, attempt, ending, now)
        }
        Command::SkipRun { pinned, class, error } => Ok(run::skip(state, pinned, class, error)),
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
        Command::Projected { shown } => {
            let held = |name: &DatasetName| state.main.datasets.get(name).and_then(|d| d.projected);
            let new = shown.into_iter().filter(|(name, at)| held(name) != Some(*at));
            let fact = |(dataset, (version, delta_version))| {
                Projected {
                    dataset,
                    version,
                    delta_version,
                }
                .into()
            };
            Ok(new.map(fact).collect())
        }
        Command::CreateBranch { branch } => branch::create(state, branch),
        Command::RebaseBranch { branch, amended } => branch::rebase(state, branch, amended),
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
        Command::ReceiveHook { received } => hook::receive(state, received),
        Command::MessageAttempted { message, attempted } => {
            message::attempted(state, message, attempted, now)
        }
        Command::LineageAttempted { channel, telling } => lineage::told(state, &channel, telling, now),
        Command::LookAtAlarms => Ok(alarm::look(state, now)),
        Command::Tick => Ok(trigger::tick(state, now)),
        Command::KeepPromises { looks } => Ok(promise::keep(state, &looks, now)),
        Command::FinishPromise { dataset, runs, error } => promise::finish(state, dataset, runs, error),
        Command::FinishFirings { firings, runs, error } => trigger::finish(state, firings, runs, error),
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
