//! `replay`: a recorded run, computed again aside from what its record pins, and compared with what it published.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{Error, ErrorKind, Progress, ReplayReport, ReplayedSlice, ReplaysReport};
use mainstay_control::{Branch, Dataset, Line, Run, RunStatus, Sight, shown_under};
use mainstay_engine::{Assignment, CancelToken, Engine, Mounted, Output};
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{CheckOutcome, Judged, RunOutcome, Scope, Usage};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, RunId, Schema, SliceKey, SliceVersion};

use crate::amend::Ground;
use crate::diff::Sides;
use crate::examine::Examined;
use crate::instance::{Instance, Watch};
use crate::mount::{Part, schema_at};
use crate::read::{ReadBy, computed, is_widened};
use crate::run::{check_inputs, judged};

/// How many rows are shown of a difference.
const SAMPLE: usize = 5;

/// What is replayed.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// The runs; all that succeeded if none is named.
    pub runs: Vec<RunId>,
    /// With how many threads; as many as runs have if left out.
    pub threads: Option<usize>,
}

/// A recorded run with all that it depended on.
pub(crate) struct Recorded {
    pub(crate) run: Run,
    pub(crate) spec: JobSpec,
    pub(crate) inputs: Vec<Mounted>,
    /// What its output was judged by.
    judged: Judged,
    /// What its checks read besides the output.
    check_inputs: Vec<Mounted>,
    /// The slices of the output that stayed.
    stayed: Vec<(SliceKey, SliceVersion)>,
    /// What it published, by slice.
    pub(crate) published: BTreeMap<SliceKey, SliceVersion>,
    pub(crate) columns: Schema,
}

/// What came of computing aside.
pub(crate) struct Aside {
    pub(crate) slices: BTreeMap<SliceKey, SliceVersion>,
    pub(crate) usage: Usage,
    /// Its staged files' prefix; to be removed.
    prefix: String,
}

impl Instance {
    /// Computes runs again, aside, and compares.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown run; a run that cannot be replayed is part of the answer.
    pub fn replay(
        &self,
        request: &ReplayRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<ReplaysReport, Error> {
        let runs: Vec<RunId> = if request.runs.is_empty() {
            self.with(|s| {
                let good = s
                    .state
                    .runs
                    .iter()
                    .filter(|(_, r)| r.status == RunStatus::Ended(RunOutcome::Succeeded));
                good.map(|(id, _)| id).collect()
            })
        } else {
            request.runs.clone()
        };
        let own = match request.threads {
            Some(threads) => Some(self.engine_with(threads)?),
            None => None,
        };
        let mut replays = Vec::new();
        for (done, run) in (1..).zip(&runs) {
            if done == 1 {
                watch(Progress::Began {
                    what: "replay".to_owned(),
                    unit: "runs",
                    total: Some(runs.len() as u64),
                });
            }
            replays.push(self.replay_one(*run, own.as_ref(), cancel)?);
            watch(Progress::At {
                what: "replay".to_owned(),
                done,
            });
            if cancel.is_cancelled() {
                return Err(Error::new(
                    ErrorKind::Interrupted,
                    "MS0302",
                    "the replay was stopped",
                ));
            }
        }
        if !runs.is_empty() {
            let same = replays.iter().filter(|r| r.verdict == "identical").count();
            watch(Progress::Ended {
                what: "replay".to_owned(),
                ok: same == replays.len(),
                message: format!("{same} of {} identical", replays.len()),
            });
        }
        Ok(ReplaysReport { replays })
    }

    fn replay_one(
        &self,
        id: RunId,
        engine: Option<&Engine>,
        cancel: &CancelToken,
    ) -> Result<ReplayReport, Error> {
        let store = self.store()?;
        let recorded = self.with(|s| recorded(self, s, &store, id));
        let mut report = ReplayReport {
            run: id.to_string(),
            job: String::new(),
            verdict: "cannot".to_owned(),
            slices: Vec::new(),
            because: Vec::new(),
            difference: None,
            cpu_seconds_then: 0.0,
            cpu_seconds_now: 0.0,
        };
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(Gone::Unknown) => {
                return Err(
                    Error::new(ErrorKind::NotFound, "MS0401", format!("there is no run {id}"))
                        .help("mainstay runs shows those there are"),
                );
            }
            Err(Gone::Because(job, why)) => {
                report.job = job.to_string();
                report.because.push(why);
                return Ok(report);
            }
            Err(Gone::GivenUp(job, lost)) => {
                report.job = job.to_string();
                report.because = lost.iter().map(|l| self.given_up(l)).collect();
                return Ok(report);
            }
        };
        let run = &recorded.run;
        report.job = run.pinned.job.to_string();
        report.cpu_seconds_then = run.usage().cpu.seconds();
        let outcome = run.status;
        let aside = self.aside(&recorded, engine, cancel);
        match aside {
            Ok(aside) => {
                report.cpu_seconds_now = aside.usage.cpu.seconds();
                self.judge(&recorded, &aside, &mut report, cancel)?;
                self.forget(&run.pinned.job, &aside);
            }
            Err(e) => {
                let then = run.error.as_ref().map(|e| e.code.clone());
                if outcome != RunStatus::Ended(RunOutcome::Succeeded)
                    && then.as_deref() == Some(e.code.as_str())
                {
                    report.verdict = "identical".to_owned();
                    report
                        .because
                        .push(format!("it fails the same way: {}", e.message));
                } else if e.kind == ErrorKind::Unavailable {
                    report
                        .because
                        .push(format!("what it read is not there any more: {}", e.message));
                } else {
                    report.verdict = "differs".to_owned();
                    report.because.push(format!("it fails now: {}", e.message));
                }
            }
        }
        if report.verdict != "identical" {
            report.because.extend(self.moved(run));
        }
        Ok(report)
    }

    /// Computes what a record pins, aside: nobody sees it.
    pub(crate) fn aside(
        &self,
        recorded: &Recorded,
        engine: Option<&Engine>,
        cancel: &CancelToken,
    ) -> Result<Aside, Error> {
        let pinned = &recorded.run.pinned;
        let (epoch, now) = (self.epoch(), self.clock.now().as_micros());
        let prefix = format!("replay-{}-{epoch}-{now}", recorded.run.seq);
        let failed = recorded.run.status != RunStatus::Ended(RunOutcome::Succeeded);
        let judged = &recorded.judged;
        // Under amendments checks are asked of what comes out of those; a run that succeeded passed them.
        let (alone, under) = (
            judged.amendments.is_empty(),
            failed && !judged.amendments.is_empty(),
        );
        let assignment = Assignment {
            query: recorded.spec.sql.clone(),
            label: pinned.job.to_string(),
            inputs: recorded.inputs.clone(),
            output: Output {
                dataset: pinned.job.clone(),
                store: self.store()?,
                table: self.table(&pinned.job),
                schema: recorded.columns.clone(),
                slice_columns: recorded.spec.slice.clone(),
                attempt_prefix: prefix.clone(),
            },
            scope: pinned.scope.clone(),
            as_of: pinned.as_of,
            checks: if failed && alone {
                judged.checks.clone()
            } else {
                Vec::new()
            },
            check_inputs: recorded.check_inputs.clone(),
            previous: recorded.stayed.clone(),
            time_limit: None,
        };
        let engine = match engine {
            Some(engine) => engine,
            None => self.engine()?,
        };
        let done = engine
            .run(assignment, cancel, &|_| {})
            .map_err(|e| crate::amend::engine_error(&pinned.job, e))?;
        let aside = Aside {
            slices: done.slices.into_iter().collect(),
            usage: done.usage,
            prefix,
        };
        let mut outcomes = done.checks;
        if under {
            outcomes = self
                .judged_aside(recorded, &aside, cancel)
                .inspect_err(|_| self.forget(&pinned.job, &aside))?;
        }
        let broken = outcomes
            .iter()
            .find(|c| c.violations > 0 && c.severity == mainstay_model::spec::Severity::Error);
        if let Some(check) = broken {
            self.forget(&pinned.job, &aside);
            return Err(Error::new(
                ErrorKind::Failed,
                "MS0501",
                format!("check {} failed: {}", check.check, check.message),
            ));
        }
        Ok(aside)
    }

    /// Asks a run's checks of what was computed aside under the amendments that held then.
    fn judged_aside(
        &self,
        recorded: &Recorded,
        aside: &Aside,
        cancel: &CancelToken,
    ) -> Result<Vec<CheckOutcome>, Error> {
        let (job, slice) = (&recorded.run.pinned.job, &recorded.spec.slice);
        let stayed: BTreeMap<SliceKey, SliceVersion> = recorded.stayed.iter().cloned().collect();
        let mut base = stayed.clone();
        base.extend(aside.slices.clone());
        base.retain(|_, content| !content.files.is_empty());
        let ground = self.with(|s| {
            let about = (&recorded.columns, slice.as_slice());
            Ground::new(s, job, about, base.clone(), &recorded.judged.amendments)
        });
        let prefix = format!("{}-a", aside.prefix);
        let laid = self.lay(&ground, &prefix, cancel)?;
        let contents = shown_under(base, &laid.overlaid);
        let (stays, new) = contents
            .into_iter()
            .partition(|(key, content)| stayed.get(key) == Some(content));
        let examined = Examined {
            name: job,
            schema: &recorded.columns,
            slice_columns: slice,
            checks: &recorded.judged.checks,
            inputs: Some(&recorded.check_inputs),
        };
        let outcomes = self.examine(examined, new, stays, cancel);
        self.forget_staged(job, &prefix);
        outcomes
    }

    /// Removes what was computed aside; if that fails, the next opening does.
    pub(crate) fn forget(&self, job: &DatasetName, aside: &Aside) {
        self.forget_staged(job, &aside.prefix);
    }

    /// Removes what was staged aside below a prefix; if that fails, the next opening does.
    pub(crate) fn forget_staged(&self, job: &DatasetName, prefix: &str) {
        let table = self.table(job);
        let removed = self.store().is_ok_and(|store| {
            let remove = mainstay_catalog::cleanup::remove_attempt(&store, &table, prefix);
            self.runtime.block_on(remove).is_ok()
        });
        if !removed {
            self.leavings.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Compares what was published with what came now.
    fn judge(
        &self,
        recorded: &Recorded,
        aside: &Aside,
        report: &mut ReplayReport,
        cancel: &CancelToken,
    ) -> Result<(), Error> {
        let none = SliceVersion::default();
        let keys: BTreeSet<&SliceKey> = recorded.published.keys().chain(aside.slices.keys()).collect();
        let mut differing = Vec::new();
        for key in keys {
            let then = recorded.published.get(key).unwrap_or(&none);
            let now = aside.slices.get(key).unwrap_or(&none);
            let identical = then.digest() == now.digest() && then.rows() == now.rows();
            let digest = |v: &SliceVersion| (!v.files.is_empty()).then(|| v.digest().to_string());
            let slice = ReplayedSlice {
                slice: key.text(&recorded.spec.slice),
                identical,
                then: digest(then),
                now: digest(now),
                rows_then: then.rows().0,
                rows_now: now.rows().0,
            };
            if !identical {
                differing.push((key.clone(), then.clone(), now.clone()));
            }
            report.slices.push(slice);
        }
        report.slices.sort_by_key(|s| s.identical);
        if recorded.run.status != RunStatus::Ended(RunOutcome::Succeeded) {
            report.verdict = "differs".to_owned();
            report
                .because
                .push("it did not succeed then, and does now".to_owned());
            return Ok(());
        }
        if differing.is_empty() {
            report.verdict = "identical".to_owned();
            return Ok(());
        }
        report.verdict = "differs".to_owned();
        let side = |pick: fn(&(SliceKey, SliceVersion, SliceVersion)) -> &SliceVersion| {
            differing.iter().map(|d| (d.0.clone(), pick(d).clone())).collect()
        };
        let sides = Sides {
            name: recorded.run.pinned.job.clone(),
            schema: recorded.columns.clone(),
            slice_columns: recorded.spec.slice.clone(),
            before: side(|d| &d.1),
            after: side(|d| &d.2),
        };
        report.difference = Some(self.compare(sides, &[], SAMPLE, cancel)?);
        Ok(())
    }

    /// Says what was given up, since when, and by whom.
    fn given_up(&self, lost: &Lost) -> String {
        let record = self.ledger().journal().record(lost.seq).ok();
        let by = record.map_or_else(String::new, |r| {
            let reason = r.reason.map(|r| format!(", who said: {r}")).unwrap_or_default();
            format!(" since {} by {}{reason}", r.time, r.actor)
        });
        format!(
            "{} was given up by vacuum{by} (fact {} of the journal)",
            lost.what, lost.seq
        )
    }

    /// Says what of engine and settings is not as it was.
    fn moved(&self, run: &Run) -> Vec<String> {
        let mut out = Vec::new();
        if run.pinned.engine != mainstay_engine::ENGINE {
            out.push(format!(
                "the engine was {} and is {}",
                run.pinned.engine,
                mainstay_engine::ENGINE
            ));
        }
        if let Ok(engine) = self.engine() {
            let now = engine.settings();
            let keys: BTreeSet<&String> = run.pinned.settings.keys().chain(now.keys()).collect();
            for key in keys {
                let (then, now) = (run.pinned.settings.get(key), now.get(key));
                if then != now {
                    let text = |v: Option<&String>| v.cloned().unwrap_or_else(|| "not set".to_owned());
                    out.push(format!("{key} was {} and is {}", text(then), text(now)));
                }
            }
        }
        out
    }
}

/// Why a record cannot be replayed.
pub(crate) enum Gone {
    Unknown,
    Because(DatasetName, String),
    /// Vacuum freed what it read or made.
    GivenUp(DatasetName, Vec<Lost>),
}

/// Slices that were given up by one fact.
pub(crate) struct Lost {
    /// Of what, and which of them.
    what: String,
    /// The journal's number of that.
    seq: u64,
}

/// Returns the slices of a list that were given up, by the fact that did it.
fn given_up<'a>(
    what: &str,
    dataset: &Dataset,
    version: u64,
    slices: impl Iterator<Item = &'a SliceKey>,
) -> Vec<Lost> {
    let mut by_fact: BTreeMap<u64, Vec<&SliceKey>> = BTreeMap::new();
    for slice in slices {
        let content = dataset.slices.get(slice).and_then(|h| h.content_at(version));
        if let Some(seq) = content.and_then(|c| c.vacuumed) {
            by_fact.entry(seq).or_default().push(slice);
        }
    }
    let each = by_fact.into_iter().map(|(seq, slices)| {
        let which = match slices.as_slice() {
            [one] if **one == SliceKey::whole() => String::new(),
            [one] => format!("@{}", one.text(&dataset.slice_columns)),
            many => format!(" ({} slices)", many.len()),
        };
        Lost {
            what: format!("{what}{which} of version {version}"),
            seq,
        }
    });
    each.collect()
}

/// The side on which a run was made.
pub(crate) fn side<'a>(sight: &Sight<'a>, run: &Run) -> Result<&'a Line, String> {
    let Some(name) = &run.pinned.branch else {
        return Ok(&sight.state.main);
    };
    let branch: Option<&Branch> = sight.state.branches.get(name);
    match (branch, sight.state.line(Some(name))) {
        (Some(branch), Some(line)) if run.seq > branch.about.forked => Ok(line),
        // Before it was begun anew for the last time.
        (Some(branch), Some(_)) if !branch.former.datasets.is_empty() => Ok(&branch.former),
        (Some(_), Some(_)) => Err(format!("branch {name} was begun anew since")),
        _ => Err(format!("it ran in branch {name}, which was dropped")),
    }
}

/// Returns what of its inputs a run read that was given up since.
fn lost(line: &Line, run: &Run, read: &ReadBy) -> Vec<Lost> {
    let each = run.pinned.inputs.iter().filter_map(|input| {
        let held = line.dataset(&input.dataset)?;
        let name = input.dataset.to_string();
        Some(match read.part(&input.dataset) {
            Part::All => given_up(&name, held, input.version, held.slices.keys()),
            Part::Slices(keys) => given_up(&name, held, input.version, keys.iter()),
        })
    });
    each.flatten().collect()
}

/// Returns a run with all that it depended on, from the state.
pub(crate) fn recorded(
    instance: &Instance,
    sight: &Sight<'_>,
    store: &mainstay_storage::Store,
    id: RunId,
) -> Result<Recorded, Gone> {
    let run = sight.state.runs.get(&id).ok_or(Gone::Unknown)?;
    let job = &run.pinned.job;
    let gone = |why: String| Gone::Because(job.clone(), why);
    let line = side(sight, run).map_err(gone)?;
    let generations = line.resources.get(&ResourceKey::new(Kind::Job, job));
    let generation = generations
        .into_iter()
        .flat_map(|h| &h.generations)
        .find(|g| g.number == run.pinned.generation);
    let Some(Spec::Job(spec)) = generation.and_then(|g| g.resource.as_ref()).map(|r| &r.spec) else {
        return Err(gone(format!(
            "generation {} of its job is not known",
            run.pinned.generation
        )));
    };
    let on_line = Sight {
        state: sight.state,
        line,
        branch: run.pinned.branch.as_ref(),
    };
    let read = if is_widened(run) {
        ReadBy::default()
    } else {
        ReadBy::of(&on_line, spec, &run.pinned, computed(&run.pinned.scope))
    };
    let mut lost = lost(line, run, &read);
    let mut inputs = Vec::new();
    for input in &run.pinned.inputs {
        let part = read.part(&input.dataset);
        let mounted = instance.mount(&on_line, store, &input.dataset, input.version, part);
        inputs.push(mounted.ok_or_else(|| gone(format!("{} is not there any more", input.dataset)))?);
    }
    let empty = Dataset::default();
    let held = line.dataset(job).map_or(&empty, Dataset::base);
    let version = run.published.unwrap_or(0);
    let wanted: Vec<SliceKey> = match &run.pinned.scope {
        Scope::Whole => held.slices.keys().cloned().collect(),
        Scope::Slices(list) => list.clone(),
    };
    if run.published.is_some() {
        lost.extend(given_up(
            &format!("what it made of {job}"),
            held,
            version,
            wanted.iter(),
        ));
    }
    if !lost.is_empty() {
        return Err(Gone::GivenUp(job.clone(), lost));
    }
    let published = wanted
        .into_iter()
        .filter_map(|k| Some((k.clone(), held.slices.get(&k)?.at(version)?.clone())))
        .collect();
    // Records of before checks were pinned are judged by those of today.
    let judged = run.pinned.judged.clone().unwrap_or_else(|| judged(&on_line, job));
    let stayed = match &run.pinned.scope {
        Scope::Whole => Vec::new(),
        Scope::Slices(list) if held.is_sliced_by(&spec.slice, &spec.compiled.columns) => {
            let list: BTreeSet<&SliceKey> = list.iter().collect();
            let kept = held.slices.iter().filter(|(k, _)| !list.contains(k));
            kept.filter_map(|(k, h)| Some((k.clone(), h.at(judged.stays)?.clone())))
                .collect()
        }
        Scope::Slices(_) => Vec::new(),
    };
    let columns = if run.published.is_some() {
        schema_at(held, version)
    } else {
        spec.compiled.columns.clone()
    };
    Ok(Recorded {
        run: run.clone(),
        spec: (**spec).clone(),
        inputs,
        check_inputs: check_inputs(instance, &on_line, store, &judged.beside),
        stayed,
        judged,
        published,
        columns,
    })
}
