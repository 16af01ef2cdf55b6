//! One run's attempts: started, computed, checked, published; or failed and, if that may help, tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_api::{Error, ErrorKind, Progress};
use mainstay_control::{At, Command, Finish, Run, RunStatus, Sight, StagedDataset, StagedSlices};
use mainstay_engine::{Assignment, CancelToken, Engine, Finished, Mounted, Output};
use mainstay_model::queue::Class;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{CheckOutcome, CrossCheck, Judged, RunError, RunOutcome, Scope, Usage};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, RunId, SliceKey, SliceVersion};
use mainstay_planner::{Job, StaleSlices, fingerprints};
use mainstay_storage::Store;

use crate::expressions::SliceColumns;
use crate::instance::{Instance, Watch, settings};
use crate::read::{ReadBy, computed};
use crate::run::checks::check_inputs;
use crate::run::crosscheck::{self, Chosen};
use crate::run::known::{bring, brought, known};
use crate::run::overtaken::{self, rests_on};
use crate::run::places::Place;
use crate::run::reuse::{Known, Twin};
use crate::run::shown::{is_judged_otherwise, pinned_checks, shown, to_keep};
use crate::run::unread::{self, Prospect, Unread};
use crate::step;

/// How long an attempt may take if its job does not say.
const TIME_LIMIT: Duration = Duration::from_secs(3600);

/// How often a result is brought under amendments that are made while it is.
const TIMES: u32 = 5;

/// A recorded run.
pub(super) struct Work {
    pub(super) run: RunId,
    pub(super) job: Job,
    pub(super) slices: StaleSlices,
    /// Whether it is computed even if the result is known.
    pub(super) anew: bool,
    /// How urgent it is.
    pub(super) class: Class,
}

/// Carries out a run to its end.
pub(super) fn carry_out(
    instance: &Instance,
    work: &Work,
    mut place: Place,
    cancel: &CancelToken,
    watch: Watch<'_>,
) -> Result<RunOutcome, Error> {
    // The first attempt has started.
    loop {
        let mut rests_on = instance.with(|sight| rests_on(sight, work));
        let Ended {
            number,
            mut finish,
            usage,
            mut checks,
            reused,
            cross_check,
            unread,
        } = attempt(instance, work, cancel, watch)?;
        let mut files = staged_files(&finish, &format!("r{}-{number}", work.run.0));
        let foreign = !staged_files(&finish, &brought(work.run, number)).is_empty()
            || is_judged_otherwise(instance, work, reused.values());
        let mut times = 0;
        let recorded = loop {
            let mut overlaid = None;
            match shown(instance, work, (number, times), &finish, foreign, cancel) {
                Ok(Some(examined)) => {
                    if let Some(laid) = examined.laid {
                        files.extend(laid.files());
                        overlaid = Some(laid.overlaid);
                    }
                    checks = examined.checks;
                }
                Ok(None) => {}
                Err(e) if e.kind == ErrorKind::Interrupted => finish = Finish::Cancelled,
                Err(e) => finish = Finish::Failed(failure(e)),
            }
            let kept = to_keep(instance, work, number, &finish, &files);
            if let Err(e) = instance.persist(&work.job.dataset, &kept) {
                finish = Finish::Failed(RunError {
                    transient: true,
                    ..failure(e)
                });
            }
            step::at("attempt.staged");
            let command = Command::FinishAttempt {
                run: work.run,
                attempt: number,
                finish: finish.clone(),
                usage: usage.clone(),
                checks: checks.clone(),
                reused: reused.clone(),
                overlaid,
                cross_check: cross_check.clone(),
                unread: unread.clone(),
                rests_on: rests_on.clone(),
            };
            // An amendment that was made meanwhile is laid over it, too; if it changes what was read, the result is not wanted.
            match instance.submit(command) {
                Err(e) if e.kind == ErrorKind::OutOfDate && matches!(finish, Finish::Computed(_)) => {
                    times += 1;
                    match overtaken::now(instance, work).filter(|_| times < TIMES) {
                        Some(now) => rests_on = now,
                        None => finish = Finish::Overtaken(overtaken::error(&e)),
                    }
                }
                other => break other?,
            }
        };
        step::at("publish.recorded");
        // What came out as it was, or failed a check, is not referred to.
        instance.discard(&work.job.dataset, &files);
        instance.project_published(&recorded)?;
        if let Some(outcome) = ended(instance, work, watch) {
            return Ok(outcome);
        }
        // While it waits, others go on in its place.
        drop(place);
        wait_for_retry(instance, work.run, cancel);
        place = match instance.wait_for_place(&work.job.dataset, work.class, cancel) {
            Some(place) => place,
            None => return stopped(instance, work.run),
        };
        instance.submit(Command::StartAttempt { run: work.run })?;
        step::at("attempt.started");
    }
}

/// Returns the paths of the files that an attempt staged, relative to its table; `prefix` is what the names of its folders begin
/// with.
fn staged_files(finish: &Finish, prefix: &str) -> Vec<String> {
    let Finish::Computed(staged) = finish else {
        return Vec::new();
    };
    let contents: Vec<&SliceVersion> = match &staged.slices {
        StagedSlices::Whole { slices, .. } => slices.values().collect(),
        StagedSlices::Some(slices) => slices.values().map(|(_, content)| content).collect(),
    };
    contents
        .iter()
        .flat_map(|c| c.files.iter().map(|f| f.path.clone()))
        .filter(|path| {
            path.strip_prefix(prefix)
                .is_some_and(|p| p.starts_with(['/', '-']))
        })
        .collect()
}

/// The error of an attempt whose output could not be amended, judged, or made to survive a power cut.
fn failure(e: Error) -> RunError {
    let cause = e.causes.first().map(|c| format!(": {c}")).unwrap_or_default();
    RunError {
        code: e.code,
        message: format!("{}{cause}", e.message),
        help: e.help,
        transient: e.kind == ErrorKind::Unavailable,
    }
}

/// Returns how the run ended; none if it is to be tried again.
fn ended(instance: &Instance, work: &Work, watch: Watch<'_>) -> Option<RunOutcome> {
    let (status, message) = instance.with(|state| {
        let run = state.state.runs.get(&work.run);
        (run.map(|r| r.status), run.map(summary).unwrap_or_default())
    });
    match status {
        Some(RunStatus::Ended(outcome)) => {
            let ok = outcome == RunOutcome::Succeeded;
            watch(Progress::Ended {
                what: work.job.dataset.to_string(),
                ok,
                message,
            });
            Some(outcome)
        }
        Some(_) => None,
        None => Some(RunOutcome::Failed),
    }
}

fn summary(run: &Run) -> String {
    match (&run.error, run.reused_from) {
        (Some(e), _) => e.message.clone(),
        _ if run.status == RunStatus::Ended(RunOutcome::Cancelled) => "cancelled".to_owned(),
        (None, Some(from)) => format!("as {from} computed it"),
        (None, None) => run
            .usage()
            .written
            .values()
            .map(|a| a.rows)
            .sum::<mainstay_base::Rows>()
            .to_string(),
    }
}

/// Waits until the next attempt may start, or the run is stopped.
fn wait_for_retry(instance: &Instance, run: RunId, cancel: &CancelToken) {
    let from = instance.with(|state| match state.state.runs.get(&run).map(|r| r.status) {
        Some(RunStatus::Waiting { from }) => Some(from),
        _ => None,
    });
    let Some(from) = from else { return };
    let micros = from.micros_since(instance.clock.now());
    let pause = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    instance.runtime.block_on(async {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = async { while !cancel.is_cancelled() { tokio::time::sleep(Duration::from_millis(50)).await } } => {}
        }
    });
}

/// Ends a run that was stopped between two attempts.
fn stopped(instance: &Instance, run: RunId) -> Result<RunOutcome, Error> {
    instance.submit(Command::Cancel { run })?;
    let error = RunError {
        code: "MS0510".to_owned(),
        message: "it was stopped before it was tried again".to_owned(),
        help: None,
        transient: false,
    };
    instance.submit(Command::AbandonRun { run, error })?;
    Ok(RunOutcome::Cancelled)
}

/// How an attempt ended.
struct Ended {
    number: u32,
    finish: Finish,
    usage: Usage,
    checks: Vec<CheckOutcome>,
    reused: BTreeMap<SliceKey, RunId>,
    cross_check: Option<CrossCheck>,
    unread: Vec<SliceKey>,
}

impl Ended {
    fn new(number: u32, finish: Finish, usage: Usage) -> Self {
        Self {
            number,
            finish,
            usage,
            checks: Vec::new(),
            reused: BTreeMap::new(),
            cross_check: None,
            unread: Vec::new(),
        }
    }
}

fn attempt(instance: &Instance, work: &Work, cancel: &CancelToken, watch: Watch<'_>) -> Result<Ended, Error> {
    let store = instance.store()?;
    let prepare = |unread: &Unread, elsewhere: bool| {
        instance.with(|state| Prepared::new(instance, state, &store, work, unread, elsewhere))
    };
    let mut unread = Unread::default();
    let mut prepared = prepare(&unread, true);
    let prospect = prepared
        .as_ref()
        .and_then(|p| instance.with(|state| prospect(state, &store, work, &p.assignment)));
    if let Some(prospect) = prospect {
        unread = prospect.unread(instance, cancel);
        if unread.whole || !unread.slices.is_empty() {
            prepared = prepare(&unread, true);
        }
    }
    if let Some(found) = &mut prepared {
        match bring(instance, work, found) {
            Ok(true) => {}
            // What is not there any more is computed.
            Ok(false) => prepared = prepare(&unread, false),
            Err(e) => {
                return Ok(Ended::new(
                    found.number,
                    Finish::Failed(failure(e)),
                    Usage::default(),
                ));
            }
        }
    }
    let Some(prepared) = prepared else {
        let error = RunError {
            code: "MS0503".to_owned(),
            message: "the job was removed before it could run".to_owned(),
            help: None,
            transient: false,
        };
        return Ok(Ended::new(1, Finish::Failed(error), Usage::default()));
    };
    let Prepared {
        number,
        assignment,
        fingerprint,
        known,
    } = prepared;
    let chosen = instance.with(|state| chosen(instance, state, &store, work, &assignment));
    let unread: Vec<SliceKey> = unread.slices.into_keys().collect();
    let (schema, slice_columns) = (
        assignment.output.schema.clone(),
        assignment.output.slice_columns.clone(),
    );
    let reused: BTreeMap<SliceKey, RunId> = known
        .iter()
        .filter_map(|(slice, known)| Some((slice.clone(), known.run?)))
        .collect();
    let complete = |slices: Vec<(SliceKey, SliceVersion)>| {
        let taken = known
            .iter()
            .map(|(slice, known)| (slice.clone(), known.content.clone()));
        let staged = StagedDataset {
            schema: schema.clone(),
            slice_columns: slice_columns.clone(),
            slices: staged(fingerprint.clone(), slices.into_iter().chain(taken)),
        };
        Finish::Computed(staged)
    };
    if matches!(&assignment.scope, Scope::Slices(none) if none.is_empty()) {
        return Ok(Ended {
            reused,
            unread,
            ..Ended::new(number, complete(Vec::new()), Usage::default())
        });
    }
    let what = work.job.dataset.to_string();
    let progress = |p: mainstay_engine::Progress| {
        watch(Progress::At {
            what: what.clone(),
            done: p.slices,
        })
    };
    let engine = instance.engine()?;
    let computed = engine
        .run(assignment, cancel, &progress)
        .and_then(|done| match &chosen {
            Some(chosen) => cross_checked(instance, engine, chosen, done, cancel),
            None => Ok((done, None)),
        });
    match computed {
        Ok((
            Finished {
                slices,
                checks,
                usage,
            },
            cross_check,
        )) => Ok(Ended {
            checks,
            reused,
            cross_check,
            unread,
            ..Ended::new(number, complete(slices), usage)
        }),
        Err(e) if e.kind == mainstay_engine::Kind::Cancelled => {
            Ok(Ended::new(number, Finish::Cancelled, *e.usage))
        }
        Err(e) => {
            let error = RunError {
                code: e.code.to_owned(),
                message: e.message,
                help: e.help,
                transient: e.transient,
            };
            Ok(Ended::new(number, Finish::Failed(error), *e.usage))
        }
    }
}

/// Computes some slices of a run a second time. If they come out otherwise, all of it is computed from everything, and that is
/// what counts.
fn cross_checked(
    instance: &Instance,
    engine: &Engine,
    chosen: &Chosen,
    done: Finished,
    cancel: &CancelToken,
) -> Result<(Finished, Option<CrossCheck>), mainstay_engine::Error> {
    let found = match chosen.carry_out(instance, engine, &done.slices, cancel) {
        Ok(found) => found,
        Err(e) => {
            chosen.discard(instance);
            return Err(e);
        }
    };
    let done = match chosen.widened().filter(|_| found.widened()) {
        Some(everything) => {
            chosen.discard(instance);
            engine.run(everything.clone(), cancel, &|_| {})?
        }
        None => done,
    };
    Ok((done, Some(found)))
}

/// What an attempt's output was computed from.
pub(super) type Fingerprint = (
    Option<mainstay_base::Hash>,
    BTreeMap<SliceKey, mainstay_base::Hash>,
);

fn staged(
    (whole, each): Fingerprint,
    slices: impl Iterator<Item = (SliceKey, SliceVersion)>,
) -> StagedSlices {
    match whole {
        Some(fingerprint) => StagedSlices::Whole {
            fingerprint,
            slices: slices.collect(),
        },
        None => {
            let mut computed: BTreeMap<SliceKey, SliceVersion> = slices.collect();
            let with_content = |(slice, fp)| {
                let content = computed.remove(&slice).unwrap_or_default();
                (slice, (fp, content))
            };
            StagedSlices::Some(each.into_iter().map(with_content).collect())
        }
    }
}

pub(super) struct Prepared {
    pub(super) number: u32,
    assignment: Assignment,
    fingerprint: Fingerprint,
    /// The slices whose results are known; of a whole dataset, all or none.
    pub(super) known: BTreeMap<SliceKey, Known>,
}

/// Returns what a run is about to compute that may not have to be.
fn prospect(sight: &Sight<'_>, store: &Store, work: &Work, left: &Assignment) -> Option<Prospect> {
    let is_nothing = matches!(&left.scope, Scope::Slices(none) if none.is_empty());
    if work.anew || is_nothing {
        return None;
    }
    Prospect::of(&unread::About {
        sight,
        store,
        spec: job_spec(sight, &work.job.dataset)?,
        pinned: &sight.state.runs.get(&work.run)?.pinned,
        scope: &left.scope,
        engine_matters: work.job.engine.is_some(),
    })
}

/// Chooses what is computed a second time.
fn chosen(
    instance: &Instance,
    sight: &Sight<'_>,
    store: &Store,
    work: &Work,
    assignment: &Assignment,
) -> Option<Chosen> {
    let run = crosscheck::Run {
        instance,
        sight,
        store,
        number: work.run.0,
        spec: job_spec(sight, &work.job.dataset)?,
        pinned: &sight.state.runs.get(&work.run)?.pinned,
        assignment,
    };
    Chosen::of(&run, settings(sight).cross_check)
}

impl Prepared {
    /// Mounts exactly what the run's record pins; none if the job is not declared any more.
    fn new(
        instance: &Instance,
        state: &Sight<'_>,
        store: &Store,
        work: &Work,
        unread: &Unread,
        elsewhere: bool,
    ) -> Option<Self> {
        let run = state.state.runs.get(&work.run)?;
        let number = run.attempts.last()?.number;
        let spec = job_spec(state, &work.job.dataset)?;
        let pinned = &run.pinned;
        let versions = pinned.inputs.iter().map(|i| (&i.dataset, i.version));
        let (at, columns) = (At::pinned(state, versions), SliceColumns::now(state));
        let fingerprint = fingerprints(&work.job, &at, &columns, &work.slices);
        let twin = Twin {
            name: &work.job.dataset,
            spec,
        };
        let (known, scope) = known(
            state,
            work,
            (&fingerprint, unread),
            &pinned.scope,
            Some(twin).filter(|_| elsewhere),
        );
        let read = ReadBy::of(state, spec, pinned, computed(&scope));
        let mount = |i: &mainstay_model::run::Input| {
            instance.mount(state, store, &i.dataset, i.version, read.part(&i.dataset))
        };
        let inputs: Vec<Mounted> = pinned.inputs.iter().filter_map(mount).collect();
        // Under amendments they are asked of what comes out of those; and what another job computed was not asked by this one's.
        let held = state.dataset(&work.job.dataset);
        let amended = held.is_some_and(|d| !d.overlay.amendments.is_empty());
        let judged = if amended || known.values().any(|k| k.elsewhere.is_some()) {
            Judged::default()
        } else {
            pinned_checks(state, work)
        };
        let output = Output {
            dataset: work.job.dataset.clone(),
            store: store.clone(),
            table: instance.table(&work.job.dataset),
            schema: spec.compiled.columns.clone(),
            slice_columns: spec.slice.clone(),
            attempt_prefix: format!("r{}-{number}", work.run.0),
        };
        let assignment = Assignment {
            query: spec.sql.clone(),
            label: work.job.dataset.to_string(),
            check_inputs: check_inputs(instance, state, store, &judged.beside),
            inputs,
            output,
            scope: scope.clone(),
            as_of: pinned.as_of,
            checks: judged.checks,
            previous: previous(state, &work.job.dataset, spec, &pinned.scope, &known),
            time_limit: Some(spec.time_limit_ms.map_or(TIME_LIMIT, Duration::from_millis)),
        };
        Some(Self {
            number,
            assignment,
            fingerprint,
            known,
        })
    }
}

fn job_spec<'a>(state: &'a Sight<'a>, name: &DatasetName) -> Option<&'a JobSpec> {
    match state
        .resources
        .get(&ResourceKey::new(Kind::Job, name))?
        .resource()
        .map(|r| &r.spec)
    {
        Some(Spec::Job(spec)) => Some(spec),
        _ => None,
    }
}

/// Returns what the output's dataset holds besides what is computed anew: the slices that stay, and those that are known.
fn previous(
    sight: &Sight<'_>,
    dataset: &DatasetName,
    spec: &JobSpec,
    scope: &Scope,
    known: &BTreeMap<SliceKey, Known>,
) -> Vec<(SliceKey, SliceVersion)> {
    let taken = known.iter().map(|(k, v)| (k.clone(), v.content.clone()));
    let Scope::Slices(computed) = scope else {
        return taken.collect();
    };
    let computed: std::collections::BTreeSet<&SliceKey> = computed.iter().collect();
    let held = sight
        .dataset(dataset)
        .map(mainstay_control::Dataset::base)
        .filter(|d| d.is_sliced_by(&spec.slice, &spec.compiled.columns));
    let held = held.into_iter().flat_map(|d| d.newest());
    let kept = held.filter(|(k, _)| !computed.contains(k));
    kept.map(|(k, v)| (k.clone(), v.clone())).chain(taken).collect()
}
