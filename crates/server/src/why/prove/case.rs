//! A run as a function of its differences from the last good run: with some of them undone it is another assignment.
//!
//! Differences are single things that somebody did: a query, a check, a setting, one delivered file, one publish of an input.
//! Files are told apart by their origin, so that one bad file among many in a slice can be taken out alone; where rows do not
//! carry their origin any more (computed or corrected ones), a publish is taken out as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainstay_base::Timestamp;
use mainstay_engine::{Assignment, Mounted, Output};
use mainstay_model::id::RunId;
use mainstay_model::run::Scope;
use mainstay_model::spec::{CheckSpec, JobSpec};
use mainstay_model::{DatasetName, Schema, SliceKey, SliceVersion};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The query.
    Query,
    /// How long an attempt may take.
    TimeLimit,
    /// How much memory there is.
    Memory,
    /// With how many threads it is computed.
    Threads,
    /// What `now()` means.
    Moment,
    /// A check, by name.
    Check(String),
    /// What came from a delivered file.
    File { dataset: DatasetName, origin: String },
    /// A publish of an input.
    Publish { dataset: DatasetName, version: u64 },
}

/// A slice of an input, before and after.
#[derive(Clone, Debug)]
pub(super) struct SliceCase {
    pub(super) old: SliceVersion,
    pub(super) new: SliceVersion,
    /// The publishes between, each with what the slice was after it; empty if it is told apart by files.
    pub(super) between: Vec<(u64, SliceVersion)>,
}

/// An input, before and after.
#[derive(Clone, Debug)]
pub(super) struct InputCase {
    pub(super) dataset: DatasetName,
    pub(super) schema: Schema,
    pub(super) slice_columns: Vec<String>,
    /// The slices that are the same before and after.
    pub(super) same: Vec<(SliceKey, SliceVersion)>,
    pub(super) moved: BTreeMap<SliceKey, SliceCase>,
}

/// Both values of something that may differ.
#[derive(Clone, Debug)]
pub(super) struct Both<T> {
    pub(super) old: T,
    pub(super) new: T,
}

impl<T> Both<T> {
    fn pick(&self, new: bool) -> &T {
        if new { &self.new } else { &self.old }
    }
}

/// A run with its differences.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) id: RunId,
    pub(super) job: DatasetName,
    pub(super) versus: Option<RunId>,
    /// The differences, each with its name.
    pub(super) parts: Vec<(Part, String)>,
    pub(super) not_undone: Vec<String>,
    pub(super) spec: Both<JobSpec>,
    pub(super) scope: Scope,
    pub(super) as_of: Both<Timestamp>,
    pub(super) memory: Both<u64>,
    pub(super) threads: Both<usize>,
    pub(super) checks: BTreeMap<String, Both<Option<CheckSpec>>>,
    pub(super) inputs: Vec<InputCase>,
    pub(super) check_inputs: Vec<Mounted>,
    pub(super) previous: Vec<(SliceKey, SliceVersion)>,
    pub(super) time_limit: Both<Option<Duration>>,
}

/// What an input is in place of what it was, slice by slice.
pub(super) type Instead<'a> = (&'a DatasetName, &'a BTreeMap<SliceKey, SliceVersion>);

impl InputCase {
    /// Returns the slices with some differences in, the others undone.
    fn slices(
        &self,
        kept: &dyn Fn(&Part) -> bool,
        instead: Option<Instead<'_>>,
    ) -> Vec<(SliceKey, SliceVersion)> {
        let mut slices: BTreeMap<SliceKey, SliceVersion> = self.same.iter().cloned().collect();
        for (key, case) in &self.moved {
            let version = if case.between.is_empty() {
                self.mixed(case, kept)
            } else {
                let publish = |version: u64| Part::Publish {
                    dataset: self.dataset.clone(),
                    version,
                };
                let last = case.between.iter().rev().find(|(v, _)| kept(&publish(*v)));
                last.map_or_else(|| case.old.clone(), |(_, content)| content.clone())
            };
            slices.insert(key.clone(), version);
        }
        if let Some((_, contents)) = instead.filter(|(name, _)| **name == self.dataset) {
            slices.extend(contents.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        slices.into_iter().filter(|(_, v)| !v.files.is_empty()).collect()
    }

    /// Of each file what it was or what it is.
    fn mixed(&self, case: &SliceCase, kept: &dyn Fn(&Part) -> bool) -> SliceVersion {
        let new = |origin: &Option<String>| {
            origin.as_ref().is_none_or(|origin| {
                kept(&Part::File {
                    dataset: self.dataset.clone(),
                    origin: origin.clone(),
                })
            })
        };
        let old_files = case.old.files.iter().filter(|f| !new(&f.origin));
        let new_files = case.new.files.iter().filter(|f| new(&f.origin));
        let mut files: Vec<_> = old_files.chain(new_files).cloned().collect();
        // The order that deliveries give them.
        files.sort_by(|a, b| (&a.origin, &a.path).cmp(&(&b.origin, &b.path)));
        SliceVersion { files }
    }
}

/// The origins whose files differ between two contents of a slice; none if a file does not say where it came from.
pub(super) fn moved_files(old: &SliceVersion, new: &SliceVersion) -> Option<BTreeSet<String>> {
    let files = |v: &SliceVersion| {
        let named = v.files.iter().map(|f| Some((f.origin.clone()?, f.path.clone())));
        named.collect::<Option<BTreeSet<(String, String)>>>()
    };
    let (old, new) = (files(old)?, files(new)?);
    Some(old.symmetric_difference(&new).map(|(o, _)| o.clone()).collect())
}

impl Case {
    /// Returns the numbers of all differences.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.parts.len()).collect()
    }

    /// Returns the names of some differences.
    pub(super) fn names(&self, set: &[usize]) -> Vec<String> {
        set.iter()
            .filter_map(|i| Some(self.parts.get(*i)?.1.clone()))
            .collect()
    }

    /// Returns those differences that are not in a set.
    pub(super) fn others(&self, set: &[usize]) -> Vec<usize> {
        self.all().into_iter().filter(|i| !set.contains(i)).collect()
    }

    /// Says whether a difference is there, when all but some are undone. What does not differ is as it is.
    fn kept(&self, set: &[usize], part: &Part) -> bool {
        match self.parts.iter().position(|(p, _)| p == part) {
            Some(at) => set.contains(&at),
            None => true,
        }
    }

    /// Returns the memory limit and the number of threads with some differences kept.
    pub(super) fn engine(&self, set: &[usize]) -> (u64, usize) {
        (
            *self.memory.pick(self.kept(set, &Part::Memory)),
            *self.threads.pick(self.kept(set, &Part::Threads)),
        )
    }

    /// Makes the assignment with some differences kept and the others undone.
    pub(super) fn assignment(
        &self,
        set: &[usize],
        place: &Place<'_>,
        instead: Option<Instead<'_>>,
        with_checks: bool,
    ) -> Assignment {
        let kept = |part: &Part| self.kept(set, part);
        let spec = self.spec.pick(kept(&Part::Query));
        let inputs = self.inputs.iter().map(|input| Mounted {
            name: input.dataset.clone(),
            store: place.store.clone(),
            table: (place.table)(&input.dataset),
            schema: input.schema.clone(),
            slice_columns: input.slice_columns.clone(),
            slices: input.slices(&kept, instead),
        });
        let checks = self
            .checks
            .iter()
            .filter(|_| with_checks)
            .filter_map(|(name, both)| {
                let check = both.pick(kept(&Part::Check(name.clone()))).clone()?;
                Some((name.clone(), check))
            });
        Assignment {
            query: spec.sql.clone(),
            label: self.job.to_string(),
            inputs: inputs.collect(),
            output: Output {
                dataset: self.job.clone(),
                store: place.store.clone(),
                table: (place.table)(&self.job),
                schema: spec.compiled.columns.clone(),
                slice_columns: spec.slice.clone(),
                attempt_prefix: place.prefix.clone(),
            },
            scope: self.scope.clone(),
            as_of: *self.as_of.pick(kept(&Part::Moment)),
            checks: checks.collect(),
            check_inputs: if with_checks {
                self.check_inputs.clone()
            } else {
                Vec::new()
            },
            previous: if with_checks {
                self.previous.clone()
            } else {
                Vec::new()
            },
            time_limit: *self.time_limit.pick(kept(&Part::TimeLimit)),
        }
    }
}

/// Where a trial finds its files and leaves its own.
pub(super) struct Place<'a> {
    pub(super) store: mainstay_storage::Store,
    pub(super) table: &'a dyn Fn(&DatasetName) -> String,
    pub(super) prefix: String,
}
