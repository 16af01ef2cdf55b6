//! Which slices of its inputs a computation reads, as its record says.
//!
//! The record pins the relation and the versions; resolved together they name the slices, those too that came out empty or were given
//! up since. Owns no rule of its own: relations are the planner's.

use std::collections::BTreeMap;

use mainstay_base::{Hash, MultisetHash};
use mainstay_control::{Run, Sight};
use mainstay_model::relation::Reads;
use mainstay_model::resource::{Kind, ResourceKey, Spec};
use mainstay_model::run::{CrossCheck, Pinned, Scope};
use mainstay_model::spec::JobSpec;
use mainstay_model::{DatasetName, SliceKey};
use mainstay_planner::{Datasets, Read, Resolution};

use crate::expressions::SliceColumns;
use crate::mount::Part;

/// What a computation reads of each input; of what is not listed, everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadBy(BTreeMap<DatasetName, Read>);

impl ReadBy {
    /// What a run reads for some slices of its output; none means the whole. `spec` is the job as it was then.
    pub(crate) fn of(
        sight: &Sight<'_>,
        spec: &JobSpec,
        pinned: &Pinned,
        slices: Option<&[SliceKey]>,
    ) -> Self {
        let Some(slices) = slices else {
            return Self::default();
        };
        let named = pinned.inputs.iter().map(|i| (i.dataset.clone(), i.reads.clone()));
        let reads: BTreeMap<DatasetName, Reads> = named.collect();
        let known = Known { sight, pinned };
        let mut columns = SliceColumns::default();
        if reads.values().any(|r| matches!(r, Reads::Where(_))) {
            columns = SliceColumns::now(sight);
            columns.declare(&pinned.job, spec);
        }
        let outputs: Vec<&SliceKey> = slices.iter().collect();
        Self(Resolution::new(&pinned.job, &reads, &known, &columns, &outputs).union())
    }

    /// The part of an input that is read.
    pub(crate) fn part(&self, input: &DatasetName) -> Part<'_> {
        self.slices(input).map_or(Part::All, Part::Slices)
    }

    /// The slices of an input that are read; none means all of them.
    pub(crate) fn slices(&self, input: &DatasetName) -> Option<&[SliceKey]> {
        match self.0.get(input) {
            Some(Read::Slices(list)) => Some(list),
            Some(Read::All) | None => None,
        }
    }
}

/// Returns the slices that a run computed; none means the whole.
pub(crate) fn computed(scope: &Scope) -> Option<&[SliceKey]> {
    match scope {
        Scope::Slices(list) => Some(list),
        Scope::Whole => None,
    }
}

/// Returns what a recorded run reads for some slices of its output, on the side where it was made; everything, if its job is not
/// known any more.
pub(crate) fn read_by(sight: &Sight<'_>, run: &Run, slices: Option<&[SliceKey]>) -> ReadBy {
    let Ok(line) = crate::replay::side(sight, run) else {
        return ReadBy::default();
    };
    if is_widened(run) {
        return ReadBy::default();
    }
    let on_line = Sight {
        state: sight.state,
        line,
        branch: run.pinned.branch.as_ref(),
    };
    let held = line.resources.get(&ResourceKey::new(Kind::Job, &run.pinned.job));
    let mut generations = held.into_iter().flat_map(|h| &h.generations);
    let then = generations.find(|g| g.number == run.pinned.generation);
    match then.and_then(|g| g.resource.as_ref()).map(|r| &r.spec) {
        Some(Spec::Job(spec)) => ReadBy::of(&on_line, spec, &run.pinned, slices),
        _ => ReadBy::default(),
    }
}

/// Says whether a run was computed from everything, because a cross-check found that what its slices are said to read is not enough.
pub(crate) fn is_widened(run: &Run) -> bool {
    run.cross_check.as_ref().is_some_and(CrossCheck::widened)
}

/// All slices that an input ever had at the pinned version, whether their content is still there or not.
struct Known<'a> {
    sight: &'a Sight<'a>,
    pinned: &'a Pinned,
}

impl Datasets for Known<'_> {
    fn slices(&self, name: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, MultisetHash)> + '_> {
        let version = self
            .pinned
            .inputs
            .iter()
            .find(|i| i.dataset == *name)
            .map(|i| i.version);
        let slices = self
            .sight
            .line
            .datasets
            .get(name)
            .into_iter()
            .flat_map(|d| &d.slices);
        let there = slices.filter(move |(_, h)| version.is_some_and(|v| h.content_at(v).is_some()));
        Box::new(there.map(|(k, _)| (k, MultisetHash::EMPTY)))
    }

    fn slice(&self, _: &DatasetName, _: &SliceKey) -> Option<MultisetHash> {
        None
    }

    fn computed(&self, _: &DatasetName) -> Box<dyn Iterator<Item = (&SliceKey, &[Hash])> + '_> {
        Box::new(std::iter::empty())
    }

    fn whole(&self, _: &DatasetName) -> &[Hash] {
        &[]
    }
}
