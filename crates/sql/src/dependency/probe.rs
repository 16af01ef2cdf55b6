//! The slices for which the question is asked.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use mainstay_model::ColumnType;

use super::SliceColumn;

/// Constants of a query that are tried; with more of them nothing is said.
const MOST_CONSTANTS: usize = 48;
/// Slice columns; with more of them nothing is said.
const MOST_COLUMNS: usize = 3;

/// One slice: a value for each slice column, none for NULL.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) values: Vec<Option<ScalarValue>>,
    /// Says that no value of it occurs in the query.
    pub(crate) ordinary: bool,
}

/// Chooses the probes for a query with these plans; none if there would be too many.
pub(crate) fn probes(columns: &[SliceColumn], plans: &[&LogicalPlan]) -> Option<Vec<Probe>> {
    if columns.len() > MOST_COLUMNS {
        return None;
    }
    let literals = literals(plans);
    let mut constants: Vec<Vec<ScalarValue>> = Vec::new();
    let mut ordinary: Vec<Vec<ScalarValue>> = vec![Vec::new(), Vec::new()];
    for column in columns {
        let own = constants_of(column, &literals);
        // The two booleans are all there are: both are tried, alone and with each other.
        let boolean = column.column_type == ColumnType::Boolean;
        let mut free =
            (0..200).filter_map(|n| value(&column.column_type, n)?.cast_to(&column.data_type).ok());
        for probe in &mut ordinary {
            // Two columns of one type get different values, so that one cannot stand for the other.
            let next = free.find(|v| boolean || !own.contains(v) && !probe.contains(v))?;
            probe.push(next);
        }
        constants.push(own);
    }
    if constants.iter().map(Vec::len).sum::<usize>() > MOST_CONSTANTS {
        return None;
    }
    let some = |values: &[ScalarValue]| values.iter().cloned().map(Some).collect::<Vec<_>>();
    let first = some(ordinary.first()?);
    let mut probes: Vec<Probe> = ordinary
        .iter()
        .map(|values| Probe {
            values: some(values),
            ordinary: true,
        })
        .collect();
    for (at, own) in constants.iter().enumerate() {
        for constant in own {
            let mut values = first.clone();
            *values.get_mut(at)? = Some(constant.clone());
            probes.push(Probe {
                values,
                ordinary: false,
            });
        }
    }
    for nulls in 1..(1usize << columns.len()) {
        let values = first
            .iter()
            .enumerate()
            .map(|(i, v)| v.clone().filter(|_| nulls & (1 << i) == 0))
            .collect();
        probes.push(Probe {
            values,
            ordinary: false,
        });
    }
    Some(probes)
}

/// All constants of plans, subqueries included.
fn literals(plans: &[&LogicalPlan]) -> Vec<ScalarValue> {
    let mut found: Vec<ScalarValue> = Vec::new();
    for plan in plans {
        let _ = plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                expr.apply(|e| {
                    if let Expr::Literal(value, _) = e
                        && !found.contains(value)
                    {
                        found.push(value.clone());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        });
    }
    found
}

/// The constants that can be values of a slice column.
fn constants_of(column: &SliceColumn, literals: &[ScalarValue]) -> Vec<ScalarValue> {
    let mut found: Vec<ScalarValue> = Vec::new();
    let booleans = [
        ScalarValue::Boolean(Some(true)),
        ScalarValue::Boolean(Some(false)),
    ];
    let all = if column.column_type == ColumnType::Boolean {
        &booleans[..]
    } else {
        &[]
    };
    for literal in literals.iter().chain(all) {
        let Ok(value) = literal.cast_to(&column.data_type) else {
            continue;
        };
        let back = value.cast_to(&literal.data_type());
        if !value.is_null() && back.is_ok_and(|b| b == *literal) && !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// The n-th of the values that hardly any query mentions.
fn value(t: &ColumnType, n: u8) -> Option<ScalarValue> {
    let n64 = i64::from(n);
    Some(match t {
        ColumnType::Boolean => ScalarValue::Boolean(Some(n.is_multiple_of(2))),
        ColumnType::Byte => ScalarValue::Int8(Some(101i8.checked_sub_unsigned(n)?)),
        ColumnType::Short => ScalarValue::Int16(Some(29_011 + i16::from(n))),
        ColumnType::Integer => ScalarValue::Int32(Some(1_900_000_011 + i32::from(n))),
        ColumnType::Long => ScalarValue::Int64(Some(1_900_000_011 + n64)),
        ColumnType::Decimal(p, s) => ScalarValue::Decimal128(Some(i128::from(n % 10)), *p, *s),
        ColumnType::String => ScalarValue::Utf8(Some(format!("\u{1}slice {n}"))),
        ColumnType::Date => ScalarValue::Date32(Some(11_111 + 37 * i32::from(n))),
        ColumnType::Timestamp => {
            ScalarValue::TimestampMicrosecond(Some(961_111_111_000_000 + n64 * 77), Some("UTC".into()))
        }
        ColumnType::TimestampNtz => {
            ScalarValue::TimestampMicrosecond(Some(961_111_111_000_000 + n64 * 77), None)
        }
        ColumnType::Float
        | ColumnType::Double
        | ColumnType::Binary
        | ColumnType::Array(_)
        | ColumnType::Struct(_)
        | ColumnType::Map(..) => return None,
    })
}

/// Says whether filters restrict every slice column of a table to the probe's value at the same position.
pub(crate) fn carried(probe: &Probe, columns: &[String], filters: &[Expr]) -> bool {
    let conjuncts: Vec<&Expr> = filters
        .iter()
        .flat_map(datafusion::logical_expr::utils::split_conjunction)
        .collect();
    let mut open: BTreeSet<usize> = (0..columns.len()).collect();
    for (i, (column, value)) in columns.iter().zip(&probe.values).enumerate() {
        if conjuncts.iter().any(|c| fixes(c, column, value.as_ref())) {
            open.remove(&i);
        }
    }
    open.is_empty() && columns.len() == probe.values.len()
}

/// Says whether a conjunct is `column = value`, or `column IS NULL`.
fn fixes(conjunct: &Expr, column: &str, value: Option<&ScalarValue>) -> bool {
    let is_column = |e: &Expr| matches!(e, Expr::Column(c) if c.name == column);
    let is_value = |e: &Expr| match (e, value) {
        (Expr::Literal(literal, _), Some(value)) => {
            literal.cast_to(&value.data_type()).is_ok_and(|l| l == *value)
                && value.cast_to(&literal.data_type()).is_ok_and(|v| v == *literal)
        }
        _ => false,
    };
    match (conjunct, value) {
        (Expr::IsNull(e), None) => is_column(e),
        (
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }),
            Some(_),
        ) => (is_column(left) && is_value(right)) || (is_column(right) && is_value(left)),
        // How the optimiser writes `column = true` and `column = false`.
        (Expr::Column(_), Some(ScalarValue::Boolean(Some(true)))) => is_column(conjunct),
        (Expr::Not(e), Some(ScalarValue::Boolean(Some(false)))) => is_column(e),
        _ => false,
    }
}
