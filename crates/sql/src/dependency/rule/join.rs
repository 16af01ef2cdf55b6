//! Joins of every kind.
//!
//! Let C be the join's condition and D what is asked. A row of the output is a pair for which C holds, or, in outer joins, a row
//! without a partner beside NULLs. Proof for the left side (the right side is its mirror image): a left row matters if it is in a pair
//! with C and D; or if it may stand alone, which D with NULLs for the right side says; or, where right rows may stand alone, if it
//! is what keeps such a row, for which D with NULLs for the left side holds, from standing alone: there C holds between the two. Of
//! each of these the left side is asked what it implies for left rows. Semi joins ask for pairs with C and D; anti joins ask
//! the left for D, and the right for what keeps such rows out. NOT IN is kept out also by what makes C unknown: NULL on either side.

use datafusion::common::{Column, JoinType, NullEquality, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable, Join};

use super::super::atom::{Atom, Conjunction, Demand, Order, replace, split};
use super::super::closure::{Wanted, project};
use super::super::demand::{Blame, Walk, blamed, own_columns};
use super::super::env::{Env, Owner, own, owner, positional, positional_of_two, right, types};

/// One side of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Asks both sides.
pub(crate) fn ask(walk: &mut Walk<'_>, join: &Join, demand: &Demand, blame: Option<&Blame>) {
    let env = env(walk, join);
    let facts = both_facts(walk, join);
    let condition = condition(join);
    let asked: Vec<Conjunction> = demand.iter().map(|d| two_sides(d, join)).collect();
    let mut left: Vec<Conjunction> = Vec::new();
    let mut of_right: Vec<Conjunction> = Vec::new();
    for d in &asked {
        let pairs = condition.as_ref().map(|c| joined(&[d, c, &facts]));
        let alone = |side: Side| without(d, side, &env);
        match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => {
                left.extend(pairs.clone());
                of_right.extend(pairs);
            }
            JoinType::Left | JoinType::Right | JoinType::Full => {
                left.extend(pairs.clone());
                of_right.extend(pairs);
                if join.join_type != JoinType::Right
                    && let Some(d) = alone(Side::Right)
                {
                    left.push(joined(&[&d, &facts_of(&facts, Side::Left)]));
                    of_right.extend(condition.as_ref().map(|c| joined(&[&d, c, &facts])));
                }
                if join.join_type != JoinType::Left
                    && let Some(d) = alone(Side::Left)
                {
                    of_right.push(joined(&[&d, &facts_of(&facts, Side::Right)]));
                    left.extend(condition.as_ref().map(|c| joined(&[&d, c, &facts])));
                }
            }
            JoinType::LeftAnti | JoinType::LeftMark => {
                left.push(joined(&[d, &facts_of(&facts, Side::Left)]));
                of_right.extend(pairs);
                if join.null_aware {
                    of_right.extend(unknown(d, join, &facts));
                }
            }
            JoinType::RightAnti | JoinType::RightMark => {
                of_right.push(joined(&[d, &facts_of(&facts, Side::Right)]));
                left.extend(pairs);
                if join.null_aware {
                    left.extend(unknown(d, join, &facts));
                }
            }
        }
    }
    let why = "no condition of the join ties this side's slice column to the slice; join on the slice column too, by =, BETWEEN or <=";
    let own_blame = Blame::new("join", why);
    for (side, conjunctions) in [(Side::Left, &left), (Side::Right, &of_right)] {
        let below: Demand = conjunctions.iter().flat_map(|c| on_side(c, side, &env)).collect();
        let input = if side == Side::Left {
            &join.left
        } else {
            &join.right
        };
        let blame = blamed(demand, &below, blame, &own_blame);
        walk.ask(input, below, blame.as_ref());
    }
}

/// The types of the columns of both sides.
pub(crate) fn env(walk: &Walk<'_>, join: &Join) -> Env {
    Env::new(&types(&join.left), &types(&join.right), &walk.output)
}

/// What holds for every row of either side.
pub(crate) fn both_facts(walk: &mut Walk<'_>, join: &Join) -> Conjunction {
    let mut facts = walk.facts(&join.left);
    facts.extend(right_columns(&walk.facts(&join.right)));
    facts
}

/// What conditions over both sides say about one of them, over its own columns.
pub(crate) fn on_side(conditions: &Conjunction, side: Side, env: &Env) -> Demand {
    let wanted = Wanted {
        keep: &|c: &Column| (owner(c).0 == Owner::Right) == (side == Side::Right),
        apart: false,
    };
    let found = project(conditions, env, &wanted);
    match side {
        Side::Left => found,
        Side::Right => found.iter().map(own_columns).collect(),
    }
}

/// What holds for every row that comes out.
pub(crate) fn facts(walk: &mut Walk<'_>, join: &Join) -> Conjunction {
    let left = walk.facts(&join.left);
    match join.join_type {
        JoinType::Inner => {
            let width = join.left.schema().fields().len();
            let mut all = left;
            all.extend(right_columns(&walk.facts(&join.right)));
            all.extend(condition(join).unwrap_or_default());
            let one_side = |atom: &Atom| {
                atom.map(&mut |e| {
                    replace(e, &mut |c| {
                        Some(match owner(c) {
                            (Owner::Right, at) => own(width + at),
                            _ => Expr::Column(c.clone()),
                        })
                    })
                })
            };
            all.iter().filter_map(one_side).collect()
        }
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left,
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => walk.facts(&join.right),
        JoinType::Right | JoinType::Full => Vec::new(),
    }
}

/// The join's condition over both sides; none if it never holds.
pub(crate) fn condition(join: &Join) -> Option<Conjunction> {
    let (l, r) = (join.left.schema(), join.right.schema());
    let mut out = Vec::new();
    for (a, b) in &join.on {
        let sides = match (positional(a, l), positional(b, r)) {
            (Some(a), Some(b)) => Some((a, b)),
            _ => match (positional(b, l), positional(a, r)) {
                (Some(b), Some(a)) => Some((b, a)),
                _ => None,
            },
        };
        let Some((a, b)) = sides else { continue };
        let Some(b) = to_right(&b) else { continue };
        out.push(match join.null_equality {
            NullEquality::NullEqualsNothing => Atom::Compare(a, Order::Equal, b),
            NullEquality::NullEqualsNull => Atom::Same(a, b),
        });
    }
    if let Some(filter) = &join.filter {
        for part in split_conjunction(filter) {
            if let Some(e) = positional_of_two(part, l, r)
                && !split(&e, &mut out)
            {
                return None;
            }
        }
    }
    Some(out)
}

/// What makes the condition of NOT IN unknown for a row that is asked for: a NULL among the keys, on either side.
fn unknown(d: &Conjunction, join: &Join, facts: &Conjunction) -> Vec<Conjunction> {
    let mut out = Vec::new();
    for (a, b) in &join.on {
        let (Some(a), Some(b)) = (
            positional(a, join.left.schema()),
            positional(b, join.right.schema()).and_then(|b| to_right(&b)),
        ) else {
            return vec![Vec::new()];
        };
        for null in [a, b] {
            out.push(joined(&[d, &vec![Atom::Null(null)], facts]));
        }
    }
    out
}

fn to_right(e: &Expr) -> Option<Expr> {
    replace(e, &mut |c| match owner(c) {
        (Owner::Own, at) => Some(right(at)),
        _ => Some(Expr::Column(c.clone())),
    })
}

fn right_columns(conditions: &Conjunction) -> Conjunction {
    conditions.iter().filter_map(|a| a.map(&mut to_right)).collect()
}

pub(crate) fn facts_of(facts: &Conjunction, side: Side) -> Conjunction {
    let other = |c: &Column| (owner(c).0 == Owner::Right) != (side == Side::Right);
    facts.iter().filter(|a| !a.mentions(&other)).cloned().collect()
}

pub(crate) fn joined(parts: &[&Conjunction]) -> Conjunction {
    parts.iter().flat_map(|p| p.iter().cloned()).collect()
}

/// A demand over the join's output as one over the columns of both sides; conditions over a mark are dropped.
pub(crate) fn two_sides(d: &Conjunction, join: &Join) -> Conjunction {
    let (l, r) = (
        join.left.schema().fields().len(),
        join.right.schema().fields().len(),
    );
    let place = |at: usize| match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            Some(if at < l { own(at) } else { right(at - l) })
        }
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (at < l).then(|| own(at)),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (at < r).then(|| right(at)),
    };
    let atom = |atom: &Atom| {
        atom.map(&mut |e| {
            replace(e, &mut |c| match owner(c) {
                (Owner::Own, at) => place(at),
                _ => Some(Expr::Column(c.clone())),
            })
        })
    };
    d.iter().filter_map(atom).collect()
}

/// A demand with NULL for every column of one side; none if it cannot hold then.
pub(crate) fn without(d: &Conjunction, side: Side, env: &Env) -> Option<Conjunction> {
    let with_null = |e: &Expr| {
        let replaced = replace(e, &mut |c| {
            let of_right = owner(c).0 == Owner::Right;
            let gone = owner(c).0 != Owner::Output && of_right == (side == Side::Right);
            if !gone {
                return Some(Expr::Column(c.clone()));
            }
            let t = Expr::Column(c.clone()).get_type(&env.schema).ok()?;
            Some(Expr::Literal(ScalarValue::try_from(t).ok()?, None))
        })?;
        Some(if replaced == *e {
            replaced
        } else {
            env.simplified(replaced)
        })
    };
    mapped(d, &with_null)
}

/// A conjunction over other expressions, where constants may decide an atom; none if it cannot hold then.
pub(crate) fn mapped(d: &Conjunction, f: &dyn Fn(&Expr) -> Option<Expr>) -> Option<Conjunction> {
    let mut out = Vec::new();
    for atom in d {
        let Some(new) = atom.map(&mut |e| f(e)) else {
            continue;
        };
        match &new {
            Atom::Null(Expr::Literal(v, _)) | Atom::NotNull(Expr::Literal(v, _)) => {
                if v.is_null() != matches!(new, Atom::Null(_)) {
                    return None;
                }
            }
            Atom::Other(e) if new != *atom => {
                if !split(e, &mut out) {
                    return None;
                }
            }
            _ => out.push(new),
        }
    }
    Some(out)
}
