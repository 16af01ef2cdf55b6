//! The order of jobs: each after those whose datasets it reads.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::DatasetName;

/// Jobs that read each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", circle(.0), path(.0))]
pub struct Cycle(
    /// The datasets of the circle, each read by the one before it.
    pub Vec<DatasetName>,
);

fn circle(names: &[DatasetName]) -> String {
    match names.len() {
        1 => "this job reads what it computes".to_owned(),
        n => format!("{n} jobs read each other in a circle"),
    }
}

fn path(names: &[DatasetName]) -> String {
    let mut texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    texts.extend(names.first().map(ToString::to_string));
    texts.join(" → ")
}

/// Puts jobs into an order in which each stands after all that it reads; by name where the data leaves it open.
///
/// # Errors
///
/// [`Cycle`] with one circle, if there is any.
pub fn order(reads: &BTreeMap<DatasetName, BTreeSet<DatasetName>>) -> Result<Vec<DatasetName>, Cycle> {
    let mut done: BTreeSet<&DatasetName> = BTreeSet::new();
    let mut out = Vec::with_capacity(reads.len());
    for start in reads.keys() {
        // Depth first with an explicit stack: a project may be deeper than a thread's.
        let mut stack: Vec<(&DatasetName, Vec<&DatasetName>)> = vec![(start, inputs(reads, start))];
        let mut open: Vec<&DatasetName> = vec![start];
        if done.contains(start) {
            continue;
        }
        while let Some((name, left)) = stack.last_mut() {
            match left.pop() {
                Some(next) if done.contains(next) || !reads.contains_key(next) => {}
                Some(next) => {
                    if let Some(at) = open.iter().position(|o| *o == next) {
                        return Err(Cycle(open.iter().skip(at).map(|n| (*n).clone()).collect()));
                    }
                    open.push(next);
                    stack.push((next, inputs(reads, next)));
                }
                None => {
                    done.insert(name);
                    out.push((*name).clone());
                    open.pop();
                    stack.pop();
                }
            }
        }
    }
    Ok(out)
}

fn inputs<'a>(
    reads: &'a BTreeMap<DatasetName, BTreeSet<DatasetName>>,
    name: &DatasetName,
) -> Vec<&'a DatasetName> {
    reads
        .get(name)
        .map(|r| r.iter().rev().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(edges: &[(u8, u8)]) -> BTreeMap<DatasetName, BTreeSet<DatasetName>> {
        let name = |n: u8| format!("a.j{n}").parse::<DatasetName>().expect("a name");
        let mut g: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (a, b) in edges {
            g.entry(name(*a)).or_default().insert(name(*b));
            g.entry(name(*b)).or_default();
        }
        g
    }

    #[test]
    fn a_circle_is_named() {
        let cycle = order(&graph(&[(1, 2), (2, 3), (3, 1), (4, 1)])).expect_err("a circle");
        assert_eq!(
            cycle.to_string(),
            "3 jobs read each other in a circle: a.j1 → a.j2 → a.j3 → a.j1"
        );
        assert_eq!(order(&graph(&[(1, 1)])).expect_err("a circle").0.len(), 1);
    }

    proptest! {
        #[test]
        fn inputs_come_first(edges in prop::collection::vec((1u8..12, 0u8..11), 0..40)) {
            let edges: Vec<_> = edges.into_iter().filter(|(a, b)| b < a).collect();
            let g = graph(&edges);
            let sorted = order(&g).expect("no circle");
            prop_assert_eq!(sorted.len(), g.len());
            for (job, reads) in &g {
                let at = |n| sorted.iter().position(|s| s == n);
                for r in reads { prop_assert!(at(r) < at(job)); }
            }
        }
    }
}
