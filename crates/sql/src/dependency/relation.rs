//! What a scan is asked for, as a relation between slices that can be kept.
//!
//! Invariant: a condition that cannot be written, or does not read back with the same type, is left out, which reads more.

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, ExprSchemable};
use mainstay_model::relation::{Alternative, Comparator, Comparison, Reads};

use super::atom::{Atom, Conjunction, Demand, Order, mentions};
use super::env::{Env, Owner, is_output, owner};
use super::linear::kind;
use super::text::text;
use crate::session;

/// More alternatives than that are not kept apart.
const MOST: usize = 12;

/// The columns of one side: their names, by position, and their types.
pub(crate) struct Side {
    pub(crate) names: Vec<String>,
    pub(crate) schema: DFSchema,
}

impl Side {
    pub(crate) fn new(names: Vec<String>, types: &[DataType]) -> Self {
        let fields: Vec<(
            Option<datafusion::common::TableReference>,
            std::sync::Arc<arrow::datatypes::Field>,
        )> = names
            .iter()
            .zip(types)
            .map(|(n, t)| {
                (
                    None,
                    std::sync::Arc::new(arrow::datatypes::Field::new(n, t.clone(), true)),
                )
            })
            .collect();
        let schema = DFSchema::new_with_metadata(fields, std::collections::HashMap::new());
        Self {
            names,
            schema: schema.unwrap_or_else(|_| DFSchema::empty()),
        }
    }

    /// Writes an expression over this side's columns; none if it does not read back with the same type.
    pub(crate) fn write(&self, expr: &Expr, env: &Env) -> Option<String> {
        let written = text(expr, &|c: &Column| {
            let (_, at) = owner(c);
            self.names.get(at).cloned()
        })?;
        let read = session::state()
            .create_logical_expr(&written, &self.schema)
            .ok()?;
        let (is, was) = (
            read.get_type(&self.schema).ok()?,
            expr.get_type(&env.schema).ok()?,
        );
        let coerced = crate::evaluate::coerced(read, &self.schema).ok()?;
        let is = coerced.get_type(&self.schema).unwrap_or(is);
        (kind(&is) == kind(&was)).then_some(written)
    }
}

/// What a conjunction says, in texts.
pub(crate) fn alternative(conditions: &Conjunction, input: &Side, output: &Side, env: &Env) -> Alternative {
    let mut out = Alternative::default();
    for atom in conditions {
        let (has_input, has_output) = (
            atom.mentions(&|c| owner(c).0 != Owner::Output),
            atom.mentions(&is_output),
        );
        match (has_input, has_output) {
            (true, true) => out.compare.extend(comparison(atom, input, output, env)),
            (true, false) => out.input.extend(condition(atom, input, env)),
            (false, true) => out.output.extend(condition(atom, output, env)),
            (false, false) => {}
        }
    }
    out.compare.sort();
    out.compare.dedup();
    out.input.sort();
    out.input.dedup();
    out.output.sort();
    out.output.dedup();
    out
}

fn comparison(atom: &Atom, input: &Side, output: &Side, env: &Env) -> Option<Comparison> {
    let (l, r, op, flipped) = match atom {
        Atom::Same(l, r) => (l, r, Comparator::Is, Comparator::Is),
        Atom::Compare(l, Order::Equal, r) => (l, r, Comparator::Equal, Comparator::Equal),
        Atom::Compare(l, Order::Less, r) => (l, r, Comparator::Less, Comparator::Greater),
        Atom::Compare(l, Order::AtMost, r) => (l, r, Comparator::AtMost, Comparator::AtLeast),
        Atom::Null(_) | Atom::NotNull(_) | Atom::Other(_) => return None,
    };
    if kind(&l.get_type(&env.schema).ok()?) != kind(&r.get_type(&env.schema).ok()?) {
        return None;
    }
    let of_output = |e: &Expr| !mentions(e, &|c| !is_output(c));
    let of_input = |e: &Expr| !mentions(e, &is_output);
    let (of_in, op, of_out) = if of_input(l) && of_output(r) {
        (l, op, r)
    } else if of_output(l) && of_input(r) {
        (r, flipped, l)
    } else {
        return None;
    };
    Some(Comparison {
        input: input.write(of_in, env)?,
        op,
        output: output.write(of_out, env)?,
    })
}

/// A condition over one side, as an expression that is true where it holds.
fn condition(atom: &Atom, side: &Side, env: &Env) -> Option<String> {
    use datafusion::logical_expr::{BinaryExpr, Operator};
    let binary = |l: &Expr, op, r: &Expr| {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(l.clone()), op, Box::new(r.clone())))
    };
    let expr = match atom {
        Atom::Same(l, r) => binary(l, Operator::IsNotDistinctFrom, r),
        Atom::Compare(l, Order::Equal, r) => binary(l, Operator::Eq, r),
        Atom::Compare(l, Order::Less, r) if matches!(l, Expr::Literal(..)) => binary(r, Operator::Gt, l),
        Atom::Compare(l, Order::AtMost, r) if matches!(l, Expr::Literal(..)) => binary(r, Operator::GtEq, l),
        Atom::Compare(l, Order::Less, r) => binary(l, Operator::Lt, r),
        Atom::Compare(l, Order::AtMost, r) => binary(l, Operator::LtEq, r),
        Atom::Null(e) => e.clone().is_null(),
        Atom::NotNull(e) => e.clone().is_not_null(),
        Atom::Other(e) => e.clone(),
    };
    side.write(&expr, env)
}

/// Puts alternatives together into a relation; `slice` are the output's slice columns, `own` the input's.
pub(crate) fn relation(mut alternatives: Vec<Alternative>, slice: &[String], own: &[String]) -> Reads {
    alternatives.sort();
    alternatives.dedup();
    if alternatives.len() > MOST {
        return Reads::All;
    }
    let mut kept: Vec<Alternative> = Vec::new();
    for (i, a) in alternatives.iter().enumerate() {
        let wider = |(j, b): (usize, &Alternative)| j != i && within(a, b) && (!within(b, a) || j < i);
        if !alternatives.iter().enumerate().any(wider) {
            kept.push(a.clone());
        }
    }
    merge_nulls(&mut kept);
    match kept.as_slice() {
        [one] if *one == Alternative::default() => Reads::All,
        [one] if same(one, slice, own) => Reads::Same,
        _ => Reads::Where(kept),
    }
}

/// Says whether whatever meets the first meets the second.
fn within(narrow: &Alternative, wide: &Alternative) -> bool {
    let holds = |c: &Comparison| {
        narrow.compare.iter().any(|n| {
            n == c
                || n.input == c.input
                    && n.output == c.output
                    && matches!(
                        (n.op, c.op),
                        (
                            Comparator::Equal,
                            Comparator::Is | Comparator::AtMost | Comparator::AtLeast
                        ) | (Comparator::Less, Comparator::AtMost)
                            | (Comparator::Greater, Comparator::AtLeast)
                    )
        })
    };
    wide.compare.iter().all(holds)
        && wide.input.iter().all(|c| narrow.input.contains(c))
        && wide.output.iter().all(|c| narrow.output.contains(c))
}

/// `a = b`, or both NULL, is one condition: `a is b`.
fn merge_nulls(kept: &mut Vec<Alternative>) {
    let both_null = |a: &Alternative| match (a.compare.as_slice(), a.input.as_slice(), a.output.as_slice()) {
        ([], [i], [o]) => Some((
            i.strip_suffix(" IS NULL")?.to_owned(),
            o.strip_suffix(" IS NULL")?.to_owned(),
        )),
        _ => None,
    };
    let Some((at, (input, output))) = kept
        .iter()
        .enumerate()
        .find_map(|(i, a)| both_null(a).map(|names| (i, names)))
    else {
        return;
    };
    let equal = kept.iter_mut().find(|a| {
        matches!(a.compare.as_slice(), [c] if c.input == input && c.output == output && matches!(c.op, Comparator::Equal | Comparator::Is))
            && a.input.iter().all(|c| *c == format!("{input} IS NOT NULL"))
            && a.output.iter().all(|c| *c == format!("{output} IS NOT NULL"))
    });
    if let Some(equal) = equal {
        equal.input.clear();
        equal.output.clear();
        for c in &mut equal.compare {
            c.op = Comparator::Is;
        }
        kept.remove(at);
    }
}

/// Says whether an alternative is that the slice has the same values, up to NULL, which the slice with the same values has too.
fn same(a: &Alternative, slice: &[String], own: &[String]) -> bool {
    let pairs: Vec<(String, String)> = own
        .iter()
        .zip(slice)
        .map(|(i, o)| (super::text::name(i), super::text::name(o)))
        .collect();
    let equal = |(i, o): &(String, String)| {
        a.compare
            .iter()
            .any(|c| matches!(c.op, Comparator::Is | Comparator::Equal) && c.input == *i && c.output == *o)
    };
    !slice.is_empty()
        && own.len() == slice.len()
        && a.compare.len() == own.len()
        && pairs.iter().all(equal)
        && a.input.is_empty()
        && a.output.is_empty()
}

/// The demand in texts, each alternative on its own.
pub(crate) fn alternatives(demand: &Demand, input: &Side, output: &Side, env: &Env) -> Vec<Alternative> {
    demand
        .iter()
        .map(|conditions| alternative(conditions, input, output, env))
        .collect()
}
