//! An independent reference for the tests of exact sums: fixed-point integers of any size, read from decimal-free bits.
//!
//! Owns the slow and obvious way to exact values. Refuses to share code with what it checks: numbers are taken apart by
//! halving and doubling, not by their bits, and rounding is a search among neighbouring doubles.

use num_bigint::{BigInt, Sign};
use proptest::prelude::*;

/// All exact values are integers times 2^-GRID: products of the smallest subnormal numbers are whole.
pub(crate) const GRID: u32 = 2148;

/// Returns `x * 2^bits` as an integer, for finite `x` and `bits >= 1074`.
pub(crate) fn fixed(x: f64, bits: u32) -> BigInt {
    let (mut whole, mut left) = (x, i64::from(bits));
    // Doubling is exact while it does not overflow; the first whole number below 2^53 is reached before that.
    while whole.fract() != 0.0 {
        whole *= 2.0;
        left -= 1;
    }
    let mut zeros = 0u32;
    while whole.abs() >= 2f64.powi(60) {
        whole /= 2.0;
        zeros += 1;
    }
    let shift = left + i64::from(zeros);
    BigInt::from(whole as i64) << shift as u64
}

/// Compares `x` with `numerator / (denominator * 2^bits)`.
fn above(x: f64, numerator: &BigInt, denominator: &BigInt, bits: u32) -> std::cmp::Ordering {
    (fixed(x, bits) * denominator).cmp(numerator)
}

/// Returns the double nearest to `numerator / (denominator * 2^bits)` by bisection over the doubles, ties to even.
pub(crate) fn nearest(numerator: &BigInt, denominator: &BigInt, bits: u32) -> f64 {
    if numerator.sign() == Sign::Minus {
        return -nearest(&-numerator, denominator, bits);
    }
    // The doubles from 0.0 to infinity are ordered like their bits.
    let (mut low, mut high) = (0u64, f64::INFINITY.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if above(f64::from_bits(middle), numerator, denominator, bits).is_le() {
            low = middle;
        } else {
            high = middle;
        }
    }
    let below = fixed(f64::from_bits(low), bits + 1);
    // 2^1024 stands for infinity, as in IEEE 754.
    let over = if high == f64::INFINITY.to_bits() {
        BigInt::from(1) << (1024 + bits + 1)
    } else {
        fixed(f64::from_bits(high), bits + 1)
    };
    let twice_middle: BigInt = (below + over) * denominator;
    match (numerator * BigInt::from(4)).cmp(&twice_middle) {
        std::cmp::Ordering::Less => f64::from_bits(low),
        std::cmp::Ordering::Greater => f64::from_bits(high),
        std::cmp::Ordering::Equal => f64::from_bits(if low & 1 == 0 { low } else { high }),
    }
}

/// Any finite double by its bits, and the ones that break sums: extremes, subnormal numbers, halves of units.
pub(crate) fn any_finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()),
        4 => -1e6..1e6f64,
        2 => (-1000i32..1000).prop_map(|cents| f64::from(cents) / 100.0),
        2 => (any::<i64>(), -60i32..60).prop_map(|(m, e)| m as f64 * 2f64.powi(e)),
        1 => (1u64..1 << 53, any::<bool>()).prop_map(|(bits, negative)| {
            f64::from_bits(bits | if negative { 1 << 63 } else { 0 })
        }),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -f64::MIN_POSITIVE, 5e-324, -5e-324, 1.0, -1.0,
            f64::EPSILON, 1.0 + f64::EPSILON, 2f64.powi(53), 2f64.powi(-53), 2f64.powi(971), 1e308, -1e308, 0.1,
        ]),
    ]
}

/// Numbers as columns hold them: similar in size, so that sums stay in their windows.
pub(crate) fn any_tame() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1e4..1e4f64),
        (0i32..100_000).prop_map(|cents| f64::from(cents) / 100.0),
        Just(0.0)
    ]
}

/// Columns of finite numbers, tame or wild.
pub(crate) fn any_column() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(any_finite(), 0..60),
        prop::collection::vec(any_tame(), 0..200)
    ]
}
