//! `why --prove`: a run is replayed aside with differences undone, until a smallest set of them is found that still shows what
//! is to be explained: the failure, the changed content, or rows that meet a condition.
//!
//! If that is the publish of an upstream run, the search goes on there: that run is replayed with its differences undone, what
//! comes of it is put under the run that was asked about, and it is seen whether it still shows the same. So the answer is what
//! somebody did, not what a computation passed on.

mod case;
mod ddmin;
mod gather;
mod name;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{Error, ErrorKind, Progress, ProofReport, Proven, Trial};
use mainstay_control::{Dataset, RunStatus};
use mainstay_engine::{CancelToken, Engine};
use mainstay_model::id::RunId;
use mainstay_model::run::{RunOutcome, Scope};
use mainstay_model::spec::Severity;
use mainstay_model::{DatasetName, SliceKey, SliceVersion};

use self::case::{Case, Part};
use self::ddmin::{Smallest, ddmin};
use self::gather::{Wanted, gather};
use super::baseline::Baseline;
use super::look::Look;
use crate::instance::{Instance, Watch};

/// How many replays are made at most.
const MOST: usize = 300;

/// What is to be explained.
#[derive(Clone, Debug)]
enum Symptom {
    /// It fails with this code; if a check failed, this one.
    Failure { code: String, check: Option<String> },
    /// Slices have these contents.
    Content(BTreeMap<SliceKey, SliceVersion>),
    /// There are rows that meet a condition.
    Rows(String),
}

impl Symptom {
    fn text(&self, case: &Case) -> String {
        match self {
            Self::Failure {
                check: Some(check), ..
            } => format!("check {check} fails in {}", case.id),
            Self::Failure { code, .. } => format!("{} fails with {code}", case.id),
            Self::Content(slices) => format!(
                "{} of {} changed in {}",
                mainstay_base::text::count(slices.len() as u64, "slice"),
                case.job,
                case.id
            ),
            Self::Rows(condition) => format!("{} has rows where {condition} since {}", case.job, case.id),
        }
    }
}

/// A run in the chain from the one that was asked about to the first cause.
struct Stage {
    case: Case,
    /// The differences that are kept in its replays; those that were found to matter.
    kept: Vec<usize>,
    /// The input of the stage before that it makes, and the slices that matter.
    feeds: Option<(DatasetName, BTreeSet<SliceKey>)>,
}

struct Search<'a> {
    instance: &'a Instance,
    cancel: &'a CancelToken,
    watch: Watch<'a>,
    store: mainstay_storage::Store,
    symptom: Symptom,
    stages: Vec<Stage>,
    trials: Vec<Trial>,
    asked: BTreeMap<(usize, Vec<usize>), bool>,
    engines: BTreeMap<(u64, usize), Engine>,
    not_undone: Vec<String>,
}

impl Instance {
    /// Finds the smallest set of differences that explains a run.
    ///
    /// # Errors
    ///
    /// `Invalid` if there is nothing to explain, `Unavailable` if what it read is not there any more, `Interrupted`.
    pub(super) fn prove_run(
        &self,
        id: RunId,
        slices: Option<&[SliceKey]>,
        condition: Option<&str>,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<ProofReport, Error> {
        let store = self.store()?;
        let found = self.looking(|look| {
            let symptom = symptom(look, id, slices, condition)?;
            let failure = matches!(symptom, Symptom::Failure { .. });
            let wanted = Wanted {
                slices: slices.filter(|_| !failure),
                checks: failure,
                versus: None,
            };
            let case = gather(self, look, &store, id, wanted)?;
            Ok::<_, String>((symptom, case))
        });
        let (symptom, case) = found.map_err(|why| {
            Error::new(
                ErrorKind::Invalid,
                "MS0428",
                format!("nothing can be proved of {id}: {why}"),
            )
            .help("name a run, a dataset whose last run failed, or a slice whose content changed")
        })?;
        let mut search = Search {
            instance: self,
            cancel,
            watch,
            store,
            symptom,
            not_undone: case.not_undone.clone(),
            stages: Vec::new(),
            trials: Vec::new(),
            asked: BTreeMap::new(),
            engines: BTreeMap::new(),
        };
        search.stages.push(Stage {
            kept: case.all(),
            case,
            feeds: None,
        });
        let report = search.search();
        watch(Progress::Ended {
            what: "proof".to_owned(),
            ok: report.is_ok(),
            message: report
                .as_ref()
                .map_or_else(|e| e.message.clone(), |r| r.verdict.clone()),
        });
        report
    }
}

/// Says what there is to be explained of a run.
fn symptom(
    look: &Look<'_>,
    id: RunId,
    slices: Option<&[SliceKey]>,
    condition: Option<&str>,
) -> Result<Symptom, String> {
    let run = look
        .run(&id)
        .ok_or_else(|| "its record is not at hand any more".to_owned())?;
    match run.status {
        RunStatus::Ended(RunOutcome::Succeeded) => {}
        RunStatus::Ended(RunOutcome::Failed) => {
            let error = run.error.as_ref().ok_or_else(|| "it says no error".to_owned())?;
            let failed = run
                .checks
                .iter()
                .find(|c| c.violations > 0 && c.severity == Severity::Error);
            return Ok(Symptom::Failure {
                code: error.code.clone(),
                check: failed.map(|c| c.check.clone()),
            });
        }
        RunStatus::Ended(RunOutcome::Skipped) => {
            return Err("it was not tried; ask about the run of the input that failed".to_owned());
        }
        _ => return Err("it did not end by itself".to_owned()),
    }
    if let Some(condition) = condition {
        return Ok(Symptom::Rows(condition.to_owned()));
    }
    let line = look
        .line(run)
        .ok_or_else(|| "its branch is not there any more".to_owned())?;
    let held = line.dataset(&run.pinned.job).map(Dataset::base);
    let held = held.ok_or_else(|| "it published nothing".to_owned())?;
    let mut contents = BTreeMap::new();
    // A run that only confirmed what was there names the version that it confirmed.
    let entry = held.versions.iter().find(|v| Some(v.version) == run.published);
    let published = entry.filter(|v| v.seq > run.seq).map(|v| v.version);
    for (key, history) in &held.slices {
        if slices.is_some_and(|s| !s.contains(key)) {
            continue;
        }
        // A content that this run published or computed.
        let own = |c: &&mainstay_control::Content| c.run == Some(id) || Some(c.version) == published;
        if let Some(content) = history.contents.iter().rev().find(own) {
            contents.insert(key.clone(), content.files.as_deref().cloned().unwrap_or_default());
        }
    }
    if contents.is_empty() {
        return Err("everything came out as it was".to_owned());
    }
    Ok(Symptom::Content(contents))
}

impl Search<'_> {
    fn search(mut self) -> Result<ProofReport, Error> {
        (self.watch)(Progress::Began {
            what: "proof".to_owned(),
            unit: "replays",
            total: None,
        });
        let mut steps = Vec::new();
        let mut verdict = "proven";
        loop {
            let at = self.stages.len() - 1;
            let all = self.stages.get(at).map(|s| s.case.all()).unwrap_or_default();
            if self.shows(at, &all)? != Some(true) {
                verdict = if at == 0 { "not reproduced" } else { verdict };
                self.left_upstream(at, "replayed as it was, it does not show it");
                break;
            }
            if self.shows(at, &[])? != Some(false) {
                verdict = if at == 0 { "not explained" } else { verdict };
                self.left_upstream(at, "it shows it with all of its differences undone, too");
                break;
            }
            let Smallest { set, complete } = ddmin(all, |set| self.shows(at, set))?;
            if !complete {
                verdict = "incomplete";
            }
            let Some(stage) = self.stages.get_mut(at) else {
                break;
            };
            stage.kept.clone_from(&set);
            let (run, versus) = (
                stage.case.id.to_string(),
                stage.case.versus.map(|v| v.to_string()),
            );
            let case = stage.case.clone();
            let causes = self.instance.looking(|look| name::causes(look, &case, &set));
            steps.push(Proven { run, versus, causes });
            if !complete || !self.go_upstream(&set) {
                break;
            }
        }
        let symptom = match self.stages.first() {
            Some(stage) => self.symptom.text(&stage.case),
            None => String::new(),
        };
        Ok(ProofReport {
            verdict: verdict.to_owned(),
            symptom,
            steps,
            not_undone: self.not_undone,
            trials: self.trials,
        })
    }

    fn left_upstream(&mut self, at: usize, why: &str) {
        if let Some(stage) = self.stages.get(at).filter(|_| at > 0) {
            self.not_undone
                .push(format!("what came before {}: {why}", stage.case.id));
        }
    }

    /// Goes on in the run whose publish was found, if it is one; false if this is the first cause.
    fn go_upstream(&mut self, set: &[usize]) -> bool {
        let Some(stage) = self.stages.last() else {
            return false;
        };
        let [only] = set else { return false };
        let Some((Part::Publish { dataset, version }, _)) = stage.case.parts.get(*only) else {
            return false;
        };
        let input = stage.case.inputs.iter().find(|i| i.dataset == *dataset);
        let moved: BTreeSet<SliceKey> = input
            .into_iter()
            .flat_map(|i| &i.moved)
            .filter(|(_, case)| case.between.iter().any(|(v, _)| v == version))
            .map(|(k, _)| k.clone())
            .collect();
        let downstream = stage.case.id;
        let (instance, store) = (self.instance, self.store.clone());
        let next = instance
            .looking(|look| upstream(instance, look, &store, downstream, (dataset, *version), &moved));
        match next {
            Some(Ok(case)) if !case.parts.is_empty() => {
                self.not_undone.extend(case.not_undone.iter().cloned());
                self.stages.push(Stage {
                    kept: case.all(),
                    feeds: Some((dataset.clone(), moved)),
                    case,
                });
                true
            }
            Some(Err(why)) => {
                self.not_undone
                    .push(format!("what came before version {version} of {dataset}: {why}"));
                false
            }
            _ => false,
        }
    }
}

/// Returns the run that made a publish of an input, with its differences from those that made what was read before; none if
/// no run made it.
fn upstream(
    instance: &Instance,
    look: &Look<'_>,
    store: &mainstay_storage::Store,
    downstream: RunId,
    (dataset, version): (&DatasetName, u64),
    moved: &BTreeSet<SliceKey>,
) -> Option<Result<Case, String>> {
    let run = look.run(&downstream)?;
    let line = look.line(run)?;
    let held = line.dataset(dataset)?;
    let made: BTreeSet<RunId> = moved
        .iter()
        .filter_map(|k| held.slices.get(k)?.content_at(version)?.run)
        .collect();
    let made_by = held.versions.iter().find(|v| v.version == version)?.run;
    let made_by = made_by.or_else(|| made.first().copied().filter(|_| made.len() == 1))?;
    if held.base.is_some() && !held.overlay.amendments.is_empty() {
        return Some(Err("corrections stand over it".to_owned()));
    }
    let keys: Vec<SliceKey> = moved.iter().cloned().collect();
    let upstream = look.run(&made_by)?;
    // Compared with the runs that made what was read before, since what lies between may have passed the cause on.
    let input = run.pinned.inputs.iter().find(|i| i.dataset == *dataset)?;
    let slices = super::differ::slices_of(&run.pinned.scope, None).unwrap_or_default();
    let before = super::baseline::baseline(look, super::baseline::Point::of(run), &slices);
    let read = |key: &SliceKey| {
        let good = match input.reads {
            mainstay_model::spec::Reads::Same if matches!(run.pinned.scope, Scope::Slices(_)) => {
                before.of.get(key)
            }
            _ => before.good.as_ref(),
        };
        let good = look.run(good?)?;
        super::baseline::version_read(&look.sight, super::baseline::Point::of(run), good, dataset)
    };
    let mut versus = Baseline::default();
    for key in &keys {
        let then = read(key).and_then(|v| held.slices.get(key)?.content_at(v)?.run);
        if let Some(id) = then {
            versus.of.insert(key.clone(), id);
        }
    }
    versus.good = versus.of.values().max().copied();
    let own = super::baseline::baseline(look, super::baseline::Point::of(upstream), &[]);
    versus.good = versus.good.or(own.good);
    let wanted = Wanted {
        slices: Some(&keys),
        checks: false,
        versus: Some(versus),
    };
    Some(gather(instance, look, store, made_by, wanted))
}
