//! Why of promises: how one stands, and what holds it up.

use mainstay_api::PromiseReport;
use mainstay_control::{At, standing};
use mainstay_model::promise::PromiseSpec;
use mainstay_model::{Address, DatasetName};
use mainstay_planner::stale;

use super::Answered;
use super::look::{By, Look, changing, of};
use crate::expressions::SliceColumns;
use crate::promise;

/// How the promise of a dataset stands; none if there is none, or on another side than the live one.
fn status<'a>(look: &Look<'a>, name: &DatasetName) -> Option<(&'a PromiseSpec, PromiseReport)> {
    let sight = &look.sight;
    let spec = mainstay_control::promise(sight.state, name).filter(|_| sight.branch.is_none())?;
    let columns = SliceColumns::now(sight);
    let seen = promise::look(sight, name, &look.unseen, |job| {
        stale(job, &At::now(sight.line), &columns).is_some()
    });
    let standing = standing(sight.state, &seen, look.now)?;
    Some((spec, promise::report(sight, spec, &standing)))
}

/// What is to be said of a promise that is not simply kept.
fn said(name: &DatasetName, status: &PromiseReport) -> Option<String> {
    let within = &status.within;
    let due = status.due.map(super::dataset::short).unwrap_or_default();
    let blame = status.blame.as_ref();
    let blame = blame.map_or_else(String::new, |b| {
        format!("; {} is to blame: {}", b.dataset, b.because)
    });
    match status.state.as_str() {
        "missed" => Some(format!(
            "{name} is promised within {within}, and that is missed since {due}{blame}"
        )),
        "at_risk" => Some(format!(
            "{name} is promised within {within}, which is {due}, and that is at risk{blame}"
        )),
        "not_begun" => Some(format!(
            "{name} is promised within {within}, which begins when it is up to date once"
        )),
        _ => None,
    }
}

/// Adds to what is said of a dataset that its promise is not kept, and who is to blame.
pub(super) fn add(look: &Look<'_>, name: &DatasetName, mut answered: Answered) -> Answered {
    let Some((_, status)) = status(look, name).filter(|(_, s)| s.blame.is_some()) else {
        return answered;
    };
    let Some(said) = said(name, &status) else {
        return answered;
    };
    let held = look.sight.state.promises.get(name);
    let by = match held.and_then(|p| p.alarm.as_ref()) {
        Some(alarm) => look.by(alarm.seq, alarm.time),
        None => By::default(),
    };
    let cause = of(by.cause("promise", said), format!("promise/{name}"));
    answered.report.causes.insert(0, cause);
    answered.next(blamed(&status))
}

/// What shows more of what is to blame.
fn blamed(status: &PromiseReport) -> Option<String> {
    let blame = status.blame.as_ref()?;
    Some(match &blame.run {
        Some(run) => format!("mainstay why {run}"),
        None => format!("mainstay why {}", blame.dataset),
    })
}

/// Explains a promise.
pub(super) fn why(look: &Look<'_>, thing: &Address, name: &DatasetName) -> Option<Answered> {
    let (spec, status) = status(look, name)?;
    let held = look.sight.state.promises.get(name);
    let mut causes = Vec::new();
    if let Some(alarm) = held.and_then(|p| p.alarm.as_ref()) {
        let what = if alarm.missed {
            "the promise was missed"
        } else {
            "the promise was at risk"
        };
        let blame = format!("{}: {}", alarm.blame.dataset, alarm.blame.because);
        let cause = changing(look.by(alarm.seq, alarm.time).cause("promise", what), blame);
        let to_blame = alarm
            .blame
            .run
            .map_or_else(|| alarm.blame.dataset.to_string(), |run| format!("run/{run}"));
        causes.push(of(cause, to_blame));
    }
    if let Some(work) = held.and_then(|p| p.work.as_ref()) {
        let cause = look
            .by(work.seq, work.time)
            .cause("promise", format!("work for it was set off: {}", work.because));
        let runs: Vec<String> = work.runs.iter().map(ToString::to_string).collect();
        let failed = work.error.as_ref().map(|e| format!("{}: {}", e.code, e.message));
        causes.push(changing(cause, failed.unwrap_or_else(|| runs.join(", "))));
    }
    let kept = match (status.since, status.kept) {
        (None, Some(kept)) => format!(
            "{name} is promised within {}, and has everything; that was recorded {}",
            status.within,
            super::dataset::short(kept)
        ),
        (Some(since), _) => format!(
            "{name} is promised within {}; it is behind since {}, and has until {}",
            status.within,
            super::dataset::short(since),
            status.due.map(super::dataset::short).unwrap_or_default()
        ),
        (None, None) => format!("{name} is promised within {}", status.within),
    };
    let summary = said(&spec.dataset, &status).unwrap_or(kept);
    let next =
        blamed(&status).or_else(|| (status.state == "not_begun").then(|| format!("mainstay run {name}")));
    Some(Answered::new(thing, &status.state, summary, causes).next(next))
}
