//! The first two moments of one column: variance and standard deviation.
//!
//! Owns their formulas, and a way to them without the heap for sums that are in their windows. Refuses to know other
//! columns. Invariant: both ways give the same bits.

use super::super::fixed::{self, Fixed};
use super::super::products::Products;
use super::super::rounding;
use super::super::sum::Sum;
use super::{Moments, Rows, central, product, ratio, root};

/// The first two moments of one column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    pub(super) x: Sum,
    pub(super) xx: Products,
}

/// Statistics of the spread of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OfSpread {
    Variance(Rows),
    Deviation(Rows),
}

impl Moments for Spread {
    const ARITY: usize = 1;
    type Row = f64;
    type Statistic = OfSpread;

    #[inline(always)]
    fn row(columns: &[&[f64]], row: usize) -> f64 {
        columns[0][row]
    }

    #[inline(always)]
    fn add(&mut self, x: f64) -> usize {
        self.x.add(x) + product(&mut self.xx, x, x, false)
    }

    #[inline(always)]
    fn remove(&mut self, x: f64) -> usize {
        self.x.remove(x) + product(&mut self.xx, x, x, true)
    }

    fn merge(&mut self, other: &Self) -> usize {
        self.x.merge(&other.x) + self.xx.merge(&other.xx)
    }

    fn statistic(&self, statistic: OfSpread) -> Option<f64> {
        let terms = self.x.terms();
        let (OfSpread::Variance(rows) | OfSpread::Deviation(rows)) = statistic;
        let divisor = rows.divisor(terms)?;
        if !self.x.is_finite() {
            return Some(f64::NAN);
        }
        if terms == 1 {
            return Some(0.0);
        }
        if let Some(near) = self.quickly(statistic) {
            return Some(near);
        }
        let central = central(terms, &self.xx, &self.x, &self.x);
        Some(match statistic {
            OfSpread::Variance(_) => ratio(&central, &divisor),
            OfSpread::Deviation(_) => root(&central, &divisor),
        })
    }

    fn heap(&self) -> usize {
        self.x.heap() + self.xx.heap()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.x.encode(out);
        self.xx.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (x, xx) = (Sum::decode(bytes)?, Products::decode(bytes)?);
        Some(Spread { x, xx })
    }
}

impl Spread {
    /// Works a statistic of at least two rows out on the stack; `None` when the numbers are too large for that.
    pub(super) fn quickly(&self, statistic: OfSpread) -> Option<f64> {
        let terms = self.x.terms();
        let (OfSpread::Variance(rows) | OfSpread::Deviation(rows)) = statistic;
        let divisor = match rows {
            Rows::Population => terms.checked_mul(terms)?,
            Rows::Sample => terms.checked_mul(terms - 1)?,
        };
        let ((sum, exponent_x), (squares, exponent_xx)) = (self.x.window()?, self.xx.window()?);
        if sum == 0 && *squares == [0; 4] {
            return Some(0.0);
        }
        let (square, squares) = (Fixed::square(sum.unsigned_abs()), Fixed::product(squares, terms));
        let exponent = exponent_xx.min(2 * exponent_x);
        let align = |x: Fixed, from: i64| {
            let by = u32::try_from(from - exponent).ok()?;
            (by < fixed::ROOM - x.length()).then(|| x.shifted(by))
        };
        let square = if sum == 0 {
            square
        } else {
            align(square, 2 * exponent_x)?
        };
        let central = align(squares, exponent_xx)?.minus(&square);
        if central.length() == 0 {
            return Some(0.0);
        }
        let is_root = matches!(statistic, OfSpread::Deviation(_));
        let (quotient, cut, inexact) = central.quotient(divisor, exponent, is_root);
        Some(if is_root {
            rounding::nearest_root_of(quotient, exponent + cut, inexact)
        } else {
            rounding::nearest(false, quotient, exponent + cut, inexact)
        })
    }
}
