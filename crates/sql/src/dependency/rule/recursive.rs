//! WITH RECURSIVE.
//!
//! Proof: a condition that every row of a step meets only if the row that it was made from met it, is met by every row only if its
//! first ancestor met it. So conditions pass down to the start if each step, asked for them, asks the rows before it for the same
//! ones; those that do not are dropped until the rest does.

use datafusion::logical_expr::RecursiveQuery;

use super::super::atom::{Conjunction, Demand};
use super::super::demand::{Blame, Walk, blamed};

/// Asks the start and the step.
pub(crate) fn ask(walk: &mut Walk<'_>, query: &RecursiveQuery, demand: &Demand, blame: Option<&Blame>) {
    let why = "the recursive part changes the slice column; copy it unchanged from step to step";
    let own = Blame::new("recursive", why);
    let mut below = Demand::new();
    for conjunction in demand {
        below.push(kept(walk, query, conjunction));
    }
    let blame = blamed(demand, &below, blame, &own);
    walk.work_tables.push((query.name.clone(), Demand::new()));
    walk.ask(&query.recursive_term, below.clone(), blame.as_ref());
    walk.work_tables.pop();
    walk.ask(&query.static_term, below, blame.as_ref());
}

/// The conditions that a step asks of the rows before it as well.
pub(crate) fn kept(walk: &mut Walk<'_>, query: &RecursiveQuery, conditions: &Conjunction) -> Conjunction {
    let mut kept = conditions.clone();
    loop {
        walk.work_tables.push((query.name.clone(), Demand::new()));
        let asked = walk.asked.len();
        walk.ask(&query.recursive_term, vec![kept.clone()], None);
        walk.asked.truncate(asked);
        let before = walk.work_tables.pop().map(|(_, d)| d).unwrap_or_default();
        let next: Conjunction = kept
            .iter()
            .filter(|atom| before.iter().all(|conjunction| conjunction.contains(atom)))
            .cloned()
            .collect();
        if next.len() == kept.len() {
            return kept;
        }
        kept = next;
    }
}
