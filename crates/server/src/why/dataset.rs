//! Why of datasets and slices: failed, stale, or fresh; from what they were computed, and which of that changed last.

use std::collections::BTreeSet;

use mainstay_api::Error;
use mainstay_base::text::count;
use mainstay_control::{At, Dataset, Run, RunStatus, VersionEntry};
use mainstay_model::delivery::Outcome;
use mainstay_model::id::RunId;
use mainstay_model::resource::{Kind, ResourceKey};
use mainstay_model::run::{Input, Pinned, RunOutcome, Scope};
use mainstay_model::spec::Reads;
use mainstay_model::{Address, DatasetName, Selection, SliceKey};
use mainstay_planner::{Job, StaleSlices, stale};

mod slices;

use super::Answered;
use super::about::of_run;
use super::baseline::{Point, baseline};
use super::differ::Asked;
use super::look::{By, Look, changing, of};
use super::steps::Step;
use super::trace::Trace;
use crate::expressions::SliceColumns;

pub(super) fn why(
    look: &Look<'_>,
    thing: &Address,
    name: &DatasetName,
    selection: &Selection,
) -> Result<Option<Answered>, Error> {
    let known = crate::show::datasets(&look.sight).contains(name);
    if !known {
        return Ok(None);
    }
    let job = crate::jobs::declared(&look.sight, name);
    let answered = match (job, selection) {
        (Some(job), Selection::All) => of_job(look, thing, &job),
        (_, Selection::All) => of_source(look, thing, name),
        (_, selection) => slices::of_slices(look, thing, name, selection)?,
    };
    Ok(Some(answered))
}

/// The last run of a job on this side that ended, if it ended badly.
fn last_failed<'a>(look: &Look<'a>, name: &DatasetName) -> Option<(RunId, &'a Run)> {
    let mut runs = look.sight.state.runs.of(name).rev();
    let (id, run) = runs.find(|(_, r)| {
        let here = r.pinned.branch.as_ref() == look.sight.branch;
        here && matches!(r.status, RunStatus::Ended(_))
    })?;
    let badly = run.status != RunStatus::Ended(RunOutcome::Succeeded);
    badly.then_some((id, run))
}

fn of_job(look: &Look<'_>, thing: &Address, job: &Job) -> Answered {
    let name = &job.dataset;
    let held = look.sight.dataset(name);
    let stale_now = stale(job, &At::now(look.sight.line), &SliceColumns::now(&look.sight));
    let is_stale = stale_now.is_some();
    if let Some((id, run)) = last_failed(look, name).filter(|_| is_stale || held.is_none()) {
        let mut answered = of_run(look, thing, id, run, None);
        let served = match held.and_then(|d| d.versions.last()) {
            Some(v) => format!("version {} of {} is still served", v.version, short(v.time)),
            None => "nothing of it was ever published".to_owned(),
        };
        answered.report.state = "failed".to_owned();
        answered.report.summary = format!(
            "{name} could not be brought up to date, {served}: {}",
            answered.report.summary
        );
        return answered;
    }
    if let Some(s) = stale_now {
        return not_computed(look, thing, job, &s.slices);
    }
    let upstream = stale_inputs(look, job);
    let Some(entry) = held.and_then(|d| d.versions.last()) else {
        return Answered::new(thing, "empty", format!("{name} was never computed"), Vec::new())
            .next([format!("mainstay run {name}")]);
    };
    if let Some(first) = upstream.first() {
        let mut trace = Trace::new(look);
        for input in &upstream {
            let what = format!("{input} is stale: what it reads changed, and it was not computed again");
            trace.add(None, of(By::default().cause("input", what), input));
        }
        let summary = format!("{name} may be stale: it reads {first}, which is");
        return Answered::new(thing, "stale", summary, trace.finish())
            .next([format!("mainstay why {first}"), format!("mainstay run {name}")]);
    }
    fresh(look, thing, name, entry.version, None)
}

/// Writes a moment for people.
pub(super) fn short(t: mainstay_base::Timestamp) -> String {
    let text = t.to_string();
    text.get(..16).map_or(text.clone(), |s| s.replace('T', " "))
}

/// The datasets upstream of a job that are not what they should be.
fn stale_inputs(look: &Look<'_>, job: &Job) -> Vec<DatasetName> {
    let mut left: Vec<DatasetName> = job.reads.keys().cloned().collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    let columns = SliceColumns::now(&look.sight);
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(job) = crate::jobs::declared(&look.sight, &name) {
            if stale(&job, &At::now(look.sight.line), &columns).is_some() {
                found.push(name);
            }
            left.extend(job.reads.into_keys());
        }
    }
    found
}

/// The run whose results a publish made visible; none if it was a delivery or a correction of the dataset itself.
fn maker(look: &Look<'_>, name: &DatasetName, entry: &VersionEntry) -> Option<RunId> {
    let state = look.sight.state;
    if entry.run.is_some() {
        return entry.run;
    }
    if let Some(a) = entry.amendment.and_then(|id| state.amendments.get(&id)) {
        let its = |r: &&RunId| state.runs.get(r).is_some_and(|r| r.pinned.job == *name);
        return a.runs.iter().rev().find(its).copied();
    }
    let branch = entry.promotes.as_ref()?;
    let its = |r: &Run| r.pinned.branch.as_ref() == Some(branch);
    let mut runs = state.runs.of(name).rev();
    runs.find(|(_, r)| its(r)).map(|(id, _)| id)
}

/// Adds to what is said of a run that it ran in a branch of people which was promoted.
fn promoted(look: &Look<'_>, mut answered: Answered, entry: Option<&VersionEntry>) -> Answered {
    let promoted = entry.and_then(|v| Some((v, v.promotes.as_ref()?)));
    if let Some((entry, branch)) = promoted.filter(|(v, _)| v.amendment.is_none()) {
        let mut trace = Trace::new(look);
        trace.branch(None, branch, entry, &format!("version {}", entry.version));
        answered.report.causes.splice(0..0, trace.finish());
    }
    answered
}

/// Explains a dataset or slices that are as they should be: nothing changed since, and what made them.
fn fresh(
    look: &Look<'_>,
    thing: &Address,
    name: &DatasetName,
    version: u64,
    slices: Option<&[SliceKey]>,
) -> Answered {
    let good = look.sight.last_good.get(name).copied();
    let held = look.sight.dataset(name);
    let entry = held.and_then(|d| d.versions.iter().find(|v| v.version == version));
    let made = entry.map_or(good, |v| maker(look, name, v));
    let since = good.map_or_else(
        || "nothing that it reads changed since".to_owned(),
        |g| format!("nothing that it reads changed since {g}, so nothing was computed"),
    );
    let run = made.and_then(|id| Some((id, look.run(&id)?)));
    let mut answered = match run {
        Some((id, run)) => promoted(look, of_run(look, thing, id, run, slices), entry),
        None => {
            let mut trace = Trace::new(look);
            if let (Some(dataset), Some(entry)) = (held, entry) {
                let changed = dataset
                    .slices
                    .iter()
                    .filter(|(_, h)| h.contents.iter().any(|c| c.version == entry.version));
                let step = Step {
                    entry,
                    slices: changed.map(|(k, _)| k.clone()).collect(),
                };
                trace.step(None, look.sight.line, name, &step);
            }
            let mut answered = Answered::new(thing, "fresh", String::new(), trace.finish());
            answered.dataset = Some(name.clone());
            answered.run = made;
            answered.slices = slices.map(<[SliceKey]>::to_vec);
            answered
        }
    };
    let by = match entry {
        Some(v) => format!("version {} of {}", v.version, short(v.time)),
        None => "what is there".to_owned(),
    };
    answered.report.state = "fresh".to_owned();
    answered.report.summary = format!("{thing} is fresh: {since}; {by} is what its inputs give");
    answered.next([format!("mainstay run {name} --force")])
}

/// Explains a dataset that is not what it should be and was not computed yet.
fn not_computed(look: &Look<'_>, thing: &Address, job: &Job, slices: &StaleSlices) -> Answered {
    let name = &job.dataset;
    let list = match slices {
        StaleSlices::Whole => None,
        StaleSlices::Some(list) => Some(list.clone()),
    };
    let point = Point {
        job: name,
        branch: look.sight.branch,
        seq: u64::MAX,
    };
    let before = baseline(look, point, list.as_deref().unwrap_or_default());
    let pinned = pinned_now(look, job, list.clone());
    let mut trace = Trace::new(look);
    let asked = Asked {
        point,
        pinned: &pinned,
        line: look.sight.line,
    };
    trace.differences(None, asked, &before, None);
    let upstream = stale_inputs(look, job);
    for input in &upstream {
        let what = format!("{input} is stale, too");
        trace.add(None, of(By::default().cause("input", what), input));
    }
    let what = match &list {
        Some(list) => count(list.len() as u64, "slice"),
        None => "all of it".to_owned(),
    };
    let since = before
        .good
        .map_or_else(|| "it was never computed".to_owned(), |g| format!("since {g}"));
    let causes = trace.finish();
    let first = causes.first().map(|c| c.what.clone()).unwrap_or_default();
    let summary = format!("{name} is stale ({what}), {since}: {first}");
    let mut answered = Answered::new(thing, "stale", summary, causes);
    answered.report.versus = before.good.map(|g| g.to_string());
    answered.dataset = Some(name.clone());
    answered.next([format!("mainstay run {name}"), "mainstay plan".to_owned()])
}

/// What a run of a job would pin now.
fn pinned_now(look: &Look<'_>, job: &Job, slices: Option<Vec<SliceKey>>) -> Pinned {
    let key = ResourceKey::new(Kind::Job, &job.dataset);
    let newest = look.sight.resources.get(&key).and_then(|h| h.newest());
    let whole = slices.is_none();
    Pinned {
        job: job.dataset.clone(),
        branch: look.sight.branch.cloned(),
        generation: newest.map_or(0, |g| g.number),
        code: job.code,
        scope: slices.map_or(Scope::Whole, Scope::Slices),
        inputs: job
            .reads
            .iter()
            .map(|(name, reads)| Input {
                dataset: name.clone(),
                version: look.sight.dataset(name).map_or(0, Dataset::version),
                reads: if whole { Reads::All } else { reads.clone() },
            })
            .collect(),
        as_of: look.now,
        engine: mainstay_engine::ENGINE.to_owned(),
        settings: std::collections::BTreeMap::new(),
        judged: None,
    }
}

/// Explains a dataset that deliveries fill.
fn of_source(look: &Look<'_>, thing: &Address, name: &DatasetName) -> Answered {
    let held = look.sight.dataset(name);
    let mut trace = Trace::new(look);
    let files = look.sight.state.sources.get(name);
    let (mut aside, mut waiting) = (0u64, 0u64);
    for file in files.into_iter().flat_map(|f| f.values()) {
        if let Outcome::SetAside { error } = &file.last.outcome {
            aside += 1;
            let by = look.by(file.seq, file.time);
            let what = format!("{} was set aside: {}", file.last.file, file.last.id);
            let cause = changing(by.cause("delivery", what), error.message.clone());
            trace.add(None, of(cause, format!("delivery/{}", file.last.id)));
        }
        if matches!(file.last.outcome, Outcome::Held { .. }) && file.answer.is_none() {
            waiting += 1;
            let by = look.by(file.seq, file.time);
            let what = format!("{} is held back: {}", file.last.file, file.last.id);
            let cause = changing(
                by.cause("delivery", what),
                crate::report::held(&file.last).message,
            );
            trace.add(None, of(cause, format!("delivery/{}", file.last.id)));
        }
    }
    let mut summary = format!("nothing was delivered to {name} yet");
    if let (Some(dataset), Some(entry)) = (held, held.and_then(|d| d.versions.last())) {
        let changed = dataset
            .slices
            .iter()
            .filter(|(_, h)| h.contents.iter().any(|c| c.version == entry.version));
        let step = Step {
            entry,
            slices: changed.map(|(k, _)| k.clone()).collect(),
        };
        trace.step(None, look.sight.line, name, &step);
        summary = format!(
            "{name} is at version {} since {}",
            entry.version,
            short(entry.time)
        );
    }
    if aside > 0 {
        summary.push_str(&format!("; {} set aside", count(aside, "file")));
    }
    if waiting > 0 {
        summary.push_str(&format!("; {} held back", count(waiting, "file")));
    }
    let state = match (aside, waiting) {
        (0, 0) => "fresh",
        (0, _) => "held",
        _ => "set_aside",
    };
    let mut answered = Answered::new(thing, state, summary, trace.finish());
    answered.dataset = Some(name.clone());
    answered.next([
        format!("mainstay history {name}"),
        format!("mainstay deliver {name}"),
    ])
}
