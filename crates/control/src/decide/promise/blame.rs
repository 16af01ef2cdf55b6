//! Who is to blame for a promise that is at risk or missed: the first thing on the way from the sources that stands in the way.

use mainstay_base::Timestamp;
use mainstay_model::promise::{Blame, PromiseSpec};
use mainstay_model::run::RunOutcome;

use super::effort::Effort;
use super::{is_new, last_ended};
use crate::command::PromiseLook;
use crate::state::{RunStatus, State};

/// A source that cannot be looked at, or the first stale job whose last run failed since.
pub(super) fn failed(state: &State, look: &PromiseLook, since: Timestamp) -> Option<Blame> {
    let failing = |name| {
        let (id, run) = last_ended(state, name)?;
        // What was skipped was so because of another one, which is found itself.
        let badly = matches!(
            run.status,
            RunStatus::Ended(RunOutcome::Failed | RunOutcome::Cancelled)
        );
        (badly && run.ended.is_some_and(|t| t >= since)).then_some((id, run))
    };
    let (name, (id, run)) = look.stale.iter().find_map(|name| Some((name, failing(name)?)))?;
    let because = match &run.error {
        Some(error) => format!("its run {id} failed: {}", error.message),
        None => format!("its run {id} was cancelled"),
    };
    Some(Blame {
        dataset: name.clone(),
        because,
        run: Some(id),
    })
}

/// What else may be in the way, the surest first.
pub(super) fn blame(
    state: &State,
    look: &PromiseLook,
    spec: &PromiseSpec,
    since: Timestamp,
    effort: &Effort,
) -> Blame {
    if let Some((source, (_, why))) = look.unseen.iter().next() {
        return Blame {
            dataset: source.clone(),
            because: format!("its place cannot be looked at: {why}"),
            run: None,
        };
    }
    if let Some(new) = look.stale.iter().find(|n| is_new(state, n)) {
        return Blame {
            dataset: new.clone(),
            because: format!(
                "its query is new, and computing what was before waits for somebody: mainstay run {new}"
            ),
            run: None,
        };
    }
    let running = state.runs.open().filter(|(_, r)| r.pinned.branch.is_none());
    let running = running.filter(|(_, r)| look.stale.contains(&r.pinned.job)).last();
    if let Some((id, run)) = running {
        let before = effort.longest.as_ref().filter(|(job, _)| *job == run.pinned.job);
        let before = before.map_or_else(String::new, |(_, ms)| {
            format!(", which took {} before", time(*ms))
        });
        return Blame {
            dataset: run.pinned.job.clone(),
            because: format!("its run {id} is still going on{before}"),
            run: Some(id),
        };
    }
    if let Some((job, ms)) = effort
        .longest
        .as_ref()
        .filter(|_| effort.needs_ms >= spec.within_ms)
    {
        return Blame {
            dataset: job.clone(),
            because: format!(
                "it takes {} of the {} that are promised",
                time(*ms),
                time(spec.within_ms)
            ),
            run: None,
        };
    }
    let first = look.stale.first().unwrap_or(&look.dataset).clone();
    let work = state.promises.get(&look.dataset).and_then(|p| p.work.as_ref());
    let because = match work.filter(|w| w.time >= since) {
        Some(work) if work.done.is_none() => "it waits for other work to end".to_owned(),
        Some(_) => "it was brought up to date, and is behind again".to_owned(),
        None => "nothing ran it: no server was there".to_owned(),
    };
    Blame {
        dataset: first,
        because,
        run: None,
    }
}

/// Writes a duration for people.
fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        120_000..7_200_000 => format!("{:.0} min", ms as f64 / 6e4),
        _ => format!("{:.1} h", ms as f64 / 3.6e6),
    }
}
