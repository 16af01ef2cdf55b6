//! All sums up to the second order of two columns: correlation and linear regression.
//!
//! Owns the statistics of two columns that need squares. Refuses to know the rest. Invariant: a row counts in all five
//! sums or in none.

use num_bigint::Sign;

use super::super::products::Products;
use super::super::scaled::Scaled;
use super::super::sum::{Sum, Total};
use super::pairs::Pairs;
use super::{Moments, central, finite, product, ratio, root};

/// All sums up to the second order of two columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regression {
    pairs: Pairs,
    xx: Products,
    yy: Products,
}

/// Statistics of two columns that need squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OfRegression {
    Correlation,
    Slope,
    Intercept,
    Determination,
    SquaresX,
    SquaresY,
}

impl Moments for Regression {
    const ARITY: usize = 2;
    type Row = (f64, f64);
    type Statistic = OfRegression;

    #[inline(always)]
    fn row(columns: &[&[f64]], row: usize) -> (f64, f64) {
        Pairs::row(columns, row)
    }

    #[inline(always)]
    fn add(&mut self, (y, x): (f64, f64)) -> usize {
        self.pairs.add((y, x)) + product(&mut self.xx, x, x, false) + product(&mut self.yy, y, y, false)
    }

    #[inline(always)]
    fn remove(&mut self, (y, x): (f64, f64)) -> usize {
        self.pairs.remove((y, x)) + product(&mut self.xx, x, x, true) + product(&mut self.yy, y, y, true)
    }

    fn merge(&mut self, other: &Self) -> usize {
        self.pairs.merge(&other.pairs) + self.xx.merge(&other.xx) + self.yy.merge(&other.yy)
    }

    fn statistic(&self, statistic: OfRegression) -> Option<f64> {
        let Pairs { x, y, .. } = &self.pairs;
        let terms = x.terms();
        let squares = |sum: &Sum, squares: &Products| {
            if sum.is_finite() {
                ratio(&central(terms, squares, sum, sum), &Scaled::whole(terms))
            } else {
                f64::NAN
            }
        };
        match statistic {
            OfRegression::SquaresX => return (terms > 0).then(|| squares(x, &self.xx)),
            OfRegression::SquaresY => return (terms > 0).then(|| squares(y, &self.yy)),
            OfRegression::Correlation => match (x.total(), y.total()) {
                (Total::Undefined, Total::Undefined) => return Some(f64::NAN),
                (Total::Undefined, _) | (_, Total::Undefined) => return None,
                _ => {}
            },
            OfRegression::Slope | OfRegression::Intercept | OfRegression::Determination => {}
        }
        if terms < 2 {
            return None;
        }
        let uses_y = matches!(statistic, OfRegression::Correlation | OfRegression::Determination);
        let a = x.is_finite().then(|| central(terms, &self.xx, x, x));
        let b = (uses_y && y.is_finite()).then(|| central(terms, &self.yy, y, y));
        if a.iter().chain(&b).any(Scaled::is_zero) {
            return None;
        }
        let (Some(a), true) = (a, y.is_finite()) else {
            return Some(f64::NAN);
        };
        let c = self.pairs.central();
        Some(match (statistic, b) {
            (OfRegression::Correlation, Some(b)) => {
                let size = root(&(&c * &c), &(&a * &b));
                if c.integer.sign() == Sign::Minus {
                    -size
                } else {
                    size
                }
            }
            (OfRegression::Determination, Some(b)) => ratio(&(&c * &c), &(&a * &b)),
            (OfRegression::Intercept, _) => {
                let (sum_x, sum_y) = (finite(x), finite(y));
                let above = &(&a * &sum_y) - &(&c * &sum_x);
                ratio(&above, &(&a * &Scaled::whole(terms)))
            }
            _ => ratio(&c, &a),
        })
    }

    fn heap(&self) -> usize {
        self.pairs.heap() + self.xx.heap() + self.yy.heap()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.pairs.encode(out);
        self.xx.encode(out);
        self.yy.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (pairs, xx) = (Pairs::decode(bytes)?, Products::decode(bytes)?);
        Some(Regression {
            pairs,
            xx,
            yy: Products::decode(bytes)?,
        })
    }
}
