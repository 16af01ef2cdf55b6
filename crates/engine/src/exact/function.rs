//! The SQL functions: DataFusion's own, with exact accumulators for doubles.
//!
//! Owns which accumulator a call gets. Refuses to know sums. Invariants: names, aliases, signatures, result types,
//! NULL rules, documentation and planner hooks are those of the function that is replaced, which also still does all
//! the work for types that are exact by themselves (integers, decimals, durations, intervals), unless their sum could wrap
//! round: then it is [`whole`]'s; a shortcut of the planner
//! that would give other bits than the accumulators is switched off for doubles.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

use super::accumulators::{Groups, Single};
use super::distinct::Distinct;
use super::moments::{OfPairs, OfRegression, OfSpread, OfSum, Pairs, Regression, Spread};
use super::order_free::{self, OneNan};
use super::sum::Sum;
use crate::whole;

/// What a function works out: a statistic of exact moments, or something that only compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Statistic {
    Sum(OfSum),
    Spread(OfSpread),
    Pairs(OfPairs),
    Regression(OfRegression),
    Least,
    Greatest,
    Median,
}

/// A function of DataFusion with exact accumulators for doubles.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Exact {
    original: Arc<AggregateUDF>,
    statistic: Statistic,
}

impl Exact {
    pub(crate) fn new(original: Arc<AggregateUDF>, statistic: Statistic) -> Exact {
        Exact { original, statistic }
    }

    fn inner(&self) -> &dyn AggregateUDFImpl {
        self.original.inner().as_ref()
    }

    /// Says whether a call with these arguments is over floats. Where there are moments, the signature has coerced all
    /// floats to doubles.
    fn replaces(&self, arguments: &[FieldRef]) -> bool {
        !arguments.is_empty()
            && arguments.iter().all(|argument| match argument.data_type() {
                DataType::Float64 => true,
                other => !self.has_moments() && order_free::is_float(other),
            })
    }

    /// The kind of a sum over whole numbers or decimals that could wrap round; none for other calls.
    fn wraps(&self, result: &DataType, call: &str) -> Option<whole::Kind> {
        match self.statistic {
            Statistic::Sum(OfSum::Sum) => whole::Kind::of(result, call),
            _ => None,
        }
    }

    fn has_moments(&self) -> bool {
        !matches!(
            self.statistic,
            Statistic::Least | Statistic::Greatest | Statistic::Median
        )
    }
}

impl AggregateUDFImpl for Exact {
    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(kind) = self.wraps(args.return_type(), args.name) {
            return match args.is_distinct {
                false => whole::single(kind),
                true => Ok(whole::distinct(kind, self.inner().accumulator(args)?)),
            };
        }
        if !self.replaces(args.expr_fields) {
            return self.inner().accumulator(args);
        }
        Ok(match (self.statistic, args.is_distinct) {
            (Statistic::Sum(of), false) => Box::new(Single::<Sum>::new(of)),
            (Statistic::Sum(of), true) => Box::new(Distinct::<Sum>::new(of)),
            (Statistic::Spread(of), false) => Box::new(Single::<Spread>::new(of)),
            (Statistic::Spread(of @ OfSpread::Variance(_)), true) => Box::new(Distinct::<Spread>::new(of)),
            (Statistic::Spread(OfSpread::Deviation(_)), true) => return self.inner().accumulator(args),
            (Statistic::Pairs(of), false) => Box::new(Single::<Pairs>::new(of)),
            (Statistic::Regression(of), false) => Box::new(Single::<Regression>::new(of)),
            (Statistic::Pairs(_) | Statistic::Regression(_), true) => {
                return not_impl_err!("{}(DISTINCT) aggregations are not available", self.name());
            }
            (Statistic::Least | Statistic::Greatest, _) => return self.inner().accumulator(args),
            (Statistic::Median, _) => Box::new(OneNan(self.inner().accumulator(args)?)),
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if let Some(kind) = self.wraps(args.return_type(), args.name) {
            return match args.is_distinct {
                false => whole::single(kind),
                true => {
                    let inner = self.inner().create_sliding_accumulator(args)?;
                    Ok(whole::distinct(kind, inner))
                }
            };
        }
        if !self.replaces(args.expr_fields) {
            return self.inner().create_sliding_accumulator(args);
        }
        match self.statistic {
            Statistic::Median => Ok(Box::new(OneNan(self.inner().create_sliding_accumulator(args)?))),
            Statistic::Least | Statistic::Greatest => self.inner().create_sliding_accumulator(args),
            _ if args.is_distinct => self.inner().create_sliding_accumulator(args),
            _ => self.accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        if !self.has_moments() || !self.replaces(args.expr_fields) {
            return self.inner().groups_accumulator_supported(args);
        }
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if let Some(kind) = self.wraps(args.return_type(), args.name) {
            return whole::groups(kind);
        }
        if !self.replaces(args.expr_fields) {
            return self.inner().create_groups_accumulator(args);
        }
        Ok(match self.statistic {
            Statistic::Sum(of) => Box::new(Groups::<Sum>::new(of)),
            Statistic::Spread(of) => Box::new(Groups::<Spread>::new(of)),
            Statistic::Pairs(of) => Box::new(Groups::<Pairs>::new(of)),
            Statistic::Regression(of) => Box::new(Groups::<Regression>::new(of)),
            Statistic::Least => return order_free::extreme(args.return_type(), false),
            Statistic::Greatest => return order_free::extreme(args.return_type(), true),
            Statistic::Median => Box::new(OneNan(self.inner().create_groups_accumulator(args)?)),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !args.is_distinct && self.wraps(args.return_type(), args.name).is_some() {
            let state = whole::Kind::state(args.return_type());
            return Ok(vec![Arc::new(Field::new(
                format_state_name(args.name, "sum"),
                state,
                true,
            ))]);
        }
        if args.is_distinct || !self.has_moments() || !self.replaces(args.input_fields) {
            return self.inner().state_fields(args);
        }
        let field = |name: &str, data_type: DataType| {
            Arc::new(Field::new(format_state_name(args.name, name), data_type, true))
        };
        let mut fields: Vec<FieldRef> = (0..args.input_fields.len())
            .map(|i| field(&format!("row{i}"), DataType::Float64))
            .collect();
        fields.push(field("moments", DataType::Binary));
        Ok(fields)
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        operator: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        // `sum(x + 1.5)` as `sum(x) + 1.5 * count(x)` rounds at other places, and with whole numbers overflows for other rows; and
        // it is only done in some queries.
        if matches!(literal, Expr::Literal(value, _) if value.data_type().is_numeric()) {
            return Ok(None);
        }
        self.inner()
            .simplify_expr_op_literal(function, argument, operator, literal, argument_is_left)
    }

    fn value_from_stats(&self, statistics_args: &StatisticsArgs) -> Option<ScalarValue> {
        // Whoever added up the statistics of a file did it in some order, and its extremes leave NaN and the sign of zero out.
        if statistics_args.return_type.is_floating() {
            return None;
        }
        self.inner().value_from_stats(statistics_args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        if self.has_moments() {
            AggregateOrderSensitivity::Insensitive
        } else {
            self.inner().order_sensitivity()
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        if self.has_moments() {
            ReversedUDAF::Identical
        } else {
            self.inner().reverse_expr()
        }
    }

    fn name(&self) -> &str {
        self.inner().name()
    }

    fn aliases(&self) -> &[String] {
        self.inner().aliases()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner().schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner().human_display(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner().window_function_schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner().display_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner().window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.inner().signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner().return_type(arguments)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        self.inner().return_field(arguments)
    }

    fn is_nullable(&self) -> bool {
        self.inner().is_nullable()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner().simplify()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner().coerce_types(arguments)
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner().is_descending()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner().default_value(data_type)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner().supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner().supports_within_group_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner().documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner().set_monotonicity(data_type)
    }
}
