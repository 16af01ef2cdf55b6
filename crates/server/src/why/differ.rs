//! In what a run differs from the last good run before it: query, checks, settings, inputs, engine, identity, cost.

use std::collections::BTreeSet;

use mainstay_api::Cause;
use mainstay_base::Rows;
use mainstay_base::text::count;
use mainstay_control::{Held, Line, Run, RunStatus, Sight, field_changes};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{Pinned, RunOutcome, Scope};
use mainstay_model::spec::Reads;
use mainstay_model::{DatasetName, SliceKey};

use super::baseline::{Baseline, Point, baseline, version_read};
use super::look::{By, changing, of, text_diff};
use super::steps::{Step, steps};
use super::trace::{Place, Task, Trace};
use crate::read::ReadBy;

/// A run, or what a run would be now.
#[derive(Clone, Copy)]
pub(super) struct Asked<'p, 'a> {
    pub(super) point: Point<'p>,
    pub(super) pinned: &'p Pinned,
    pub(super) line: &'a Line,
}

/// Returns the slices of a run's scope that matter, or none if it computes everything.
pub(super) fn slices_of(scope: &Scope, wanted: Option<&[SliceKey]>) -> Option<Vec<SliceKey>> {
    let Scope::Slices(list) = scope else { return None };
    Some(match wanted {
        Some(wanted) => list.iter().filter(|s| wanted.contains(s)).cloned().collect(),
        None => list.clone(),
    })
}

impl<'a> Trace<'a> {
    /// Says what set a run off and in what it differs from the last good one. `top` says whether it is what was asked about.
    pub(super) fn run(
        &mut self,
        under: Place,
        run: &'a Run,
        wanted: Option<&[SliceKey]>,
        top: bool,
    ) -> Baseline {
        let Some(line) = self.look.line(run) else {
            let text = format!("the branch of {} is not there any more", run.pinned.job);
            self.add(under, By::from(run).cause("unknown", text));
            return Baseline::default();
        };
        if run.because == "forced" {
            let text = format!("{} was forced", run.pinned.job);
            self.add(under, By::from(run).cause("forced", text));
        }
        if run.status == RunStatus::Ended(RunOutcome::Skipped) {
            self.skipped(under, run);
        }
        if let Some(from) = run.reused_from {
            let by = self.look.run(&from).map(By::from).unwrap_or_default();
            let text = format!(
                "nothing was computed: {from} had the same query and inputs, and its result was taken"
            );
            self.add(under, of(by.cause("reused", text), format!("run/{from}")));
        }
        let asked = Asked {
            point: Point::of(run),
            pinned: &run.pinned,
            line,
        };
        let slices = slices_of(&run.pinned.scope, wanted).unwrap_or_default();
        let before = baseline(self.look, asked.point, &slices);
        self.differences(under, asked, &before, wanted);
        if top {
            self.around(under, run, &before);
        }
        before
    }

    /// Says which run failed before this one was not tried.
    fn skipped(&mut self, under: Place, run: &'a Run) {
        let inputs: BTreeSet<&DatasetName> = run.pinned.inputs.iter().map(|i| &i.dataset).collect();
        let bad = self.look.sight.state.runs.iter().rev().find(|(_, r)| {
            let ended_badly = matches!(r.status, RunStatus::Ended(o) if o != RunOutcome::Succeeded);
            ended_badly
                && r.seq < run.seq
                && r.pinned.branch == run.pinned.branch
                && inputs.contains(&r.pinned.job)
        });
        if let Some((id, r)) = bad {
            let text = format!("{id} of {} {}", r.pinned.job, ended(r));
            let cause = changing(By::from(r).cause("failure", text), failure(r));
            let place = self.add(under, of(cause, format!("run/{id}")));
            if self.once(format!("{id} {}", r.pinned.job)) {
                self.follow(Task {
                    run: id,
                    slices: None,
                    under: place,
                });
            }
        }
    }

    /// Says in what a computation differs from earlier ones: query, checks, inputs.
    pub(super) fn differences(
        &mut self,
        under: Place,
        asked: Asked<'_, 'a>,
        before: &Baseline,
        wanted: Option<&[SliceKey]>,
    ) {
        let good = before.good.and_then(|id| self.look.run(&id));
        match good {
            Some(good) => {
                self.job(under, asked, good);
                self.checks(under, asked, good);
            }
            None => self.first(under, asked),
        }
        let slices = slices_of(&asked.pinned.scope, wanted);
        let read = self.read_by(asked, slices.as_deref());
        for input in &asked.pinned.inputs {
            let part = read.slices(&input.dataset);
            let read_before = good.map(|g| version_read(&self.look.sight, asked.point, g, &input.dataset));
            if read_before == Some(None) {
                let text = format!(
                    "{} reads {}, which it did not read before",
                    asked.pinned.job, input.dataset
                );
                self.add(under, By::default().cause("input", text));
                continue;
            }
            let overall = read_before.flatten().unwrap_or(0);
            let from = |slice: &SliceKey| match part {
                None => overall,
                Some(_) if input.reads == Reads::Same => self.read_then(asked, before, slice, &input.dataset),
                // The output slices that read it may have been computed at different times: since the first of these.
                Some(_) => slices
                    .iter()
                    .flatten()
                    .map(|own| self.read_then(asked, before, own, &input.dataset))
                    .min()
                    .unwrap_or(overall),
            };
            let found: Vec<Step<'a>> = match asked.line.dataset(&input.dataset) {
                Some(dataset) => steps(dataset, part, &from, input.version),
                None => Vec::new(),
            };
            for step in &found {
                self.step(under, asked.line, &input.dataset, step);
            }
        }
    }

    /// Returns what a computation reads for some slices.
    fn read_by(&self, asked: Asked<'_, 'a>, slices: Option<&[SliceKey]>) -> ReadBy {
        let side = Sight {
            line: asked.line,
            ..self.look.sight
        };
        let held = asked
            .line
            .resources
            .get(&ResourceKey::new(Kind::Job, asked.point.job));
        let mut generations = held.into_iter().flat_map(|h| &h.generations);
        let then = generations.find(|g| g.number == asked.pinned.generation);
        match then.and_then(|g| g.resource.as_ref()).map(|r| &r.spec) {
            Some(Spec::Job(spec)) => ReadBy::of(&side, spec, asked.pinned, slices),
            _ => ReadBy::default(),
        }
    }

    /// Returns the version of an input from which a slice was computed before; 0 if it was not.
    fn read_then(
        &self,
        asked: Asked<'_, '_>,
        before: &Baseline,
        slice: &SliceKey,
        input: &DatasetName,
    ) -> u64 {
        let sight = &self.look.sight;
        let good = before.of.get(slice).and_then(|id| self.look.run(id));
        good.and_then(|g| version_read(sight, asked.point, g, input))
            .unwrap_or(0)
    }

    /// Says by which apply a job that never succeeded is declared.
    fn first(&mut self, under: Place, asked: Asked<'_, 'a>) {
        let key = ResourceKey::new(Kind::Job, asked.point.job);
        let generations = asked.line.resources.get(&key).map(|h| h.generations.as_slice());
        let generation = generations
            .unwrap_or_default()
            .iter()
            .find(|g| g.number == asked.pinned.generation);
        if let Some(g) = generation.filter(|g| g.seq < asked.point.seq)
            && self.once(format!("{key} {}", g.number))
        {
            let text = format!("{key} was never computed before; apply/{} declared it", g.apply);
            self.add(
                under,
                of(By::from(g).cause("apply", text), format!("apply/{}", g.apply)),
            );
        }
    }

    /// Says how a job changed since a good run.
    fn job(&mut self, under: Place, asked: Asked<'_, 'a>, good: &Run) {
        let key = ResourceKey::new(Kind::Job, asked.point.job);
        let Some(held) = asked.line.resources.get(&key) else {
            return;
        };
        let from = if good.pinned.branch.as_ref() == asked.point.branch {
            good.pinned.generation
        } else {
            // Branches count generations of their own; the moment is common.
            let until = held.generations.iter().rev().find(|g| g.seq < good.seq);
            until.map_or(0, |g| g.number)
        };
        for cause in self.changes(&key, held, |number, _| {
            number > from && number <= asked.pinned.generation
        }) {
            self.add(under, cause);
        }
    }

    /// Says how checks changed since a good run.
    fn checks(&mut self, under: Place, asked: Asked<'_, 'a>, good: &Run) {
        let job = asked.point.job;
        let is_its = |held: &Held| {
            held.generations.iter().any(|g| {
                let spec = g.resource.as_ref().map(|r| &r.spec);
                matches!(spec, Some(Spec::Check(check)) if check.dataset == *job)
            })
        };
        let checks = asked
            .line
            .resources
            .iter()
            .filter(|(k, h)| k.kind == Kind::Check && is_its(h));
        for (key, held) in checks {
            let changes = self.changes(key, held, |_, seq| seq > good.seq && seq < asked.point.seq);
            for cause in changes {
                self.add(under, cause);
            }
        }
    }

    /// Describes those changes of a resource that are meant, the newest first.
    fn changes(&mut self, key: &ResourceKey, held: &Held, meant: impl Fn(u64, u64) -> bool) -> Vec<Cause> {
        let mut out = Vec::new();
        let mut before = None;
        for g in &held.generations {
            let former = before.replace(g);
            if !meant(g.number, g.seq) || !self.once(format!("{key} {} {}", g.number, g.seq)) {
                continue;
            }
            let then = former.and_then(|f| f.resource.as_ref());
            let apply = g.apply;
            let (kind, what, change) = match (then, &g.resource) {
                (Some(then), Some(now)) => match (&then.spec, &now.spec) {
                    (Spec::Job(a), Spec::Job(b)) if a.compiled.code != b.compiled.code => (
                        "code",
                        format!("the query of {key} changed by apply/{apply}"),
                        text_diff(&a.sql, &b.sql),
                    ),
                    _ => {
                        let kind = if key.kind == Kind::Check {
                            "check"
                        } else {
                            "settings"
                        };
                        let fields = field_changes(then, now);
                        let texts: Vec<String> = fields
                            .iter()
                            .map(|f| {
                                let name = f.field.strip_prefix("spec.").unwrap_or(&f.field);
                                format!("{name}: {} → {}", f.from, f.to)
                            })
                            .collect();
                        (kind, format!("{key} changed by apply/{apply}"), texts.join("\n"))
                    }
                },
                (None, Some(_)) => (
                    if key.kind == Kind::Check { "check" } else { "apply" },
                    format!("{key} was added by apply/{apply}"),
                    String::new(),
                ),
                (_, None) => (
                    "apply",
                    format!("{key} was removed by apply/{apply}"),
                    String::new(),
                ),
            };
            let cause = changing(By::from(g).cause(kind, what), change);
            out.push(of(cause, format!("apply/{apply}")));
        }
        out.reverse();
        out
    }

    /// Says what else differs from the last good run: settings, engine, identity, cost.
    fn around(&mut self, under: Place, run: &'a Run, before: &Baseline) {
        let Some((id, good)) = before.good.and_then(|id| Some((id, self.look.run(&id)?))) else {
            return;
        };
        let (then, now) = (&good.pinned, &run.pinned);
        let keys: BTreeSet<&String> = then.settings.keys().chain(now.settings.keys()).collect();
        for key in keys {
            let (a, b) = (then.settings.get(key), now.settings.get(key));
            if a != b {
                let text = |v: Option<&String>| v.cloned().unwrap_or_else(|| "not set".to_owned());
                let what = format!("the engine's setting {key} is not what it was in {id}");
                let change = format!("{} → {}", text(a), text(b));
                self.add(under, changing(By::from(run).cause("settings", what), change));
            }
        }
        if then.engine != now.engine {
            let change = format!("{} → {}", then.engine, now.engine);
            let what = format!("the engine is not that of {id}");
            self.add(under, changing(By::from(run).cause("engine", what), change));
        }
        if good.actor != run.actor {
            let change = format!("{} → {}", good.actor, run.actor);
            let what = format!("{} asked for it, and {} for {id}", run.actor, good.actor);
            self.add(under, changing(By::from(run).cause("identity", what), change));
        }
        let spent = |r: &Run| {
            let usage = r.usage();
            let rows: Rows = usage.read.values().map(|a| a.rows).sum();
            let slices = match &r.pinned.scope {
                Scope::Whole => "everything".to_owned(),
                Scope::Slices(list) => count(list.len() as u64, "slice"),
            };
            format!("{} of processor, {rows} read, {slices}", usage.cpu)
        };
        let change = format!("{} → {}", spent(good), spent(run));
        let what = format!("what it took, and {id} before");
        self.add(under, changing(By::from(run).cause("cost", what), change));
    }
}

/// Says in words how a run ended.
pub(super) fn ended(run: &Run) -> &'static str {
    match run.status {
        RunStatus::Waiting { .. } => "waits",
        RunStatus::Running => "is going on",
        RunStatus::Ended(RunOutcome::Succeeded) => "succeeded",
        RunStatus::Ended(RunOutcome::Failed) => "failed",
        RunStatus::Ended(RunOutcome::Cancelled) => "was stopped",
        RunStatus::Ended(RunOutcome::Skipped) => "was not tried",
    }
}

/// Returns why a run did not succeed; nothing if it did.
pub(super) fn failure(run: &Run) -> String {
    let error = run.error.as_ref();
    error.map(|e| e.message.clone()).unwrap_or_default()
}
