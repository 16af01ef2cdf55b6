//! Which expressions of a plan become checked ones.
//!
//! Runs right after types were coerced and before anything is simplified: constants are folded by the same checked functions.

use std::fmt;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit};
use datafusion::optimizer::AnalyzerRule;

use super::arithmetic;

/// The rule, for a session's analyser; it comes after the coercion of types.
#[derive(Debug)]
pub(crate) struct Checked;

impl AnalyzerRule for Checked {
    fn name(&self) -> &str {
        "whole_numbers_do_not_wrap"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, &checked)
    }
}

/// Makes differences and the like of unsigned numbers signed ones: ranks and row numbers are unsigned in DataFusion, and the
/// difference of two of them may be below zero. For a plan whose types are not coerced yet.
pub(crate) fn signed(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewritten(plan, &|expr, schema| {
        let Expr::BinaryExpr(b) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let unsigned = |e: &Expr| e.get_type(schema).is_ok_and(|t| t.is_unsigned_integer());
        if operand(b.op) && unsigned(&b.left) && unsigned(&b.right) {
            let [left, right] =
                [&b.left, &b.right].map(|e| Box::new(cast(e.as_ref().clone(), DataType::Int64)));
            let made = BinaryExpr::new(left, b.op, right);
            return Ok(Transformed::yes(Expr::BinaryExpr(made)));
        }
        Ok(Transformed::no(expr))
    })
}

type Rewrite<'a> = &'a dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>;

/// Rewrites all expressions of a plan and its subqueries, from the inside out; the names of columns stay.
fn rewritten(plan: LogicalPlan, rewrite: Rewrite<'_>) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|node| {
        let schema = match &node {
            // A scan's filters are over its own columns.
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            other => merge_schema(&other.inputs()),
        };
        let names = NamePreserver::new(&node);
        let named = |expr: Expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|e| rewrite(e, &schema))?;
            Ok(if changed.transformed {
                changed.update_data(|e| name.restore(e))
            } else {
                changed
            })
        };
        node.map_expressions(|expr| match expr {
            // What is grouped by is named one by one.
            Expr::GroupingSet(set) => Ok(Transformed::yes(Expr::GroupingSet(each(set, &|e| {
                named(e).map(|t: Transformed<Expr>| t.data)
            })?))),
            other => named(other),
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(done.data)
}

fn each(set: GroupingSet, rewrite: &dyn Fn(Expr) -> Result<Expr>) -> Result<GroupingSet> {
    let all = |list: Vec<Expr>| list.into_iter().map(rewrite).collect::<Result<Vec<_>>>();
    Ok(match set {
        GroupingSet::Rollup(list) => GroupingSet::Rollup(all(list)?),
        GroupingSet::Cube(list) => GroupingSet::Cube(all(list)?),
        GroupingSet::GroupingSets(lists) => {
            GroupingSet::GroupingSets(lists.into_iter().map(all).collect::<Result<_>>()?)
        }
    })
}

fn operand(operator: Operator) -> bool {
    matches!(operator, Operator::Plus | Operator::Minus | Operator::Multiply)
}

/// Replaces one operator over integers by its checked function.
fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_whole = |e: &Expr| e.get_type(schema).is_ok_and(|t| t.is_integer());
    match expr {
        Expr::BinaryExpr(b) if operand(b.op) && is_whole(&b.left) && is_whole(&b.right) => {
            let written = Written(&Expr::BinaryExpr(b.clone())).to_string();
            let (left, right) = (b.left.as_ref().clone(), b.right.as_ref().clone());
            Ok(match arithmetic::call(b.op, left, right, &written) {
                Some(call) => Transformed::yes(call),
                None => Transformed::no(Expr::BinaryExpr(b)),
            })
        }
        Expr::Negative(of) if is_whole(&of) => {
            let t = of.get_type(schema)?;
            if matches!(of.as_ref(), Expr::Literal(..)) || t.is_unsigned_integer() {
                return Ok(Transformed::no(Expr::Negative(of)));
            }
            let written = format!("-{}", Written(&of));
            let zero = lit(ScalarValue::new_zero(&t)?);
            Ok(
                match arithmetic::call(Operator::Minus, zero, of.as_ref().clone(), &written) {
                    Some(call) => Transformed::yes(call),
                    None => Transformed::no(Expr::Negative(of)),
                },
            )
        }
        other => Ok(Transformed::no(other)),
    }
}

/// An expression as people write it, as far as that can be told from a plan.
struct Written<'a>(&'a Expr);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |e: &Expr| match e {
            Expr::BinaryExpr(_) | Expr::Negative(_) => format!("({})", Written(e)),
            Expr::ScalarFunction(call) if arithmetic::written(call).is_some() => format!("({})", Written(e)),
            _ => Written(e).to_string(),
        };
        match self.0 {
            Expr::Column(c) => f.write_str(&c.name),
            Expr::Cast(c) => Written(&c.expr).fmt(f),
            Expr::BinaryExpr(b) => write!(f, "{} {} {}", part(&b.left), b.op, part(&b.right)),
            Expr::ScalarFunction(call) => match arithmetic::written(call) {
                Some(written) => f.write_str(written),
                None => self.0.human_display().fmt(f),
            },
            other => other.human_display().fmt(f),
        }
    }
}
