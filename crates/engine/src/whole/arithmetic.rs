//! The operators `+`, `-` and `*` over integers, as functions that fail where the operators would wrap round.
//!
//! Owns the functions; which expressions become calls of them is [`rule`](super::rule)'s business. Invariant: a call knows the
//! text of the expression that it stands for, so that the error can name it.

use std::fmt::Display;

use arrow::array::Datum;
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr_common::datum::apply;

use super::too_large;

/// An operator of two integers of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    operator: Sign,
    /// The expression as people write it.
    written: String,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sign {
    Plus,
    Minus,
    Times,
}

/// Returns the call that computes `left operator right` and stands for the expression `written`; none if the operator is
/// another one.
pub(super) fn call(operator: Operator, left: Expr, right: Expr, written: &dyn Display) -> Option<Expr> {
    let operator = match operator {
        Operator::Plus => Sign::Plus,
        Operator::Minus => Sign::Minus,
        Operator::Multiply => Sign::Times,
        _ => return None,
    };
    let function = Arithmetic {
        operator,
        written: written.to_string(),
        signature: Signature::any(2, Volatility::Immutable),
    };
    Some(ScalarUDF::new_from_impl(function).call(vec![left, right]))
}

/// The expression that a call stands for, if [`call`] made it.
pub(super) fn written(call: &ScalarFunction) -> Option<&str> {
    let made = call.func.inner().downcast_ref::<Arithmetic>();
    made.map(|made| made.written.as_str())
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operator {
            Sign::Plus => "plus",
            Sign::Minus => "minus",
            Sign::Times => "times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [left, right] if left == right => Ok(left.clone()),
            _ => internal_err!("`{}` was given other types", self.written),
        }
    }

    fn is_nullable(&self, arguments: &[Expr], schema: &dyn datafusion::common::ExprSchema) -> bool {
        arguments.iter().any(|a| a.nullable(schema).unwrap_or(true))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = take_function_args(self.name(), args.args)?;
        let kernel: fn(&dyn Datum, &dyn Datum) -> Result<_, ArrowError> = match self.operator {
            Sign::Plus => add,
            Sign::Minus => sub,
            Sign::Times => mul,
        };
        apply(&left, &right, kernel).map_err(|e| match &e {
            DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
                ArrowError::ArithmeticOverflow(said) => too_large(&self.written, operands(said)),
                _ => e,
            },
            _ => e,
        })
    }
}

/// The operands in what the kernel says: `Overflow happened on: 3 * 4`.
fn operands(said: &str) -> &str {
    said.rsplit_once(": ").map_or(said, |(_, operands)| operands)
}
