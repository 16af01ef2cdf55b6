//! From exact numbers to the nearest double, ties to even: the only place of this module where anything is rounded.
//!
//! Owns rounding of integers, of quotients and of square roots of quotients of integers of any size. Refuses to know
//! sums. Invariant: every function returns the double nearest to the exact value, infinity from 2^1024 - 2^970 on, and
//! subnormal numbers without rounding twice.

use num_bigint::{BigInt, BigUint, Sign};

/// Rounds `(-1)^negative * (magnitude + rest) * 2^exponent`, where `0 <= rest < 1` and `inexact` says that `rest > 0`.
///
/// A magnitude with `inexact` set must have at least 55 bits, so that the rest is far below the half unit.
pub(crate) fn nearest(negative: bool, magnitude: u128, exponent: i64, inexact: bool) -> f64 {
    if magnitude == 0 {
        return 0.0;
    }
    // Two free bits on top, so that no shift below is by the whole width.
    let (magnitude, exponent, inexact) = if magnitude >> 126 == 0 {
        (magnitude, exponent, inexact)
    } else {
        (magnitude >> 2, exponent + 2, inexact || magnitude & 3 != 0)
    };
    let length = 128 - i64::from(magnitude.leading_zeros());
    let top = exponent + length - 1;
    let sign = if negative { 1u64 << 63 } else { 0 };
    if top > 1023 {
        return f64::from_bits(sign | f64::INFINITY.to_bits());
    }
    let last = (top - 52).max(-1074);
    let drop = last - exponent;
    let rounded = if drop <= 0 {
        (magnitude << -drop) as u64
    } else if drop > 127 {
        0
    } else {
        let kept = (magnitude >> drop) as u64;
        let rest = magnitude & ((1 << drop) - 1);
        let half = 1u128 << (drop - 1);
        let up = rest > half || (rest == half && (inexact || kept & 1 == 1));
        kept + u64::from(up)
    };
    // The mantissa's hidden bit adds one to the exponent; a carry out of the mantissa adds another, up to infinity.
    let bits = (((last + 1074) as u64) << 52) + rounded;
    f64::from_bits(sign | bits)
}

/// Rounds `integer * 2^exponent`.
pub(crate) fn nearest_integer(integer: &BigInt, exponent: i64) -> f64 {
    nearest_ratio(integer, &BigUint::from(1u8), exponent)
}

/// Rounds `numerator / denominator * 2^exponent`; the denominator must not be zero.
pub(crate) fn nearest_ratio(numerator: &BigInt, denominator: &BigUint, exponent: i64) -> f64 {
    let (magnitude, shift, inexact) = quotient(numerator.magnitude(), denominator, 64, |_| true);
    nearest(
        numerator.sign() == Sign::Minus,
        magnitude,
        exponent - shift,
        inexact,
    )
}

/// Rounds the square root of `numerator / denominator * 2^exponent`; the denominator must not be zero.
pub(crate) fn nearest_root(numerator: &BigUint, denominator: &BigUint, exponent: i64) -> f64 {
    let (square, shift, inexact) = quotient(numerator, denominator, 123, |shift| (exponent - shift) % 2 == 0);
    nearest_root_of(square, exponent - shift, inexact)
}

/// Rounds the square root of `(square + rest) * 2^exponent`, where `0 <= rest < 1` and `inexact` says that `rest > 0`;
/// the exponent must be even and the square have at least 110 bits, or be zero.
pub(crate) fn nearest_root_of(square: u128, exponent: i64, inexact: bool) -> f64 {
    let root = square.isqrt();
    nearest(false, root, exponent / 2, inexact || root * root != square)
}

/// Returns `(q, s, inexact)` with `q = floor(numerator / denominator * 2^s)` of `bits` to `bits + 2` bits, where
/// `accepts(s)` holds, which must be the case for one of two neighbours; `inexact` says that something was cut off.
fn quotient(
    numerator: &BigUint,
    denominator: &BigUint,
    bits: i64,
    accepts: impl Fn(i64) -> bool,
) -> (u128, i64, bool) {
    let mut shift = bits - (numerator.bits() as i64 - denominator.bits() as i64);
    if !accepts(shift) {
        shift += 1;
    }
    let (quotient, inexact) = if shift >= 0 {
        divide(&(numerator << shift as u64), denominator)
    } else {
        divide(numerator, &(denominator << shift.unsigned_abs()))
    };
    (quotient, shift, inexact)
}

fn divide(numerator: &BigUint, denominator: &BigUint) -> (u128, bool) {
    let quotient = numerator / denominator;
    let exact = &quotient * denominator == *numerator;
    let digits = quotient.iter_u64_digits();
    let magnitude = digits.enumerate().fold(0u128, |sum, (i, digit)| {
        if i < 2 {
            sum | u128::from(digit) << (64 * i)
        } else {
            sum
        }
    });
    (magnitude, !exact)
}
