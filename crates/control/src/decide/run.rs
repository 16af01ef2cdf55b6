//! Runs: recorded before they start, published in the same frame in which they end.

use std::collections::BTreeMap;

use mainstay_base::Timestamp;
use mainstay_model::fact::{AttemptFailed, AttemptStarted, Fact, Published, RunFinished, RunRecorded};
use mainstay_model::id::RunId;
use mainstay_model::queue::Class;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{CheckOutcome, CrossCheck, Pinned, RunError, RunOutcome, Usage};
use mainstay_model::spec::{Retries, Severity};
use mainstay_model::{DatasetName, SliceKey};

use super::{branch, not_found, publish};
use crate::command::{Finish, Overlaid, Refusal, RefusalKind, outcome_of};
use crate::state::{Dataset, Line, RunStatus, State};

/// The longest pause between two attempts.
const LONGEST_PAUSE_MS: u64 = 3_600_000;

pub(super) fn record(
    state: &State,
    pinned: Pinned,
    because: String,
    class: Class,
    starts: bool,
) -> Vec<Fact> {
    let run = RunId(state.last_run + 1);
    let recorded = RunRecorded {
        run,
        pinned,
        because,
        class,
    };
    let mut facts = vec![recorded.into()];
    if starts {
        facts.push(AttemptStarted { run, attempt: 1 }.into());
    }
    facts
}

pub(super) fn skip(state: &State, pinned: Pinned, class: Class, error: RunError) -> Vec<Fact> {
    let run = RunId(state.last_run + 1);
    let because = error.message.clone();
    let finished = RunFinished {
        run,
        attempts: 0,
        outcome: RunOutcome::Skipped,
        error: Some(error),
        usage: Usage::default(),
        checks: Vec::new(),
        reused_from: None,
        cross_check: None,
        unread: Vec::new(),
    };
    let recorded = RunRecorded {
        run,
        pinned,
        because,
        class,
    };
    vec![recorded.into(), finished.into()]
}

pub(super) fn abandon(state: &State, run: RunId, error: RunError) -> Result<Vec<Fact>, Refusal> {
    let held = state
        .runs
        .get(&run)
        .ok_or_else(|| not_found(format!("there is no run {run}")))?;
    if matches!(held.status, RunStatus::Ended(_)) {
        return Ok(Vec::new());
    }
    let outcome = if held.cancel {
        RunOutcome::Cancelled
    } else {
        RunOutcome::Failed
    };
    let finished = RunFinished {
        run,
        attempts: held.attempts.last().map_or(0, |a| a.number),
        outcome,
        error: Some(error),
        usage: Usage::default(),
        checks: Vec::new(),
        reused_from: None,
        cross_check: None,
        unread: Vec::new(),
    };
    Ok(vec![finished.into()])
}

pub(super) fn start(state: &State, run: RunId) -> Result<Vec<Fact>, Refusal> {
    let held = state
        .runs
        .get(&run)
        .ok_or_else(|| not_found(format!("there is no run {run}")))?;
    match held.status {
        RunStatus::Waiting { .. } => {
            let attempt = held.attempts.last().map_or(0, |a| a.number) + 1;
            Ok(vec![AttemptStarted { run, attempt }.into()])
        }
        RunStatus::Running | RunStatus::Ended(_) => Err(stale_attempt(run, 0)),
    }
}

fn stale_attempt(run: RunId, attempt: u32) -> Refusal {
    Refusal {
        kind: RefusalKind::OutOfDate,
        code: "MS0405",
        message: format!("attempt {attempt} of run {run} is not the current one; its result is not accepted"),
        help: None,
    }
}

/// How an attempt ended, and what came of it.
pub(super) struct Ending {
    pub(super) finish: Finish,
    pub(super) usage: Usage,
    pub(super) checks: Vec<CheckOutcome>,
    pub(super) reused: BTreeMap<SliceKey, RunId>,
    pub(super) overlaid: Option<Overlaid>,
    pub(super) cross_check: Option<CrossCheck>,
    pub(super) unread: Vec<SliceKey>,
    pub(super) rests_on: BTreeMap<DatasetName, u64>,
}

pub(super) fn finish(
    state: &State,
    run: RunId,
    attempt: u32,
    ending: Ending,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let Ending {
        finish,
        usage,
        checks,
        reused,
        overlaid,
        cross_check,
        unread,
        rests_on,
    } = ending;
    let mut reused_from = None;
    let held = state
        .runs
        .get(&run)
        .ok_or_else(|| not_found(format!("there is no run {run}")))?;
    if held.status != RunStatus::Running || held.attempts.last().is_none_or(|a| a.number != attempt) {
        return Err(stale_attempt(run, attempt));
    }
    let line = branch::open(state, held.pinned.branch.as_ref())?;
    let mut facts = Vec::new();
    let mut finish = match (finish, failed_checks(&checks)) {
        (Finish::Computed(_), Some(error)) => Finish::Failed(error),
        (other, _) => other,
    };
    if matches!(finish, Finish::Computed(_)) {
        still_there(line, &rests_on)?;
    }
    if held.cancel && !matches!(finish, Finish::Computed(_)) {
        finish = Finish::Cancelled;
    }
    if let Finish::Failed(error) = &finish
        && error.transient
        && let Some(pause_ms) = next_pause(&retries_of(line, &held.pinned.job), attempt)
    {
        let retry_at = now.plus_millis(i64::try_from(pause_ms).unwrap_or(i64::MAX));
        return Ok(vec![
            AttemptFailed {
                run,
                attempt,
                error: error.clone(),
                usage,
                retry_at,
            }
            .into(),
        ]);
    }
    let outcome = outcome_of(&finish);
    let error = match finish {
        Finish::Computed(staged) => {
            let dataset = line.datasets.get(&held.pinned.job);
            let mut datasets = publish::output(dataset.map(|d| &**d), &held.pinned.job, staged, overlaid)?;
            if let Some(computed) = datasets.first_mut() {
                for slice in &mut computed.slices {
                    slice.run = reused.get(&slice.slice).copied();
                }
                let all = computed.slices.iter().all(|s| s.run.is_some());
                reused_from = reused.values().max().copied().filter(|_| all);
            }
            facts.push(
                Published {
                    run: Some(run),
                    deliveries: Vec::new(),
                    datasets,
                    branch: held.pinned.branch.clone(),
                    amendment: None,
                    promotes: None,
                }
                .into(),
            );
            None
        }
        Finish::Failed(error) | Finish::Overtaken(error) => Some(error),
        Finish::Cancelled => None,
    };
    facts.push(
        RunFinished {
            run,
            attempts: attempt,
            outcome,
            error,
            usage,
            checks,
            reused_from,
            cross_check,
            unread,
        }
        .into(),
    );
    Ok(facts)
}

/// Refuses a result that rests on something which moved meanwhile: it would take back what moved it.
fn still_there(line: &Line, rests_on: &BTreeMap<DatasetName, u64>) -> Result<(), Refusal> {
    let now = |name: &DatasetName| line.dataset(name).map_or(0, Dataset::version);
    match rests_on.iter().find(|(name, version)| now(name) != **version) {
        None => Ok(()),
        Some((name, version)) => Err(Refusal {
            kind: RefusalKind::OutOfDate,
            code: "MS0507",
            message: format!("{name} is at version {} and was at {version}", now(name)),
            help: None,
        }),
    }
}

fn retries_of(line: &Line, job: &DatasetName) -> Retries {
    let resource = line.resource(&ResourceKey::new(Kind::Job, job));
    match resource.map(|r| &r.spec) {
        Some(Spec::Job(spec)) => spec.retries,
        _ => Retries::default(),
    }
}

/// Returns the pause after a failed attempt; none if it was the last one. It doubles each time.
fn next_pause(retries: &Retries, attempt: u32) -> Option<u64> {
    (attempt <= retries.count).then(|| {
        let factor = 1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
        retries.pause_ms.saturating_mul(factor).min(LONGEST_PAUSE_MS)
    })
}

/// Returns the error of a run whose checks failed; none if none that matters did.
fn failed_checks(checks: &[CheckOutcome]) -> Option<RunError> {
    let failed: Vec<&CheckOutcome> = checks
        .iter()
        .filter(|c| c.violations > 0 && c.severity == Severity::Error)
        .collect();
    let first = failed.first()?;
    let more = if failed.len() > 1 {
        format!(" (and {} more)", failed.len() - 1)
    } else {
        String::new()
    };
    Some(RunError {
        code: "MS0501".to_owned(),
        message: format!("check {} failed: {}{more}", first.check, first.message),
        help: Some("nothing was published; what was there before is still served".to_owned()),
        transient: false,
    })
}
