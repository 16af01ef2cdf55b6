//! What is said to follow does follow: tried out with all values of a few columns, evaluated by the engine.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, Case, Operator, lit};
use datafusion::physical_expr::create_physical_expr;

use super::super::env::{Owner, output, own, owner, right};
use super::*;
use crate::evaluate::coerced;

/// Columns of the node, of the second node, and of the asked slice.
const WIDTHS: (usize, usize, usize) = (2, 2, 1);
/// The values that each column has.
const VALUES: [Option<i64>; 5] = [None, Some(0), Some(1), Some(2), Some(3)];

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn column(&mut self) -> Expr {
        match self.below(5) {
            n @ (0 | 1) => own(usize::try_from(n).unwrap_or_default()),
            n @ (2 | 3) => right(usize::try_from(n - 2).unwrap_or_default()),
            _ => output(0),
        }
    }

    fn value(&mut self) -> Expr {
        let step = i64::try_from(self.below(3)).unwrap_or_default();
        let binary = |l: Expr, op, r: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(l), op, Box::new(r)));
        match self.below(9) {
            0 => lit(step),
            1 => binary(self.column(), Operator::Plus, lit(step)),
            2 => binary(self.column(), Operator::Minus, lit(step)),
            3 => {
                let when = vec![(Box::new(self.other()), Box::new(self.column()))];
                Expr::Case(Case::new(None, when, Some(Box::new(self.column()))))
            }
            _ => self.column(),
        }
    }

    /// A condition that is no comparison.
    fn other(&mut self) -> Expr {
        match self.below(4) {
            0 => self.column().in_list(vec![lit(1i64), lit(3i64)], false),
            1 => self.column().gt(lit(1i64)).or(self.column().eq(self.column())),
            2 => self.column().is_null().or(self.column().lt_eq(lit(2i64))),
            _ => self.column().not_eq(self.column()),
        }
    }

    fn atom(&mut self) -> Atom {
        match self.below(10) {
            0..=2 => Atom::Same(self.value(), self.value()),
            3 | 4 => Atom::Compare(self.value(), Order::Equal, self.value()),
            5 => Atom::Compare(self.value(), Order::Less, self.value()),
            6 | 7 => Atom::Compare(self.value(), Order::AtMost, self.value()),
            8 => Atom::Other(self.other()),
            _ if self.below(2) == 0 => Atom::Null(self.column()),
            _ => Atom::NotNull(self.column()),
        }
    }
}

/// Every combination of values, and the columns that they stand in.
fn everything() -> (Env, RecordBatch) {
    let types = |n: usize| vec![DataType::Int64; n];
    let env = Env::new(&types(WIDTHS.0), &types(WIDTHS.1), &types(WIDTHS.2));
    let columns = WIDTHS.0 + WIDTHS.1 + WIDTHS.2;
    let rows = VALUES.len().pow(u32::try_from(columns).unwrap_or_default());
    let column = |at: usize| -> ArrayRef {
        let each = VALUES.len().pow(u32::try_from(at).unwrap_or_default());
        Arc::new(
            (0..rows)
                .map(|row| VALUES[row / each % VALUES.len()])
                .collect::<Int64Array>(),
        )
    };
    let schema = Arc::new(env.schema.as_arrow().clone());
    let batch = RecordBatch::try_new(schema, (0..columns).map(column).collect()).expect("a batch");
    (env, batch)
}

fn expression(atom: &Atom) -> Expr {
    let binary = |l: &Expr, op, r: &Expr| {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(l.clone()), op, Box::new(r.clone())))
    };
    match atom {
        Atom::Same(l, r) => binary(l, Operator::IsNotDistinctFrom, r),
        Atom::Compare(l, Order::Equal, r) => binary(l, Operator::Eq, r),
        Atom::Compare(l, Order::Less, r) => binary(l, Operator::Lt, r),
        Atom::Compare(l, Order::AtMost, r) => binary(l, Operator::LtEq, r),
        Atom::Null(e) => e.clone().is_null(),
        Atom::NotNull(e) => e.clone().is_not_null(),
        Atom::Other(e) => e.clone(),
    }
}

/// For which rows all atoms hold.
fn holds(conjunction: &Conjunction, schema: &DFSchema, batch: &RecordBatch) -> Vec<bool> {
    let mut all = vec![true; batch.num_rows()];
    for atom in conjunction {
        let expr = coerced(expression(atom), schema).expect("types");
        let physical = create_physical_expr(
            &expr,
            schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )
        .expect("an expression");
        let array = physical
            .evaluate(batch)
            .and_then(|v| v.into_array(batch.num_rows()))
            .expect("values");
        let booleans = array.as_boolean();
        for (row, held) in all.iter_mut().enumerate() {
            *held &= booleans.is_valid(row) && booleans.value(row);
        }
    }
    all
}

#[test]
fn what_is_said_to_follow_follows() {
    let (env, batch) = everything();
    let mut numbers = Numbers(20_261_124);
    let (mut sharp, mut contradictions) = (0, 0);
    for n in 0..400 {
        let conditions: Conjunction = (0..=numbers.below(4)).map(|_| numbers.atom()).collect();
        let keep_right = numbers.below(2) == 0;
        let apart = numbers.below(2) == 0;
        let keep = |c: &Column| match owner(c).0 {
            Owner::Own => !keep_right,
            Owner::Right => keep_right,
            Owner::Output => true,
        };
        let wanted = Wanted { keep: &keep, apart };
        let found = project(&conditions, &env, &wanted);
        let lost = |a: &Atom| a.mentions(&|c| !keep(c));
        assert!(
            !found.iter().flatten().any(lost),
            "{n}: {conditions:?}\n{found:?}"
        );
        let given = holds(&conditions, &env.schema, &batch);
        let follows: Vec<Vec<bool>> = found.iter().map(|c| holds(c, &env.schema, &batch)).collect();
        for (row, held) in given.iter().enumerate() {
            let some = follows.iter().any(|f| f[row]);
            assert!(
                !*held || some,
                "{n}, row {row}: {conditions:?}\nfollows: {found:?}"
            );
        }
        sharp += usize::from(!found.iter().any(Vec::is_empty));
        contradictions += usize::from(found.is_empty());
    }
    // Saying nothing is always right; so something must have been said.
    assert!(sharp > 150 && contradictions > 10, "{sharp} {contradictions}");
}
