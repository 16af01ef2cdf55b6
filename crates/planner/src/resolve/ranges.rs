//! Ranges of places: what each output slice reads of one input, and the digests of that.
//!
//! It knows places, not slices, so that it can be kept while nobody holds the datasets.

use mainstay_base::MultisetHash;
use mainstay_model::relation::Alternative;

use super::prepared::Prepared;
use super::space::Space;
use crate::expression::SliceValues;

/// A range of places in one order of an input's slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    space: u32,
    from: u32,
    to: u32,
}

/// The ranges of all output slices, one after the other; of slices by their places, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Ranges {
    /// The first is the order of the keys themselves; the others are those by which conditions compare.
    spaces: Vec<Space>,
    ranges: Vec<Range>,
    /// Where the ranges of each output slice begin, and where the last ones end.
    starts: Vec<usize>,
}

impl Ranges {
    fn of(&self, output: usize) -> &[Range] {
        let from = self.starts.get(output).copied().unwrap_or_default();
        let to = self.starts.get(output + 1).copied().unwrap_or(from);
        self.ranges.get(from..to).unwrap_or_default()
    }

    /// Says whether an output slice reads anything that is there.
    pub(crate) fn any(&self, output: usize) -> bool {
        !self.of(output).is_empty()
    }

    /// Takes other contents of the same slices, in the order of their keys.
    pub(crate) fn take(&mut self, digests: &[MultisetHash]) {
        for space in &mut self.spaces {
            space.take(digests);
        }
    }

    /// The digests of what an output slice reads, one for each order in which it has ranges; an order without content is left out.
    pub(crate) fn digests(&self, output: usize) -> Vec<MultisetHash> {
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

    /// Marks the places of what an output slice reads.
    pub(crate) fn mark(&self, output: usize, marked: &mut [bool]) {
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

    /// Says for each output slice whether it reads one of some places.
    pub(crate) fn meets(&self, is_one: &dyn Fn(u32) -> bool) -> Vec<bool> {
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
///
/// `sides` are the input's slices, of which `digests` are the contents, and the output's, of which there are `outputs`.
pub(crate) fn ranges(
    alternatives: &[Alternative],
    sides: (Option<&(dyn SliceValues + '_)>, Option<&(dyn SliceValues + '_)>),
    digests: &[MultisetHash],
    outputs: usize,
) -> Ranges {
    let (input, output) = sides;
    let count = u32::try_from(digests.len()).unwrap_or(u32::MAX);
    let mut spaces = vec![Space::of_keys(digests)];
    // Range by range of an output slice, in the order of the alternatives; most have one or two.
    let mut found: Vec<(u32, Range)> = Vec::new();
    for alternative in alternatives {
        let prepared = Prepared::new(alternative, input, output, count);
        let (space, first) = match prepared.contiguous() {
            Some(first) => (0, first),
            None => {
                spaces.push(Space::permuted(prepared.order(), digests));
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
