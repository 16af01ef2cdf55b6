//! The sums of two columns and of their products: covariance and means.
//!
//! Owns the statistics of two columns that need no squares. Refuses to know the rest. Invariant: a row counts in all
//! three sums or in none.

use super::super::products::Products;
use super::super::scaled::Scaled;
use super::super::sum::Sum;
use super::{Moments, Rows, central, product, ratio};

/// The sums of two columns and of their products.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    pub(super) x: Sum,
    pub(super) y: Sum,
    pub(super) xy: Products,
}

/// Statistics of two columns that need no squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OfPairs {
    Covariance(Rows),
    MeanX,
    MeanY,
    ProductsXY,
}

impl Moments for Pairs {
    const ARITY: usize = 2;
    type Row = (f64, f64);
    type Statistic = OfPairs;

    /// Reads y and x: two-column functions take the dependent variable first.
    #[inline(always)]
    fn row(columns: &[&[f64]], row: usize) -> (f64, f64) {
        (columns[0][row], columns[1][row])
    }

    #[inline(always)]
    fn add(&mut self, (y, x): (f64, f64)) -> usize {
        self.x.add(x) + self.y.add(y) + product(&mut self.xy, x, y, false)
    }

    #[inline(always)]
    fn remove(&mut self, (y, x): (f64, f64)) -> usize {
        self.x.remove(x) + self.y.remove(y) + product(&mut self.xy, x, y, true)
    }

    fn merge(&mut self, other: &Self) -> usize {
        self.x.merge(&other.x) + self.y.merge(&other.y) + self.xy.merge(&other.xy)
    }

    fn statistic(&self, statistic: OfPairs) -> Option<f64> {
        let terms = self.x.terms();
        if terms == 0 {
            return None;
        }
        let divisor = match statistic {
            OfPairs::MeanX => return Some(self.x.mean()),
            OfPairs::MeanY => return Some(self.y.mean()),
            OfPairs::ProductsXY => Scaled::whole(terms),
            OfPairs::Covariance(rows) => rows.divisor(terms)?,
        };
        if !self.is_finite() {
            return Some(f64::NAN);
        }
        Some(ratio(&self.central(), &divisor))
    }

    fn heap(&self) -> usize {
        self.x.heap() + self.y.heap() + self.xy.heap()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.x.encode(out);
        self.y.encode(out);
        self.xy.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (x, y) = (Sum::decode(bytes)?, Sum::decode(bytes)?);
        Some(Pairs {
            x,
            y,
            xy: Products::decode(bytes)?,
        })
    }
}

impl Pairs {
    pub(super) fn is_finite(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    pub(super) fn central(&self) -> Scaled {
        central(self.x.terms(), &self.xy, &self.x, &self.y)
    }
}
