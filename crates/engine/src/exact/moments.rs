//! The exact moments of one or two columns, and the statistics made of them.
//!
//! Owns which sums a statistic needs and its formula over them. Refuses to know Arrow, SQL and how sums are kept.
//! Invariants: all sums are exact, so a state depends on the multiset of its rows only; every statistic is a quotient of
//! two integers or the square root of one, worked out exactly and rounded once, so it is the textbook value to the last
//! bit. With `n` rows and the central moments times `n` (`A = nΣx² - (Σx)²`, `B = nΣy² - (Σy)²`, `C = nΣxy - ΣxΣy`):
//!
//! | statistic | value | NULL when |
//! |---|---|---|
//! | sum, avg | Σx, Σx / n | n = 0 |
//! | var_pop, var_samp | A / n², A / n(n-1) | n = 0, n < 2 |
//! | stddev_pop, stddev_samp | their square roots | n = 0, n < 2 |
//! | covar_pop, covar_samp | C / n², C / n(n-1) | n = 0, n < 2 |
//! | corr | C / √(AB) | n < 2, A = 0 or B = 0 |
//! | regr_slope, regr_intercept | C / A, (AΣy - CΣx) / nA | n < 2 or A = 0 |
//! | regr_r2 | C² / AB | n < 2, A = 0 or B = 0 |
//! | regr_avgx, regr_avgy | Σx / n, Σy / n | n = 0 |
//! | regr_sxx, regr_syy, regr_sxy | A / n, B / n, C / n | n = 0 |
//!
//! With infinities or NaN among the rows, sums and means are what IEEE 754 gives in any order (infinity, or NaN for NaN
//! or infinities of both signs) and everything else is NaN. `corr` keeps DataFusion's rule on top: when the sum of just
//! one of the two columns is NaN, it is NULL.

mod pairs;
mod regression;
mod spread;

use std::fmt::Debug;

use super::parts::Parts;
use super::products::Products;
use super::rounding;
use super::scaled::Scaled;
use super::sum::{Sum, Total};

pub(crate) use pairs::{OfPairs, Pairs};
pub(crate) use regression::{OfRegression, Regression};
pub(crate) use spread::{OfSpread, Spread};

/// What an aggregate keeps for one group: exact sums over rows of `ARITY` columns.
pub(crate) trait Moments: Default + Debug + Send + Sync + 'static {
    /// The number of columns.
    const ARITY: usize;
    /// A row.
    type Row: Copy;
    /// What can be worked out of the moments.
    type Statistic: Copy + Debug + Send + Sync + 'static;

    /// Reads a row out of the columns.
    fn row(columns: &[&[f64]], row: usize) -> Self::Row;
    /// Adds a row and returns how many bytes the moments grew on the heap.
    fn add(&mut self, row: Self::Row) -> usize;
    /// Takes a row away that was added before, and returns how many bytes the moments grew on the heap.
    fn remove(&mut self, row: Self::Row) -> usize;
    /// Adds all rows of the columns, none of them NULL, and returns how many bytes the moments grew on the heap.
    fn add_all(&mut self, columns: &[&[f64]]) -> usize {
        let rows = columns.first().map_or(0, |column| column.len());
        (0..rows).map(|row| self.add(Self::row(columns, row))).sum()
    }
    /// Adds other moments and returns how many bytes these grew on the heap.
    fn merge(&mut self, other: &Self) -> usize;
    /// Works a statistic out; `None` is NULL.
    fn statistic(&self, statistic: Self::Statistic) -> Option<f64>;
    /// Returns the bytes on the heap.
    fn heap(&self) -> usize;
    /// Appends the stored form.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads the stored form and moves `bytes` past it; `None` when the bytes are damaged.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

/// Whether the rows are the whole population or a sample of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rows {
    Population,
    Sample,
}

impl Rows {
    /// Returns the divisor of a central moment times `n`; `None` when there are too few rows.
    fn divisor(self, terms: u64) -> Option<Scaled> {
        let degrees = match self {
            Rows::Population => terms,
            Rows::Sample => terms.saturating_sub(1),
        };
        (degrees > 0).then(|| &Scaled::whole(terms) * &Scaled::whole(degrees))
    }
}

/// Statistics of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OfSum {
    Sum,
    Mean,
}

impl Moments for Sum {
    const ARITY: usize = 1;
    type Row = f64;
    type Statistic = OfSum;

    #[inline(always)]
    fn row(columns: &[&[f64]], row: usize) -> f64 {
        columns[0][row]
    }

    #[inline(always)]
    fn add(&mut self, row: f64) -> usize {
        Sum::add(self, row)
    }

    #[inline(always)]
    fn remove(&mut self, row: f64) -> usize {
        Sum::remove(self, row)
    }

    fn add_all(&mut self, columns: &[&[f64]]) -> usize {
        Sum::add_all(self, columns[0])
    }

    fn merge(&mut self, other: &Self) -> usize {
        Sum::merge(self, other)
    }

    fn statistic(&self, statistic: OfSum) -> Option<f64> {
        (self.terms() > 0).then(|| match statistic {
            OfSum::Sum => self.rounded(),
            OfSum::Mean => self.mean(),
        })
    }

    fn heap(&self) -> usize {
        Sum::heap(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        Sum::encode(self, out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Sum::decode(bytes)
    }
}

/// Adds or removes `x * y` when both are finite; the sums of the factors know about the rest.
#[inline(always)]
fn product(products: &mut Products, x: f64, y: f64, remove: bool) -> usize {
    if x.is_finite() && y.is_finite() {
        products.add(Parts::of(x), Parts::of(y), remove)
    } else {
        0
    }
}

/// Returns `n Σxy - Σx Σy` for sums of finite numbers.
fn central(terms: u64, products: &Products, x: &Sum, y: &Sum) -> Scaled {
    let (integer, exponent) = products.value();
    let products = Scaled::new(integer, exponent);
    &(&Scaled::whole(terms) * &products) - &(&finite(x) * &finite(y))
}

/// Returns the value of a sum of finite numbers.
fn finite(sum: &Sum) -> Scaled {
    match sum.total() {
        Total::Finite(integer, exponent) => Scaled::new(integer, exponent),
        Total::Infinite(_) | Total::Undefined => Scaled::whole(0),
    }
}

/// Rounds a quotient; the divisor must be positive.
fn ratio(dividend: &Scaled, divisor: &Scaled) -> f64 {
    let exponent = dividend.exponent - divisor.exponent;
    rounding::nearest_ratio(&dividend.integer, divisor.integer.magnitude(), exponent)
}

/// Rounds the square root of a quotient; the dividend must not be negative, the divisor must be positive.
fn root(dividend: &Scaled, divisor: &Scaled) -> f64 {
    let exponent = dividend.exponent - divisor.exponent;
    rounding::nearest_root(
        dividend.integer.magnitude(),
        divisor.integer.magnitude(),
        exponent,
    )
}

#[cfg(test)]
mod tests;
