//! Gathering the differences of a run from the state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainstay_control::{Dataset, Line, Run};
use mainstay_engine::Mounted;
use mainstay_model::id::RunId;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::Scope;
use mainstay_model::spec::{CheckSpec, JobSpec};
use mainstay_model::{SliceKey, SliceVersion};
use mainstay_storage::Store;

mod inputs;

use super::case::{Both, Case, Part};
use crate::instance::Instance;
use crate::run::check_names;
use crate::why::baseline::{Baseline, Point, baseline};
use crate::why::differ::slices_of;
use crate::why::look::Look;

/// What a proof is about, as far as gathering is concerned.
pub(super) struct Wanted<'a> {
    /// The slices of the output that matter; all if none are named.
    pub(super) slices: Option<&'a [SliceKey]>,
    /// Whether checks matter.
    pub(super) checks: bool,
    /// What to compare with, if not the last good runs.
    pub(super) versus: Option<Baseline>,
}

struct Gather<'a> {
    look: &'a Look<'a>,
    run: &'a Run,
    line: &'a Line,
    before: Baseline,
    good: Option<&'a Run>,
    parts: Vec<(Part, String)>,
    not_undone: Vec<String>,
}

/// Returns a run with its differences; in words why not, if that cannot be done.
pub(super) fn gather(
    instance: &Instance,
    look: &Look<'_>,
    store: &Store,
    id: RunId,
    wanted: Wanted<'_>,
) -> Result<Case, String> {
    let run = look
        .run(&id)
        .ok_or_else(|| format!("{id} is not known any more"))?;
    let line = look
        .line(run)
        .ok_or_else(|| format!("the branch in which {id} ran is not there any more"))?;
    let slices = slices_of(&run.pinned.scope, wanted.slices);
    let before = match wanted.versus {
        Some(versus) => versus,
        None => baseline(look, Point::of(run), slices.as_deref().unwrap_or_default()),
    };
    let good = before.good.and_then(|g| look.run(&g));
    let mut g = Gather {
        look,
        run,
        line,
        before,
        good,
        parts: Vec::new(),
        not_undone: Vec::new(),
    };
    let spec = g.query()?;
    let time_limit = g.time_limit(&spec);
    let (memory, threads) = g.settings();
    let as_of = Both {
        old: good.map_or(run.pinned.as_of, |g| g.pinned.as_of),
        new: run.pinned.as_of,
    };
    let text = spec.new.sql.to_lowercase();
    if good.is_some() && ["now(", "current_", "today("].iter().any(|w| text.contains(w)) {
        g.parts
            .push((Part::Moment, "the present that the query asks for".to_owned()));
    }
    let checks = if wanted.checks {
        g.checks()
    } else {
        BTreeMap::new()
    };
    let inputs = g.inputs(&spec, slices.as_deref());
    let (check_inputs, previous) = if wanted.checks {
        g.beside(instance, store, &checks)
    } else {
        Default::default()
    };
    Ok(Case {
        id,
        job: run.pinned.job.clone(),
        versus: g.before.good,
        parts: g.parts,
        not_undone: g.not_undone,
        spec,
        scope: slices.map_or(Scope::Whole, Scope::Slices),
        as_of,
        memory,
        threads,
        checks,
        inputs,
        check_inputs,
        previous,
        time_limit,
    })
}

impl<'a> Gather<'a> {
    fn spec(&self, line: &Line, run: &Run) -> Option<(JobSpec, u64)> {
        let held = line
            .resources
            .get(&ResourceKey::new(Kind::Job, &run.pinned.job))?;
        let g = held
            .generations
            .iter()
            .find(|g| g.number == run.pinned.generation)?;
        match &g.resource.as_ref()?.spec {
            Spec::Job(spec) => Some(((**spec).clone(), g.apply.0)),
            _ => None,
        }
    }

    fn query(&mut self) -> Result<Both<JobSpec>, String> {
        let (new, apply) = self.spec(self.line, self.run).ok_or_else(|| {
            format!(
                "generation {} of its job is not known",
                self.run.pinned.generation
            )
        })?;
        let then = self
            .good
            .and_then(|good| self.spec(self.look.line(good)?, good))
            .map(|(spec, _)| spec);
        let Some(old) = then.filter(|old| old.compiled.code != new.compiled.code) else {
            let old = self.good.and_then(|good| self.spec(self.look.line(good)?, good));
            let mut kept = new.clone();
            kept.time_limit_ms = old.map_or(new.time_limit_ms, |(o, _)| o.time_limit_ms);
            return Ok(Both { old: kept, new });
        };
        if old.slice != new.slice {
            self.not_undone.push(format!(
                "the query: with it the slice columns changed ({} → {})",
                old.slice.join(", "),
                new.slice.join(", ")
            ));
            return Ok(Both {
                old: new.clone(),
                new,
            });
        }
        self.parts
            .push((Part::Query, format!("the query (apply/{apply})")));
        Ok(Both { old, new })
    }

    fn time_limit(&mut self, spec: &Both<JobSpec>) -> Both<Option<Duration>> {
        let limit = |ms: Option<u64>| ms.map(Duration::from_millis);
        if spec.old.time_limit_ms != spec.new.time_limit_ms {
            self.parts
                .push((Part::TimeLimit, "the job's time limit".to_owned()));
        }
        Both {
            old: limit(spec.old.time_limit_ms),
            new: limit(spec.new.time_limit_ms),
        }
    }

    fn settings(&mut self) -> (Both<u64>, Both<usize>) {
        let now = &self.run.pinned.settings;
        let then = self.good.map_or(now, |g| &g.pinned.settings);
        let number =
            |map: &BTreeMap<String, String>, key: &str| map.get(key).and_then(|v| v.parse::<u64>().ok());
        let both = |key: &str| Both {
            old: number(then, key).or(number(now, key)).unwrap_or(0),
            new: number(now, key).unwrap_or(0),
        };
        let (memory, threads) = (both("memory_limit"), both("threads"));
        if memory.old != memory.new {
            self.parts.push((Part::Memory, "the engine's memory".to_owned()));
        }
        if threads.old != threads.new {
            self.parts
                .push((Part::Threads, "the engine's threads".to_owned()));
        }
        let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        for key in keys {
            if then.get(key) != now.get(key) && key != "memory_limit" && key != "threads" {
                self.not_undone.push(format!(
                    "the engine's setting {key}: it is what this mainstay has"
                ));
            }
        }
        let engine = self.good.map_or(&self.run.pinned.engine, |g| &g.pinned.engine);
        for engine in BTreeSet::from([engine, &self.run.pinned.engine]) {
            if engine != mainstay_engine::ENGINE {
                self.not_undone.push(format!(
                    "the engine {engine}: this mainstay has {}",
                    mainstay_engine::ENGINE
                ));
            }
        }
        let threads = Both {
            old: usize::try_from(threads.old).unwrap_or(0),
            new: usize::try_from(threads.new).unwrap_or(0),
        };
        (memory, threads)
    }

    /// The checks of the job's dataset as they were then and before.
    fn checks(&mut self) -> BTreeMap<String, Both<Option<CheckSpec>>> {
        let mut all = BTreeMap::new();
        for (key, held) in self.line.resources.iter().filter(|(k, _)| k.kind == Kind::Check) {
            let at = |seq: u64| {
                let g = held.generations.iter().rev().find(|g| g.seq < seq)?;
                match &g.resource.as_ref()?.spec {
                    Spec::Check(check) if check.dataset == self.run.pinned.job => {
                        Some((check.clone(), g.apply))
                    }
                    _ => None,
                }
            };
            let new = at(self.run.seq);
            let old = match self.good {
                Some(good) => at(good.seq),
                None => new.clone(),
            };
            let (then, now) = (old.as_ref().map(|o| &o.0), new.as_ref().map(|n| &n.0));
            if then.is_none() && now.is_none() {
                continue;
            }
            if then != now {
                let by = new.as_ref().map(|(_, apply)| format!(" (apply/{apply})"));
                let name = format!("check {}{}", key.name, by.unwrap_or_default());
                self.parts.push((Part::Check(key.name.clone()), name));
            }
            let both = Both {
                old: old.map(|o| o.0),
                new: new.map(|n| n.0),
            };
            all.insert(key.name.clone(), both);
        }
        all
    }

    /// What the checks see besides the output: other datasets and the slices that stay, as they were when the run began.
    fn beside(
        &self,
        instance: &Instance,
        store: &Store,
        checks: &BTreeMap<String, Both<Option<CheckSpec>>>,
    ) -> (Vec<Mounted>, Vec<(SliceKey, SliceVersion)>) {
        let specs = checks.values().flat_map(|b| [&b.old, &b.new]).flatten();
        let names = check_names(specs, &self.run.pinned.job);
        let then = |dataset: Option<&Dataset>| {
            let versions = dataset.map(|d| d.versions.as_slice()).unwrap_or_default();
            let entry = versions.iter().rev().find(|v| v.seq < self.run.seq);
            entry.map_or(0, |v| v.version)
        };
        let sight = mainstay_control::Sight {
            state: self.look.sight.state,
            line: self.line,
            branch: self.run.pinned.branch.as_ref(),
        };
        let mounted = names.iter().filter_map(|n| {
            let version = then(self.line.dataset(n));
            instance.mount(&sight, store, n, version, crate::mount::Part::All)
        });
        let held = self.line.dataset(&self.run.pinned.job).map(Dataset::base);
        let previous = match (&self.run.pinned.scope, held) {
            (Scope::Slices(computed), Some(held)) => {
                let version = then(Some(held));
                let kept = held.slices.iter().filter(|(k, _)| !computed.contains(k));
                kept.filter_map(|(k, h)| Some((k.clone(), h.at(version)?.clone())))
                    .collect()
            }
            _ => Vec::new(),
        };
        (mounted.collect(), previous)
    }
}
