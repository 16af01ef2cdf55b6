//! Why of slices.

use std::collections::BTreeSet;

use mainstay_api::{Error, ErrorKind};
use mainstay_control::Dataset;
use mainstay_model::run::Scope;
use mainstay_model::{Address, DatasetName, Selection, SliceKey};
use mainstay_planner::StaleSlices;

use super::{last_failed, maker, not_computed, promoted, short};
use crate::planning::Planning;
use crate::why::Answered;
use crate::why::about::of_run;
use crate::why::look::Look;
use crate::why::steps::Step;
use crate::why::trace::Trace;

/// Explains slices: the run that computed them, what they were computed from, and which of that changed last.
pub(super) fn of_slices(
    look: &Look<'_>,
    thing: &Address,
    name: &DatasetName,
    selection: &Selection,
) -> Result<Answered, Error> {
    let empty = Dataset::default();
    let held = look.sight.dataset(name).unwrap_or(&empty);
    let (columns, stale_now) = crate::show::stale_slices(&look.sight, &mut Planning::default(), name);
    let columns = if held.slice_columns.is_empty() {
        columns
    } else {
        held.slice_columns.clone()
    };
    let is_stale = |k: &SliceKey| match &stale_now {
        Some(StaleSlices::Whole) => true,
        Some(StaleSlices::Some(list)) => list.binary_search(k).is_ok(),
        None => false,
    };
    let mut keys: BTreeSet<SliceKey> = held.slices.keys().cloned().collect();
    if let Some(StaleSlices::Some(list)) = &stale_now {
        keys.extend(list.iter().cloned());
    }
    let chosen: Vec<SliceKey> = keys
        .into_iter()
        .filter(|k| selection.matches(k, &columns))
        .collect();
    if chosen.is_empty() {
        let message = format!("{name} has no slice that {thing} names");
        return Err(Error::new(ErrorKind::NotFound, "MS0401", message)
            .help(format!("mainstay slices {name} shows them")));
    }
    let failed = last_failed(look, name).filter(|(_, run)| match &run.pinned.scope {
        Scope::Whole => true,
        Scope::Slices(list) => chosen.iter().any(|k| list.contains(k)),
    });
    if let Some((id, run)) = failed.filter(|_| chosen.iter().any(is_stale)) {
        let within: Option<Vec<SliceKey>> = match &run.pinned.scope {
            Scope::Whole => None,
            Scope::Slices(_) => Some(chosen.clone()),
        };
        let mut answered = of_run(look, thing, id, run, within.as_deref());
        answered.report.state = "failed".to_owned();
        answered.report.summary = format!(
            "{thing} could not be brought up to date: {}",
            answered.report.summary
        );
        return Ok(answered);
    }
    if chosen.iter().any(is_stale)
        && let Some(job) = crate::jobs::declared(&look.sight, name)
    {
        let these: Vec<SliceKey> = chosen.iter().filter(|k| is_stale(k)).cloned().collect();
        let slices = match &stale_now {
            Some(StaleSlices::Whole) => StaleSlices::Whole,
            _ => StaleSlices::Some(these),
        };
        return Ok(not_computed(look, thing, &job, &slices));
    }
    Ok(of_content(look, thing, name, held, &chosen))
}

fn of_content(
    look: &Look<'_>,
    thing: &Address,
    name: &DatasetName,
    held: &Dataset,
    chosen: &[SliceKey],
) -> Answered {
    // The newest change of any of them.
    let newest = chosen
        .iter()
        .filter_map(|k| Some((held.slices.get(k)?.since(), k)))
        .max_by_key(|(since, _)| *since);
    let version = newest.map_or(0, |(v, _)| v);
    let entry = held.versions.iter().find(|v| v.version == version);
    let base = held.base();
    let amended = entry
        .and_then(|v| look.sight.state.amendments.get(&v.amendment?))
        .is_some_and(|a| a.dataset == *name);
    let computed = chosen
        .iter()
        .filter_map(|k| base.slices.get(k)?.contents.last()?.run)
        .max();
    let computed = entry.and_then(|v| maker(look, name, v)).or(computed);
    let run = computed.and_then(|id| Some((id, look.run(&id)?)));
    let mut reads = Vec::new();
    if let Some((_, run)) = run {
        reads = crate::why::rows::reads(look, run, chosen);
    }
    let mut answered = match run {
        Some((id, run)) if !amended => {
            let within = match run.pinned.scope {
                Scope::Whole => None,
                Scope::Slices(_) => Some(chosen),
            };
            promoted(look, of_run(look, thing, id, run, within), entry)
        }
        _ => {
            let mut trace = Trace::new(look);
            if let Some(entry) = entry {
                let step = Step {
                    entry,
                    slices: chosen.to_vec(),
                };
                trace.step(None, look.sight.line, name, &step);
            }
            let mut answered = Answered::new(thing, "fresh", String::new(), trace.finish());
            answered.dataset = Some(name.clone());
            answered.run = run.map(|(id, _)| id);
            answered
        }
    };
    answered.slices = Some(chosen.to_vec());
    let by = match (entry.and_then(|v| v.amendment), run, amended) {
        (Some(id), _, true) => format!("corrected by {id}"),
        (Some(id), Some((run, _)), false) => format!("computed by {run} for {id}"),
        (_, Some((run, _)), _) => format!("computed by {run}"),
        _ => "delivered".to_owned(),
    };
    let when = entry.map(|v| short(v.time)).unwrap_or_default();
    answered.report.state = "fresh".to_owned();
    let since = if run.is_some() {
        "; nothing that it reads changed since"
    } else {
        ""
    };
    answered.report.summary = format!("{thing} holds what was {by}, version {version} of {when}{since}");
    answered.report.causes.extend(reads);
    answered
}
