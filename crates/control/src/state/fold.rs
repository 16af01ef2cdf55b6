//! Folding facts into the state. Total and free of side effects: what was recorded can always be folded.

use mainstay_base::Timestamp;
use mainstay_model::delivery::Outcome;
use mainstay_model::fact::{
    Applied, AttemptFailed, AttemptStarted, Delivered, Fact, Planned, Projected, Published, PublishedDataset,
    RunFinished, RunRecorded,
};
use mainstay_model::run::RunOutcome;

use super::{AppliedEntry, Attempt, Generation, PlanEntry, Run, RunStatus, SourceFile, State, VersionEntry};

/// What the journal's header says of a fact.
#[derive(Clone, Debug)]
struct Header<'a> {
    seq: u64,
    time: Timestamp,
    actor: &'a str,
    reason: Option<&'a str>,
}

impl State {
    /// Folds one fact into the state.
    pub fn apply(&mut self, seq: u64, time: Timestamp, actor: &str, reason: Option<&str>, fact: Fact) {
        let header = Header {
            seq,
            time,
            actor,
            reason,
        };
        self.seq = seq;
        match fact {
            Fact::Planned(f) => self.planned(&header, *f),
            Fact::Applied(f) => self.applied(&header, *f),
            Fact::Delivered(f) => self.delivered(&header, *f),
            Fact::Published(f) => self.published(&header, *f),
            Fact::Projected(f) => self.projected(*f),
            Fact::RunRecorded(f) => self.run_recorded(&header, *f),
            Fact::AttemptStarted(f) => self.attempt_started(&header, *f),
            Fact::AttemptFailed(f) => self.attempt_failed(&header, *f),
            Fact::RunFinished(f) => self.run_finished(&header, *f),
            Fact::CancelRequested(f) => {
                if let Some(run) = self.runs.get_mut(&f.run) {
                    run.cancel = true;
                }
            }
        }
    }

    fn planned(&mut self, header: &Header<'_>, f: Planned) {
        self.last_plan = self.last_plan.max(f.plan.0);
        self.plans.insert(
            f.plan,
            PlanEntry {
                base: f.base,
                time: header.time,
                changes: f.changes,
            },
        );
        while self.plans.len() > Self::PLANS_KEPT {
            self.plans.pop_first();
        }
    }

    fn applied(&mut self, header: &Header<'_>, f: Applied) {
        let entry = AppliedEntry {
            seq: header.seq,
            time: header.time,
            actor: header.actor.to_owned(),
            reason: header.reason.map(str::to_owned),
            plan: f.plan,
            reverts: f.reverts,
            changed: f
                .changes
                .iter()
                .map(|c| (c.resource.clone(), c.generation))
                .collect(),
        };
        self.applies.insert(f.apply, entry);
        for change in f.changes {
            let generation = Generation {
                number: change.generation,
                apply: f.apply,
                seq: header.seq,
                time: header.time,
                actor: header.actor.to_owned(),
                reason: header.reason.map(str::to_owned),
                resource: change.after,
            };
            self.resources
                .entry(change.resource)
                .or_default()
                .generations
                .push(generation);
        }
    }

    fn delivered(&mut self, header: &Header<'_>, f: Delivered) {
        let d = f.delivery;
        self.last_delivery = self.last_delivery.max(d.id.0);
        let files = self.sources.entry(d.source.clone()).or_default();
        let before = files.get(&d.file).and_then(|s| s.active);
        let active = match &d.outcome {
            Outcome::Taken { .. } => Some((d.id, d.content)),
            // The file now says what another one said already: what came from it before is gone.
            Outcome::Duplicate { of } if before.is_none_or(|(id, _)| id != *of) => None,
            Outcome::Duplicate { .. } | Outcome::SetAside { .. } => before,
        };
        let file = SourceFile {
            seq: header.seq,
            time: header.time,
            active,
            last: d,
        };
        files.insert(file.last.file.clone(), file);
    }

    fn published(&mut self, header: &Header<'_>, f: Published) {
        for d in f.datasets {
            if let Some(run) = f.run.and_then(|id| self.runs.get_mut(&id)) {
                run.slices = d
                    .slices
                    .iter()
                    .map(|s| s.slice.clone())
                    .chain(d.removed.iter().cloned())
                    .collect();
                run.published = Some(d.version);
            }
            self.published_dataset(header, f.run, d);
        }
    }

    fn published_dataset(
        &mut self,
        header: &Header<'_>,
        run: Option<mainstay_model::RunId>,
        d: PublishedDataset,
    ) {
        let held = self.datasets.entry(d.dataset).or_default();
        held.slice_columns = d.slice_columns;
        if d.version > held.version() {
            held.versions.push(VersionEntry {
                version: d.version,
                seq: header.seq,
                time: header.time,
                run,
                schema: d.schema,
            });
        }
        for s in d.slices {
            let slice = held.slices.entry(s.slice).or_default();
            slice.fingerprint = s.fingerprint;
            if let Some(content) = s.content {
                slice
                    .contents
                    .push((d.version, Some(content).filter(|c| !c.files.is_empty())));
            }
        }
        for removed in d.removed {
            if let Some(slice) = held.slices.get_mut(&removed) {
                slice.fingerprint = None;
                if slice.newest().is_some() {
                    slice.contents.push((d.version, None));
                }
            }
        }
        held.whole = d.whole;
    }

    fn projected(&mut self, f: Projected) {
        if let Some(held) = self.datasets.get_mut(&f.dataset) {
            held.projected = Some((f.version, f.delta_version));
        }
    }

    fn run_recorded(&mut self, header: &Header<'_>, f: RunRecorded) {
        self.last_run = self.last_run.max(f.run.0);
        let run = Run {
            pinned: f.pinned,
            because: f.because,
            status: RunStatus::Waiting { from: header.time },
            seq: header.seq,
            actor: header.actor.to_owned(),
            recorded: header.time,
            ended: None,
            attempts: Vec::new(),
            error: None,
            checks: Vec::new(),
            reused_from: None,
            cancel: false,
            slices: Vec::new(),
            published: None,
        };
        self.runs.insert(f.run, run);
        if self.runs.len() > Self::RUNS_KEPT {
            let oldest_ended = self
                .runs
                .iter()
                .find(|(_, r)| matches!(r.status, RunStatus::Ended(_)))
                .map(|(id, _)| *id);
            if let Some(id) = oldest_ended {
                self.runs.remove(&id);
            }
        }
    }

    fn attempt_started(&mut self, header: &Header<'_>, f: AttemptStarted) {
        if let Some(run) = self.runs.get_mut(&f.run) {
            run.status = RunStatus::Running;
            run.attempts.push(Attempt {
                number: f.attempt,
                started: header.time,
                error: None,
                ended: None,
                usage: mainstay_model::run::Usage::default(),
            });
        }
    }

    fn attempt_failed(&mut self, header: &Header<'_>, f: AttemptFailed) {
        if let Some(run) = self.runs.get_mut(&f.run) {
            run.status = RunStatus::Waiting { from: f.retry_at };
            if let Some(a) = run.attempts.iter_mut().find(|a| a.number == f.attempt) {
                a.error = Some(f.error);
                a.ended = Some(header.time);
                a.usage = f.usage;
            }
        }
    }

    fn run_finished(&mut self, header: &Header<'_>, f: RunFinished) {
        let Some(run) = self.runs.get_mut(&f.run) else {
            return;
        };
        run.status = RunStatus::Ended(f.outcome);
        run.ended = Some(header.time);
        run.error.clone_from(&f.error);
        run.checks = f.checks;
        run.reused_from = f.reused_from;
        if let Some(a) = run.attempts.last_mut().filter(|a| a.ended.is_none()) {
            a.error = f.error;
            a.ended = Some(header.time);
            a.usage = f.usage;
        }
        if f.outcome == RunOutcome::Succeeded {
            let job = run.pinned.job.clone();
            self.last_good.insert(job, f.run);
        }
    }
}
