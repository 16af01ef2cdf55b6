//! A double taken apart: sign, integer mantissa, biased exponent.
//!
//! Owns the one place that knows the bits of IEEE 754 binary64. Refuses to know what is summed. Invariant: for every
//! finite `x`, `x = (-1)^negative * mantissa * 2^(exponent - BIAS)` exactly, with `mantissa < 2^53` and
//! `exponent >= 1`; subnormal numbers have exponent 1 and a mantissa below 2^52.

/// What is subtracted from a biased exponent to get the power of two of the mantissa's last bit.
pub(crate) const BIAS: i32 = 1075;

/// The biased exponent that infinities and NaN carry.
pub(crate) const NOT_FINITE: u32 = 0x7ff;

const FRACTION: u64 = (1 << 52) - 1;
const HIDDEN: u64 = 1 << 52;

/// A finite double as an integer times a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) negative: bool,
    pub(crate) mantissa: u64,
    pub(crate) exponent: u32,
}

/// Returns the eleven exponent bits of `x`: 0 for zero and subnormal numbers, [`NOT_FINITE`] for infinities and NaN.
#[inline(always)]
pub(crate) fn biased(x: f64) -> u32 {
    ((x.to_bits() >> 52) & 0x7ff) as u32
}

/// Returns the signed mantissa of a normal number; meaningless for zero, subnormal and non-finite numbers.
#[inline(always)]
pub(crate) fn signed_mantissa(x: f64) -> i64 {
    let bits = x.to_bits();
    let mantissa = ((bits & FRACTION) | HIDDEN) as i64;
    let sign = (bits as i64) >> 63;
    (mantissa ^ sign) - sign
}

impl Parts {
    /// Takes a finite number apart; the result is meaningless for infinities and NaN.
    #[inline(always)]
    pub(crate) fn of(x: f64) -> Parts {
        let bits = x.to_bits();
        let biased = biased(x);
        Parts {
            negative: bits >> 63 == 1,
            mantissa: (bits & FRACTION) | if biased == 0 { 0 } else { HIDDEN },
            exponent: biased.max(1),
        }
    }
}
