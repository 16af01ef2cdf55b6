//! What a run waits for that was recorded and did not start yet.

use mainstay_base::Timestamp;
use mainstay_model::id::RunId;

use super::{Take, takes};
use crate::state::{Run, RunStatus, State};
use crate::view::Sight;

/// A limit of which nothing is left for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// The limit, and how much of it the run takes.
    pub take: Take,
    /// How much of it is taken.
    pub taken: u32,
    /// The runs that hold it.
    pub held_by: Vec<RunId>,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// When it may be tried again, if an attempt has failed.
    pub retry: Option<Timestamp>,
    /// The limits that are used up.
    pub full: Vec<Full>,
    /// The runs of its account and its class that came before it and wait, too.
    pub before: Vec<RunId>,
}

/// Says what a run waits for; none if it does not wait.
pub fn waits(state: &State, run: RunId, parallel: u32) -> Option<Waits> {
    let held = state.runs.get(&run)?;
    let RunStatus::Waiting { from } = held.status else {
        return None;
    };
    let going: Vec<(RunId, Vec<Take>)> = state
        .runs
        .open()
        .filter(|(_, r)| r.status == RunStatus::Running)
        .map(|(id, r)| (id, takes_of(state, r, parallel)))
        .collect();
    let full = takes_of(state, held, parallel).into_iter().filter_map(|take| {
        let same = |(id, takes): &(RunId, Vec<Take>)| {
            let units = takes.iter().find(|t| t.limit == take.limit)?.units;
            Some((*id, units))
        };
        let holders: Vec<(RunId, u32)> = going.iter().filter_map(same).collect();
        let taken: u32 = holders.iter().map(|(_, units)| units).sum();
        (take.at_most.saturating_sub(taken) < take.units).then(|| Full {
            take,
            taken,
            held_by: holders.into_iter().map(|(id, _)| id).collect(),
        })
    });
    let before = state.runs.open().filter(|(id, r)| {
        *id < run && r.class == held.class && matches!(r.status, RunStatus::Waiting { .. })
    });
    Some(Waits {
        retry: (!held.attempts.is_empty()).then_some(from),
        full: full.collect(),
        before: before.map(|(id, _)| id).collect(),
    })
}

/// How a limit is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How much of it is taken.
    pub taken: u32,
    /// The runs that hold it.
    pub held_by: Vec<RunId>,
    /// The runs that wait and take of it, too.
    pub waiting: Vec<RunId>,
}

/// Says how a limit is used: `limit/warehouse`.
pub fn used(state: &State, limit: &str, parallel: u32) -> Used {
    let mut used = Used::default();
    for (id, run) in state.runs.open() {
        let takes = takes_of(state, run, parallel);
        let Some(take) = takes.iter().find(|t| t.limit == limit) else {
            continue;
        };
        if run.status == RunStatus::Running {
            used.taken += take.units;
            used.held_by.push(id);
        } else {
            used.waiting.push(id);
        }
    }
    used
}

fn takes_of(state: &State, run: &Run, parallel: u32) -> Vec<Take> {
    let sight = Sight::of(state, run.pinned.branch.as_ref());
    let takes = sight.map(|sight| takes(&sight, &run.pinned.job, parallel));
    takes.unwrap_or_default()
}
