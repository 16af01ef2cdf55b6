//! Relations resolved for many slices at once: which slices each one reads, and the digest of those.
//!
//! The slices of an input are sorted by what a condition compares; then the slices that meet it for one output slice are a range,
//! found by binary search, and the digest of a range is a difference of two prefix sums. So the work is that of sorting, not of
//! looking at pairs. Invariant: a condition whose values are not known is left out, which reads more, never less.

mod space;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use mainstay_base::MultisetHash;
use mainstay_model::relation::{Alternative, Comparator, Reads, Values};
use mainstay_model::{DatasetName, SliceKey};

use crate::expression::{Expressions, SliceValues};
use crate::fingerprint::InputDigest;
use crate::stale::Datasets;
use space::Space;

/// A range of places in one order of an input's slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    space: u32,
    from: u32,
    to: u32,
}

/// What is read of one input, for all output slices.
enum Input<'a> {
    All {
        slices: Vec<&'a SliceKey>,
        digest: MultisetHash,
    },
    Same,
    Where(Ranges<'a>),
}

/// The ranges of all output slices, one after the other.
struct Ranges<'a> {
    slices: Vec<&'a SliceKey>,
    /// The first is the order of the keys themselves; the others are those by which conditions compare.
    spaces: Vec<Space>,
    ranges: Vec<Range>,
    /// Where the ranges of each output slice begin, and where the last ones end.
    starts: Vec<usize>,
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
                Reads::Where(alternatives) => Input::Where(ranges(
                    name,
                    alternatives,
                    datasets,
                    expressions,
                    output.as_deref(),
                    outputs.len(),
                )),
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
                Input::Where(ranges) => InputDigest::Some(ranges.digests(output)),
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
                Input::Where(ranges) => !ranges.of(output).is_empty(),
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
                Input::Where(ranges) => {
                    let mut marked = vec![false; ranges.slices.len()];
                    ranges.mark(output, &mut marked);
                    ranges.marked(&marked)
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
                Input::Where(ranges) => {
                    let mut marked = vec![false; ranges.slices.len()];
                    for output in 0..self.outputs.len() {
                        ranges.mark(output, &mut marked);
                    }
                    ranges.marked(&marked)
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
            Input::Where(ranges) => {
                ranges.meets(&|place| ranges.slices.get(place as usize).is_some_and(|s| is_one(s)))
            }
        }
    }
}

impl Ranges<'_> {
    fn of(&self, output: usize) -> &[Range] {
        let from = self.starts.get(output).copied().unwrap_or_default();
        let to = self.starts.get(output + 1).copied().unwrap_or(from);
        self.ranges.get(from..to).unwrap_or_default()
    }

    /// The digests of what an output slice reads, one for each order in which it has ranges; an order without content is left out.
    fn digests(&self, output: usize) -> Vec<MultisetHash> {
        let mut out: Vec<(u32, MultisetHash)> = Vec::new();
        for range in self.of(output) {
            let digest = self
                .spaces
                .get(range.space as usize)
                .map(|s| s.digest(range.from, range.to))
                .unwrap_or_default();
            match out.last_mut() {
                // Ranges of one order do not overlap.
                Some((space, sum)) if *space == range.space => *sum = sum.union(digest),
                _ => out.push((range.space, digest)),
            }
        }
        let mut digests: Vec<MultisetHash> = out.into_iter().map(|(_, d)| d).collect();
        digests.retain(|d| *d != MultisetHash::EMPTY);
        digests.sort();
        digests.dedup();
        digests
    }

    fn mark(&self, output: usize, marked: &mut [bool]) {
        for range in self.of(output) {
            let Some(space) = self.spaces.get(range.space as usize) else {
                continue;
            };
            for place in space.places(range.from, range.to) {
                if let Some(m) = marked.get_mut(place as usize) {
                    *m = true;
                }
            }
        }
    }

    fn marked(&self, marked: &[bool]) -> Read {
        if marked.iter().all(|m| *m) && !marked.is_empty() {
            return Read::All;
        }
        let chosen = self.slices.iter().zip(marked).filter(|(_, m)| **m);
        Read::Slices(chosen.map(|(s, _)| (*s).clone()).collect())
    }

    fn meets(&self, is_one: &dyn Fn(u32) -> bool) -> Vec<bool> {
        let counts: Vec<Vec<u32>> = self.spaces.iter().map(|s| s.counts(is_one)).collect();
        let count = |range: &Range, at: u32| {
            let space = counts.get(range.space as usize);
            space
                .and_then(|c| c.get(at as usize))
                .copied()
                .unwrap_or_default()
        };
        (0..self.starts.len().saturating_sub(1))
            .map(|output| self.of(output).iter().any(|r| count(r, r.to) > count(r, r.from)))
            .collect()
    }
}

/// Resolves the alternatives of one input.
fn ranges<'a>(
    name: &DatasetName,
    alternatives: &[Alternative],
    datasets: &'a dyn Datasets,
    expressions: &dyn Expressions,
    output: Option<&(dyn SliceValues + '_)>,
    outputs: usize,
) -> Ranges<'a> {
    let (slices, digests): (Vec<&SliceKey>, Vec<MultisetHash>) = datasets.slices(name).unzip();
    let input = expressions.over(Some(name), &slices);
    let count = u32::try_from(slices.len()).unwrap_or(u32::MAX);
    let mut spaces = vec![Space::of_keys(&digests)];
    // Range by range of an output slice, in the order of the alternatives; most have one or two.
    let mut found: Vec<(u32, Range)> = Vec::new();
    for alternative in alternatives {
        let prepared = Prepared::new(alternative, input.as_deref(), output, count);
        let (space, first) = match prepared.contiguous() {
            Some(first) => (0, first),
            None => {
                spaces.push(Space::permuted(&prepared.order, &digests));
                (u32::try_from(spaces.len() - 1).unwrap_or(u32::MAX), 0)
            }
        };
        for v in 0..outputs {
            let (from, to) = prepared.range(v);
            if from < to {
                let range = Range {
                    space,
                    from: first + from,
                    to: first + to,
                };
                found.push((u32::try_from(v).unwrap_or(u32::MAX), range));
            }
        }
    }
    found.sort();
    let mut all = Ranges {
        slices,
        spaces,
        ranges: Vec::with_capacity(found.len()),
        starts: Vec::with_capacity(outputs + 1),
    };
    let mut left = found.into_iter().peekable();
    for v in 0..outputs {
        let begin = all.ranges.len();
        all.starts.push(begin);
        while let Some((_, range)) = left.next_if(|(of, _)| *of as usize == v) {
            let before = all.ranges.len() > begin;
            match all.ranges.last_mut() {
                Some(last) if before && last.space == range.space && range.from <= last.to => {
                    last.to = last.to.max(range.to);
                }
                _ => all.ranges.push(range),
            }
        }
    }
    all.starts.push(all.ranges.len());
    all
}

/// An alternative with its values: the input's slices that may meet it, sorted by what it compares.
struct Prepared {
    /// Places of the slices.
    order: Vec<u32>,
    /// What must be equal: the input's values, the output's, and whether NULL equals NULL.
    equal: Vec<(Values, Values, bool)>,
    /// What is compared besides: the input's values, and the output's with how.
    within: Option<(Values, Vec<(Comparator, Values)>)>,
    /// For which output slices it is an alternative.
    applies: Option<Vec<bool>>,
}

impl Prepared {
    fn new(
        alternative: &Alternative,
        input: Option<&(dyn SliceValues + '_)>,
        output: Option<&(dyn SliceValues + '_)>,
        count: u32,
    ) -> Self {
        let all = |conditions: &[String], side: Option<&(dyn SliceValues + '_)>| {
            let mut sum: Option<Vec<bool>> = None;
            for condition in conditions {
                let Some(holds) = side.and_then(|s| s.holds(condition)) else {
                    continue;
                };
                sum = Some(match sum {
                    None => holds,
                    Some(before) => before.iter().zip(&holds).map(|(a, b)| *a && *b).collect(),
                });
            }
            sum
        };
        let chosen = all(&alternative.input, input);
        let mut prepared = Self {
            order: Vec::new(),
            equal: Vec::new(),
            within: None,
            applies: all(&alternative.output, output),
        };
        let mut compared: Option<&str> = None;
        for c in &alternative.compare {
            let (Some(of_input), Some(of_output)) = (
                input.and_then(|s| s.values(&c.input)),
                output.and_then(|s| s.values(&c.output)),
            ) else {
                continue;
            };
            if std::mem::discriminant(&of_input) != std::mem::discriminant(&of_output) {
                continue;
            }
            match c.op {
                Comparator::Is => prepared.equal.push((of_input, of_output, true)),
                Comparator::Equal => prepared.equal.push((of_input, of_output, false)),
                op => match (&mut prepared.within, compared) {
                    (Some((_, ends)), Some(expression)) if expression == c.input => {
                        ends.push((op, of_output));
                    }
                    (None, _) => {
                        compared = Some(&c.input);
                        prepared.within = Some((of_input, vec![(op, of_output)]));
                    }
                    // A second value that is compared is not looked at.
                    _ => {}
                },
            }
        }
        let known = |at: u32| {
            let equal = prepared.equal.iter().all(|(v, _, null)| *null || !is_null(v, at));
            equal && prepared.within.as_ref().is_none_or(|(v, _)| !is_null(v, at))
        };
        let kept = |at: &u32| {
            let chosen = chosen
                .as_ref()
                .is_none_or(|c| c.get(*at as usize).copied().unwrap_or(true));
            chosen && known(*at)
        };
        let mut order: Vec<u32> = (0..count).filter(kept).collect();
        let compare = |a: &u32, b: &u32| prepared.compare_inputs(*a, *b);
        if !order.is_sorted_by(|a, b| compare(a, b).is_le()) {
            order.sort_by(compare);
        }
        prepared.order = order;
        prepared
    }

    fn compare_inputs(&self, a: u32, b: u32) -> Ordering {
        for (values, ..) in &self.equal {
            let order = compare(values, a, values, b);
            if order.is_ne() {
                return order;
            }
        }
        self.within
            .as_ref()
            .map_or(Ordering::Equal, |(values, _)| compare(values, a, values, b))
    }

    /// Where the slices begin if they are one range in the order of their keys.
    fn contiguous(&self) -> Option<u32> {
        let first = self.order.first().copied().unwrap_or_default();
        let in_a_row = (first..).zip(&self.order).all(|(next, at)| next == *at);
        in_a_row.then_some(first)
    }

    /// The range of places, in the sorted order, of what an output slice reads.
    fn range(&self, output: usize) -> (u32, u32) {
        let v = u32::try_from(output).unwrap_or(u32::MAX);
        let applies = self
            .applies
            .as_ref()
            .is_none_or(|a| a.get(output).copied().unwrap_or(true));
        let null = self
            .equal
            .iter()
            .any(|(_, of_output, null)| !null && is_null(of_output, v));
        let ends = self.within.iter().flat_map(|(_, ends)| ends);
        if !applies || null || ends.clone().any(|(_, values)| is_null(values, v)) {
            return (0, 0);
        }
        let by_equal = |at: &u32| {
            for (of_input, of_output, _) in &self.equal {
                let order = compare(of_input, *at, of_output, v);
                if order.is_ne() {
                    return order;
                }
            }
            Ordering::Equal
        };
        let (mut from, mut to) = if self.equal.is_empty() {
            (0, self.order.len())
        } else {
            let from = self.order.partition_point(|at| by_equal(at).is_lt());
            let after = self.order.get(from..).unwrap_or_default();
            (from, from + after.partition_point(|at| by_equal(at).is_eq()))
        };
        if let Some((of_input, ends)) = &self.within {
            let part = self.order.get(from..to).unwrap_or_default();
            let (mut low, mut high) = (0, part.len());
            for (op, of_output) in ends {
                let side = |at: &u32| compare(of_input, *at, of_output, v);
                match op {
                    Comparator::AtLeast => low = low.max(part.partition_point(|at| side(at).is_lt())),
                    Comparator::Greater => low = low.max(part.partition_point(|at| side(at).is_le())),
                    Comparator::AtMost => high = high.min(part.partition_point(|at| side(at).is_le())),
                    Comparator::Less => high = high.min(part.partition_point(|at| side(at).is_lt())),
                    Comparator::Is | Comparator::Equal => {}
                }
            }
            (from, to) = (from + low, from + high.max(low));
        }
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (place(from), place(to))
    }
}

fn is_null(values: &Values, at: u32) -> bool {
    match values {
        Values::Numbers(v) => v.get(at as usize).is_none_or(Option::is_none),
        Values::Bytes(v) => v.get(at as usize).is_none_or(Option::is_none),
    }
}

/// Compares two values; NULL comes first and equals NULL.
fn compare(a: &Values, at: u32, b: &Values, other: u32) -> Ordering {
    match (a, b) {
        (Values::Numbers(x), Values::Numbers(y)) => {
            let of = |v: &[Option<i64>], at: u32| v.get(at as usize).copied().flatten();
            of(x, at).cmp(&of(y, other))
        }
        (Values::Bytes(x), Values::Bytes(y)) => {
            let (x, y) = (x.get(at as usize), y.get(other as usize));
            x.and_then(Option::as_deref).cmp(&y.and_then(Option::as_deref))
        }
        // Values of different kinds are never compared.
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests;
