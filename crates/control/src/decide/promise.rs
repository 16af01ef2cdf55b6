//! Promises: whether a dataset has what its sources have, when work for it has to begin, and who is to blame if it is late.
//!
//! A dataset is behind since the first change of what it comes from that was not there when it was last seen to have
//! everything. Work begins at once after a quiet time, twice within the promised time if changes go on, and early enough for what
//! it took before. It does so by itself only where data changed: a query that is new or changed means computing the past, which
//! waits for somebody. Nor does a promise say anything before the dataset was up to date once.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_base::Timestamp;
use mainstay_model::DatasetName;
use mainstay_model::fact::{Fact, PromiseAtRisk, PromiseDone, PromiseKept, PromiseMissed, PromiseSetOff};
use mainstay_model::id::RunId;
use mainstay_model::promise::{Blame, PromiseSpec};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{RunError, RunOutcome};

mod blame;
mod effort;

use super::not_found;
use crate::command::{PromiseLook, Refusal};
use crate::state::{Promise, RunStatus, State};

/// The shortest time between two looks at the place of a source, in milliseconds.
const LOOK_LEAST_MS: u64 = 1_000;

/// The longest time between two looks at the place of a source, in milliseconds.
const LOOK_MOST_MS: u64 = 60_000;

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The dataset was never up to date since it was promised.
    NotBegun,
    /// It is kept: the dataset has everything, or has time left to get it.
    Ok,
    /// It will be missed if things go on as they do.
    AtRisk,
    /// It is missed.
    Missed,
}

/// How a promise stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How it stands.
    pub keeping: Keeping,
    /// Since when the dataset is behind; none if it has everything.
    pub since: Option<Timestamp>,
    /// When it has to be up to date.
    pub due: Option<Timestamp>,
    /// What bringing it up to date took before, in milliseconds: the longest way through the jobs that have to run.
    pub needs_ms: u64,
    /// What holds it up; only if it is at risk or missed.
    pub blame: Option<Blame>,
    /// When work for it begins by itself; none if there is nothing to do, or if it waits for somebody.
    pub begins: Option<Timestamp>,
    /// When it stands otherwise by the passing of time alone.
    pub next: Option<Timestamp>,
}

/// Returns how often the places of sources are looked at for a promise, in milliseconds.
pub fn look_every_ms(within_ms: u64) -> u64 {
    (within_ms / 10).clamp(LOOK_LEAST_MS, LOOK_MOST_MS)
}

/// Returns the promises that are declared on the live side.
pub fn promises(state: &State) -> impl Iterator<Item = &PromiseSpec> {
    let promises = state.main.of_kind(Kind::Promise);
    promises.filter_map(|(.., promise)| match &promise.spec {
        Spec::Promise(spec) => Some(spec),
        _ => None,
    })
}

/// Returns what is promised of a dataset on the live side; none if nothing is.
pub fn promise<'a>(state: &'a State, dataset: &DatasetName) -> Option<&'a PromiseSpec> {
    match &state
        .main
        .resource(&ResourceKey::new(Kind::Promise, dataset))?
        .spec
    {
        Spec::Promise(spec) => Some(spec),
        _ => None,
    }
}

/// Returns a dataset with everything that it comes from.
pub fn upstream(state: &State, dataset: &DatasetName) -> BTreeSet<DatasetName> {
    let (mut left, mut found) = (vec![dataset.clone()], BTreeSet::new());
    while let Some(name) = left.pop() {
        left.extend(reads(state, &name).cloned());
        found.insert(name);
    }
    found
}

fn reads<'a>(state: &'a State, name: &DatasetName) -> impl Iterator<Item = &'a DatasetName> {
    let resource = state.main.resource(&ResourceKey::new(Kind::Job, name));
    let spec = match resource.map(|r| &r.spec) {
        Some(Spec::Job(spec)) => Some(spec),
        _ => None,
    };
    spec.into_iter().flat_map(|s| s.compiled.reads.keys())
}

/// Says whether a dataset was up to date since it is promised to be.
pub fn has_begun(state: &State, dataset: &DatasetName) -> bool {
    let held = state
        .main
        .resources
        .get(&ResourceKey::new(Kind::Promise, dataset));
    let generations = held.map(|h| h.generations.as_slice()).unwrap_or_default();
    // One that was taken away and made again begins again; one of another time goes on.
    let declared = generations.iter().rev().take_while(|g| g.resource.is_some());
    let since = declared.last().map_or(u64::MAX, |g| g.seq);
    let kept = state.promises.get(dataset).and_then(|p| p.kept);
    kept.is_some_and(|(_, seq)| seq > since)
}

/// Says whether a job's query is not the one that its dataset was last computed by: what it has to compute is not only what changed.
fn is_new(state: &State, job: &DatasetName) -> bool {
    let resource = state.main.resource(&ResourceKey::new(Kind::Job, job));
    let Some(Spec::Job(spec)) = resource.map(|r| &r.spec) else {
        return state.main.dataset(job).is_none();
    };
    let good = state.main.last_good.get(job);
    let code = good.and_then(|id| state.runs.get(id)).map(|r| r.pinned.code);
    good.is_none() || code.is_some_and(|code| code != spec.compiled.code)
}

/// Says whether something that a look saw changed after it.
fn has_moved(state: &State, look: &PromiseLook) -> bool {
    let newest = |name: &DatasetName| {
        let version = state.main.dataset(name).and_then(|d| d.versions.last());
        let job = state.main.resources.get(&ResourceKey::new(Kind::Job, name));
        let generation = job.and_then(|h| h.newest()).map(|g| g.seq);
        version.map(|v| v.seq).max(generation).unwrap_or_default()
    };
    look.upstream.iter().any(|name| newest(name) > look.seen)
}

/// Returns the first change of what a dataset comes from that was not seen yet, with its name.
fn first_change(state: &State, look: &PromiseLook, seen: u64) -> Option<(Timestamp, String)> {
    let versions = look.upstream.iter().filter(|n| **n != look.dataset);
    let changed = versions.filter_map(|name| {
        let versions = &state.main.dataset(name)?.versions;
        let from = versions.partition_point(|v| v.seq <= seen);
        let first = versions.get(from)?;
        Some((first.time, format!("{name} has new content")))
    });
    let queries = look
        .upstream
        .iter()
        .filter(|n| is_new(state, n))
        .filter_map(|name| {
            let held = state.main.resources.get(&ResourceKey::new(Kind::Job, name))?;
            let newest = held.newest().filter(|g| g.seq > seen)?;
            Some((newest.time, format!("the query of {name} changed")))
        });
    let unseen = look
        .unseen
        .iter()
        .map(|(name, (since, _))| (*since, format!("{name} cannot be looked at")));
    changed.chain(queries).chain(unseen).min_by_key(|(time, _)| *time)
}

/// Says how a promise stands; none if nothing is promised of the dataset.
pub fn standing(state: &State, look: &PromiseLook, now: Timestamp) -> Option<Standing> {
    let spec = promise(state, &look.dataset)?;
    let none = Promise::default();
    let held = state.promises.get(&look.dataset).unwrap_or(&none);
    let behind = !look.stale.is_empty() || !look.unseen.is_empty();
    let mut standing = Standing {
        keeping: Keeping::Ok,
        since: None,
        due: None,
        needs_ms: 0,
        blame: None,
        begins: None,
        next: None,
    };
    if !has_begun(state, &look.dataset) {
        standing.keeping = Keeping::NotBegun;
        return Some(standing);
    }
    if !behind {
        return Some(standing);
    }
    let changed = first_change(state, look, held.seen).map(|(time, _)| time);
    let known = held.open().map(|w| w.since);
    let since = changed.or(known).unwrap_or(now);
    let within = spec.within_ms;
    let due = since.plus_millis(millis(within.saturating_sub(look_every_ms(within))));
    let effort = effort::effort(state, look);
    let margin = effort.needs_ms.max(within / 10);
    let risk = due.plus_millis(-millis(margin));
    standing.since = Some(since);
    standing.due = Some(due);
    standing.needs_ms = effort.needs_ms;
    if !look.stale.is_empty() && held.open().is_none() && !look.stale.iter().any(|n| is_new(state, n)) {
        standing.begins = Some(begins(held, since, due, margin, within));
    }
    let failed = blame::failed(state, look, since);
    standing.keeping = if now >= due {
        Keeping::Missed
    } else if now >= risk || failed.is_some() {
        Keeping::AtRisk
    } else {
        Keeping::Ok
    };
    if standing.keeping != Keeping::Ok {
        standing.blame = Some(failed.unwrap_or_else(|| blame::blame(state, look, spec, since, &effort)));
    }
    let times = [Some(risk), Some(due), standing.begins];
    standing.next = times.into_iter().flatten().filter(|t| *t > now).min();
    Some(standing)
}

/// When work begins: at once, or half the promised time after what began last; not too late for what it takes; and some time
/// after what was done last and did not help.
fn begins(held: &Promise, since: Timestamp, due: Timestamp, margin: u64, within: u64) -> Timestamp {
    let Some(work) = &held.work else { return since };
    let paced = work.time.plus_millis(millis(within / 2));
    let latest = due.plus_millis(-millis(margin.saturating_mul(2)));
    let wanted = since.max(paced.min(latest));
    let again = work.done.filter(|_| work.since >= since || work.time >= since);
    again.map_or(wanted, |done| {
        wanted.max(done.plus_millis(millis(look_every_ms(within))))
    })
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX / 1000)
}

/// Records how promises stand where that is new, and sets off what has to be.
pub(super) fn keep(state: &State, looks: &[PromiseLook], now: Timestamp) -> Vec<Fact> {
    if state.rests() {
        return Vec::new();
    }
    looks.iter().flat_map(|look| of_one(state, look, now)).collect()
}

fn of_one(state: &State, look: &PromiseLook, now: Timestamp) -> Vec<Fact> {
    // Whoever looks again knows more.
    if has_moved(state, look) {
        return Vec::new();
    }
    let Some(standing) = standing(state, look, now) else {
        return Vec::new();
    };
    let none = Promise::default();
    let held = state.promises.get(&look.dataset).unwrap_or(&none);
    let dataset = || look.dataset.clone();
    let Some((since, due)) = standing.since.zip(standing.due) else {
        let behind = !look.stale.is_empty() || !look.unseen.is_empty();
        let changed = || first_change(state, look, held.seen);
        let begun = standing.keeping != Keeping::NotBegun;
        if behind || (begun && held.alarm.is_none() && changed().is_none()) {
            return Vec::new();
        }
        let since = changed().map(|(time, _)| time).filter(|_| begun);
        let kept = PromiseKept {
            dataset: dataset(),
            seen: look.seen,
            since: held.alarm.as_ref().map(|a| a.since).filter(|_| begun).or(since),
            late: begun && held.alarm.as_ref().is_some_and(|a| a.missed),
        };
        return vec![kept.into()];
    };
    let mut facts: Vec<Fact> = Vec::new();
    if standing.begins.is_some_and(|at| at <= now) {
        let because = first_change(state, look, held.seen).map(|(_, because)| because);
        let because = because.unwrap_or_else(|| format!("{} is stale", look.dataset));
        let set_off = PromiseSetOff {
            dataset: dataset(),
            because,
            since,
        };
        facts.push(set_off.into());
    }
    if let Some(blame) = standing.blame {
        let said = held.alarm.as_ref();
        if standing.keeping == Keeping::Missed && said.is_none_or(|a| !a.missed) {
            let missed = PromiseMissed {
                dataset: dataset(),
                since,
                due,
                blame,
            };
            facts.push(missed.into());
        } else if standing.keeping == Keeping::AtRisk && said.is_none() {
            let at_risk = PromiseAtRisk {
                dataset: dataset(),
                since,
                due,
                blame,
            };
            facts.push(at_risk.into());
        }
    }
    facts
}

pub(super) fn finish(
    state: &State,
    dataset: DatasetName,
    runs: Vec<RunId>,
    error: Option<RunError>,
) -> Result<Vec<Fact>, Refusal> {
    let open = state.promises.get(&dataset).and_then(Promise::open);
    open.ok_or_else(|| not_found(format!("nothing is to be done for the promise of {dataset}")))?;
    let done = PromiseDone { dataset, runs, error };
    Ok(vec![done.into()])
}

/// The newest run of a job on the live side that ended.
fn last_ended<'a>(state: &'a State, job: &DatasetName) -> Option<(RunId, &'a crate::state::Run)> {
    let its = |r: &crate::state::Run| r.pinned.branch.is_none() && matches!(r.status, RunStatus::Ended(_));
    state.runs.of(job).rev().find(|(_, r)| its(r))
}

/// By job, the longest of its last runs that computed, in milliseconds.
fn measured(state: &State, jobs: &BTreeSet<DatasetName>) -> BTreeMap<DatasetName, u64> {
    /// How many runs of each job count.
    const COUNTED: usize = 3;
    /// How many runs of each job are looked at.
    const LOOKED_AT: usize = 200;
    let took = |run: &crate::state::Run| {
        let computed = run.status == RunStatus::Ended(RunOutcome::Succeeded) && run.reused_from.is_none();
        let ended = run.ended.filter(|_| computed)?;
        Some(u64::try_from(ended.micros_since(run.recorded) / 1000).unwrap_or_default())
    };
    let longest = |job: &DatasetName| {
        let last = state.runs.of(job).rev().take(LOOKED_AT);
        last.filter_map(|(_, run)| took(run)).take(COUNTED).max()
    };
    jobs.iter()
        .filter_map(|job| Some((job.clone(), longest(job)?)))
        .collect()
}

#[cfg(test)]
mod tests;
