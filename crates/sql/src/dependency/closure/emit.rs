//! Saying what is known over the wanted columns.

use std::collections::BTreeMap;

use datafusion::logical_expr::Expr;

use super::bounds::{Bound, Bounds};
use super::{Atom, Closure, Conjunction, Made, Order, Wanted, made, replace, shifted};

/// An expression of a class, and how much greater than the root it is.
type Member = (Expr, i128);

impl Closure<'_> {
    /// Says whether an atom cannot be said over the wanted columns.
    pub(super) fn loses(&self, atom: &Atom, wanted: &Wanted<'_>) -> bool {
        atom.sides().iter().any(|side| self.over(side, wanted).is_none())
    }

    /// An expression over wanted columns with the same value, if there is one.
    fn over(&self, expr: &Expr, wanted: &Wanted<'_>) -> Option<Expr> {
        let fits = |e: &Expr| match made(e, wanted) {
            Made::Output | Made::Input => true,
            Made::Mixed => !wanted.apart,
            Made::Lost => false,
        };
        if fits(expr) {
            return Some(expr.clone());
        }
        // First only what has to be replaced, then whatever the asked slice has a value for.
        let replaced = replace(expr, &mut |column| {
            let own = Expr::Column(column.clone());
            if made(&own, wanted) == Made::Lost {
                self.stand_in(&own, wanted)
            } else {
                Some(own)
            }
        })?;
        if fits(&replaced) {
            return Some(replaced);
        }
        let by_output = replace(expr, &mut |column| {
            let own = Expr::Column(column.clone());
            let stands = self
                .stand_in(&own, wanted)
                .filter(|e| made(e, wanted) == Made::Output);
            stands.or_else(|| (made(&own, wanted) != Made::Lost).then_some(own))
        })?;
        fits(&by_output).then_some(by_output)
    }

    /// Another value of the same class that is wanted, of the asked slice if there is one.
    fn stand_in(&self, column: &Expr, wanted: &Wanted<'_>) -> Option<Expr> {
        let at = *self.index.get(column)?;
        let (root, offset) = self.find(at);
        let mut best: Option<(Made, usize, &Expr, i128)> = None;
        for (i, term) in self.terms.iter().enumerate() {
            let (other, by) = self.find(i);
            if other != root || i == at {
                continue;
            }
            let of = made(term, wanted);
            let candidate = (of, self.rank(i), term, by);
            if of <= Made::Input && best.is_none_or(|b| (of, candidate.1) < (b.0, b.1)) {
                best = Some(candidate);
            }
        }
        let (_, _, term, by) = best?;
        self.typed_as(shifted(term, offset - by, self.env)?, column)
    }

    /// The members of each class that are wanted, the one that stands for the class first.
    fn members(&self, wanted: &Wanted<'_>) -> BTreeMap<usize, Vec<Member>> {
        let mut classes: BTreeMap<usize, Vec<(Made, usize, Member)>> = BTreeMap::new();
        for (i, term) in self.terms.iter().enumerate() {
            let (root, offset) = self.find(i);
            let said = match term {
                Expr::Column(_) | Expr::Literal(..) => {
                    (made(term, wanted) <= Made::Input).then(|| term.clone())
                }
                _ => self.over(term, wanted),
            };
            let Some(said) = said else { continue };
            let members = classes.entry(root).or_default();
            if !members.iter().any(|(_, _, (e, _))| *e == said) {
                let rank = if said == *term { self.rank(i) } else { 3 };
                members.push((made(&said, wanted), rank, (said, offset)));
            }
        }
        let sorted = |mut members: Vec<(Made, usize, Member)>| {
            members.sort_by_key(|(of, rank, _)| (*of, *rank));
            members.into_iter().map(|(_, _, m)| m).collect()
        };
        classes.into_iter().map(|(root, m)| (root, sorted(m))).collect()
    }

    /// Everything that is known of the wanted columns and of the asked slice.
    pub(super) fn emit(&self, wanted: &Wanted<'_>) -> Conjunction {
        let mut out = Vec::new();
        let members = self.members(wanted);
        let bounds = Bounds::of(self);
        let bounded = self.bounds_between(&members, &bounds, &mut out);
        for (root, class) in &members {
            let Some((first, offset)) = class.first() else {
                continue;
            };
            if self.is_null(*root) {
                out.extend(class.iter().map(|(e, _)| Atom::Null(e.clone())));
                continue;
            }
            let not_null = self.is_not_null(*root);
            let mut said = bounded.contains(root);
            for (other, by) in class.iter().skip(1) {
                if self.follows(first, other) {
                    continue;
                }
                // A constant takes the distance, so that it is written as the value that it is.
                let (other, from, by) = if matches!(other, Expr::Literal(..)) {
                    (first, other, offset - by)
                } else {
                    (other, first, by - offset)
                };
                let Some(value) = shifted(from, by, self.env) else {
                    continue;
                };
                said = true;
                out.push(if not_null {
                    Atom::Compare(other.clone(), Order::Equal, value)
                } else {
                    Atom::Same(other.clone(), value)
                });
            }
            if not_null && !said && !matches!(first, Expr::Literal(..)) {
                out.push(Atom::NotNull(first.clone()));
            }
        }
        for other in &self.others {
            out.extend(self.over(other, wanted).map(Atom::Other));
        }
        out
    }

    /// Says whether that two values are equal follows from what is said of their columns.
    fn follows(&self, a: &Expr, b: &Expr) -> bool {
        let simple = |e: &Expr| matches!(e, Expr::Column(_));
        if matches!((a, b), (Expr::Literal(..), Expr::Literal(..))) {
            return true;
        }
        !simple(a) && !simple(b) && self.canonical(a) == self.canonical(b)
    }

    /// Adds the bounds between classes, without those that follow from others; returns the roots of which one was added.
    fn bounds_between(
        &self,
        members: &BTreeMap<usize, Vec<Member>>,
        bounds: &Bounds,
        out: &mut Conjunction,
    ) -> Vec<usize> {
        let first = |root: &usize| members.get(root).and_then(|m| m.first());
        let places: Vec<(usize, usize, &Member)> = bounds
            .roots
            .iter()
            .enumerate()
            .filter_map(|(i, root)| Some((i, *root, first(root)?)))
            .collect();
        let mut touched = Vec::new();
        for (i, root, (a, oa)) in &places {
            for (j, other, (b, ob)) in &places {
                let Some(bound) = bounds.between(*i, *j).filter(|_| i != j) else {
                    continue;
                };
                let constants = matches!((a, b), (Expr::Literal(..), Expr::Literal(..)));
                let through =
                    |k: usize| -> Option<Bound> { Some(bounds.between(*i, k)?.then(bounds.between(k, *j)?)) };
                let redundant = places
                    .iter()
                    .any(|(k, ..)| k != i && k != j && through(*k).is_some_and(|t| t.implies(bound)));
                if constants || redundant {
                    continue;
                }
                // root - other <= most, a = root + oa, b = other + ob: a <= b + most + oa - ob.
                let Some((low, high)) = self.apart(a, b, bound.most + oa - ob) else {
                    continue;
                };
                let order = if bound.strict { Order::Less } else { Order::AtMost };
                out.push(Atom::Compare(low, order, high));
                touched.extend([*root, *other]);
            }
        }
        touched
    }

    /// `a` and `b + by`, with the distance on the side of the constant or of the asked slice.
    fn apart(&self, a: &Expr, b: &Expr, by: i128) -> Option<(Expr, Expr)> {
        // A constant takes it first, then what is of the asked slice.
        let rank = |e: &Expr| match e {
            Expr::Literal(..) => 0,
            _ if super::mentions(e, &super::is_output) => 1,
            _ => 2,
        };
        if rank(a) < rank(b) {
            Some((shifted(a, -by, self.env)?, b.clone()))
        } else {
            Some((a.clone(), shifted(b, by, self.env)?))
        }
    }
}
