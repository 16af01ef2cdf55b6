//! Who made a difference that was found: from differences back to deliveries, applies, amendments and runs.

use mainstay_api::Cause;
use mainstay_control::{Generation, Run};
use mainstay_model::resource::{Kind, ResourceKey};
use mainstay_model::{DatasetName, SliceKey};

use super::case::{Case, Part};
use crate::why::look::{By, Look, changing, of, text_diff};
use crate::why::steps::Step;
use crate::why::trace::{Trace, outcome};

/// Describes differences as causes.
pub(super) fn causes(look: &Look<'_>, case: &Case, set: &[usize]) -> Vec<Cause> {
    let Some(run) = look.run(&case.id) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (part, name) in set.iter().filter_map(|i| case.parts.get(*i)) {
        match part {
            Part::Query => {
                let key = ResourceKey::new(Kind::Job, &case.job);
                let change = text_diff(&case.spec.old.sql, &case.spec.new.sql);
                out.push(declared(look, run, &key, "code", name, change));
            }
            Part::TimeLimit => {
                let key = ResourceKey::new(Kind::Job, &case.job);
                let text =
                    |ms: Option<u64>| ms.map_or_else(|| "the usual".to_owned(), |ms| format!("{ms} ms"));
                let change = format!(
                    "{} → {}",
                    text(case.spec.old.time_limit_ms),
                    text(case.spec.new.time_limit_ms)
                );
                out.push(declared(look, run, &key, "settings", name, change));
            }
            Part::Check(check) => {
                let key = ResourceKey::new(Kind::Check, check);
                let rule = |c: &Option<mainstay_model::spec::CheckSpec>| {
                    let rule = c.as_ref().and_then(|c| serde_json::to_string(&c.rule).ok());
                    rule.unwrap_or_else(|| "not there".to_owned())
                };
                let both = case.checks.get(check);
                let change =
                    both.map_or_else(String::new, |b| format!("{} → {}", rule(&b.old), rule(&b.new)));
                out.push(declared(look, run, &key, "check", name, change));
            }
            Part::Memory | Part::Threads | Part::Moment => {
                let change = match part {
                    Part::Memory => format!("{} → {} bytes", case.memory.old, case.memory.new),
                    Part::Threads => format!("{} → {}", case.threads.old, case.threads.new),
                    _ => format!("{} → {}", case.as_of.old, case.as_of.new),
                };
                let by = project(look, run, case).filter(|_| *part == Part::Memory);
                out.push(match by {
                    Some(g) => of(
                        changing(By::from(g).cause("settings", name), change),
                        format!("apply/{}", g.apply),
                    ),
                    None => changing(By::from(run).cause("settings", name), change),
                });
            }
            Part::File { dataset, origin } => out.push(file(look, run, case, dataset, origin, name)),
            Part::Publish { dataset, version } => {
                let mut trace = Trace::new(look);
                let slices: Vec<SliceKey> = moved(case, dataset)
                    .filter(|(_, s)| s.between.iter().any(|(v, _)| v == version))
                    .map(|(k, _)| k.clone())
                    .collect();
                let line = look.line(run);
                let held = line.and_then(|l| l.dataset(dataset));
                let entry = held.and_then(|d| d.versions.iter().find(|v| v.version == *version));
                if let (Some(line), Some(entry)) = (line, entry) {
                    trace.step(None, line, dataset, &Step { entry, slices });
                }
                out.extend(trace.said());
            }
        }
    }
    out
}

/// The last change of the project's settings between the last good run and this one.
fn project<'a>(look: &Look<'a>, run: &Run, case: &Case) -> Option<&'a Generation> {
    let good = look.run(&case.versus?)?;
    let resources = look.line(run)?.resources.iter();
    let mut projects = resources.filter(|(k, _)| k.kind == Kind::Project);
    let generations = &projects.next()?.1.generations;
    let mut newest = generations.iter().rev();
    newest.find(|g| g.seq > good.seq && g.seq < run.seq)
}

fn moved<'a>(
    case: &'a Case,
    dataset: &'a DatasetName,
) -> impl Iterator<Item = (&'a SliceKey, &'a super::case::SliceCase)> {
    let inputs = case.inputs.iter().filter(move |i| i.dataset == *dataset);
    inputs.flat_map(|i| &i.moved)
}

/// A cause that an apply declared.
fn declared(look: &Look<'_>, run: &Run, key: &ResourceKey, kind: &str, name: &str, change: String) -> Cause {
    let held = look.line(run).and_then(|l| l.resources.get(key));
    let generation = held.and_then(|h| h.generations.iter().rev().find(|g| g.seq < run.seq));
    match generation {
        Some(g) => of(
            changing(By::from(g).cause(kind, name), change),
            format!("apply/{}", g.apply),
        ),
        None => changing(By::default().cause(kind, name), change),
    }
}

/// A cause that came in a delivered file.
fn file(look: &Look<'_>, run: &Run, case: &Case, dataset: &DatasetName, origin: &str, name: &str) -> Cause {
    let held = look.line(run).and_then(|l| l.dataset(dataset));
    let version = case
        .inputs
        .iter()
        .find(|i| i.dataset == *dataset)
        .and_then(|_| run.pinned.inputs.iter().find(|i| i.dataset == *dataset))
        .map_or(0, |i| i.version);
    // The publish since which the files of this origin are what they are.
    let since = moved(case, dataset).filter_map(|(key, _)| {
        let history = held?.slices.get(key)?;
        let paths = |v: u64| -> Vec<&str> {
            let files = history.at(v).map(|c| c.files.as_slice()).unwrap_or_default();
            let of_it = files.iter().filter(|f| f.origin.as_deref() == Some(origin));
            of_it.map(|f| f.path.as_str()).collect()
        };
        let now = paths(version);
        let mut contents = history.contents.iter().rev().filter(|c| c.version <= version);
        let same = contents.by_ref().take_while(|c| paths(c.version) == now).last()?;
        let case = case
            .inputs
            .iter()
            .find(|i| i.dataset == *dataset)?
            .moved
            .get(key)?;
        let files =
            |v: &mainstay_model::SliceVersion| v.files.iter().any(|f| f.origin.as_deref() == Some(origin));
        (files(&case.old) || files(&case.new)).then_some(same.version)
    });
    let entry = since
        .max()
        .and_then(|v| held?.versions.iter().find(|e| e.version == v));
    let found = entry.and_then(|entry| {
        let deliveries = look.delivered_with(entry.seq, dataset, |d| d.file != origin);
        deliveries.into_iter().find(|(_, d)| d.file == origin)
    });
    match found {
        Some((record, d)) => {
            let what = format!("{} delivered {origin} to {dataset}", d.id);
            of(
                changing(By::from(&record).cause("delivery", what), outcome(&d)),
                format!("delivery/{}", d.id),
            )
        }
        None => By::default().cause("delivery", name),
    }
}
