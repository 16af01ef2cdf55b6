//! One alternative of a relation with its values: the input's slices sorted by what it compares, and for each output slice the
//! range of those that meet it.

use std::cmp::Ordering;

use mainstay_model::relation::{Alternative, Comparator, Values};

use crate::expression::SliceValues;

/// An alternative with its values: the input's slices that may meet it, sorted by what it compares.
pub(super) struct Prepared {
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
    /// Evaluates it over `count` slices of the input and those of the output.
    pub(super) fn new(
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

    /// The places of the slices, sorted.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
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
    pub(super) fn contiguous(&self) -> Option<u32> {
        let first = self.order.first().copied().unwrap_or_default();
        let in_a_row = (first..).zip(&self.order).all(|(next, at)| next == *at);
        in_a_row.then_some(first)
    }

    /// The range of places, in the sorted order, of what an output slice reads.
    pub(super) fn range(&self, output: usize) -> (u32, u32) {
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
