//! Jobs as the planner is asked about them: as they are declared, less what was found not to hold.
//!
//! Owns two rules: a job whose dependencies were found to be wrong reads everything for as long as it has that code, and the
//! engine's version belongs to what something is computed from only if the project says so.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_control::{Sight, job_of};
use mainstay_model::relation::Reads;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::{DatasetName, Resource, RunId};
use mainstay_planner::Job;

/// The code of what is said when a job's dependencies were found to be wrong.
pub(crate) const WRONG_DEPENDENCIES: &str = "MS0506";

/// Returns a declared job of this side; none if nothing of that name is a job.
pub(crate) fn declared(sight: &Sight<'_>, name: &DatasetName) -> Option<Job> {
    let project = sight.declared().map(|(_, _, r)| r);
    let job = job_of(sight.resource(&ResourceKey::new(Kind::Job, name))?)?;
    Some(trusted(sight, job, engine(project)))
}

/// Returns the jobs that are declared on this side, each after those that it reads.
pub(crate) fn all_in_order(sight: &Sight<'_>) -> Vec<Job> {
    in_order(sight, sight.declared().map(|(_, _, r)| r))
}

/// Returns the jobs among resources, each after those that it reads.
pub(crate) fn in_order<'r>(
    sight: &Sight<'_>,
    resources: impl IntoIterator<Item = &'r Resource, IntoIter: Clone>,
) -> Vec<Job> {
    let resources = resources.into_iter();
    let engine = engine(resources.clone());
    let jobs: BTreeMap<DatasetName, Job> = resources
        .filter_map(job_of)
        .map(|j| (j.dataset.clone(), trusted(sight, j, engine)))
        .collect();
    let reads: BTreeMap<DatasetName, BTreeSet<DatasetName>> = jobs
        .iter()
        .map(|(name, j)| (name.clone(), j.reads.keys().cloned().collect()))
        .collect();
    // Circles are mistakes and never applied; by name is then as good as any order.
    let order = mainstay_planner::order(&reads).unwrap_or_else(|_| jobs.keys().cloned().collect());
    order.iter().filter_map(|name| jobs.get(name).cloned()).collect()
}

/// Returns the run in which a job's dependencies were found to be wrong; none if they never were.
pub(crate) fn broken(sight: &Sight<'_>, job: &Job) -> Option<RunId> {
    sight.state.trust(&job.dataset, job.code)?.broken
}

fn trusted(sight: &Sight<'_>, mut job: Job, engine: Option<&'static str>) -> Job {
    if broken(sight, &job).is_some() {
        job.reads.values_mut().for_each(|r| *r = Reads::All);
    }
    job.engine = engine.map(str::to_owned);
    job
}

/// The engine's version, if what it computed is not good enough for another one.
fn engine<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Option<&'static str> {
    let mut specs = resources.into_iter().map(|r| &r.spec);
    let matters = specs.any(|s| matches!(s, Spec::Project(p) if p.recompute_on_engine));
    matters.then_some(mainstay_engine::ENGINE)
}
