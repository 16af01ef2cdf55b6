//! Exact numbers of the form `integer * 2^exponent`, for the last step of a statistic.
//!
//! Owns sums, differences and products of such numbers. Refuses to know where they come from and how they are rounded.
//! Invariant: nothing is ever rounded here.

use std::ops::{Mul, Sub};

use num_bigint::BigInt;

/// `integer * 2^exponent`, exactly.
#[derive(Clone, Debug)]
pub(crate) struct Scaled {
    pub(crate) integer: BigInt,
    pub(crate) exponent: i64,
}

impl Scaled {
    /// Makes `integer * 2^exponent`; every zero gets the exponent 0.
    pub(crate) fn new(integer: BigInt, exponent: i64) -> Scaled {
        let exponent = if integer == BigInt::ZERO { 0 } else { exponent };
        Scaled { integer, exponent }
    }

    /// Makes a whole number.
    pub(crate) fn whole(count: u64) -> Scaled {
        Scaled::new(BigInt::from(count), 0)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.integer == BigInt::ZERO
    }
}

impl Mul for &Scaled {
    type Output = Scaled;

    fn mul(self, other: &Scaled) -> Scaled {
        Scaled::new(&self.integer * &other.integer, self.exponent + other.exponent)
    }
}

impl Sub for &Scaled {
    type Output = Scaled;

    fn sub(self, other: &Scaled) -> Scaled {
        if self.is_zero() || other.is_zero() {
            let integer = &self.integer - &other.integer;
            return Scaled::new(integer, self.exponent + other.exponent);
        }
        let exponent = self.exponent.min(other.exponent);
        let align = |x: &Scaled| &x.integer << (x.exponent - exponent) as u64;
        Scaled::new(align(self) - align(other), exponent)
    }
}
