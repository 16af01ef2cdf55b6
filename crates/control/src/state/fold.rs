//! Folding facts into the state. Total and free of side effects: what was recorded can always be folded.

use mainstay_base::{Hash, Timestamp};
use mainstay_model::delivery::Outcome;
use mainstay_model::fact::{
    Applied, AttemptFailed, AttemptStarted, Delivered, DeliveryAnswered, Fact, Planned, Projected,
    RunFinished, RunRecorded,
};
use mainstay_model::resource::ResourceKey;
use mainstay_model::run::RunOutcome;
use mainstay_model::{BranchName, DatasetName, RunId};

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Alarm, AlarmHeld, AppliedEntry, Attempt, BranchStatus, Failing, Generation, Line, PlanEntry, Run,
    RunStatus, SourceFile, State,
};

mod amend;
mod publish;

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
            Fact::DeliveryAnswered(f) => self.delivery_answered(&f),
            Fact::Published(f) => self.published(&header, *f),
            Fact::Projected(f) => self.projected(*f),
            Fact::RunRecorded(f) => self.run_recorded(&header, *f),
            Fact::AttemptStarted(f) => self.attempt_started(&header, *f),
            Fact::AttemptFailed(f) => self.attempt_failed(&header, *f),
            Fact::RunFinished(f) => self.run_finished(&header, *f),
            Fact::CancelRequested(f) => {
                self.runs.change(f.run, |run| run.cancel = true);
            }
            Fact::Vacuumed(f) => self.vacuumed(&header, *f),
            Fact::BranchCreated(f) => self.branch_created(&header, f.branch),
            Fact::BranchRebased(f) => self.branch_rebased(&header, &f.branch),
            Fact::BranchPromoted(f) => self.branch_ended(&f.branch, BranchStatus::Promoted),
            Fact::BranchDropped(f) => self.branch_ended(&f.branch, BranchStatus::Dropped),
            Fact::AmendmentProposed(f) => self.amendment_proposed(&header, *f),
            Fact::AmendmentApproved(f) => self.amendment_approved(&header, f.amendment),
            Fact::AmendmentApplied(f) => self.amendment_applied(&header, *f),
            Fact::AmendmentFailed(f) => self.amendment_failed(&header, *f),
            Fact::AmendmentDropped(f) => self.amendment_dropped(&header, f.amendment),
            Fact::TriggerFired(f) => self.triggers.fired(seq, time, *f),
            Fact::TriggerMissed(f) => self.triggers.missed(&f),
            Fact::TriggerDone(f) => self.triggers.done(seq, time, &f),
            Fact::PromiseSetOff(f) => self.promise(&f.dataset).set_off(seq, time, *f),
            Fact::PromiseDone(f) => self.promise(&f.dataset).done(time, *f),
            Fact::PromiseKept(f) => {
                self.messages.over(&format!("promise/{}", f.dataset));
                self.promise(&f.dataset).kept(seq, time, &f);
            }
            Fact::PromiseAtRisk(f) => {
                let alarm = Alarm::new(seq, time, false, f.since, f.due, f.blame);
                self.promise(&f.dataset).alarmed(alarm);
            }
            Fact::PromiseMissed(f) => {
                let alarm = Alarm::new(seq, time, true, f.since, f.due, f.blame);
                self.promise(&f.dataset).alarmed(alarm);
            }
            Fact::HookReceived(f) => self.hooks.entry(f.hook).or_default().received(seq, time, f.id),
            // It is there to be matched; nothing is kept of it.
            Fact::EventEmitted(_) => {}
            Fact::MessageOwed(f) => self.messages.owed(seq, time, *f),
            Fact::MessageSent(f) => self.messages.sent(time, &f),
            Fact::MessageFailed(f) => self.messages.failed(*f),
            Fact::AlarmCounted(f) => self.alarm(&f.alarm).counted(seq, time, *f),
            Fact::AlarmFired(f) => self.alarm(&f.alarm).fired(seq, time, *f),
            Fact::AlarmEnded(f) => {
                self.messages.over(&format!("alarm/{}", f.alarm));
                self.alarm(&f.alarm).ended(seq, time, *f);
            }
            Fact::AlarmWithoutData(f) => {
                self.messages.over(&format!("alarm/{}", f.alarm));
                self.alarm(&f.alarm).without_data(seq, time, *f);
            }
            Fact::LineageTold(f) => self.lineage.told(time, *f),
            Fact::LineageFailed(f) => self.lineage.failed(*f),
            Fact::TokenCreated(f) => self.access.created(seq, time, actor, *f),
            Fact::TokenRevoked(f) => self.access.revoked(time, f.token),
            Fact::AccessDecided(f) => self.access.decided(seq, *f),
            Fact::RequestAnswered(f) => self.access.answered(seq, &f.request),
            Fact::HomeRestored(f) => self.home_restored(time, *f),
            Fact::HomeResumed(_) => self.home_resumed(time),
        }
    }

    fn alarm(&mut self, name: &str) -> &mut AlarmHeld {
        self.alarms.entry(name.to_owned()).or_default()
    }

    /// The side that a fact is about; one about a branch that is not there any more changes nothing.
    fn side(&mut self, branch: Option<&BranchName>) -> Option<&mut Line> {
        match branch {
            None => Some(&mut self.main),
            Some(name) => self.branches.get_mut(name).map(|b| &mut b.line),
        }
    }

    fn planned(&mut self, header: &Header<'_>, f: Planned) {
        self.last_plan = self.last_plan.max(f.plan.0);
        self.plans.insert(
            f.plan,
            PlanEntry {
                base: f.base,
                branch: f.branch,
                time: header.time,
                changes: f.changes,
            },
        );
        while self.plans.len() > Self::PLANS_KEPT {
            self.plans.pop_first();
        }
    }

    fn applied(&mut self, header: &Header<'_>, f: Applied) {
        // Why a change was made was said where it was made first.
        let promoted = f.promotes.as_ref().and_then(|b| self.branches.get(b));
        let said = |key: &ResourceKey| {
            let made = promoted?.line.resources.get(key)?.newest()?;
            made.reason.clone()
        };
        let reasons: Vec<Option<String>> = f
            .changes
            .iter()
            .map(|c| said(&c.resource).or_else(|| header.reason.map(str::to_owned)))
            .collect();
        let reason = header.reason.map(str::to_owned).or_else(|| {
            let each: BTreeSet<&str> = reasons.iter().flatten().map(String::as_str).collect();
            let each: Vec<&str> = each.into_iter().collect();
            (!each.is_empty()).then(|| each.join("; "))
        });
        let entry = AppliedEntry {
            seq: header.seq,
            time: header.time,
            actor: header.actor.to_owned(),
            reason,
            plan: f.plan,
            reverts: f.reverts,
            branch: f.branch.clone(),
            promotes: f.promotes,
            changed: f
                .changes
                .iter()
                .map(|c| (c.resource.clone(), c.generation))
                .collect(),
        };
        self.applies.insert(f.apply, entry);
        let Some(line) = self.side(f.branch.as_ref()) else {
            return;
        };
        line.last_apply = Some(f.apply);
        for (change, reason) in f.changes.into_iter().zip(reasons) {
            let generation = Generation {
                number: change.generation,
                apply: f.apply,
                seq: header.seq,
                time: header.time,
                actor: header.actor.to_owned(),
                reason,
                resource: change.after,
            };
            let held = line.resources.entry(change.resource).or_default();
            Arc::make_mut(held).generations.push(generation);
        }
    }

    fn delivered(&mut self, header: &Header<'_>, f: Delivered) {
        let d = f.delivery;
        self.amendments_reapplied(header, &d);
        self.totals.delivery(&d.outcome);
        if matches!(d.outcome, Outcome::Taken { .. }) {
            self.totals.succeeded(&d.source, header.time);
        }
        self.last_delivery = self.last_delivery.max(d.id.0);
        let files = self.sources.entry(d.source.clone()).or_default();
        let (before, read) = files.get(&d.file).map_or((None, None), |s| (s.active, s.reading));
        let (active, reading) = match &d.outcome {
            Outcome::Taken { .. } => (Some((d.id, d.content)), d.reading),
            // The file now says what another one said already: what came from it before is gone.
            Outcome::Duplicate { of } if before.is_none_or(|(id, _)| id != *of) => (None, None),
            Outcome::Duplicate { .. } | Outcome::SetAside { .. } | Outcome::Held { .. } => (before, read),
        };
        let file = SourceFile {
            seq: header.seq,
            time: header.time,
            active,
            reading,
            last: d,
            answer: None,
        };
        files.insert(file.last.file.clone(), file);
    }

    fn delivery_answered(&mut self, f: &DeliveryAnswered) {
        let files = self.sources.get_mut(&f.source);
        let mut files = files.into_iter().flat_map(|files| files.values_mut());
        if let Some(file) = files.find(|file| file.last.id == f.delivery) {
            file.answer = Some(f.accepted);
        }
    }

    fn projected(&mut self, f: Projected) {
        if let Some(held) = self.main.datasets.get_mut(&f.dataset) {
            Arc::make_mut(held).projected = Some((f.version, f.delta_version));
        }
    }

    fn run_recorded(&mut self, header: &Header<'_>, f: RunRecorded) {
        self.last_run = self.last_run.max(f.run.0);
        self.lineage.newest = header.seq;
        let id = f.run;
        let run = Run::recorded(f, header.seq, header.time, header.actor);
        self.runs.insert(id, run);
        if self.runs.len() > Self::RUNS_KEPT
            && let Some(id) = self.runs.first_ended()
        {
            self.runs.remove(id);
        }
    }

    fn attempt_started(&mut self, header: &Header<'_>, f: AttemptStarted) {
        self.runs.change(f.run, |run| {
            run.status = RunStatus::Running;
            run.attempts.push(Attempt {
                number: f.attempt,
                started: header.time,
                error: None,
                ended: None,
                usage: mainstay_model::run::Usage::default(),
            });
        });
    }

    fn attempt_failed(&mut self, header: &Header<'_>, f: AttemptFailed) {
        self.totals.retries += 1;
        self.totals.used(&f.usage);
        if let Some(job) = self.runs.get(&f.run).map(|run| run.pinned.job.clone()) {
            self.alarms_use(&job, header.time, f.usage.cpu);
        }
        self.runs.change(f.run, |run| {
            run.status = RunStatus::Waiting { from: f.retry_at };
            if let Some(a) = run.attempts.iter_mut().find(|a| a.number == f.attempt) {
                a.error = Some(f.error);
                a.ended = Some(header.time);
                a.usage = f.usage;
            }
        });
    }

    fn run_finished(&mut self, header: &Header<'_>, f: RunFinished) {
        self.totals.run(f.outcome, &f.usage);
        self.lineage.newest = header.seq;
        let cpu = f.usage.cpu;
        let (id, outcome, cross_check) = (f.run, f.outcome, f.cross_check.clone());
        let about = self.runs.change(id, |run| {
            run.status = RunStatus::Ended(outcome);
            run.ended = Some(header.time);
            run.error.clone_from(&f.error);
            run.checks = f.checks;
            run.reused_from = f.reused_from;
            run.cross_check = f.cross_check;
            run.unread = f.unread;
            if let Some(a) = run.attempts.last_mut().filter(|a| a.ended.is_none()) {
                a.error = f.error;
                a.ended = Some(header.time);
                a.usage = f.usage;
            }
            let pinned = &run.pinned;
            (pinned.job.clone(), pinned.branch.clone(), pinned.code)
        });
        let Some((job, branch, code)) = about else {
            return;
        };
        self.alarms_use(&job, header.time, cpu);
        if let Some(checked) = cross_check {
            let trust = self
                .trust
                .entry(job.clone())
                .or_default()
                .entry(code)
                .or_default();
            trust.checked += 1;
            if trust.broken.is_none() && !checked.differing.is_empty() {
                trust.broken = Some(id);
            }
        }
        if branch.is_none() {
            self.fails(&job, (id, code), outcome, header.time);
        }
        if outcome == RunOutcome::Succeeded {
            if branch.is_none() {
                self.messages.over(&format!("job/{job}"));
                self.totals.succeeded(&job, header.time);
            }
            if let Some(line) = self.side(branch.as_ref()) {
                line.last_good.insert(job, id);
            }
        }
    }

    /// Counts how often a job's code failed in a row.
    fn fails(&mut self, job: &DatasetName, (run, code): (RunId, Hash), outcome: RunOutcome, time: Timestamp) {
        match outcome {
            RunOutcome::Succeeded => {
                self.failing.remove(job);
            }
            RunOutcome::Failed => {
                let before = self.failing.get(job).filter(|f| f.code == code);
                let in_row = before.map_or(0, |f| f.in_row).saturating_add(1);
                let failing = Failing {
                    code,
                    run,
                    in_row,
                    last: time,
                };
                self.failing.insert(job.clone(), failing);
            }
            RunOutcome::Cancelled | RunOutcome::Skipped => {}
        }
    }
}
