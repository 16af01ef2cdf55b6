//! Runs that are overtaken: what they read is corrected while they compute.
//!
//! A run goes on beside corrections. Its result is accepted where it is what the datasets as they are now give, and else it is
//! computed again. Invariant: what a correction made visible is never taken back by a run that began before it.

use std::collections::BTreeMap;

use mainstay_api::Error;
use mainstay_control::{At, Dataset, Run, RunStatus, Sight};
use mainstay_model::DatasetName;
use mainstay_model::run::{RunError, RunOutcome};
use mainstay_planner::fingerprints;

use super::attempt::Work;
use crate::expressions::SliceColumns;
use crate::instance::Instance;

/// The code of a run that was overtaken.
const OVERTAKEN: &str = "MS0507";

/// Returns the versions on which the result of a run rests that begins now: those of what it reads, as its record pins them, and
/// that of its own dataset.
pub(super) fn rests_on(sight: &Sight<'_>, work: &Work) -> BTreeMap<DatasetName, u64> {
    let name = &work.job.dataset;
    let run = sight.state.runs.get(&work.run);
    let inputs = run.into_iter().flat_map(|r| &r.pinned.inputs);
    let own = sight.dataset(name).map_or(0, Dataset::version);
    inputs
        .map(|i| (i.dataset.clone(), i.version))
        .chain([(name.clone(), own)])
        .collect()
}

/// Returns the versions of now, if a run that read others has the result that it would have now; none if not.
pub(super) fn now(instance: &Instance, work: &Work) -> Option<BTreeMap<DatasetName, u64>> {
    instance.with(|sight| {
        let pinned = &sight.state.runs.get(&work.run)?.pinned;
        let versions = pinned.inputs.iter().map(|i| (&i.dataset, i.version));
        let columns = SliceColumns::now(sight);
        let of = |at: &At<'_>| fingerprints(&work.job, at, &columns, &work.slices);
        if of(&At::pinned(sight, versions)) != of(&At::now(sight)) {
            return None;
        }
        let version = |name: &DatasetName| (name.clone(), sight.dataset(name).map_or(0, Dataset::version));
        Some(rests_on(sight, work).keys().map(version).collect())
    })
}

/// Why the result of a run is not wanted.
pub(super) fn error(refused: &Error) -> RunError {
    RunError {
        code: OVERTAKEN.to_owned(),
        message: format!("overtaken by a correction: {}", refused.message),
        help: Some("it is computed again from what holds now".to_owned()),
        transient: false,
    }
}

/// Says whether a run ended because it was overtaken.
pub(super) fn is_overtaken(run: &Run) -> bool {
    let error = run.error.as_ref();
    run.status == RunStatus::Ended(RunOutcome::Cancelled) && error.is_some_and(|e| e.code == OVERTAKEN)
}
