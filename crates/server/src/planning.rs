//! Planning: which slices of jobs have to be computed, as a side sees it.
//!
//! It owns what is remembered between looks, so that looking again costs what changed. All sides share it: what a branch shares with
//! the live side is known there, too. It decides nothing: the planner does.

use mainstay_control::{At, Sight};
use mainstay_planner::{Job, Memory, Stale};

use crate::expressions::SliceColumns;

/// What is remembered of planning before.
#[derive(Debug, Default)]
pub struct Planning(Memory);

impl Planning {
    /// Says what of a job's dataset has to be computed; none if it is as it should be.
    pub fn stale(&mut self, sight: &Sight<'_>, job: &Job) -> Option<Stale> {
        self.0
            .stale(job, &At::now(sight), &SliceColumns::of_job(sight, job))
    }
}
