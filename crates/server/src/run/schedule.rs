//! The order of runs: each job when everything that it reads is done, so many at once as the project allows.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use mainstay_api::{Error, Progress};
use mainstay_control::{At, Command, Sight, Ticket};
use mainstay_engine::CancelToken;
use mainstay_model::fact::Fact;
use mainstay_model::relation::Reads;
use mainstay_model::run::{Input, Pinned, RunError, RunOutcome, Scope};
use mainstay_model::{DatasetName, RunId, SliceKey};
use mainstay_planner::{Job, StaleSlices, all_slices};

use super::RunRequest;
use super::attempt::{self, Work};
use super::checks;
use super::overtaken::is_overtaken;
use super::places::Place;
use super::waiting::Queued;
use crate::expressions::SliceColumns;
use crate::instance::{Instance, Watch};
use crate::step;

/// How often the loop looks whether someone asked for a run to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What is said of a job whose slices read more than was known; the code is [`crate::jobs::WRONG_DEPENDENCIES`].
const WRONG: &str = "MS0506: it reads more than was known, and is computed again from everything";

/// How many jobs of one request run or wait for a place, at most.
const AT_ONCE: usize = 256;

/// How often a job is computed again because what it reads was corrected meanwhile.
const OVERTAKEN_AT_MOST: u32 = 5;

/// How a job ended in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is as it should be.
    Fresh,
    /// It is not, and what reads it is not tried.
    Bad,
}

/// What the loop is told.
pub(super) enum Event {
    /// A place is free for one that waits.
    Granted(Ticket),
    /// A run ended.
    Ended(RunId, DatasetName, Result<RunOutcome, Error>),
}

pub(super) struct Schedule<'a> {
    pub(super) instance: &'a Instance,
    pub(super) request: &'a RunRequest,
    pub(super) cancel: &'a CancelToken,
    pub(super) watch: Watch<'a>,
    pub(super) waiting: Vec<Job>,
    pub(super) ended: BTreeMap<DatasetName, End>,
    /// Those that are ready and wait for a place.
    pub(super) queued: BTreeMap<Ticket, Queued>,
    pub(super) running: BTreeMap<RunId, (Job, CancelToken)>,
    pub(super) runs: Vec<RunId>,
    /// By job, how often it was overtaken by a correction.
    pub(super) overtaken: BTreeMap<DatasetName, u32>,
}

/// Runs jobs; they are in an order in which each stands after what it reads. Returns the runs, in the order of their records.
pub(crate) fn run_all(
    instance: &Instance,
    jobs: Vec<Job>,
    request: &RunRequest,
    cancel: &CancelToken,
    watch: Watch<'_>,
) -> Result<Vec<RunId>, Error> {
    let schedule = Schedule {
        instance,
        request,
        cancel,
        watch,
        waiting: jobs,
        ended: BTreeMap::new(),
        queued: BTreeMap::new(),
        running: BTreeMap::new(),
        runs: Vec::new(),
        overtaken: BTreeMap::new(),
    };
    std::thread::scope(|threads| schedule.drive(threads))
}

impl<'a> Schedule<'a> {
    fn drive<'s>(mut self, threads: &'s std::thread::Scope<'s, 'a>) -> Result<Vec<RunId>, Error> {
        let (tell, events) = channel::<Event>();
        let mut failure = None;
        loop {
            if failure.is_none() && !self.cancel.is_cancelled() {
                match self
                    .start_ready(threads, &tell)
                    .and_then(|()| self.record_those_who_wait())
                {
                    Ok(()) => {}
                    Err(e) => failure = Some(e),
                }
            } else {
                self.give_up_waiting();
            }
            if self.running.is_empty() && self.queued.is_empty() {
                break;
            }
            match events.recv_timeout(LOOK) {
                Ok(Event::Granted(ticket)) => {
                    if let Some(queued) = self.queued.remove(&ticket)
                        && let Err(e) = self.begin(threads, &tell, queued)
                    {
                        failure.get_or_insert(e);
                    }
                }
                Ok(Event::Ended(run, job, result)) => {
                    self.running.remove(&run);
                    if self.is_found_wrong(run) {
                        self.again(&job, WRONG);
                        continue;
                    }
                    if self.is_overtaken(run, &job) {
                        self.runs.retain(|r| *r != run);
                        self.again(&job, "it was overtaken by a correction, and is computed again");
                        continue;
                    }
                    match result {
                        Ok(RunOutcome::Succeeded) => self.ended.insert(job, End::Fresh),
                        Ok(_) => self.ended.insert(job, End::Bad),
                        Err(e) => {
                            failure.get_or_insert(e);
                            self.ended.insert(job, End::Bad)
                        }
                    };
                }
                Err(RecvTimeoutError::Timeout) => self.look_for_cancels(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match failure {
            Some(e) => Err(e),
            None => Ok(self.runs),
        }
    }

    /// Says whether a run showed that its slices read more than they are said to.
    fn is_found_wrong(&self, run: RunId) -> bool {
        self.instance.with(|s| {
            let found = s.state.runs.get(&run).and_then(|r| r.cross_check.as_ref());
            found.is_some_and(|c| !c.differing.is_empty())
        })
    }

    /// Says whether a run has to be made again because what it read was corrected meanwhile.
    fn is_overtaken(&mut self, run: RunId, job: &DatasetName) -> bool {
        let found = self
            .instance
            .with(|s| s.state.runs.get(&run).is_some_and(is_overtaken));
        if !found || self.cancel.is_cancelled() {
            return false;
        }
        let times = self.overtaken.entry(job.clone()).or_default();
        *times += 1;
        *times < OVERTAKEN_AT_MOST
    }

    /// Puts a job back in line, as it is declared now; what was computed for it counts no more.
    fn again(&mut self, name: &DatasetName, why: &str) {
        let job = self.instance.with(|s| crate::jobs::declared(s, name));
        let what = name.to_string();
        (self.watch)(Progress::Ended {
            what,
            ok: true,
            message: why.to_owned(),
        });
        self.waiting.splice(0..0, job);
    }

    /// Stops what someone asked to be stopped: everything, or single runs.
    fn look_for_cancels(&mut self) {
        if self.cancel.is_cancelled() {
            self.running.values().for_each(|(_, token)| token.cancel());
        }
        let own = |run| self.running.contains_key(&run) || self.waits(run).is_some();
        for run in self.instance.take_cancel_requests(own) {
            if let Some((_, token)) = self.running.get(&run) {
                // A run that ends at this very moment needs no record of a wish.
                let _ = self.instance.submit(Command::Cancel { run });
                token.cancel();
            } else if let Some(ticket) = self.waits(run) {
                self.give_up(ticket);
            }
        }
    }

    pub(super) fn record(&self, job: &Job, pinned: Pinned, starts: bool) -> Result<Option<RunId>, Error> {
        let because = if self.request.force {
            "forced".to_owned()
        } else {
            self.instance.with(|state| crate::plan::because(state, job))
        };
        let recorded = self.instance.submit(Command::RecordRun {
            pinned,
            because,
            class: self.request.class,
            starts,
        })?;
        Ok(recorded_run(&recorded))
    }

    fn start_ready<'s>(
        &mut self,
        threads: &'s std::thread::Scope<'s, 'a>,
        tell: &Sender<Event>,
    ) -> Result<(), Error> {
        let mut i = 0;
        while i < self.waiting.len() && self.running.len() + self.queued.len() < AT_ONCE {
            let ready = self.waiting.get(i);
            let ready = ready.is_some_and(|job| self.inputs_ended(job) && !self.is_computed_by_other(job));
            if !ready {
                i += 1;
                continue;
            }
            let job = self.waiting.remove(i);
            let bad = job
                .reads
                .keys()
                .find(|n| self.ended.get(*n) == Some(&End::Bad))
                .cloned();
            if let Some(bad) = bad {
                let error = RunError {
                    code: "MS0502".to_owned(),
                    message: format!("not tried, because {bad} could not be brought up to date"),
                    help: Some("what was published before is still served".to_owned()),
                    transient: false,
                };
                self.skip(&job, error)?;
                continue;
            }
            match self.wanted(&job) {
                None => {
                    self.ended.insert(job.dataset.clone(), End::Fresh);
                }
                Some(slices) => {
                    if let Some(error) = self.left_alone(&job) {
                        self.skip(&job, error)?;
                        continue;
                    }
                    let told = tell.clone();
                    let place =
                        self.instance
                            .ask_for_place(&job.dataset, self.request.class, move |ticket| {
                                // Who waits outlives all who could be told.
                                let _ = told.send(Event::Granted(ticket));
                            });
                    if place.is_held() {
                        self.start(threads, tell, job, slices, place)?;
                    } else {
                        let queued = Queued {
                            job,
                            place,
                            since: Instant::now(),
                            recorded: None,
                        };
                        self.queued.insert(queued.place.ticket, queued);
                    }
                }
            }
        }
        Ok(())
    }

    fn inputs_ended(&self, job: &Job) -> bool {
        let running = |n: &DatasetName| self.at_work().any(|job| job.dataset == *n);
        let waiting = |n: &DatasetName| self.waiting.iter().any(|w| w.dataset == *n);
        !job.reads.keys().any(|n| running(n) || waiting(n))
    }

    /// Says whether another job that is the same query is running: what it computes is known when it is done.
    fn is_computed_by_other(&self, job: &Job) -> bool {
        let same = |other: &Job| other.code == job.code && other.slice_columns == job.slice_columns;
        !self.request.force && self.at_work().any(same)
    }

    /// The jobs that run or wait for a place.
    fn at_work(&self) -> impl Iterator<Item = &Job> {
        let queued = self.queued.values().map(|q| &q.job);
        self.running.values().map(|(job, _)| job).chain(queued)
    }

    /// Says what of a job has to be computed; nothing if it is as it should be and not forced.
    pub(super) fn wanted(&self, job: &Job) -> Option<StaleSlices> {
        let target = self.request.targets.iter().find(|(n, _)| *n == job.dataset);
        let is_target = self.request.targets.is_empty() || target.is_some();
        let (slices, reshaped) = self.instance.planning(|state, planning| {
            let reshaped = is_reshaped(state, &job.dataset);
            let slices = if self.request.force && is_target {
                let all = all_slices(job, &At::now(state), &SliceColumns::now(state));
                Some(all.map_or(StaleSlices::Whole, StaleSlices::Some))
            } else {
                let columns = || reshaped.then(|| StaleSlices::Some(Vec::new()));
                planning.stale(state, job).map(|s| s.slices).or_else(columns)
            };
            (slices, reshaped)
        });
        match (slices?, target) {
            (StaleSlices::Some(mut list), Some((_, selection))) if !list.is_empty() => {
                let is_asked = |s: &SliceKey| selection.matches(s, &job.slice_columns);
                if !list.iter().any(is_asked) {
                    return None;
                }
                // Slices of before have no values for new columns: some of both would be rows that no query ever gave.
                if !reshaped {
                    list.retain(is_asked);
                }
                Some(StaleSlices::Some(list))
            }
            (slices, _) => Some(slices),
        }
    }

    pub(super) fn pin(&self, job: &Job, slices: &StaleSlices) -> Result<Pinned, Error> {
        let engine = self.instance.engine()?;
        let as_of = self.instance.clock.now();
        let input = |state: &Sight<'_>, (name, reads): (&DatasetName, &Reads)| Input {
            dataset: name.clone(),
            version: state.dataset(name).map_or(0, mainstay_control::Dataset::version),
            reads: if matches!(slices, StaleSlices::Whole) {
                Reads::All
            } else {
                reads.clone()
            },
        };
        Ok(self.instance.with(|state| Pinned {
            job: job.dataset.clone(),
            branch: state.branch.cloned(),
            generation: generation(state, &job.dataset),
            code: job.code,
            scope: match slices {
                StaleSlices::Whole => Scope::Whole,
                StaleSlices::Some(list) => Scope::Slices(list.clone()),
            },
            inputs: job.reads.iter().map(|r| input(state, r)).collect(),
            as_of,
            engine: mainstay_engine::ENGINE.to_owned(),
            settings: engine.settings(),
            judged: Some(checks::judged(state, &job.dataset)),
        }))
    }

    fn skip(&mut self, job: &Job, error: RunError) -> Result<(), Error> {
        let slices = StaleSlices::Whole;
        let pinned = self.pin(job, &slices)?;
        let recorded = self.instance.submit(Command::SkipRun {
            pinned,
            class: self.request.class,
            error: error.clone(),
        })?;
        self.runs.extend(recorded_run(&recorded));
        (self.watch)(Progress::Ended {
            what: job.dataset.to_string(),
            ok: false,
            message: error.message,
        });
        self.ended.insert(job.dataset.clone(), End::Bad);
        Ok(())
    }

    pub(super) fn start<'s>(
        &mut self,
        threads: &'s std::thread::Scope<'s, 'a>,
        tell: &Sender<Event>,
        job: Job,
        slices: StaleSlices,
        place: Place,
    ) -> Result<(), Error> {
        let pinned = self.pin(&job, &slices)?;
        let Some(run) = self.record(&job, pinned, true)? else {
            return Ok(());
        };
        step::at("run.recorded");
        step::at("attempt.started");
        self.runs.push(run);
        self.carry_out(threads, tell, run, job, slices, place);
        Ok(())
    }

    pub(super) fn carry_out<'s>(
        &mut self,
        threads: &'s std::thread::Scope<'s, 'a>,
        tell: &Sender<Event>,
        run: RunId,
        job: Job,
        slices: StaleSlices,
        place: Place,
    ) {
        let total = match &slices {
            StaleSlices::Whole => None,
            StaleSlices::Some(list) => Some(list.len() as u64),
        };
        (self.watch)(Progress::Began {
            what: job.dataset.to_string(),
            unit: "slices",
            total,
        });
        let token = CancelToken::new();
        self.running.insert(run, (job.clone(), token.clone()));
        let (instance, watch, tell) = (self.instance, self.watch, tell.clone());
        let (anew, class) = (self.request.force, self.request.class);
        threads.spawn(move || {
            let name = job.dataset.clone();
            let work = Work {
                run,
                job,
                slices,
                anew,
                class,
            };
            let result = attempt::carry_out(instance, &work, place, &token, watch);
            // The receiver outlives all senders; a failed send could only mean that nobody waits any more.
            let _ = tell.send(Event::Ended(run, name, result));
        });
    }
}

fn generation(state: &Sight<'_>, job: &DatasetName) -> u64 {
    use mainstay_model::resource::{Kind, ResourceKey};
    state
        .resources
        .get(&ResourceKey::new(Kind::Job, job))
        .and_then(|h| h.newest())
        .map_or(0, |g| g.number)
}

/// Says whether a job yields other columns than its dataset has. Where no slice has to be computed for that, because it has none,
/// the columns are published by themselves.
pub(crate) fn is_reshaped(sight: &Sight<'_>, job: &DatasetName) -> bool {
    use mainstay_model::resource::{Kind, ResourceKey, Spec};
    let spec = sight.resource(&ResourceKey::new(Kind::Job, job)).map(|r| &r.spec);
    let held = sight.dataset(job).and_then(|d| d.base().schema());
    match (spec, held) {
        (Some(Spec::Job(spec)), Some(held)) => *held != spec.compiled.columns,
        _ => false,
    }
}

fn recorded_run(recorded: &[(u64, Fact)]) -> Option<RunId> {
    recorded.iter().find_map(|(_, fact)| match fact {
        Fact::RunRecorded(r) => Some(r.run),
        _ => None,
    })
}
