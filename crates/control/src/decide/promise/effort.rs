//! How long it takes to bring a dataset up to date, by what it took before.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::DatasetName;

use super::{measured, reads};
use crate::command::PromiseLook;
use crate::state::State;

/// What has to run, and how long that takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Effort {
    /// The longest way through it, in milliseconds.
    pub(super) needs_ms: u64,
    /// The job that takes longest, with its time.
    pub(super) longest: Option<(DatasetName, u64)>,
}

/// Walks the jobs behind a dataset: those that are stale, and those that read what is.
struct Walk<'a> {
    state: &'a State,
    stale: BTreeSet<&'a DatasetName>,
    took: BTreeMap<DatasetName, u64>,
    /// By dataset, the longest way to it; none if nothing on the way has to run.
    ways: BTreeMap<DatasetName, Option<u64>>,
    longest: Option<(DatasetName, u64)>,
}

/// Says what bringing a dataset up to date takes. Jobs that do not read each other run side by side.
pub(super) fn effort(state: &State, look: &PromiseLook) -> Effort {
    let mut walk = Walk {
        state,
        stale: look.stale.iter().collect(),
        took: measured(state, &look.upstream),
        ways: BTreeMap::new(),
        longest: None,
    };
    let needs_ms = walk.way(&look.dataset).unwrap_or_default();
    Effort {
        needs_ms,
        longest: walk.longest,
    }
}

impl Walk<'_> {
    fn way(&mut self, name: &DatasetName) -> Option<u64> {
        if let Some(known) = self.ways.get(name) {
            return *known;
        }
        // What is applied has no circles; one that had would end here.
        self.ways.insert(name.clone(), None);
        let inputs: Vec<DatasetName> = reads(self.state, name).cloned().collect();
        let before = inputs.iter().filter_map(|input| self.way(input)).max();
        if before.is_none() && !self.stale.contains(name) {
            return None;
        }
        let own = self.took.get(name).copied().unwrap_or_default();
        if own > 0 && self.longest.as_ref().is_none_or(|(_, ms)| own > *ms) {
            self.longest = Some((name.clone(), own));
        }
        let way = before.unwrap_or_default().saturating_add(own);
        self.ways.insert(name.clone(), Some(way));
        Some(way)
    }
}
