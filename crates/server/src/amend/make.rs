//! Making an amendment: in a branch of its own, then everywhere at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use mainstay_api::{Error, ErrorKind, Progress};
use mainstay_control::{Amendment, Branch, Command, Dataset, Made, RunStatus, Sight, shown_under};
use mainstay_engine::CancelToken;
use mainstay_model::amendment::{Consequences, Effort, Reach, RowCounts};
use mainstay_model::id::{AmendmentId, RunId};
use mainstay_model::run::{CheckOutcome, RunError, RunOutcome, Usage};
use mainstay_model::spec::Severity;
use mainstay_model::{BranchName, DatasetName, SliceKey};
use mainstay_planner::Job;

use super::overlay::Ground;
use super::unknown;
use crate::examine::Examined;
use crate::instance::{Instance, Watch};
use crate::ledger::Recorded;
use crate::run::{RunRequest, checks_of, is_reshaped, run_all};
use crate::step;

/// How often an amendment is made anew because something that it reads moved meanwhile.
const REBASES: usize = 5;

/// How often it is tried beside deliveries and runs; then it goes on alone, so that it comes to an end.
const BESIDE: usize = 2;

/// Why an amendment could not be made.
struct Unmade {
    error: RunError,
    runs: Vec<RunId>,
}

impl From<Error> for Unmade {
    fn from(e: Error) -> Self {
        let cause = e.causes.first().map(|c| format!(": {c}")).unwrap_or_default();
        Self {
            error: RunError {
                message: format!("{}{cause}", e.message),
                code: e.code,
                help: e.help,
                transient: e.kind == ErrorKind::Unavailable,
            },
            runs: Vec::new(),
        }
    }
}

impl Instance {
    /// Returns the jobs that read a dataset, directly or not, in the order of the data.
    pub(crate) fn downstream(&self, root: &DatasetName) -> Vec<Job> {
        let jobs = self.with(crate::jobs::all_in_order);
        let mut reached: BTreeSet<DatasetName> = BTreeSet::from([root.clone()]);
        let mut out = Vec::new();
        for job in jobs {
            if job.reads.keys().any(|n| reached.contains(n)) {
                reached.insert(job.dataset.clone());
                out.push(job);
            }
        }
        out
    }

    /// Returns jobs with those before them whose datasets do not have the columns yet that their queries yield: what reads them
    /// could not be planned.
    fn with_reshaped(&self, jobs: &[Job]) -> Vec<Job> {
        self.with(|s| {
            let mut all = crate::jobs::all_in_order(s);
            let mut wanted: BTreeSet<DatasetName> = jobs.iter().map(|j| j.dataset.clone()).collect();
            for job in all.iter().rev() {
                if wanted.contains(&job.dataset) {
                    wanted.extend(job.reads.keys().filter(|n| is_reshaped(s, n)).cloned());
                }
            }
            all.retain(|job| wanted.contains(&job.dataset));
            all
        })
    }

    /// Makes an amendment. That it cannot be made is recorded with it; only what keeps that from being recorded is an error.
    pub(super) fn make(&self, id: AmendmentId, cancel: &CancelToken, watch: Watch<'_>) -> Result<(), Error> {
        let amendment = self
            .with(|s| s.state.amendments.get(&id).cloned())
            .ok_or_else(|| unknown(id))?;
        let began = Instant::now();
        let made = match &amendment.branch {
            None => self.make_live(id, &amendment, began, cancel, watch),
            Some(_) => self.make_in_branch(id, &amendment, began, cancel, watch),
        };
        let unmade = match made {
            // It holds from here on; a Delta log that does not follow now does at the next opening.
            Ok(recorded) => return self.project_published(&recorded),
            Err(unmade) => unmade,
        };
        let runs = unmade.runs;
        self.submit(Command::FailAmendment {
            amendment: id,
            error: unmade.error,
            runs: runs.clone(),
        })?;
        self.clean_all(&runs, &amendment.dataset);
        Ok(())
    }

    /// Removes what nothing refers to from the datasets that an amendment wrote.
    fn clean_all(&self, runs: &[RunId], dataset: &DatasetName) {
        let outputs = self.outputs_of(runs).into_iter();
        outputs
            .chain([dataset.clone()])
            .for_each(|name| self.clean(&name));
    }

    /// On the live side: all of it in a branch, which then becomes the live side by one fact.
    fn make_live(
        &self,
        id: AmendmentId,
        amendment: &Amendment,
        began: Instant,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<Recorded, Unmade> {
        let branch = BranchName::of_amendment(id);
        self.submit(Command::CreateBranch {
            branch: branch.clone(),
        })?;
        step::at("amendment.branched");
        let side = self.on(Some(branch.clone()));
        let mut runs = Vec::new();
        let mut usage = Usage::default();
        let (mut alone, mut moved) = (None, String::new());
        for round in 1..=REBASES {
            let (more, used, rows) = side.compute(id, amendment, cancel, watch).map_err(|mut u| {
                u.runs.splice(0..0, runs.iter().copied());
                u
            })?;
            runs.extend(more);
            add(&mut usage, &used);
            let result = self.with(|s| {
                let branch = s.state.branches.get(&branch)?;
                Some(consequences(s, branch, (amendment, rows), &runs, &usage, began))
            });
            let made = Made {
                amendment: id,
                result: result.unwrap_or_default(),
                runs: runs.clone(),
            };
            step::at("amendment.computed");
            let promoted = self.submit(Command::PromoteBranch {
                branch: branch.clone(),
                amendment: Some(made),
            });
            match promoted {
                Ok(recorded) => {
                    step::at("amendment.published");
                    if round > 1 {
                        // What was made before it was begun anew belongs to nothing any more.
                        self.clean_all(&runs, &amendment.dataset);
                    }
                    return Ok(recorded);
                }
                Err(e) if e.kind == ErrorKind::OutOfDate => {
                    if round >= BESIDE && alone.is_none() {
                        alone = self.take_work(cancel);
                    }
                    moved = e.message;
                    self.submit(Command::RebaseBranch {
                        branch: branch.clone(),
                        amended: Vec::new(),
                    })?;
                }
                Err(e) => return Err(e.into()),
            }
        }
        Err(Unmade {
            error: RunError {
                code: "MS0423".to_owned(),
                message: format!(
                    "what amendment {id} reads moved {REBASES} times while it was being made; at last: {moved}"
                ),
                help: Some(format!("mainstay retry amendment/{id}")),
                transient: true,
            },
            runs,
        })
    }

    /// In a branch of people: there, step by step.
    fn make_in_branch(
        &self,
        id: AmendmentId,
        amendment: &Amendment,
        began: Instant,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<Recorded, Unmade> {
        // What people do in their branch comes before it or after it.
        let _turn = self.take_work(cancel);
        let side = self.on(amendment.branch.clone());
        let (runs, usage, rows) = side.compute(id, amendment, cancel, watch)?;
        let result = side.with(|s| {
            let branch = s.branch.and_then(|b| s.state.branches.get(b))?;
            Some(consequences(s, branch, (amendment, rows), &runs, &usage, began))
        });
        let made = Made {
            amendment: id,
            result: result.unwrap_or_default(),
            runs,
        };
        Ok(side.submit(Command::FinishAmendment { made })?)
    }

    /// Publishes the dataset under the amendment, on this side, and computes what reads it.
    fn compute(
        &self,
        id: AmendmentId,
        amendment: &Amendment,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<(Vec<RunId>, Usage, RowCounts), Unmade> {
        let name = &amendment.dataset;
        let rows = self.met_now(id, amendment, cancel)?;
        watch(Progress::Began {
            what: name.to_string(),
            unit: "amendments",
            total: Some(1),
        });
        let ground = self.with(|s| {
            let held = s.dataset(name)?;
            let list = s.state.amended(&held.overlay.amendments, id, true);
            let base = held.base();
            let contents = base.newest().map(|(k, v)| (k.clone(), v.clone())).collect();
            let about = (base.schema()?, base.slice_columns.as_slice());
            Some(Ground::new(s, name, about, contents, &list))
        });
        let ground = ground
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "MS0421", format!("{name} holds nothing")))?;
        let prefix = format!("a{}-{}-{}", id.0, self.epoch(), self.clock.now().as_micros());
        let laid = self.lay(&ground, &prefix, cancel)?;
        let checks = self.with(|s| checks_of(s, name));
        let examined = Examined {
            name,
            schema: &ground.shape.schema,
            slice_columns: &ground.shape.slice_columns,
            checks: &checks,
            inputs: None,
        };
        let contents = shown_under(ground.base.clone(), &laid.overlaid);
        failed_check(&self.examine_shown(examined, contents, cancel)?)?;
        let staged = laid.files();
        self.persist(name, &staged)?;
        self.submit(Command::PublishOverlay {
            dataset: name.clone(),
            amendment: id,
            overlaid: laid.overlaid,
        })?;
        step::at("amendment.laid");
        // Slices that came out as they were are not referred to.
        self.discard(name, &staged);
        watch(Progress::Ended {
            what: name.to_string(),
            ok: true,
            message: "amended".to_owned(),
        });
        let request = RunRequest {
            without_deliveries: true,
            ..RunRequest::default()
        };
        let jobs = self.with_reshaped(&self.downstream(name));
        let runs = run_all(self, jobs, &request, cancel, watch)?;
        let failed = self.with(|s| {
            let bad = runs
                .iter()
                .filter_map(|r| s.state.runs.get(r))
                .find(|r| !matches!(r.status, RunStatus::Ended(RunOutcome::Succeeded)));
            bad.map(|r| (r.pinned.job.clone(), r.error.clone()))
        });
        if cancel.is_cancelled() {
            return Err(Unmade {
                error: RunError {
                    code: "MS0424".to_owned(),
                    message: "it was stopped".to_owned(),
                    help: Some(format!("mainstay retry amendment/{id}")),
                    transient: false,
                },
                runs,
            });
        }
        if let Some((job, error)) = failed {
            let (code, why, help) = error.map_or_else(
                || ("MS0424".to_owned(), "it was stopped".to_owned(), None),
                |e| (e.code, e.message, e.help),
            );
            return Err(Unmade {
                error: RunError {
                    code,
                    message: format!("{job} could not be computed under it: {why}"),
                    help,
                    transient: false,
                },
                runs,
            });
        }
        Ok((runs, laid.usage, rows))
    }

    /// Returns the datasets of some runs.
    fn outputs_of(&self, runs: &[RunId]) -> BTreeSet<DatasetName> {
        self.with(|s| {
            let known = runs.iter().filter_map(|r| s.state.runs.get(r));
            known.map(|r| r.pinned.job.clone()).collect()
        })
    }
}

/// A check that the amended dataset does not meet.
fn failed_check(checks: &[CheckOutcome]) -> Result<(), Unmade> {
    let failed = checks
        .iter()
        .find(|c| c.violations > 0 && c.severity == Severity::Error);
    match failed {
        None => Ok(()),
        Some(check) => Err(Unmade {
            error: RunError {
                code: "MS0501".to_owned(),
                message: format!("check {} failed: {}", check.check, check.message),
                help: Some("nothing was published; what was there before is still served".to_owned()),
                transient: false,
            },
            runs: Vec::new(),
        }),
    }
}

fn add(sum: &mut Usage, more: &Usage) {
    sum.cpu += more.cpu;
    sum.wall_us = sum.wall_us.saturating_add(more.wall_us);
}

/// What an amendment did: the datasets in which its branch differs from the live side, and the work.
fn consequences(
    sight: &Sight<'_>,
    branch: &Branch,
    (amendment, rows): (&Amendment, RowCounts),
    runs: &[RunId],
    usage: &Usage,
    began: Instant,
) -> Consequences {
    let mut cpu = usage.cpu.seconds();
    let mut computed: BTreeMap<&DatasetName, BTreeSet<&SliceKey>> = BTreeMap::new();
    let mut unread: BTreeMap<&DatasetName, BTreeSet<&SliceKey>> = BTreeMap::new();
    for run in runs.iter().filter_map(|r| sight.state.runs.get(r)) {
        cpu += run.usage().cpu.seconds();
        unread.entry(&run.pinned.job).or_default().extend(&run.unread);
        computed.entry(&run.pinned.job).or_default().extend(&run.slices);
    }
    let reach = |name: &&DatasetName| {
        let empty = Dataset::default();
        let fork = branch.fork.dataset(name).unwrap_or(&empty);
        let held = branch.line.dataset(name).unwrap_or(&empty);
        let changed: BTreeSet<&SliceKey> = held
            .slices
            .iter()
            .filter(|(k, h)| {
                let before = fork.slices.get(*k).and_then(|h| h.newest()).map(|v| v.digest());
                before != h.newest().map(|v| v.digest())
            })
            .map(|(k, _)| k)
            .collect();
        let slices: BTreeSet<&SliceKey> = computed.get(*name).into_iter().flatten().copied().collect();
        let unchanged = slices.difference(&changed).count() as u64;
        let all: BTreeSet<&SliceKey> = slices.union(&changed).copied().collect();
        Reach {
            dataset: (*name).clone(),
            slices: all.into_iter().cloned().collect(),
            unchanged: Some(unchanged),
            stops: changed.is_empty().then(|| {
                let all = unread.get(*name).is_some_and(|u| slices.is_subset(u));
                let why = if all {
                    "what changed is not read"
                } else {
                    "every slice came out as it was"
                };
                why.to_owned()
            }),
        }
    };
    // In the order of the data, not in that in which runs happened to begin.
    let jobs = crate::jobs::all_in_order(sight);
    let order = jobs
        .iter()
        .map(|j| &j.dataset)
        .filter(|name| computed.contains_key(name));
    let order: Vec<&DatasetName> = std::iter::once(&amendment.dataset).chain(order).collect();
    let datasets: Vec<Reach> = order.iter().map(reach).collect();
    let slices = computed.values().map(|s| s.len() as u64).sum();
    Consequences {
        rows,
        sample: Vec::new(),
        datasets,
        effort: Some(Effort {
            runs: runs.len() as u64,
            slices,
            cpu_us: (cpu * 1e6).round() as u64,
            wall_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        }),
    }
}
