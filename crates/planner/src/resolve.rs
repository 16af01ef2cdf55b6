//! Relations resolved for many slices at once: which slices each one reads, and the digest of those.
//!
//! The slices of an input are sorted by what a condition compares; then the slices that meet it for one output slice are a range,
//! found by binary search, and the digest of a range is a difference of two prefix sums. So the work is that of sorting, not of
//! looking at pairs. Invariant: a condition whose values are not known is left out, which reads more, never less.

mod prepared;
mod ranges;
mod space;

use std::collections::BTreeMap;

use mainstay_base::MultisetHash;
use mainstay_model::relation::Reads;
use mainstay_model::{DatasetName, SliceKey};

use crate::datasets::Datasets;
use crate::expression::Expressions;
use crate::fingerprint::InputDigest;
pub(crate) use ranges::{Ranges, ranges};

/// What is read of one input, for all output slices.
enum Input<'a> {
    All {
        slices: Vec<&'a SliceKey>,
        digest: MultisetHash,
    },
    Same,
    Where {
        slices: Vec<&'a SliceKey>,
        ranges: Ranges,
    },
}

/// What one output slice, or several, read of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Everything.
    All,
    /// These slices, in order; those that are not there are not among them.
    Slices(Vec<SliceKey>),
}

/// Relations resolved for a list of output slices.
pub struct Resolution<'a> {
    datasets: &'a dyn Datasets,
    outputs: &'a [&'a SliceKey],
    inputs: Vec<(&'a DatasetName, Input<'a>)>,
}

impl std::fmt::Debug for Resolution<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolution")
            .field("outputs", &self.outputs.len())
            .field("inputs", &self.inputs.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Resolution<'a> {
    /// Resolves what slices of a job's dataset read of what there is.
    pub fn new(
        job: &DatasetName,
        reads: &'a BTreeMap<DatasetName, Reads>,
        datasets: &'a dyn Datasets,
        expressions: &dyn Expressions,
        outputs: &'a [&'a SliceKey],
    ) -> Self {
        let needed = reads.values().any(|r| matches!(r, Reads::Where(_)));
        let output = if needed {
            expressions.over(Some(job), outputs)
        } else {
            None
        };
        let each = |(name, reads): (&'a DatasetName, &'a Reads)| {
            let input = match reads {
                Reads::Same => Input::Same,
                Reads::All => {
                    let (slices, digests): (Vec<_>, Vec<_>) = datasets.slices(name).unzip();
                    Input::All {
                        slices,
                        digest: digests.into_iter().collect(),
                    }
                }
                Reads::Where(alternatives) => {
                    let (slices, digests): (Vec<_>, Vec<_>) = datasets.slices(name).unzip();
                    let input = expressions.over(Some(name), &slices);
                    let sides = (input.as_deref(), output.as_deref());
                    let ranges = ranges(alternatives, sides, &digests, outputs.len());
                    Input::Where { slices, ranges }
                }
            };
            (name, input)
        };
        Self {
            datasets,
            outputs,
            inputs: reads.iter().map(each).collect(),
        }
    }

    /// The digests of what an output slice (by its place in the list) reads of each input.
    pub fn digests(&self, output: usize) -> Vec<(DatasetName, InputDigest)> {
        let each = |(name, input): &(&DatasetName, Input<'_>)| {
            let digest = match input {
                Input::All { digest, .. } => InputDigest::Everything(*digest),
                Input::Same => self
                    .outputs
                    .get(output)
                    .and_then(|slice| self.datasets.slice(name, slice))
                    .map_or(InputDigest::Absent, InputDigest::Slice),
                Input::Where { ranges, .. } => InputDigest::Some(ranges.digests(output)),
            };
            ((*name).clone(), digest)
        };
        self.inputs.iter().map(each).collect()
    }

    /// Says whether an output slice reads anything that is there of an input; not known inputs have nothing.
    pub fn reads_any(&self, output: usize, of: &DatasetName) -> bool {
        self.inputs
            .iter()
            .filter(|(name, _)| *name == of)
            .any(|(name, input)| match input {
                Input::All { slices, .. } => !slices.is_empty(),
                Input::Same => {
                    let slice = self.outputs.get(output);
                    slice.is_some_and(|s| self.datasets.slice(name, s).is_some())
                }
                Input::Where { ranges, .. } => ranges.any(output),
            })
    }

    /// What an output slice reads of each input.
    pub fn reads(&self, output: usize) -> Vec<(&'a DatasetName, Read)> {
        let each = |(name, input): &(&'a DatasetName, Input<'a>)| {
            let read = match input {
                Input::All { .. } => Read::All,
                Input::Same => {
                    let slice = self.outputs.get(output);
                    let there = slice.filter(|s| self.datasets.slice(name, s).is_some());
                    Read::Slices(there.into_iter().map(|s| (*s).clone()).collect())
                }
                Input::Where { slices, ranges } => {
                    let mut marked = vec![false; slices.len()];
                    ranges.mark(output, &mut marked);
                    chosen(slices, &marked)
                }
            };
            (*name, read)
        };
        self.inputs.iter().map(each).collect()
    }

    /// What all output slices together read of each input: what has to be there to compute them.
    pub fn union(&self) -> BTreeMap<DatasetName, Read> {
        let each = |(name, input): &(&DatasetName, Input<'_>)| {
            let read = match input {
                Input::All { .. } => Read::All,
                Input::Same => Read::Slices(self.outputs.iter().map(|s| (*s).clone()).collect()),
                Input::Where { slices, ranges } => {
                    let mut marked = vec![false; slices.len()];
                    for output in 0..self.outputs.len() {
                        ranges.mark(output, &mut marked);
                    }
                    chosen(slices, &marked)
                }
            };
            ((*name).clone(), read)
        };
        self.inputs.iter().map(each).collect()
    }

    /// Says for each output slice whether it reads one of some slices of an input.
    pub fn meets(&self, of: &DatasetName, is_one: &dyn Fn(&SliceKey) -> bool) -> Vec<bool> {
        let Some((_, input)) = self.inputs.iter().find(|(name, _)| *name == of) else {
            return vec![false; self.outputs.len()];
        };
        match input {
            Input::All { slices, .. } => vec![slices.iter().any(|s| is_one(s)); self.outputs.len()],
            Input::Same => self.outputs.iter().map(|s| is_one(s)).collect(),
            Input::Where { slices, ranges } => {
                ranges.meets(&|place| slices.get(place as usize).is_some_and(|s| is_one(s)))
            }
        }
    }
}

/// The slices that are marked; everything if all are.
fn chosen(slices: &[&SliceKey], marked: &[bool]) -> Read {
    if marked.iter().all(|m| *m) && !marked.is_empty() {
        return Read::All;
    }
    let chosen = slices.iter().zip(marked).filter(|(_, m)| **m);
    Read::Slices(chosen.map(|(s, _)| (*s).clone()).collect())
}

#[cfg(test)]
mod tests;
