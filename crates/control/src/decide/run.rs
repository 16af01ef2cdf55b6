//! Runs: recorded before they start, published in the same frame in which they end.

use mainstay_base::Timestamp;
use mainstay_model::dataset::SliceVersion;
use mainstay_model::fact::{
    AttemptFailed, AttemptStarted, Fact, Published, PublishedDataset, PublishedSlice, RunFinished,
    RunRecorded,
};
use mainstay_model::id::RunId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{CheckOutcome, Pinned, RunError, RunOutcome, Usage};
use mainstay_model::spec::{Retries, Severity};
use mainstay_model::{DatasetName, SliceKey};

use super::not_found;
use crate::command::{Finish, Refusal, RefusalKind, StagedDataset, StagedSlices, outcome_of};
use crate::state::{Dataset, RunStatus, State};

/// The longest pause between two attempts.
const LONGEST_PAUSE_MS: u64 = 3_600_000;

pub(super) fn record(state: &State, pinned: Pinned, because: String) -> Fact {
    RunRecorded {
        run: RunId(state.last_run + 1),
        pinned,
        because,
    }
    .into()
}

pub(super) fn skip(state: &State, pinned: Pinned, error: RunError) -> Vec<Fact> {
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
    };
    vec![RunRecorded { run, pinned, because }.into(), finished.into()]
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

pub(super) fn finish(
    state: &State,
    run: RunId,
    attempt: u32,
    finish: Finish,
    usage: Usage,
    checks: Vec<CheckOutcome>,
    now: Timestamp,
) -> Result<Vec<Fact>, Refusal> {
    let held = state
        .runs
        .get(&run)
        .ok_or_else(|| not_found(format!("there is no run {run}")))?;
    if held.status != RunStatus::Running || held.attempts.last().is_none_or(|a| a.number != attempt) {
        return Err(stale_attempt(run, attempt));
    }
    let mut facts = Vec::new();
    let mut finish = match (finish, failed_checks(&checks)) {
        (Finish::Computed(_), Some(error)) => Finish::Failed(error),
        (other, _) => other,
    };
    if held.cancel && !matches!(finish, Finish::Computed(_)) {
        finish = Finish::Cancelled;
    }
    if let Finish::Failed(error) = &finish
        && error.transient
        && let Some(pause_ms) = next_pause(&retries_of(state, &held.pinned.job), attempt)
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
            let empty = Dataset::default();
            let dataset = state.datasets.get(&held.pinned.job).unwrap_or(&empty);
            facts.push(
                Published {
                    run: Some(run),
                    deliveries: Vec::new(),
                    datasets: vec![publish(dataset, &held.pinned.job, staged)],
                }
                .into(),
            );
            None
        }
        Finish::Failed(error) => Some(error),
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
            reused_from: None,
        }
        .into(),
    );
    Ok(facts)
}

fn retries_of(state: &State, job: &DatasetName) -> Retries {
    let resource = state
        .resources
        .get(&ResourceKey::new(Kind::Job, job))
        .and_then(|h| h.resource());
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

/// Makes the publish of an output: what is as it was is confirmed, not written again.
fn publish(held: &Dataset, name: &DatasetName, staged: StagedDataset) -> PublishedDataset {
    let content_if_new = |slice: &SliceKey, content: SliceVersion| {
        let now = held.slices.get(slice).and_then(|h| h.newest());
        let same = match now {
            Some(now) => now.digest() == content.digest() && now.rows() == content.rows(),
            None => content.files.is_empty(),
        };
        (!same).then_some(content)
    };
    // Other columns, or other slice columns: nothing that is there can stay.
    let reshaped = held
        .versions
        .last()
        .is_some_and(|v| v.schema != staged.schema || held.slice_columns != staged.slice_columns);
    let keep = |slice: &SliceKey, content: SliceVersion| {
        if reshaped {
            Some(content)
        } else {
            content_if_new(slice, content)
        }
    };
    let (mut slices, mut removed, mut whole) = (Vec::new(), Vec::new(), None);
    match staged.slices {
        StagedSlices::Whole {
            fingerprint,
            slices: computed,
        } => {
            whole = Some(fingerprint);
            let gone = held
                .slices
                .iter()
                .filter(|(k, h)| h.newest().is_some() && !computed.contains_key(*k));
            removed.extend(gone.map(|(k, _)| k.clone()));
            for (slice, content) in computed {
                let content = keep(&slice, content);
                slices.push(PublishedSlice {
                    slice,
                    fingerprint: None,
                    content,
                });
            }
        }
        StagedSlices::Some(computed) => {
            // Slices of another shape are left from before the slice columns changed.
            let other = |k: &SliceKey| k.0.len() != staged.slice_columns.len();
            let gone = held
                .slices
                .iter()
                .filter(|(k, h)| h.newest().is_some() && other(k));
            removed.extend(gone.map(|(k, _)| k.clone()));
            for (slice, (fingerprint, content)) in computed {
                let content = keep(&slice, content);
                slices.push(PublishedSlice {
                    slice,
                    fingerprint: Some(fingerprint),
                    content,
                });
            }
        }
    }
    let moved = reshaped
        || !removed.is_empty()
        || held.versions.is_empty()
        || slices.iter().any(|s| s.content.is_some());
    PublishedDataset {
        dataset: name.clone(),
        version: held.version() + u64::from(moved),
        schema: staged.schema,
        slice_columns: staged.slice_columns,
        slices,
        removed,
        whole,
    }
}
