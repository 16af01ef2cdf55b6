//! Aggregates over floating point numbers whose results do not depend on the order of the rows.
//!
//! DataFusion adds doubles in the order in which they arrive, so threads, batches and files show in the last bits of
//! `sum`, `avg`, `var`, `stddev`, `covar`, `corr` and `regr_*`. The functions here have the same names and take their
//! place: they keep exact sums and round once, at the end. Equal rows give equal bits, at any number of threads, and
//! every result is the exact value rounded to the nearest double (`moments.rs` has the formulas). `min`, `max` and
//! `median` of floats are here as well, because DataFusion's let the order decide between zeros and about NaN.
//!
//! Owns the replaced functions and their registration. Refuses to know tables, plans and runs. Invariant: apart from
//! bits, the functions behave like those they replace; for types other than floats they *are* those.

mod accumulators;
mod blocks;
mod distinct;
mod fixed;
mod function;
mod moments;
mod order_free;
mod parts;
mod products;
mod rounding;
mod scaled;
mod sum;
mod wide;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::functions_aggregate::{
    average, correlation, covariance, median, min_max, regr, stddev, sum as plain, variance,
};
use datafusion::logical_expr::AggregateUDF;
use datafusion::logical_expr::registry::FunctionRegistry;

use function::{Exact, Statistic};
use moments::{OfPairs, OfRegression, OfSpread, OfSum, Rows};

pub use sum::Sum;

/// Returns the functions that take the place of DataFusion's of the same names and aliases.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    use Statistic::{Greatest, Least, Median, Pairs, Regression, Spread, Sum};
    [
        (plain::sum_udaf(), Sum(OfSum::Sum)),
        (average::avg_udaf(), Sum(OfSum::Mean)),
        (
            variance::var_samp_udaf(),
            Spread(OfSpread::Variance(Rows::Sample)),
        ),
        (
            variance::var_pop_udaf(),
            Spread(OfSpread::Variance(Rows::Population)),
        ),
        (stddev::stddev_udaf(), Spread(OfSpread::Deviation(Rows::Sample))),
        (
            stddev::stddev_pop_udaf(),
            Spread(OfSpread::Deviation(Rows::Population)),
        ),
        (
            covariance::covar_samp_udaf(),
            Pairs(OfPairs::Covariance(Rows::Sample)),
        ),
        (
            covariance::covar_pop_udaf(),
            Pairs(OfPairs::Covariance(Rows::Population)),
        ),
        (correlation::corr_udaf(), Regression(OfRegression::Correlation)),
        (regr::regr_slope_udaf(), Regression(OfRegression::Slope)),
        (regr::regr_intercept_udaf(), Regression(OfRegression::Intercept)),
        (regr::regr_r2_udaf(), Regression(OfRegression::Determination)),
        (regr::regr_avgx_udaf(), Pairs(OfPairs::MeanX)),
        (regr::regr_avgy_udaf(), Pairs(OfPairs::MeanY)),
        (regr::regr_sxx_udaf(), Regression(OfRegression::SquaresX)),
        (regr::regr_syy_udaf(), Regression(OfRegression::SquaresY)),
        (regr::regr_sxy_udaf(), Pairs(OfPairs::ProductsXY)),
        (min_max::min_udaf(), Least),
        (min_max::max_udaf(), Greatest),
        (median::median_udaf(), Median),
    ]
    .into_iter()
    .map(|(original, statistic)| Arc::new(AggregateUDF::new_from_impl(Exact::new(original, statistic))))
    .collect()
}

/// Registers [`functions`] in the place of those of the same names and aliases.
///
/// # Errors
/// When the registry takes no functions.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in functions() {
        registry.register_udaf(function)?;
    }
    Ok(())
}
