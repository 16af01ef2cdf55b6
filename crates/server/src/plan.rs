//! `check`, `plan`, `apply` and `revert apply/N`.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{
    ApplyReport, ChangeReport, CheckReport, Error, ErrorKind, Estimate, PlanReport, StaleReport,
};
use mainstay_base::text;
use mainstay_control::{At, Command, Run, RunStatus, Sight, diff};
use mainstay_model::change::Change;
use mainstay_model::fact::{Applied, Fact};
use mainstay_model::id::{ApplyId, PlanId};
use mainstay_model::resource::Spec;
use mainstay_model::run::RunOutcome;
use mainstay_model::spec::SourceSpec;
use mainstay_model::{DatasetName, Resource};
use mainstay_planner::{Job, StaleSlices, following, stale};

use crate::deliver::read_otherwise;
use crate::expressions::SliceColumns;
use crate::instance::Instance;
use crate::ledger::Recorded;
use crate::report;
use crate::step;

/// How a project's files differ from what is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unapplied {
    /// Resources that would be created, changed or removed.
    pub changes: u64,
    /// Mistakes in the files; with any, the number of changes means nothing.
    pub mistakes: u64,
}

impl Instance {
    /// Looks for mistakes in the project, and nothing else.
    ///
    /// # Errors
    ///
    /// If the project cannot be read.
    pub fn check(&self) -> Result<CheckReport, Error> {
        let compiled = self.compile()?;
        Ok(CheckReport {
            resources: compiled.resources.len() as u64,
            mistakes: report::mistakes(&compiled.mistakes),
        })
    }

    /// Says what applying the project would do, to resources and to data, and keeps that as a plan for review.
    ///
    /// # Errors
    ///
    /// If the project cannot be read; mistakes in it are part of the answer.
    pub fn plan(&self) -> Result<PlanReport, Error> {
        let (desired, mut report) = self.previewed()?;
        if !report.changes.is_empty() {
            report.plan = self.keep_plan(desired)?.map(|p| p.to_string());
        }
        Ok(report)
    }

    /// Says what applying the project would do, and keeps nothing.
    ///
    /// # Errors
    ///
    /// If the project cannot be read; mistakes in it are part of the answer.
    pub fn plan_unrecorded(&self) -> Result<PlanReport, Error> {
        self.previewed().map(|(_, report)| report)
    }

    fn previewed(&self) -> Result<(Vec<Resource>, PlanReport), Error> {
        let compiled = self.compile()?;
        if !compiled.mistakes.is_empty() {
            let report = PlanReport {
                plan: None,
                changes: vec![],
                stale: vec![],
                estimate: no_estimate(),
                mistakes: report::mistakes(&compiled.mistakes),
            };
            return Ok((Vec::new(), report));
        }
        let changes = self.with(|state| diff(state, &compiled.resources));
        let (mut stale, estimate) = self.with(|state| stale_after(state, &compiled.resources));
        self.say_what_is_gone(&compiled.resources, &mut stale);
        let report = PlanReport {
            plan: None,
            changes: changes.iter().map(change_report).collect(),
            stale,
            estimate,
            mistakes: Vec::new(),
        };
        Ok((compiled.resources, report))
    }

    /// Adds to what is said of sources which of the files that they have to read again are not there any more.
    fn say_what_is_gone(&self, resources: &[Resource], stale: &mut [StaleReport]) {
        for (name, spec) in sources(resources) {
            let Some(report) = stale.iter_mut().find(|s| s.dataset == name.to_string()) else {
                continue;
            };
            let again = self.with(|sight| read_otherwise(sight, &name, spec));
            let gone = self.gone(spec, &again);
            if let Some(first) = gone.first() {
                let are = if gone.len() == 1 { "is" } else { "are" };
                report.because = format!(
                    "{}, but {} of them {are} gone: {first}",
                    report.because,
                    gone.len()
                );
            }
        }
    }

    /// Returns how many resources the project's files say otherwise than what is applied, or the number of their mistakes.
    ///
    /// # Errors
    ///
    /// If the project cannot be read.
    pub fn unapplied(&self) -> Result<Unapplied, Error> {
        let compiled = self.compile()?;
        Ok(Unapplied {
            changes: self.with(|state| diff(state, &compiled.resources).len() as u64),
            mistakes: compiled.mistakes.len() as u64,
        })
    }

    fn keep_plan(&self, desired: Vec<Resource>) -> Result<Option<PlanId>, Error> {
        let recorded = self.submit(Command::Plan { desired })?;
        Ok(recorded.iter().find_map(|(_, fact)| match fact {
            Fact::Planned(p) => Some(p.plan),
            _ => None,
        }))
    }

    /// Makes the resources what the project says, or what a plan says.
    ///
    /// # Errors
    ///
    /// `Invalid` with all mistakes of the project, `OutOfDate` if the plan's base has moved, `NotFound` for an unknown plan,
    /// `Refused` with [`NEEDS_YES`](crate::NEEDS_YES) if it takes something away and nobody said yes.
    pub fn apply(&self, plan: Option<PlanId>, yes: bool) -> Result<ApplyReport, Error> {
        let command = match plan {
            Some(plan) => Command::ApplyPlan { plan },
            None => Command::Apply {
                desired: self.compiled()?,
            },
        };
        self.need_consent(&command, yes)?;
        step::at("apply.decided");
        let recorded = self.submit(command)?;
        step::at("apply.recorded");
        Ok(self.apply_report(&recorded))
    }

    /// Undoes an apply: each resource that it changed says again what it said before.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown apply, `Refused` if later applies changed the same resources, or as for [`Instance::apply`].
    pub fn revert_apply(&self, apply: ApplyId, yes: bool) -> Result<ApplyReport, Error> {
        let command = Command::RevertApply { apply };
        self.need_consent(&command, yes)?;
        let recorded = self.submit(command)?;
        Ok(self.apply_report(&recorded))
    }

    /// Returns the project's resources, or all its mistakes as an error.
    pub(crate) fn compiled(&self) -> Result<Vec<Resource>, Error> {
        let compiled = self.compile()?;
        if compiled.mistakes.is_empty() {
            return Ok(compiled.resources);
        }
        let n = compiled.mistakes.len() as u64;
        let message = format!("the project has {}", mainstay_base::text::count(n, "mistake"));
        let mut error = Error::new(ErrorKind::Invalid, "MS0002", message)
            .help("mend them; `mainstay check` shows them again");
        error.mistakes = report::mistakes(&compiled.mistakes);
        Err(error)
    }

    pub(crate) fn apply_report(&self, recorded: &Recorded) -> ApplyReport {
        let applied: Option<(u64, &Applied)> = recorded.iter().find_map(|(seq, fact)| match fact {
            Fact::Applied(a) => Some((*seq, a.as_ref())),
            _ => None,
        });
        let stale = self.with(|state| {
            let resources: Vec<Resource> = state.declared().map(|(_, _, r)| r.clone()).collect();
            stale_after(state, &resources).0
        });
        ApplyReport {
            apply: applied.map(|(_, a)| a.apply.0),
            plan: applied.and_then(|(_, a)| a.plan).map(|p| p.to_string()),
            reverts: applied.and_then(|(_, a)| a.reverts).map(|a| a.0),
            changes: applied
                .map(|(_, a)| a.changes.iter().map(change_report).collect())
                .unwrap_or_default(),
            seq: applied.map(|(seq, _)| seq),
            stale,
        }
    }
}

pub(crate) fn change_report(c: &Change) -> ChangeReport {
    ChangeReport {
        action: c.action,
        resource: c.resource.to_string(),
        fields: c.fields.clone(),
    }
}

const fn no_estimate() -> Estimate {
    Estimate {
        runs: 0,
        slices: 0,
        cpu_seconds: None,
        seconds: None,
        measured_datasets: 0,
    }
}

/// Says what would have to be computed if these were the resources, and what that costs by the last runs.
pub(crate) fn stale_after(state: &Sight<'_>, resources: &[Resource]) -> (Vec<StaleReport>, Estimate) {
    let (now, columns) = (At::now(state), SliceColumns::of(state, resources));
    let mut known: BTreeMap<DatasetName, StaleSlices> = BTreeMap::new();
    let mut estimate = Estimator::default();
    let mut reports = Vec::new();
    for (name, spec) in sources(resources) {
        let again = read_otherwise(state, &name, spec);
        if !again.is_empty() {
            let files = text::count(again.len() as u64, "file");
            reports.push(StaleReport {
                dataset: name.to_string(),
                slices: vec!["all".to_owned()],
                because: format!("{files} will be read again, as its source now says"),
                certain: true,
            });
            known.insert(name, StaleSlices::Whole);
        }
    }
    for job in crate::jobs::in_order(state, resources) {
        let held = state.dataset(&job.dataset).filter(|d| !d.versions.is_empty());
        let reshaped = held.is_some_and(|d| d.slice_columns != job.slice_columns);
        let own = stale(&job, &now, &columns).map(|s| match s.slices {
            _ if reshaped => (StaleSlices::Whole, "the way it is sliced changed".to_owned()),
            slices => (slices, because(state, &job)),
        });
        let certain = own.is_some();
        let after = follows(&job, &now, &columns, &known);
        let found = match (own, after) {
            (Some((own, because)), Some((after, _))) => Some((both(own, after), because)),
            (Some(own), None) => Some(own),
            (None, after) => after,
        };
        if let Some((slices, because)) = found {
            let report = StaleReport {
                dataset: job.dataset.to_string(),
                slices: texts(&job, &slices),
                because,
                certain,
            };
            estimate.add(state, &job.dataset, &report.slices);
            reports.push(report);
            known.insert(job.dataset.clone(), slices);
        }
    }
    (reports, estimate.finish())
}

/// The slices of both.
fn both(a: StaleSlices, b: StaleSlices) -> StaleSlices {
    match (a, b) {
        (StaleSlices::Some(a), StaleSlices::Some(b)) => {
            let all: BTreeSet<_> = a.into_iter().chain(b).collect();
            StaleSlices::Some(all.into_iter().collect())
        }
        _ => StaleSlices::Whole,
    }
}

fn sources(resources: &[Resource]) -> impl Iterator<Item = (DatasetName, &SourceSpec)> {
    resources.iter().filter_map(|r| match &r.spec {
        Spec::Source(spec) => Some((r.name.parse().ok()?, spec)),
        _ => None,
    })
}

fn texts(job: &Job, slices: &StaleSlices) -> Vec<String> {
    match slices {
        StaleSlices::Whole => vec!["all".to_owned()],
        StaleSlices::Some(list) => list.iter().map(|s| s.text(&job.slice_columns)).collect(),
    }
}

/// Says what follows for a job that is fresh itself from what it reads being stale.
fn follows(
    job: &Job,
    now: &At<'_>,
    columns: &SliceColumns,
    stale: &BTreeMap<DatasetName, StaleSlices>,
) -> Option<(StaleSlices, String)> {
    let input = job.reads.keys().find(|name| stale.contains_key(*name))?;
    let slices = following(job, now, columns, stale)?;
    Some((slices, format!("reads {input}, if that changes")))
}

/// Returns the last run of a job that computed anything: one that took what was known says nothing of what it takes.
pub(crate) fn measured_last<'a>(sight: &Sight<'a>, job: &DatasetName) -> Option<&'a Run> {
    let computed = |r: &&Run| {
        let good = r.status == RunStatus::Ended(RunOutcome::Succeeded) && r.reused_from.is_none();
        good && r.usage().cpu.seconds() > 0.0
    };
    sight.state.runs.of(job).map(|(_, r)| r).rev().find(computed)
}

/// Says in words why a job is stale, from its last good run.
pub(crate) fn because(state: &Sight<'_>, job: &Job) -> String {
    let Some(run) = state
        .last_good
        .get(&job.dataset)
        .and_then(|id| state.state.runs.get(id))
    else {
        return "never computed".to_owned();
    };
    if run.pinned.code != job.code {
        return "its query changed".to_owned();
    }
    let moved: Vec<String> = run
        .pinned
        .inputs
        .iter()
        .filter(|i| {
            state
                .datasets
                .get(&i.dataset)
                .is_some_and(|d| d.version() != i.version)
        })
        .map(|i| i.dataset.to_string())
        .collect();
    match moved.as_slice() {
        [] => "the way it is sliced changed".to_owned(),
        names => format!("{} changed", names.join(", ")),
    }
}

#[derive(Default)]
struct Estimator {
    runs: u64,
    slices: u64,
    measured: u64,
    cpu: f64,
    wall: f64,
}

impl Estimator {
    fn add(&mut self, state: &Sight<'_>, dataset: &DatasetName, slices: &[String]) {
        self.runs += 1;
        let whole = slices == ["all"];
        let held = state.datasets.get(dataset).map_or(0, |d| d.slices.len() as u64);
        let count = if whole { held.max(1) } else { slices.len() as u64 };
        self.slices += count;
        let Some(run) = measured_last(state, dataset) else {
            return;
        };
        let share = count as f64 / (run.slices.len().max(1)) as f64;
        let usage = run.usage();
        self.measured += 1;
        self.cpu += usage.cpu.seconds() * share;
        self.wall += usage.wall_us as f64 / 1e6 * share;
    }

    fn finish(self) -> Estimate {
        let known = self.measured > 0;
        Estimate {
            runs: self.runs,
            slices: self.slices,
            cpu_seconds: known.then_some(self.cpu),
            seconds: known.then_some(self.wall),
            measured_datasets: self.measured,
        }
    }
}
