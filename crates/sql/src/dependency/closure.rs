//! What follows from conditions that hold together, said over fewer columns.
//!
//! Values that are equal up to a known distance form a class (`c.day = o.day - 1`); between classes there are bounds
//! (`c.day <= o.day`), and what follows from chains of them is worked out as in a graph of distances. A condition over columns that are
//! not wanted is said over others of the same class, or dropped.
//!
//! Proof: every atom that comes out follows from those that went in. Equal values may stand for each other, in functions too,
//! also if both are NULL; `a - b <= 2` and `b - c <= 3` give `a - c <= 5`; bounds and `=` hold only where neither side is NULL, so a
//! class with one of them is never NULL. What leads to a contradiction holds for no row and asks for nothing.

mod bounds;
mod emit;

use std::collections::{BTreeSet, HashMap};

use datafusion::common::Column;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, cast};

use super::atom::{Atom, Conjunction, Demand, Order, expand, mentions, replace};
use super::env::{Env, is_output};
use super::linear::{Kind, Sum, kind, shifted, sum, zero};
use bounds::{Bound, Bounds};

/// How many alternatives one conjunction is taken apart into.
const MOST_ALTERNATIVES: usize = 32;

/// How often equal arguments are looked for.
const ROUNDS: usize = 4;

/// Which columns are wanted.
pub(crate) struct Wanted<'a> {
    /// The columns that may stay; values of the asked slice always may.
    pub(crate) keep: &'a dyn Fn(&Column) -> bool,
    /// Whether a value may not be of both, columns and the asked slice.
    pub(crate) apart: bool,
}

/// What follows for the wanted columns, as alternatives; none if the conditions contradict each other.
pub(crate) fn project(conditions: &Conjunction, env: &Env, wanted: &Wanted<'_>) -> Demand {
    let mut left = vec![conditions.clone()];
    let mut out: Demand = Vec::new();
    let mut budget = MOST_ALTERNATIVES;
    while let Some(conjunction) = left.pop() {
        let Some(closure) = Closure::of(&conjunction, env) else {
            continue;
        };
        let lost = conjunction.iter().enumerate().find_map(|(i, atom)| {
            let alternatives =
                expand(atom, env).filter(|_| of_several(atom) || closure.loses(atom, wanted))?;
            (alternatives.len() <= budget).then_some((i, alternatives))
        });
        if let Some((at, alternatives)) = lost {
            budget -= alternatives.len();
            for branch in alternatives.into_iter().rev() {
                let mut more = conjunction.clone();
                more.remove(at);
                more.extend(branch);
                left.push(more);
            }
            continue;
        }
        let found = closure.emit(wanted);
        if !out.contains(&found) {
            out.push(found);
        }
    }
    out
}

/// Says whether a comparison is of a value that depends on several columns, so that its cases are worth telling apart.
fn of_several(atom: &Atom) -> bool {
    if matches!(atom, Atom::Other(_)) {
        return false;
    }
    let named = atom.sides().into_iter().flat_map(Expr::column_refs);
    let columns: BTreeSet<&Column> = named.filter(|c| !is_output(c)).collect();
    columns.len() > 1
}

/// What an expression is made of, as far as it matters who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    /// Values of the asked slice and constants.
    Output,
    /// Wanted columns and constants.
    Input,
    /// Both.
    Mixed,
    /// Something that is not wanted.
    Lost,
}

fn made(expr: &Expr, wanted: &Wanted<'_>) -> Made {
    if mentions(expr, &|c| !is_output(c) && !(wanted.keep)(c)) {
        return Made::Lost;
    }
    match (mentions(expr, &is_output), mentions(expr, &|c| !is_output(c))) {
        (_, false) => Made::Output,
        (false, true) => Made::Input,
        (true, true) => Made::Mixed,
    }
}

/// Two values and the distance from the second to the first; or, without values, a fact about numbers.
enum Pair {
    Of(usize, usize, i128),
    Constant(i128),
}

/// The classes and bounds of some conditions.
struct Closure<'a> {
    env: &'a Env,
    /// Every value that is spoken of.
    terms: Vec<Expr>,
    index: HashMap<Expr, usize>,
    /// For each term another one of its class, and how much greater than that it is; a root is its own.
    parent: Vec<(usize, i128)>,
    /// By root.
    not_null: Vec<bool>,
    null: Vec<bool>,
    bounds: Vec<(usize, usize, Bound)>,
    others: Vec<Expr>,
    impossible: bool,
}

impl<'a> Closure<'a> {
    /// Reads conditions; none if they contradict each other.
    fn of(conditions: &Conjunction, env: &'a Env) -> Option<Self> {
        let mut closure = Self {
            env,
            terms: Vec::new(),
            index: HashMap::new(),
            parent: Vec::new(),
            not_null: Vec::new(),
            null: Vec::new(),
            bounds: Vec::new(),
            others: Vec::new(),
            impossible: false,
        };
        for atom in conditions {
            closure.take(atom);
        }
        closure.close();
        (!closure.impossible && !closure.contradicts()).then_some(closure)
    }

    fn take(&mut self, atom: &Atom) {
        match atom {
            Atom::Same(l, r) if is_null(r) => self.mark_null(l),
            Atom::Same(l, r) if is_null(l) => self.mark_null(r),
            Atom::Compare(l, _, r) if is_null(l) || is_null(r) => self.impossible = true,
            Atom::Null(e) => self.mark_null(e),
            Atom::NotNull(e) if is_null(e) => self.impossible = true,
            Atom::NotNull(e) => self.mark_not_null(e),
            Atom::Same(l, r) | Atom::Compare(l, Order::Equal, r) => {
                let strict = matches!(atom, Atom::Compare(..));
                match self.pair(l, r, strict) {
                    None => {
                        if strict {
                            self.mark_not_null(l);
                            self.mark_not_null(r);
                        }
                    }
                    Some(Pair::Constant(d)) => self.impossible |= d != 0,
                    Some(Pair::Of(a, b, d)) => {
                        self.unite(a, b, d);
                        if strict {
                            self.mark_term(a);
                            self.mark_term(b);
                        }
                    }
                }
            }
            Atom::Compare(l, op, r) => {
                let strict = *op == Order::Less;
                match self.pair(l, r, true) {
                    None => {}
                    Some(Pair::Constant(d)) => self.impossible |= d < 0 || strict && d == 0,
                    Some(Pair::Of(a, b, most)) => {
                        self.mark_term(a);
                        self.mark_term(b);
                        self.bounds.push((a, b, Bound { most, strict }));
                    }
                }
            }
            Atom::Other(e) => self.others.push(e.clone()),
        }
    }

    /// Writes `l - r` as the distance of two terms: `l = r` is then `first - second = distance`. None for types of which equal values
    /// may differ. If they may be NULL, only sums of one value are taken apart, for with `a + b` and `c + b` both NULL nothing is
    /// known of a and c.
    fn pair(&mut self, l: &Expr, r: &Expr, not_null: bool) -> Option<Pair> {
        let (of_l, of_r) = (self.kind(l)?, self.kind(r)?);
        if of_l == Kind::Inexact || of_r == Kind::Inexact {
            return None;
        }
        let (sum_l, sum_r) = (sum(l, self.env), sum(r, self.env));
        let one = |s: &Sum| s.parts.len() <= 1 && !s.cancelled;
        let all = sum_l.clone().plus(&sum_r, -1);
        if !(not_null || one(&sum_l) && one(&sum_r) && !all.cancelled) {
            return (of_l == of_r).then(|| Pair::Of(self.term(l), self.term(r), 0));
        }
        let distance = -all.constant;
        let zero_of = |s: &Self, e: &Expr| s.kind(e).and_then(|k| zero(&k));
        match all.parts.as_slice() {
            [] => return Some(Pair::Constant(distance)),
            [(x, 1)] => {
                if let Some(z) = zero_of(self, x) {
                    return Some(Pair::Of(self.term(x), self.term(&z), distance));
                }
            }
            [(x, -1)] => {
                if let Some(z) = zero_of(self, x) {
                    return Some(Pair::Of(self.term(&z), self.term(x), distance));
                }
            }
            [(x, 1), (y, -1)] | [(y, -1), (x, 1)] if self.kind(x) == self.kind(y) => {
                return Some(Pair::Of(self.term(x), self.term(y), distance));
            }
            _ => {}
        }
        if of_l != of_r {
            return None;
        }
        Some(Pair::Of(self.term(l), self.term(r), 0))
    }

    fn kind(&self, e: &Expr) -> Option<Kind> {
        e.get_type(&self.env.schema).ok().map(|t| kind(&t))
    }

    fn term(&mut self, e: &Expr) -> usize {
        if let Some(at) = self.index.get(e) {
            return *at;
        }
        let at = self.terms.len();
        self.terms.push(e.clone());
        self.index.insert(e.clone(), at);
        self.parent.push((at, 0));
        self.null.push(false);
        self.not_null
            .push(matches!(e, Expr::Literal(v, _) if !v.is_null()));
        at
    }

    /// The root of a term's class, and how much greater than it the term is.
    fn find(&self, mut at: usize) -> (usize, i128) {
        let mut offset = 0;
        while let Some((up, by)) = self.parent.get(at).copied() {
            if up == at {
                break;
            }
            offset += by;
            at = up;
        }
        (at, offset)
    }

    /// Says that the first is greater than the second by so much.
    fn unite(&mut self, a: usize, b: usize, by: i128) {
        let ((ra, oa), (rb, ob)) = (self.find(a), self.find(b));
        // value(a) = value(b) + by, so value(ra) = value(rb) + ob + by - oa.
        let distance = ob + by - oa;
        if ra == rb {
            if distance != 0 {
                // Only NULL is greater than itself.
                self.set_null(ra);
            }
            return;
        }
        let (root, leaf, distance) = if self.rank(ra) <= self.rank(rb) {
            (ra, rb, -distance)
        } else {
            (rb, ra, distance)
        };
        let (null, not_null) = (self.is_null(leaf), self.is_not_null(leaf));
        if let Some(up) = self.parent.get_mut(leaf) {
            *up = (root, distance);
        }
        if null {
            self.set_null(root);
        }
        if not_null {
            self.mark_term(root);
        }
    }

    /// Which terms stand for their class first: values of the asked slice, constants, columns, anything else.
    fn rank(&self, at: usize) -> usize {
        match self.terms.get(at) {
            Some(Expr::Column(c)) if is_output(c) => 0,
            Some(Expr::Literal(..)) => 1,
            Some(Expr::Column(_)) => 2,
            _ => 3,
        }
    }

    fn is_null(&self, at: usize) -> bool {
        self.null.get(self.find(at).0).copied().unwrap_or(false)
    }

    fn is_not_null(&self, at: usize) -> bool {
        self.not_null.get(self.find(at).0).copied().unwrap_or(false)
    }

    fn set_null(&mut self, at: usize) {
        let root = self.find(at).0;
        if let Some(null) = self.null.get_mut(root) {
            *null = true;
        }
    }

    fn mark_term(&mut self, at: usize) {
        let root = self.find(at).0;
        if let Some(not_null) = self.not_null.get_mut(root) {
            *not_null = true;
        }
    }

    /// The one term whose value says whether an expression is NULL.
    fn nullness(&mut self, e: &Expr) -> usize {
        let sum = sum(e, self.env);
        match sum.parts.as_slice() {
            [(x, 1 | -1)] if !sum.cancelled => self.term(x),
            _ => self.term(e),
        }
    }

    fn mark_null(&mut self, e: &Expr) {
        if matches!(e, Expr::Literal(v, _) if !v.is_null()) {
            self.impossible = true;
        } else if !is_null(e) {
            let at = self.nullness(e);
            self.set_null(at);
        }
    }

    fn mark_not_null(&mut self, e: &Expr) {
        if matches!(e, Expr::Literal(..)) {
            return;
        }
        let at = self.nullness(e);
        self.mark_term(at);
    }

    /// Finds what follows: equal arguments give equal values, what is not NULL was not made of NULL, and distances add up.
    fn close(&mut self) {
        for _ in 0..ROUNDS {
            self.not_null_inside();
            self.equal_arguments();
            let equal = Bounds::of(self).equal();
            if equal.is_empty() {
                break;
            }
            for (a, b, by) in equal {
                self.unite(a, b, by);
            }
        }
    }

    /// A cast or a sum that is not NULL has no NULL in it.
    fn not_null_inside(&mut self) {
        for at in 0..self.terms.len() {
            if !self.is_not_null(at) {
                continue;
            }
            let Some(mut inner) = self.terms.get(at).cloned() else {
                continue;
            };
            while let Expr::Cast(datafusion::logical_expr::Cast { expr, .. })
            | Expr::TryCast(datafusion::logical_expr::TryCast { expr, .. }) = inner
            {
                inner = *expr;
            }
            if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &inner
                && op.is_numerical_operators()
            {
                for side in [left, right] {
                    if matches!(side.as_ref(), Expr::Column(_)) {
                        self.mark_not_null(side);
                    }
                }
            } else if matches!(inner, Expr::Column(_)) {
                self.mark_not_null(&inner);
            }
        }
    }

    /// Puts for every column in a function what stands for its class, and unites what then looks alike.
    fn equal_arguments(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.terms.len();
            let mut changed = false;
            for at in 0..before {
                let Some(term) = self.terms.get(at).cloned() else {
                    continue;
                };
                if matches!(term, Expr::Column(_) | Expr::Literal(..)) {
                    continue;
                }
                let Some(canonical) = self.canonical(&term) else {
                    continue;
                };
                if canonical != term
                    && let Some(Pair::Of(a, b, by)) = self.pair(&term, &canonical, false)
                    && self.find(a) != self.with_offset(self.find(b), by)
                {
                    self.unite(a, b, by);
                    changed = true;
                }
            }
            if !changed && self.terms.len() == before {
                break;
            }
        }
    }

    const fn with_offset(&self, (root, offset): (usize, i128), by: i128) -> (usize, i128) {
        (root, offset + by)
    }

    /// An expression with the root of its class for each column.
    fn canonical(&self, expr: &Expr) -> Option<Expr> {
        replace(expr, &mut |column| {
            let own = Expr::Column(column.clone());
            let Some(at) = self.index.get(&own) else {
                return Some(own);
            };
            let (root, offset) = self.find(*at);
            if root == *at {
                return Some(own);
            }
            let stands = shifted(self.terms.get(root)?, offset, self.env)?;
            self.typed_as(stands, &own)
        })
    }

    /// A value that is equal to another, in that one's type.
    fn typed_as(&self, value: Expr, like: &Expr) -> Option<Expr> {
        let (from, to) = (
            value.get_type(&self.env.schema).ok()?,
            like.get_type(&self.env.schema).ok()?,
        );
        Some(if from == to { value } else { cast(value, to) })
    }

    fn contradicts(&self) -> bool {
        let both = (0..self.terms.len()).any(|at| self.is_null(at) && self.is_not_null(at));
        both || self.two_constants() || Bounds::of(self).impossible
    }

    /// Says whether two different constants would have to be equal.
    fn two_constants(&self) -> bool {
        let mut seen: HashMap<usize, (&Expr, i128)> = HashMap::new();
        for (at, term) in self.terms.iter().enumerate() {
            if !matches!(term, Expr::Literal(..)) {
                continue;
            }
            let (root, offset) = self.find(at);
            if let Some((other, by)) = seen.insert(root, (term, offset))
                && (other != term || by != offset)
            {
                return true;
            }
        }
        false
    }
}

fn is_null(e: &Expr) -> bool {
    match e {
        Expr::Literal(v, _) => v.is_null(),
        Expr::Cast(c) => is_null(&c.expr),
        Expr::TryCast(c) => is_null(&c.expr),
        Expr::Alias(a) => is_null(&a.expr),
        Expr::BinaryExpr(b) => b.op.is_numerical_operators() && (is_null(&b.left) || is_null(&b.right)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
