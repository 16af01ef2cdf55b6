//! Which slices an output has: where its rows come from.
//!
//! Every row that comes out of a node was made from a row of one of its inputs. If the slice that the row is in follows from that
//! one's columns, and so on down to the slice columns of a scan, then the slices of the output are among the images of the slices of
//! what was scanned. There may be more images than slices; computing one of those gives no rows. Where the slice does not follow, only
//! computing the query tells which slices there are.

use datafusion::common::JoinType;
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};
use mainstay_model::relation::Origin;

use super::atom::{Atom, Conjunction, Demand, mentions};
use super::closure::{Wanted, project};
use super::demand::{Walk, over, substituted};
use super::env::{Env, Owner, is_output, output, owner, positional, types};
use super::linear::{kind, shifted, sum};
use super::relation::Side as Names;
use super::rule;
use super::rule::join::{Side, both_facts, condition, facts_of, joined, on_side, two_sides, without};
use crate::input::dataset_of;

/// More origins than that are not told apart.
const MOST: usize = 32;

/// The origins of the rows for which one of these holds; none if the slice of a row does not follow from slice columns.
pub(crate) fn origins(walk: &mut Walk<'_>, plan: &LogicalPlan, rows: Demand) -> Option<Vec<Origin>> {
    if rows.len() > MOST {
        return None;
    }
    let mut out = Vec::new();
    let mut open = Demand::new();
    let env = walk.env(plan);
    for conjunction in rows {
        match solved(&conjunction, &env) {
            Some(values) if values.iter().all(|v| !mentions(v, &|_| true)) => {
                out.push(origin(None, &values, &Names::new(Vec::new(), &[]), &env)?);
            }
            Some(_) => open.push(conjunction),
            None => return None,
        }
    }
    if open.is_empty() {
        return Some(out);
    }
    let below = match plan {
        LogicalPlan::TableScan(scan) => {
            let dataset = dataset_of(&scan.table_name)?;
            let slice = &walk.inputs.get(&dataset)?.slice_columns;
            let fields = plan.schema().fields();
            let names: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
            let side = Names::new(names.clone(), &types(plan));
            let wanted = Wanted {
                keep: &|c| {
                    let (who, at) = owner(c);
                    who == Owner::Own && names.get(at).is_some_and(|n| slice.contains(n))
                },
                apart: true,
            };
            for conjunction in &open {
                for found in project(conjunction, &env, &wanted) {
                    let values = solved(&found, &env)?;
                    out.push(origin(Some(dataset.clone()), &values, &side, &env)?);
                }
            }
            out.sort();
            out.dedup();
            return Some(out);
        }
        LogicalPlan::Projection(p) => {
            let exprs: Vec<Option<Expr>> = p.expr.iter().map(|e| positional(e, p.input.schema())).collect();
            vec![(p.input.as_ref(), substituted(&open, &exprs))]
        }
        LogicalPlan::Filter(f) => vec![(f.input.as_ref(), open)],
        LogicalPlan::SubqueryAlias(a) => vec![(a.input.as_ref(), open)],
        LogicalPlan::Repartition(r) => vec![(r.input.as_ref(), open)],
        LogicalPlan::Sort(s) => vec![(s.input.as_ref(), open)],
        LogicalPlan::Limit(l) => vec![(l.input.as_ref(), open)],
        LogicalPlan::Distinct(Distinct::All(input)) => vec![(input.as_ref(), open)],
        LogicalPlan::Window(w) => {
            let width = w.input.schema().fields().len();
            vec![(w.input.as_ref(), over(&open, &env, &|at| at < width))]
        }
        LogicalPlan::Union(u) => u.inputs.iter().map(|i| (i.as_ref(), open.clone())).collect(),
        LogicalPlan::Aggregate(a) => vec![(a.input.as_ref(), rule::aggregate::below(walk, a, &open)?)],
        LogicalPlan::Unnest(u) => match (rule::unnest::members(u), u.input.as_ref()) {
            (Some(choices), LogicalPlan::Projection(p)) => {
                let each = choices.iter().flat_map(|choice| substituted(&open, choice));
                vec![(p.input.as_ref(), each.collect())]
            }
            _ => vec![(u.input.as_ref(), substituted(&open, &rule::unnest::plain(u)))],
        },
        LogicalPlan::RecursiveQuery(q) => {
            let kept = open.iter().map(|c| rule::recursive::kept(walk, q, c)).collect();
            vec![(q.static_term.as_ref(), kept)]
        }
        LogicalPlan::Join(join) => {
            let (mut left, mut right) = (Demand::new(), Demand::new());
            for conjunction in &open {
                for (side, found) in sides(walk, join, conjunction)? {
                    match side {
                        Side::Left => left.extend(found),
                        Side::Right => right.extend(found),
                    }
                }
            }
            vec![(join.left.as_ref(), left), (join.right.as_ref(), right)]
        }
        _ => return None,
    };
    for (input, rows) in below {
        if !rows.is_empty() {
            out.extend(origins(walk, input, rows)?);
        }
    }
    out.sort();
    out.dedup();
    (out.len() <= MOST).then_some(out)
}

/// The side of a join that a row's slice follows from, for pairs and for rows that stand alone.
fn sides(
    walk: &mut Walk<'_>,
    join: &datafusion::logical_expr::Join,
    conjunction: &Conjunction,
) -> Option<Vec<(Side, Demand)>> {
    let env = rule::join::env(walk, join);
    let facts = both_facts(walk, join);
    let d = two_sides(conjunction, join);
    let left_env = Env::new(&types(&join.left), &[], &walk.output);
    let right_env = Env::new(&types(&join.right), &[], &walk.output);
    let follows = |found: &Demand, env: &Env| found.iter().all(|c| solved(c, env).is_some());
    let mut out = Vec::new();
    let (pairs, left_alone, right_alone) = match join.join_type {
        JoinType::Inner => (true, false, false),
        JoinType::Left => (true, true, false),
        JoinType::Right => (true, false, true),
        JoinType::Full => (true, true, true),
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (false, true, false),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, false, true),
    };
    let outer = matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full);
    if pairs && let Some(condition) = condition(join) {
        let all = joined(&[&d, &condition, &facts]);
        let left = on_side(&all, Side::Left, &env);
        let right = on_side(&all, Side::Right, &env);
        if follows(&left, &left_env) {
            out.push((Side::Left, left));
        } else if follows(&right, &right_env) {
            out.push((Side::Right, right));
        } else {
            return None;
        }
    }
    for (alone, side, gone, side_env) in [
        (left_alone, Side::Left, Side::Right, &left_env),
        (right_alone, Side::Right, Side::Left, &right_env),
    ] {
        if !alone {
            continue;
        }
        let d = if outer {
            without(&d, gone, &env)
        } else {
            Some(d.clone())
        };
        let Some(d) = d else { continue };
        let found = on_side(&joined(&[&d, &facts_of(&facts, side)]), side, &env);
        if !follows(&found, side_env) {
            return None;
        }
        out.push((side, found));
    }
    Some(out)
}

/// The values of the slice as they follow from conditions; none if one of them does not.
fn solved(conditions: &Conjunction, env: &Env) -> Option<Vec<Expr>> {
    let values = env
        .schema
        .iter()
        .filter(|(q, _)| q.is_some_and(|q| q.table() == "v"))
        .count();
    (0..values)
        .map(|i| conditions.iter().find_map(|atom| value(atom, i, env)))
        .collect()
}

/// The value that an atom gives to one value of the slice.
fn value(atom: &Atom, at: usize, env: &Env) -> Option<Expr> {
    let wanted = output(at);
    let (l, r) = match atom {
        Atom::Same(l, r) | Atom::Compare(l, super::atom::Order::Equal, r) => (l, r),
        Atom::Null(e) if *e == wanted => {
            let t = wanted.get_type(&env.schema).ok()?;
            return Some(Expr::Literal(
                datafusion::common::ScalarValue::try_from(t).ok()?,
                None,
            ));
        }
        _ => return None,
    };
    let own = kind(&wanted.get_type(&env.schema).ok()?);
    for (own_side, other) in [(l, r), (r, l)] {
        let sum = sum(own_side, env);
        if sum.parts.as_slice() == [(wanted.clone(), 1)]
            && !mentions(other, &is_output)
            && kind(&other.get_type(&env.schema).ok()?) == own
        {
            return shifted(other, -sum.constant, env);
        }
    }
    None
}

fn origin(
    dataset: Option<mainstay_model::DatasetName>,
    values: &[Expr],
    side: &Names,
    env: &Env,
) -> Option<Origin> {
    let values: Option<Vec<String>> = values.iter().map(|v| side.write(v, env)).collect();
    Some(Origin {
        dataset,
        values: values?,
    })
}
