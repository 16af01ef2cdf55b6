//! Conditions as demands and facts are made of: conjunctions of atoms, and alternatives of conjunctions.
//!
//! An atom holds or it does not; that a condition is NULL is that it does not hold. Whoever leaves an atom out makes a demand
//! wider, never narrower; whoever adds one must know that it holds.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Operator, lit};

use super::env::Env;

/// How many items of an IN list are looked at one by one.
const MOST_ITEMS: usize = 16;

/// How two values compare; neither is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Equal,
    Less,
    AtMost,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Atom {
    /// The same value, or both NULL.
    Same(Expr, Expr),
    /// Neither is NULL, and they compare so.
    Compare(Expr, Order, Expr),
    /// It is NULL.
    Null(Expr),
    /// It is not NULL.
    NotNull(Expr),
    /// It is true.
    Other(Expr),
}

/// Atoms that all hold.
pub(crate) type Conjunction = Vec<Atom>;

/// Alternatives, of which one holds; with none of them nothing is asked for.
pub(crate) type Demand = Vec<Conjunction>;

impl Atom {
    /// The expressions in it.
    pub(crate) fn sides(&self) -> Vec<&Expr> {
        match self {
            Self::Same(l, r) | Self::Compare(l, _, r) => vec![l, r],
            Self::Null(e) | Self::NotNull(e) | Self::Other(e) => vec![e],
        }
    }

    /// The same atom over other expressions; none if one of them is not to be had.
    pub(crate) fn map(&self, f: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Option<Self> {
        Some(match self {
            Self::Same(l, r) => Self::Same(f(l)?, f(r)?),
            Self::Compare(l, op, r) => Self::Compare(f(l)?, *op, f(r)?),
            Self::Null(e) => Self::Null(f(e)?),
            Self::NotNull(e) => Self::NotNull(f(e)?),
            Self::Other(e) => Self::Other(f(e)?),
        })
    }

    /// Says whether one of its columns is one of these.
    pub(crate) fn mentions(&self, which: &dyn Fn(&Column) -> bool) -> bool {
        self.sides().iter().any(|e| mentions(e, which))
    }
}

/// Says whether a column of an expression is one of these.
pub(crate) fn mentions(expr: &Expr, which: &dyn Fn(&Column) -> bool) -> bool {
    let mut found = false;
    // The closure never fails, so neither does the walk.
    let _ = expr.apply(|e| {
        found |= matches!(e, Expr::Column(c) if which(c));
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    found
}

/// Puts other expressions in place of columns; none if one of them is not to be had.
pub(crate) fn replace(expr: &Expr, with: &mut dyn FnMut(&Column) -> Option<Expr>) -> Option<Expr> {
    let mut complete = true;
    let replaced = expr.clone().transform_down(|e| {
        let Expr::Column(column) = &e else {
            return Ok(Transformed::no(e));
        };
        Ok(match with(column) {
            Some(new) => Transformed::new(new, true, TreeNodeRecursion::Jump),
            None => {
                complete = false;
                Transformed::no(e)
            }
        })
    });
    replaced.ok().filter(|_| complete).map(|t| t.data)
}

/// Takes a condition that is true apart into atoms; false if it can never be true.
pub(crate) fn split(expr: &Expr, out: &mut Conjunction) -> bool {
    match expr {
        Expr::Alias(a) => return split(&a.expr, out),
        Expr::IsTrue(e) => return split(e, out),
        Expr::Literal(ScalarValue::Boolean(value), _) => return *value == Some(true),
        Expr::Literal(value, _) if value.is_null() => return false,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => return split(left, out) && split(right, out),
            Operator::IsNotDistinctFrom => out.push(Atom::Same((**left).clone(), (**right).clone())),
            _ => match compare(left, *op, right) {
                Some(atom) => out.push(atom),
                None => out.push(Atom::Other(expr.clone())),
            },
        },
        Expr::Between(b) if !b.negated => {
            out.push(Atom::Compare((*b.low).clone(), Order::AtMost, (*b.expr).clone()));
            out.push(Atom::Compare((*b.expr).clone(), Order::AtMost, (*b.high).clone()));
        }
        Expr::IsNull(e) => out.push(Atom::Null((**e).clone())),
        Expr::IsNotNull(e) => out.push(Atom::NotNull((**e).clone())),
        Expr::Column(_) => out.push(Atom::Compare(expr.clone(), Order::Equal, lit(true))),
        Expr::Not(e) | Expr::IsFalse(e) => return split_not(e, expr, out),
        Expr::IsNotTrue(e) => match e.as_ref() {
            Expr::IsNull(x) => out.push(Atom::NotNull((**x).clone())),
            Expr::IsNotNull(x) => out.push(Atom::Null((**x).clone())),
            _ => out.push(Atom::Other(expr.clone())),
        },
        _ => out.push(Atom::Other(expr.clone())),
    }
    true
}

fn split_not(inner: &Expr, whole: &Expr, out: &mut Conjunction) -> bool {
    match inner {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            return split(&Expr::Not(left.clone()), out) && split(&Expr::Not(right.clone()), out);
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let negated = op.negate().and_then(|op| compare(left, op, right));
            out.push(negated.unwrap_or_else(|| Atom::Other(whole.clone())));
        }
        Expr::IsNull(e) => out.push(Atom::NotNull((**e).clone())),
        Expr::IsNotNull(e) => out.push(Atom::Null((**e).clone())),
        Expr::Column(_) => out.push(Atom::Compare(inner.clone(), Order::Equal, lit(false))),
        Expr::Not(e) => return split(e, out),
        _ => out.push(Atom::Other(whole.clone())),
    }
    true
}

fn compare(left: &Expr, op: Operator, right: &Expr) -> Option<Atom> {
    let (l, r) = (left.clone(), right.clone());
    Some(match op {
        Operator::Eq => Atom::Compare(l, Order::Equal, r),
        Operator::Lt => Atom::Compare(l, Order::Less, r),
        Operator::LtEq => Atom::Compare(l, Order::AtMost, r),
        Operator::Gt => Atom::Compare(r, Order::Less, l),
        Operator::GtEq => Atom::Compare(r, Order::AtMost, l),
        _ => return None,
    })
}

/// Takes an atom apart into alternatives of which one holds whenever it does: OR, IN lists, CASE and what is short for it.
pub(crate) fn expand(atom: &Atom, env: &Env) -> Option<Demand> {
    if let Atom::Other(e) = atom {
        match e {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Or,
                right,
            }) => {
                return Some(
                    [left, right]
                        .into_iter()
                        .filter_map(|side| conjunction(side))
                        .collect(),
                );
            }
            Expr::InList(list) if !list.negated && list.list.len() <= MOST_ITEMS => {
                let item = |i: &Expr| vec![Atom::Compare((*list.expr).clone(), Order::Equal, i.clone())];
                return Some(list.list.iter().map(item).collect());
            }
            _ => {}
        }
    }
    let found = atom.sides().iter().find_map(|side| first_case(side, env))?;
    let (whole, case) = found;
    let mut alternatives = Vec::new();
    let mut before: Conjunction = Vec::new();
    for (when, then) in &case.when_then_expr {
        let condition = match &case.expr {
            Some(base) => Expr::BinaryExpr(BinaryExpr::new(base.clone(), Operator::Eq, when.clone())),
            None => (**when).clone(),
        };
        let mut branch = before.clone();
        if split(&condition, &mut branch) {
            branch.extend(with(atom, &whole, then));
            alternatives.push(branch);
        }
        split(&Expr::IsNotTrue(Box::new(condition)), &mut before);
    }
    let otherwise = match &case.else_expr {
        Some(e) => (**e).clone(),
        None => Expr::Literal(
            ScalarValue::try_from(whole.get_type(&env.schema).ok()?).ok()?,
            None,
        ),
    };
    before.extend(with(atom, &whole, &otherwise));
    alternatives.push(before);
    Some(alternatives)
}

fn conjunction(e: &Expr) -> Option<Conjunction> {
    let mut out = Vec::new();
    split(e, &mut out).then_some(out)
}

/// An atom with one expression in it replaced by another.
fn with(atom: &Atom, old: &Expr, new: &Expr) -> Option<Atom> {
    atom.map(&mut |side| {
        let replaced = side.clone().transform_down(|e| {
            Ok(if e == *old {
                Transformed::new(new.clone(), true, TreeNodeRecursion::Jump)
            } else {
                Transformed::no(e)
            })
        });
        replaced.ok().map(|t| t.data)
    })
}

/// The first CASE in an expression, with what it stands for.
fn first_case(expr: &Expr, env: &Env) -> Option<(Expr, Case)> {
    let mut found = None;
    // The closure never fails, so neither does the walk.
    let _ = expr.apply(|e| {
        found = as_case(e, env).map(|case| (e.clone(), case));
        Ok(if found.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    found
}

fn as_case(e: &Expr, env: &Env) -> Option<Case> {
    let boxed = |e: &Expr| Box::new(e.clone());
    match e {
        Expr::Case(case) => Some(case.clone()),
        Expr::ScalarFunction(f) if matches!(f.func.name(), "coalesce" | "nvl") => {
            let (last, others) = f.args.split_last()?;
            let when = |a: &Expr| (Box::new(a.clone().is_not_null()), boxed(a));
            (!others.is_empty())
                .then(|| Case::new(None, others.iter().map(when).collect(), Some(boxed(last))))
        }
        Expr::ScalarFunction(f) if f.func.name() == "nullif" => match f.args.as_slice() {
            [a, b] => {
                let null = ScalarValue::try_from(a.get_type(&env.schema).ok()?).ok()?;
                let when = vec![(
                    Box::new(a.clone().eq(b.clone())),
                    Box::new(Expr::Literal(null, None)),
                )];
                Some(Case::new(None, when, Some(boxed(a))))
            }
            _ => None,
        },
        _ => None,
    }
}
