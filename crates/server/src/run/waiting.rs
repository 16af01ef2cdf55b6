//! Jobs of a request that are ready and wait for a place.
//!
//! What they need is found out when their turn comes: what they were put in line for may be done by then, or be more. Those that wait
//! for a while are recorded, so that everybody sees them.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mainstay_api::Error;
use mainstay_base::text;
use mainstay_control::{Command, Ticket, is_left_alone};
use mainstay_model::RunId;
use mainstay_model::queue::Class;
use mainstay_model::run::{Pinned, RunError};
use mainstay_planner::Job;

use super::places::Place;
use super::schedule::{End, Event, Schedule};
use crate::step;

/// How long a job may wait for a place before its run is recorded, so that what starts at once costs one frame of the journal.
const UNSEEN: Duration = Duration::from_secs(1);

/// A job that waits for a place.
pub(super) struct Queued {
    pub(super) job: Job,
    pub(super) place: Place,
    pub(super) since: Instant,
    /// The run as it was recorded, once it had waited for a while.
    pub(super) recorded: Option<(RunId, Pinned)>,
}

impl<'a> Schedule<'a> {
    /// Lets go of everything that waits for a place.
    pub(super) fn give_up_waiting(&mut self) {
        let tickets: Vec<Ticket> = self.queued.keys().copied().collect();
        tickets.into_iter().for_each(|ticket| self.give_up(ticket));
    }

    /// Returns what stands for a run that is recorded and waits for a place.
    pub(super) fn waits(&self, run: RunId) -> Option<Ticket> {
        let own = |q: &&Queued| q.recorded.as_ref().is_some_and(|(id, _)| *id == run);
        self.queued.values().find(own).map(|q| q.place.ticket)
    }

    /// Lets go of one that waits for a place.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        let Some(queued) = self.queued.remove(&ticket) else {
            return;
        };
        if let Some((run, _)) = queued.recorded {
            self.unwanted(run, "it was stopped before it began");
        }
        self.ended.insert(queued.job.dataset, End::Bad);
    }

    fn unwanted(&self, run: RunId, why: &str) {
        let error = RunError {
            code: "MS0510".to_owned(),
            message: why.to_owned(),
            help: None,
            transient: false,
        };
        // Where nothing can be recorded any more, the next opening ends it.
        let cancelled = self.instance.submit(Command::Cancel { run });
        let _ = cancelled.and_then(|_| self.instance.submit(Command::AbandonRun { run, error }));
    }

    /// Records those who have waited for a while, so that everybody can see them and ask why.
    pub(super) fn record_those_who_wait(&mut self) -> Result<(), Error> {
        let long: Vec<Ticket> = self
            .queued
            .iter()
            .filter(|(_, q)| q.recorded.is_none() && q.since.elapsed() >= UNSEEN)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in long {
            let Some(job) = self.queued.get(&ticket).map(|q| q.job.clone()) else {
                continue;
            };
            // What is not needed any more is found out when its turn comes.
            let Some(slices) = self.wanted(&job) else { continue };
            let pinned = self.pin(&job, &slices)?;
            let run = self.record(&job, pinned.clone(), false)?;
            self.runs.extend(run);
            if let Some(queued) = self.queued.get_mut(&ticket) {
                queued.recorded = run.map(|run| (run, pinned));
            }
        }
        Ok(())
    }

    /// Begins with one whose turn has come: what it needs now, which need not be what it needed when it was put in line.
    pub(super) fn begin<'s>(
        &mut self,
        threads: &'s std::thread::Scope<'s, 'a>,
        tell: &Sender<Event>,
        queued: Queued,
    ) -> Result<(), Error> {
        let Queued {
            job,
            mut place,
            recorded,
            ..
        } = queued;
        place.begin();
        let Some(slices) = self.wanted(&job) else {
            if let Some((run, _)) = recorded {
                self.unwanted(run, "it is up to date meanwhile");
                self.runs.retain(|r| *r != run);
            }
            self.ended.insert(job.dataset, End::Fresh);
            return Ok(());
        };
        if let Some((run, before)) = recorded {
            let now = Pinned {
                as_of: before.as_of,
                ..self.pin(&job, &slices)?
            };
            if now == before {
                self.instance.submit(Command::StartAttempt { run })?;
                step::at("attempt.started");
                self.carry_out(threads, tell, run, job, slices, place);
                return Ok(());
            }
            self.unwanted(
                run,
                "what it reads has changed meanwhile, and it is planned again",
            );
            self.runs.retain(|r| *r != run);
        }
        self.start(threads, tell, job, slices, place)
    }

    /// Why a job that fails again and again is left alone, if nobody waits for it.
    pub(super) fn left_alone(&self, job: &Job) -> Option<RunError> {
        if self.request.class == Class::Interactive {
            return None;
        }
        let now = self.instance.clock.now();
        self.instance.with(|sight| {
            let (failing, until) = is_left_alone(sight, &job.dataset, now)?;
            Some(RunError {
                code: "MS0511".to_owned(),
                message: format!(
                    "left alone until {until}, because {} of it failed one after the other",
                    text::count(u64::from(failing.in_row), "run")
                ),
                help: Some(format!("mainstay run {} tries at once", job.dataset)),
                transient: false,
            })
        })
    }
}
