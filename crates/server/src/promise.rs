//! Promises: what is known of them.

mod work;

use std::collections::BTreeMap;

use mainstay_api::{BlameReport, PromiseReport};
use mainstay_base::Timestamp;
use mainstay_control::{Keeping, PromiseLook, Sight, Standing, promise, standing, upstream};
use mainstay_model::DatasetName;
use mainstay_model::promise::{Blame, PromiseSpec};
use mainstay_model::resource::{Kind, ResourceKey};
use mainstay_planner::Job;

use crate::planning::Planning;

pub(crate) use work::Watching;

/// Sources that could not be looked at, since when, and why.
pub(crate) type Unseen = BTreeMap<DatasetName, (Timestamp, String)>;

/// Looks at what a promise is about. `is_stale` says of a job whether it has something to compute.
pub(crate) fn look(
    sight: &Sight<'_>,
    dataset: &DatasetName,
    unseen: &Unseen,
    mut is_stale: impl FnMut(&Job) -> bool,
) -> PromiseLook {
    let upstream = upstream(sight.state, dataset);
    let project = sight.declared().filter(|(key, ..)| key.kind == Kind::Project);
    let jobs = upstream
        .iter()
        .filter_map(|name| sight.resource(&ResourceKey::new(Kind::Job, name)));
    let mut stale: Vec<DatasetName> = crate::jobs::in_order(sight, project.map(|(_, _, r)| r).chain(jobs))
        .into_iter()
        .filter(|job| is_stale(job))
        .map(|job| job.dataset)
        .collect();
    // Before anything is there, nothing is up to date, even if there is nothing to compute.
    if sight.dataset(dataset).is_none() && !stale.contains(dataset) {
        stale.push(dataset.clone());
    }
    let unseen = unseen.iter().filter(|(name, _)| upstream.contains(*name));
    PromiseLook {
        dataset: dataset.clone(),
        seen: sight.state.seq,
        stale,
        unseen: unseen.map(|(name, why)| (name.clone(), why.clone())).collect(),
        upstream,
    }
}

/// The sources among what a dataset comes from.
pub(crate) fn sources(sight: &Sight<'_>, dataset: &DatasetName) -> Vec<DatasetName> {
    let is_source = |n: &DatasetName| sight.resource(&ResourceKey::new(Kind::Source, n)).is_some();
    upstream(sight.state, dataset)
        .into_iter()
        .filter(is_source)
        .collect()
}

/// How the promise of a dataset stands; none if nothing is promised of it.
pub(crate) fn status(
    sight: &Sight<'_>,
    planning: &mut Planning,
    dataset: &DatasetName,
    unseen: &Unseen,
    now: Timestamp,
) -> Option<PromiseReport> {
    let spec = promise(sight.state, dataset)?;
    let look = look(sight, dataset, unseen, |job| planning.stale(sight, job).is_some());
    let standing = standing(sight.state, &look, now)?;
    Some(report(sight, spec, &standing))
}

pub(crate) fn report(sight: &Sight<'_>, spec: &PromiseSpec, standing: &Standing) -> PromiseReport {
    let held = sight.state.promises.get(&spec.dataset);
    let state = match standing.keeping {
        _ if sight.state.rests() => "resting",
        Keeping::NotBegun => "not_begun",
        Keeping::Ok => "ok",
        Keeping::AtRisk => "at_risk",
        Keeping::Missed => "missed",
    };
    let blame = |b: &Blame| BlameReport {
        dataset: b.dataset.to_string(),
        because: b.because.clone(),
        run: b.run.map(|r| r.to_string()),
    };
    let begins = format!("mainstay run {} begins it", spec.dataset);
    PromiseReport {
        within_ms: spec.within_ms,
        within: within(spec.within_ms),
        state: state.to_owned(),
        since: standing.since,
        due: standing.due,
        needs_ms: standing.needs_ms,
        blame: standing.blame.as_ref().map(blame),
        kept: held.and_then(|h| h.kept).map(|(time, _)| time),
        missed: held.map_or(0, |h| h.missed),
        works: held.is_some_and(|h| h.open().is_some()),
        next: (standing.keeping == Keeping::NotBegun).then_some(begins),
    }
}

/// Writes a promised time as people write it.
pub(crate) fn within(ms: u64) -> String {
    let units = [
        (86_400_000, "days"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1_000, "s"),
    ];
    let unit = units
        .into_iter()
        .find(|(size, _)| ms >= *size && ms.is_multiple_of(*size));
    match unit {
        Some((size, "days")) if ms == size => "1 day".to_owned(),
        Some((size, name)) => format!("{} {name}", ms / size),
        None => format!("{ms} ms"),
    }
}
