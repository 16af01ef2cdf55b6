//! Bounds between classes, and what follows from chains of them: the shortest paths in a graph of distances.

use super::Closure;

/// How many classes may have bounds; with more of them only those that were written are known.
const MOST: usize = 48;

/// `first - second` is at most so much, or less than it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) most: i128,
    pub(super) strict: bool,
}

impl Bound {
    pub(super) const fn then(self, next: Self) -> Self {
        Self {
            most: self.most + next.most,
            strict: self.strict || next.strict,
        }
    }

    /// Says whether it says at least as much as another.
    pub(super) const fn implies(self, other: Self) -> bool {
        self.most < other.most || self.most == other.most && (self.strict || !other.strict)
    }
}

/// The bounds between the roots of classes.
#[derive(Debug)]
pub(super) struct Bounds {
    /// The roots that have bounds.
    pub(super) roots: Vec<usize>,
    table: Vec<Option<Bound>>,
    /// Says that something would have to be less than itself.
    pub(super) impossible: bool,
}

impl Bounds {
    /// Works them out.
    pub(super) fn of(closure: &Closure<'_>) -> Self {
        let mut roots: Vec<usize> = Vec::new();
        for (a, b, _) in &closure.bounds {
            for at in [a, b] {
                let root = closure.find(*at).0;
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        }
        let n = roots.len();
        let mut bounds = Self {
            roots,
            table: vec![None; n * n],
            impossible: false,
        };
        for (a, b, bound) in &closure.bounds {
            let ((ra, oa), (rb, ob)) = (closure.find(*a), closure.find(*b));
            // a - b <= m, a = ra + oa, b = rb + ob: ra - rb <= m - oa + ob.
            let between = Bound {
                most: bound.most - oa + ob,
                strict: bound.strict,
            };
            let place = |root| bounds.roots.iter().position(|r| *r == root);
            if let (Some(i), Some(j)) = (place(ra), place(rb)) {
                bounds.tighten(i, j, between);
            }
        }
        if n <= MOST {
            for k in 0..n {
                for i in 0..n {
                    for j in 0..n {
                        if let (Some(x), Some(y)) = (bounds.between(i, k), bounds.between(k, j)) {
                            bounds.tighten(i, j, x.then(y));
                        }
                    }
                }
            }
        }
        bounds
    }

    fn tighten(&mut self, i: usize, j: usize, bound: Bound) {
        if i == j {
            self.impossible |= bound.most < 0 || bound.most == 0 && bound.strict;
            return;
        }
        let n = self.roots.len();
        if let Some(held) = self.table.get_mut(i * n + j)
            && held.is_none_or(|h| !h.implies(bound))
        {
            *held = Some(bound);
        }
    }

    /// The bound between two of the roots, by their places.
    pub(super) fn between(&self, i: usize, j: usize) -> Option<Bound> {
        self.table.get(i * self.roots.len() + j).copied().flatten()
    }

    /// The roots that are equal up to a distance: each is at most, and at least, so far from the other.
    pub(super) fn equal(&self) -> Vec<(usize, usize, i128)> {
        let mut out = Vec::new();
        for (i, a) in self.roots.iter().enumerate() {
            for (j, b) in self.roots.iter().enumerate().skip(i + 1) {
                if let (Some(x), Some(y)) = (self.between(i, j), self.between(j, i))
                    && x.most + y.most == 0
                    && !x.strict
                    && !y.strict
                {
                    out.push((*a, *b, x.most));
                }
            }
        }
        out
    }
}
