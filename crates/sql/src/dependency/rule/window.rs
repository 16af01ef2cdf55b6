//! Window functions: which rows an answer is made of.
//!
//! Proof: a window is a join of the table with itself. The answer for a row x is made of rows y that are in the partition of x
//! and, where the function looks only at its frame or to one side of x, in that part of the order. So y is asked for if there is an x
//! that is asked for with the same PARTITION BY values and with y on the right side of it: the first key of ORDER BY is at most (at least)
//! that of x, or within the distances of a RANGE frame. Rows with the same key count as on both sides. NULL keys stand where NULLS FIRST
//! or LAST puts them, and belong to that side; to a NULL key a distance leads nowhere, so its frame has NULL keys only.
//! Functions that look at the whole partition (ntile, percent_rank, cume_dist) have no order.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, Operator, Window, WindowFrameBound, WindowFrameUnits,
};

use super::super::atom::{Atom, Conjunction, Demand, Order, replace};
use super::super::closure::{Wanted, project};
use super::super::demand::{Blame, Walk, blamed, over, own_columns};
use super::super::env::{Env, Owner, owner, positional, right, types};

/// Asks for the rows themselves, and for those that their answers are made of.
pub(crate) fn ask(walk: &mut Walk<'_>, window: &Window, demand: &Demand, blame: Option<&Blame>) {
    let plan = LogicalPlan::Window(window.clone());
    let width = window.input.schema().fields().len();
    let itself = over(demand, &walk.env(&plan), &|at| at < width);
    let input = types(&window.input);
    let env = Env::new(&input, &input, &walk.output);
    let facts = walk.facts(&window.input);
    let mut below = itself.clone();
    for expr in &window.window_expr {
        let of = parts(expr, window);
        for x in &itself {
            for reach in &of {
                let mut both: Conjunction = x.clone();
                both.extend(facts.iter().cloned());
                both.extend(facts.iter().filter_map(|a| a.map(&mut to_second)));
                both.extend(reach.iter().cloned());
                let wanted = Wanted {
                    keep: &|c| owner(c).0 == Owner::Right,
                    apart: false,
                };
                below.extend(project(&both, &env, &wanted).iter().map(own_columns));
            }
        }
    }
    let why = "a window function looks at rows of other slices; PARTITION BY the slice column, or ORDER BY it first with a RANGE or ROWS frame";
    let blame = blamed(demand, &below, blame, &Blame::new("window", why));
    walk.ask(&window.input, below, blame.as_ref());
}

/// How x (own columns) and y (the second node's) are related, in alternatives.
fn parts(expr: &Expr, window: &Window) -> Demand {
    let mut expr = expr;
    while let Expr::Alias(a) = expr {
        expr = &a.expr;
    }
    let Expr::WindowFunction(f) = expr else {
        return vec![Vec::new()];
    };
    let mut partition = Conjunction::new();
    for key in &f.params.partition_by {
        let x = positional(key, window.input.schema());
        if let Some(x) = x
            && let Some(y) = to_second(&x)
        {
            partition.push(Atom::Same(x, y));
        }
    }
    let reach = f
        .params
        .order_by
        .first()
        .and_then(|sort| order(f, sort, window))
        .unwrap_or_else(|| vec![Vec::new()]);
    reach
        .into_iter()
        .map(|mut r| {
            r.extend(partition.iter().cloned());
            r
        })
        .collect()
}

fn to_second(e: &Expr) -> Option<Expr> {
    replace(e, &mut |c| match owner(c) {
        (Owner::Own, at) => Some(right(at)),
        _ => Some(Expr::Column(c.clone())),
    })
}

/// How far an end of the frame is from x, in the direction of the order.
#[derive(Clone, Debug)]
enum End {
    /// As far as the partition goes.
    Open,
    /// At x, up to rows with the same key.
    Here,
    /// A distance before (true) or after.
    Distance(bool, ScalarValue),
}

/// The side of x that a function looks at: from, to.
fn sides(f: &WindowFunction) -> Option<(End, End)> {
    if let WindowFunctionDefinition::WindowUDF(udf) = &f.fun {
        match udf.name() {
            "row_number" | "rank" | "dense_rank" => return Some((End::Open, End::Here)),
            "lag" => return positive_offset(f).then_some((End::Open, End::Here)),
            "lead" => return positive_offset(f).then_some((End::Here, End::Open)),
            "first_value" | "last_value" | "nth_value" => {}
            _ => return None,
        }
    }
    let frame = &f.params.window_frame;
    let end = |bound: &WindowFrameBound| match (bound, frame.units) {
        (WindowFrameBound::CurrentRow, _) => End::Here,
        (WindowFrameBound::Preceding(v) | WindowFrameBound::Following(v), _) if v.is_null() => End::Open,
        (WindowFrameBound::Preceding(v), WindowFrameUnits::Range) => End::Distance(true, v.clone()),
        (WindowFrameBound::Following(v), WindowFrameUnits::Range) => End::Distance(false, v.clone()),
        // A number of rows or of groups may reach over any distance, but stays on its side.
        (WindowFrameBound::Preceding(_), _) => End::Distance(true, ScalarValue::Null),
        (WindowFrameBound::Following(_), _) => End::Distance(false, ScalarValue::Null),
    };
    let (from, to) = (end(&frame.start_bound), end(&frame.end_bound));
    // Without a distance to measure, an end before x is at most at x, and one after x may be anywhere there.
    let from = match from {
        End::Distance(true, ScalarValue::Null) => End::Open,
        End::Distance(false, ScalarValue::Null) => End::Here,
        other => other,
    };
    let to = match to {
        End::Distance(false, ScalarValue::Null) => End::Open,
        End::Distance(true, ScalarValue::Null) => End::Here,
        other => other,
    };
    Some((from, to))
}

/// Says whether `lag` and `lead` look the way that their names say.
fn positive_offset(f: &WindowFunction) -> bool {
    match f.params.args.get(1) {
        None => true,
        Some(Expr::Literal(ScalarValue::Int64(Some(n)), _)) => *n >= 0,
        Some(_) => false,
    }
}

/// Where y stands in the order, seen from x; none if nothing is known.
fn order(f: &WindowFunction, sort: &Sort, window: &Window) -> Option<Demand> {
    let x = positional(&sort.expr, window.input.schema())?;
    let y = to_second(&x)?;
    let (from, to) = sides(f)?;
    if matches!((&from, &to), (End::Open, End::Open)) {
        return None;
    }
    let ascending = sort.asc;
    // The key at which an end lies: later in the order is greater, or less where the order descends.
    let at = |end: &End| match end {
        End::Open => None,
        End::Here => Some(x.clone()),
        End::Distance(before, step) => {
            let op = if *before == ascending {
                Operator::Minus
            } else {
                Operator::Plus
            };
            let step = Expr::Literal(step.clone(), None);
            Some(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(x.clone()),
                op,
                Box::new(step),
            )))
        }
    };
    let mut measured = Conjunction::new();
    if let Some(low) = at(&from) {
        measured.push(if ascending {
            Atom::Compare(low, Order::AtMost, y.clone())
        } else {
            Atom::Compare(y.clone(), Order::AtMost, low)
        });
    }
    if let Some(high) = at(&to) {
        measured.push(if ascending {
            Atom::Compare(y.clone(), Order::AtMost, high)
        } else {
            Atom::Compare(high, Order::AtMost, y.clone())
        });
    }
    let mut alternatives = vec![measured];
    // NULL keys are together at one end of the order. Seen from a NULL key, an open end reaches all that lies that way.
    let both_null = vec![Atom::Null(x.clone()), Atom::Null(y.clone())];
    alternatives.push(both_null);
    let open_before = matches!(from, End::Open);
    let open_after = matches!(to, End::Open);
    // Of the ends that are open, those at which the NULLs stand show NULL rows to others; from NULL rows, the other way is seen.
    let (seen_by_others, sees_others) = if sort.nulls_first {
        (open_before, open_after)
    } else {
        (open_after, open_before)
    };
    if seen_by_others {
        alternatives.push(vec![Atom::Null(y)]);
    }
    if sees_others {
        alternatives.push(vec![Atom::Null(x)]);
    }
    Some(alternatives)
}
