//! `run`: bringing datasets up to date.
//!
//! Jobs run in the order of their data, side by side up to the project's limit. What has to be computed is asked anew for each
//! job when everything that it reads is done, so that a job whose inputs came out as they were is not run.

mod attempt;
mod checks;
mod crosscheck;
mod known;
mod overtaken;
mod places;
mod reuse;
mod schedule;
#[cfg(test)]
mod shop;
mod shown;
mod unread;
mod waiting;

pub(crate) use checks::{check_inputs, check_names, checks_of, judged, read_by_checks};
pub(crate) use places::Places;
pub(crate) use schedule::{is_reshaped, run_all};

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::{DeliverReport, Error, ErrorKind, RunsReport, SourceRefusal};
use mainstay_engine::CancelToken;
use mainstay_model::DatasetName;
use mainstay_model::address::Selection;
use mainstay_model::queue::Class;
use mainstay_model::resource::{Kind, ResourceKey};
use mainstay_planner::Job;

use crate::deliver::NOT_AGAIN;
use crate::instance::{Instance, Watch};
use crate::report;

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct RunRequest {
    /// The datasets that are wanted, with their slices; all if none is named.
    pub targets: Vec<(DatasetName, Selection)>,
    /// Whether to compute the targets even if they are as they should be.
    pub force: bool,
    /// Whether to leave out the deliveries that otherwise come first.
    pub without_deliveries: bool,
    /// How urgent it is.
    pub class: Class,
}

impl Instance {
    /// Takes in deliveries and brings datasets up to date.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown target; failures of runs are part of the answer.
    pub fn run(
        &self,
        request: &RunRequest,
        cancel: &CancelToken,
        watch: Watch<'_>,
    ) -> Result<(DeliverReport, RunsReport), Error> {
        let (jobs, wanted) = self.jobs_for(request)?;
        self.check_targets(request, &jobs)?;
        // What is delivered is delivered to the live side.
        let delivered = if request.without_deliveries || self.branch.is_some() {
            DeliverReport::default()
        } else {
            let sources = self.sources_for(&wanted);
            let delivered = self.deliver_to(&sources, cancel, watch)?;
            // Queries are meant for the files as they would be read now. A place that cannot be looked at changes nothing.
            let otherwise = |r: &&SourceRefusal| r.error.code == NOT_AGAIN;
            match delivered.refused.iter().find(otherwise) {
                Some(refused) => return Err(refused.error.clone()),
                None => delivered,
            }
        };
        let runs = run_all(self, jobs.clone(), request, cancel, watch)?;
        if runs.is_empty() {
            self.check_slices(request, &jobs)?;
        }
        let now = self.clock.now();
        let runs = self.with(|state| {
            let known = runs.iter().filter_map(|id| Some((id, state.state.runs.get(id)?)));
            known.map(|(id, r)| report::run(state, *id, r, now)).collect()
        });
        Ok((delivered, RunsReport { runs }))
    }

    /// Returns the jobs that the targets need, in order, and the names of everything that is needed.
    fn jobs_for(&self, request: &RunRequest) -> Result<(Vec<Job>, BTreeSet<DatasetName>), Error> {
        let (jobs, sources) = self.with(|s| {
            let sources = s.declared().filter(|(key, ..)| key.kind == Kind::Source);
            let sources: BTreeSet<DatasetName> =
                sources.filter_map(|(key, ..)| key.name.parse().ok()).collect();
            (crate::jobs::all_in_order(s), sources)
        });
        if jobs.is_empty() && sources.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "MS0003",
                "nothing is applied yet, so there is nothing to run",
            )
            .help("mainstay plan shows what the project declares, mainstay apply does it"));
        }
        let by_name: BTreeMap<&DatasetName, &Job> = jobs.iter().map(|j| (&j.dataset, j)).collect();
        let mut wanted: BTreeSet<DatasetName> = BTreeSet::new();
        let mut left: Vec<DatasetName> = if request.targets.is_empty() {
            by_name
                .keys()
                .map(|n| (*n).clone())
                .chain(sources.iter().cloned())
                .collect()
        } else {
            request.targets.iter().map(|(n, _)| n.clone()).collect()
        };
        for target in &left {
            if !by_name.contains_key(target) && !sources.contains(target) {
                return self.dataset(target).and_then(|d| {
                    Err(Error::new(
                        ErrorKind::NotFound,
                        "MS0401",
                        format!("no job and no source fills `{}` any more", d.name),
                    ))
                });
            }
        }
        while let Some(name) = left.pop() {
            if wanted.insert(name.clone()) {
                left.extend(
                    by_name
                        .get(&name)
                        .into_iter()
                        .flat_map(|j| j.reads.keys().cloned()),
                );
            }
        }
        let jobs = jobs.into_iter().filter(|j| wanted.contains(&j.dataset)).collect();
        Ok((jobs, wanted))
    }

    /// Refuses what makes no sense of a target: slices of what has none, and forcing a source.
    fn check_targets(&self, request: &RunRequest, jobs: &[Job]) -> Result<(), Error> {
        for (name, selection) in &request.targets {
            let job = jobs.iter().find(|j| j.dataset == *name);
            let sliced = job.is_none_or(|j| !j.slice_columns.is_empty());
            let (message, help) = match (job, selection) {
                (None, _) if request.force => (
                    format!("{name} is a source: it is not computed, so there is nothing to force"),
                    format!("mainstay deliver {name} takes in what is new"),
                ),
                (None, Selection::Value(_) | Selection::Range(..) | Selection::Columns(_)) => (
                    format!("{name} is a source: what is new is taken in by file, not by slice"),
                    format!("mainstay deliver {name}"),
                ),
                (Some(_), Selection::Range(..) | Selection::Columns(_)) if !sliced => {
                    (format!("{name} has no slices"), format!("mainstay run {name}"))
                }
                (Some(_), Selection::Value(text)) if !sliced && text != "all" => {
                    (format!("{name} has no slices"), format!("mainstay run {name}"))
                }
                _ => continue,
            };
            return Err(Error::new(ErrorKind::Invalid, "MS0007", message).help(help));
        }
        Ok(())
    }

    /// Refuses slices that a target does not have, nor anything that it reads.
    fn check_slices(&self, request: &RunRequest, jobs: &[Job]) -> Result<(), Error> {
        let targets = request.targets.iter().filter(|(_, s)| *s != Selection::All);
        for (name, selection) in targets {
            let Some(job) = jobs
                .iter()
                .find(|j| j.dataset == *name && !j.slice_columns.is_empty())
            else {
                continue;
            };
            let there = self.with(|sight| {
                let datasets = std::iter::once(name)
                    .chain(job.reads.keys())
                    .filter_map(|n| sight.dataset(n));
                let mut slices = datasets.flat_map(|d| d.newest().map(|(k, _)| k));
                slices.any(|k| selection.matches(k, &job.slice_columns))
            });
            if !there {
                let asked = mainstay_model::Address::Dataset(name.clone(), selection.clone());
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "MS0401",
                    format!("there is no slice {asked}, and nothing that {name} reads has it"),
                )
                .help(format!("mainstay slices {name} shows those there are")));
            }
        }
        Ok(())
    }

    fn sources_for(&self, wanted: &BTreeSet<DatasetName>) -> Vec<DatasetName> {
        self.with(|state| {
            let is_source = |n: &&DatasetName| {
                state
                    .resources
                    .get(&ResourceKey::new(Kind::Source, n))
                    .is_some_and(|h| h.resource().is_some())
            };
            wanted.iter().filter(is_source).cloned().collect()
        })
    }
}
