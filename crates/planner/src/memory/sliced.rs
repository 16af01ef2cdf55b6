//! A job that is computed by slices: which slices it has, by their places, what each reads, and the fingerprint that each should
//! have.

use std::sync::Arc;

use mainstay_base::Hash;
use mainstay_model::relation::Reads;
use mainstay_model::{DatasetName, SliceKey};

use super::Inputs;
use super::seen::{Names, Seen};
use crate::candidates::Candidates;
use crate::datasets::Datasets;
use crate::expression::Expressions;
use crate::fingerprint::{InputDigest, slice_fingerprint_of};
use crate::resolve::{Ranges, ranges};
use crate::stale::{Because, Job, Stale, StaleSlices};

/// The place of a slice that is not there.
const NOWHERE: u32 = u32::MAX;

/// What the output slices read of an input.
#[derive(Debug)]
enum Part {
    All,
    /// The slices at these places, one for each output slice.
    Same(Vec<u32>),
    Where(Ranges),
}

/// An input, and what is read of it.
#[derive(Debug)]
struct Input {
    dataset: DatasetName,
    name: String,
    seen: Arc<Seen>,
    part: Part,
}

/// A slice that was computed before.
#[derive(Debug)]
struct Computed {
    /// Its place among the output slices.
    output: u32,
    /// The fingerprint that it would have if it were computed now.
    wanted: Hash,
}

/// A job that is computed by slices.
#[derive(Debug)]
pub(super) struct Sliced {
    code: Hash,
    inputs: Vec<Input>,
    /// The names that the slices of its inputs and of its origins have, all together, and those of its own.
    names: Hash,
    outputs: usize,
    computed: Vec<Computed>,
    /// Slices that were not computed and have to be, whatever the contents are.
    always: Vec<SliceKey>,
    /// Whether what is there has to go or to change, whatever the contents are.
    changed: bool,
    /// Whether there are slices that are left from when the dataset was sliced otherwise.
    strangers: bool,
}

impl Sliced {
    /// Resolves what all candidates read, and hashes it.
    pub(super) fn of(
        job: &Job,
        datasets: &dyn Datasets,
        expressions: &dyn Expressions,
        inputs: &Inputs,
        candidates: &Candidates<'_>,
    ) -> Self {
        let outputs = candidates.slices();
        let needed = job.reads.values().any(|r| matches!(r, Reads::Where(_)));
        let output = needed
            .then(|| expressions.over(Some(&job.dataset), &outputs))
            .flatten();
        let input = |(name, reads): (&DatasetName, &Reads)| {
            let seen = inputs.get(name)?;
            let slices = || datasets.slices(name).map(|(slice, _)| slice);
            let part = match reads {
                Reads::All => Part::All,
                Reads::Same => Part::Same(places(&outputs, slices())),
                Reads::Where(alternatives) => {
                    let slices: Vec<&SliceKey> = slices().collect();
                    let of_input = expressions.over(Some(name), &slices);
                    let sides = (of_input.as_deref(), output.as_deref());
                    Part::Where(ranges(alternatives, sides, &seen.digests, outputs.len()))
                }
            };
            Some(Input {
                dataset: name.clone(),
                name: name.to_string(),
                seen: Arc::clone(seen),
                part,
            })
        };
        let mut sliced = Self {
            code: job.basis(),
            inputs: job.reads.iter().filter_map(input).collect(),
            names: names(job, datasets, inputs),
            outputs: outputs.len(),
            computed: Vec::new(),
            always: Vec::new(),
            changed: candidates.strangers(),
            strangers: candidates.strangers(),
        };
        let mut held = computed(job, datasets).peekable();
        for (i, slice) in outputs.iter().enumerate() {
            while held.next_if(|(s, _)| s != slice && s < slice).is_some() {}
            if held.next_if(|(s, _)| s == slice).is_some() {
                sliced.computed.push(Computed {
                    output: u32::try_from(i).unwrap_or(NOWHERE),
                    wanted: sliced.fingerprint(i),
                });
            } else if candidates.is_held(i) || candidates.has_source(i, |name| sliced.reads_any(i, name)) {
                // A slice that would be computed from nothing has nothing in it; one that is there nevertheless has to go.
                sliced.changed |= candidates.is_held(i);
                sliced.always.push((*slice).clone());
            }
        }
        sliced
    }

    /// Takes the contents that there are now; false if slices came or went, after which nothing of this is right any more.
    pub(super) fn update(&mut self, job: &Job, datasets: &dyn Datasets, now: &Inputs) -> bool {
        if self.names != names(job, datasets, now) {
            return false;
        }
        let mut touched = vec![false; self.outputs];
        for input in &mut self.inputs {
            let Some(seen) = now.get(&input.dataset) else {
                return false;
            };
            if Arc::ptr_eq(seen, &input.seen) {
                continue;
            }
            let Some(changed) = seen.changed(&input.seen) else {
                return false;
            };
            input.seen = Arc::clone(seen);
            let is_one = |place: u32| changed.get(place as usize).copied().unwrap_or(false);
            match &mut input.part {
                Part::All => touched.fill(true),
                Part::Same(places) => {
                    for (touched, place) in touched.iter_mut().zip(places) {
                        *touched |= is_one(*place);
                    }
                }
                Part::Where(ranges) => {
                    ranges.take(&seen.digests);
                    for (touched, met) in touched.iter_mut().zip(ranges.meets(&is_one)) {
                        *touched |= met;
                    }
                }
            }
        }
        let mut computed = std::mem::take(&mut self.computed);
        for c in &mut computed {
            if touched.get(c.output as usize).copied().unwrap_or(true) {
                c.wanted = self.fingerprint(c.output as usize);
            }
        }
        self.computed = computed;
        true
    }

    /// Compares what was computed with what should have been.
    pub(super) fn stale(&self, job: &Job, datasets: &dyn Datasets) -> Option<Stale> {
        let mut slices: Vec<SliceKey> = computed(job, datasets)
            .zip(&self.computed)
            .filter(|((_, known), c)| !known.contains(&c.wanted))
            .map(|((slice, _), _)| slice.clone())
            .collect();
        let changed = self.changed || !slices.is_empty();
        if !self.always.is_empty() {
            slices.extend(self.always.iter().cloned());
            slices.sort();
        }
        (!slices.is_empty() || self.strangers).then(|| Stale {
            dataset: job.dataset.clone(),
            because: if changed { Because::Changed } else { Because::New },
            slices: StaleSlices::Some(slices),
        })
    }

    fn fingerprint(&self, output: usize) -> Hash {
        let digest = |input: &Input| match &input.part {
            Part::All => InputDigest::Everything(input.seen.total),
            Part::Same(places) => {
                let place = places
                    .get(output)
                    .and_then(|p| input.seen.digests.get(*p as usize));
                place.map_or(InputDigest::Absent, |d| InputDigest::Slice(*d))
            }
            Part::Where(ranges) => InputDigest::Some(ranges.digests(output)),
        };
        slice_fingerprint_of(
            self.code,
            self.inputs
                .iter()
                .map(|input| (input.name.as_str(), digest(input))),
        )
    }

    /// Says whether an output slice reads anything that is there of an input.
    fn reads_any(&self, output: usize, of: &DatasetName) -> bool {
        let input = self.inputs.iter().find(|input| input.dataset == *of);
        input.is_some_and(|input| match &input.part {
            Part::All => !input.seen.digests.is_empty(),
            Part::Same(places) => places.get(output).is_some_and(|p| *p != NOWHERE),
            Part::Where(ranges) => ranges.any(output),
        })
    }
}

/// The slices that were computed since the dataset is sliced as it is now.
fn computed<'a>(
    job: &'a Job,
    datasets: &'a dyn Datasets,
) -> impl Iterator<Item = (&'a SliceKey, &'a [Hash])> {
    let columns = job.slice_columns.len();
    datasets
        .computed(&job.dataset)
        .filter(move |(slice, _)| slice.0.len() == columns)
}

/// Hashes the names of all slices on which it depends which slices there are, and what they read.
fn names(job: &Job, datasets: &dyn Datasets, inputs: &Inputs) -> Hash {
    let mut own = Names::default();
    computed(job, datasets).for_each(|(slice, _)| own.add(slice));
    let mut there = Names::default();
    datasets
        .slices(&job.dataset)
        .for_each(|(slice, _)| there.add(slice));
    let all = inputs.values().map(|seen| seen.names);
    let mut hasher = mainstay_base::hash::Hasher::new("mainstay names of slices");
    for names in [own.finish(), there.finish()].into_iter().chain(all) {
        hasher.field(names.as_bytes());
    }
    hasher.finish()
}

/// The places of the output slices among an input's slices; both are in order.
fn places<'s>(outputs: &[&SliceKey], slices: impl Iterator<Item = &'s SliceKey>) -> Vec<u32> {
    let mut slices = (0u32..).zip(slices).peekable();
    let place = |output: &&SliceKey| {
        // To be equal is quicker found out than to be less.
        while slices.next_if(|(_, s)| s != output && s < output).is_some() {}
        slices
            .next_if(|(_, s)| s == output)
            .map_or(NOWHERE, |(place, _)| place)
    };
    outputs.iter().map(place).collect()
}
