//! Makes a failing case small: leaves out what belongs together, then single choices, then makes numbers smaller, as long as
//! the case still fails.

use std::time::{Duration, Instant};

use crate::choices::Taken;

/// Returns the smallest choices found within a time that still fail. `fails` says what was taken when these were given, and
/// whether the case fails.
pub(crate) fn shrink(first: Taken, time: Duration, mut fails: impl FnMut(&[u32]) -> (Taken, bool)) -> Taken {
    let began = Instant::now();
    let mut best = first;
    loop {
        let before = best.choices.len();
        let sum: u64 = best.choices.iter().map(|c| u64::from(*c)).sum();
        let mut try_ = |best: &mut Taken, candidate: Vec<u32>| {
            if began.elapsed() > time || candidate == best.choices {
                return false;
            }
            let (taken, bad) = fails(&candidate);
            let smaller = (taken.choices.len(), total(&taken)) < (best.choices.len(), total(best));
            if bad && smaller {
                *best = taken;
                return true;
            }
            false
        };
        leave_out_spans(&mut best, &mut try_);
        make_simple(&mut best, &mut try_);
        leave_out_runs(&mut best, &mut try_);
        make_smaller(&mut best, &mut try_);
        let now: u64 = total(&best);
        if (best.choices.len(), now) == (before, sum) || began.elapsed() > time {
            return best;
        }
    }
}

fn total(taken: &Taken) -> u64 {
    taken.choices.iter().map(|c| u64::from(*c)).sum()
}

fn without(choices: &[u32], from: usize, to: usize) -> Vec<u32> {
    choices[..from].iter().chain(&choices[to..]).copied().collect()
}

/// Leaves out steps, jobs, rows, clauses: the largest first.
fn leave_out_spans(best: &mut Taken, try_: &mut impl FnMut(&mut Taken, Vec<u32>) -> bool) {
    let mut at = 0;
    loop {
        let mut spans = best.spans.clone();
        spans.retain(|(from, to)| to > from);
        spans.sort_by_key(|(from, to)| (usize::MAX - (to - from), *from));
        let Some((from, to)) = spans.get(at).copied() else {
            return;
        };
        let candidate = without(&best.choices, from, to);
        if !try_(best, candidate) {
            at += 1;
        }
    }
}

/// Leaves out choices that stand side by side.
fn leave_out_runs(best: &mut Taken, try_: &mut impl FnMut(&mut Taken, Vec<u32>) -> bool) {
    for length in [8, 4, 2, 1] {
        let mut at = 0;
        while at + length <= best.choices.len() {
            let candidate = without(&best.choices, at, at + length);
            if !try_(best, candidate) {
                at += length;
            }
        }
    }
}

/// Makes what belongs together as simple as it can be.
fn make_simple(best: &mut Taken, try_: &mut impl FnMut(&mut Taken, Vec<u32>) -> bool) {
    let mut at = 0;
    while let Some((from, to)) = best.spans.get(at).copied() {
        let mut candidate = best.choices.clone();
        let keep = from + 1;
        candidate.get_mut(keep..to).unwrap_or_default().fill(0);
        if to <= keep || !try_(best, candidate) {
            at += 1;
        }
    }
}

fn make_smaller(best: &mut Taken, try_: &mut impl FnMut(&mut Taken, Vec<u32>) -> bool) {
    let mut at = 0;
    while at < best.choices.len() {
        let value = best.choices[at];
        for smaller in [0, value / 2, value.saturating_sub(1)] {
            let mut candidate = best.choices.clone();
            candidate[at] = smaller;
            if smaller < value && try_(best, candidate) {
                break;
            }
        }
        at += 1;
    }
}

#[test]
fn what_does_not_matter_goes() {
    use crate::choices::Choices;
    // Fails if one of the things is 7 or more.
    let run = |choices: &[u32]| {
        let mut c = Choices::given(choices.to_vec());
        let things = c.many(0, 30, |c, _| c.below(10));
        (c.taken(), things.iter().any(|t| *t >= 7))
    };
    let seed = (0..).find(|s| {
        let mut c = Choices::random(*s);
        c.many(0, 30, |c, _| c.below(10))
            .iter()
            .filter(|t| **t >= 7)
            .count()
            > 3
    });
    let mut c = Choices::random(seed.unwrap_or_default());
    c.many(0, 30, |c, _| c.below(10));
    let small = shrink(c.taken(), Duration::from_secs(20), run);
    let mut c = Choices::given(small.choices);
    assert_eq!(c.many(0, 30, |c, _| c.below(10)), [7]);
}
