//! The exact sum of doubles: 32 bytes a group, independent of order, rounded once.
//!
//! Floating point addition is not associative, so a sum that is rounded at every step depends on the order of its terms,
//! and with it on threads, files and batches. This sum keeps the exact value, so that every order gives equal bits.
//!
//! The value lives in a window: a 128-bit integer in units of a power of two that the data choose. A term is 53 bits;
//! the other 74 bits hold the range of exponents and the carries, which is enough for nearly all real columns (values
//! from 0.01 to 10^9 and a million of them take 110 bits). What does not fit moves, exactly, to a row of bins
//! ([`Wide`]), the small superaccumulator of R. M. Neal, "Fast exact summation using small and large
//! superaccumulators" (2015, arXiv:1505.05571).
//!
//! Owns the sum, its merge, its removal of terms, and its stored form. Refuses to know columns and SQL. Invariants: the
//! value is exact at all times, also when it leaves the range of doubles in between; the number of terms counts zeros,
//! infinities and NaN too and stays below 2^52.

use num_bigint::{BigInt, BigUint};

use super::blocks;
use super::parts::{self, BIAS, Parts};
use super::rounding;
use super::wide::{Wide, take};

/// The largest left shift of a 53-bit mantissa that stays clear of the window's sign.
const SHIFT_MAX: u32 = 73;
/// The largest base: numbers with the exponent of infinity then never pass the test for the fast path.
const BASE_MAX: u32 = parts::NOT_FINITE - 1 - SHIFT_MAX;
/// The base of a sum whose window is not in use: no term ever passes the test for the fast path.
const NO_BASE: u32 = 0xfff;
/// The room that a new window leaves below its first term.
const ROOM_BELOW: u32 = 20;

const COUNT_SHIFT: u32 = 12;
const ONE_TERM: u64 = 1 << COUNT_SHIFT;
const BASE_MASK: u64 = ONE_TERM - 1;

const EMPTY: u8 = 0;
const WINDOW: u8 = 1;
const WIDE: u8 = 2;

/// An exact sum of doubles and the number of its terms.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The value in units of `2^(base - BIAS)`; zero when `base` is [`NO_BASE`].
    window: i128,
    wide: Option<Box<Wide>>,
    /// The number of terms above, the base in the low twelve bits.
    terms_and_base: u64,
}

/// The value of a [`Sum`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    /// `integer * 2^exponent`.
    Finite(BigInt, i64),
    /// There are infinite terms, all of the same sign; true for negative.
    Infinite(bool),
    /// There is a NaN, or there are infinities of both signs.
    Undefined,
}

impl Default for Sum {
    fn default() -> Self {
        Sum {
            window: 0,
            wide: None,
            terms_and_base: u64::from(NO_BASE),
        }
    }
}

impl Sum {
    /// Returns how many terms are in the sum.
    pub fn terms(&self) -> u64 {
        self.terms_and_base >> COUNT_SHIFT
    }

    /// Adds a term and returns how many bytes the sum grew on the heap.
    #[inline(always)]
    pub fn add(&mut self, x: f64) -> usize {
        self.terms_and_base += ONE_TERM;
        if self.fits(x) {
            0
        } else {
            self.add_slowly(x, false)
        }
    }

    /// Takes a term away that was added before, and returns how many bytes the sum grew on the heap.
    #[inline]
    pub fn remove(&mut self, x: f64) -> usize {
        self.terms_and_base -= ONE_TERM;
        if self.fits(-x) {
            0
        } else {
            self.add_slowly(x, true)
        }
    }

    /// Adds many terms and returns how many bytes the sum grew on the heap.
    pub fn add_all(&mut self, values: &[f64]) -> usize {
        let mut grown = 0;
        for block in values.chunks(blocks::LENGTH) {
            let (lanes, rest) = block.split_at(block.len() - block.len() % blocks::LANES);
            match blocks::sum(lanes) {
                Some(sums) => {
                    // Two terms stand for all of the block.
                    self.terms_and_base += ONE_TERM * lanes.len() as u64;
                    grown += sums.into_iter().map(|sum| self.add(sum)).sum::<usize>();
                    self.terms_and_base -= 2 * ONE_TERM;
                }
                None => grown += self.add_one_by_one(lanes),
            }
            grown += self.add_one_by_one(rest);
        }
        grown
    }

    fn add_one_by_one(&mut self, values: &[f64]) -> usize {
        let mut grown = 0;
        let mut rest = values;
        loop {
            // The window stays in registers until a term does not fit.
            let base = self.base();
            let mut window = self.window;
            let done = rest.iter().position(|&x| {
                let shift = parts::biased(x).wrapping_sub(base);
                if shift > SHIFT_MAX {
                    return true;
                }
                match window.checked_add(i128::from(parts::signed_mantissa(x)) << shift) {
                    Some(sum) => {
                        window = sum;
                        false
                    }
                    None => true,
                }
            });
            self.window = window;
            let fitting = done.unwrap_or(rest.len());
            self.terms_and_base += ONE_TERM * fitting as u64;
            let Some((&x, after)) = rest[fitting..].split_first() else {
                return grown;
            };
            self.terms_and_base += ONE_TERM;
            grown += self.add_slowly(x, false);
            rest = after;
        }
    }

    /// Adds another sum and returns how many bytes this one grew on the heap.
    pub fn merge(&mut self, other: &Sum) -> usize {
        self.terms_and_base += other.terms_and_base & !BASE_MASK;
        if let Some(theirs) = &other.wide {
            let before = self.heap();
            self.widen().merge(theirs);
            return self.heap() - before;
        }
        if other.base() == NO_BASE {
            return 0;
        }
        self.add_window(other.window, other.base())
    }

    /// Returns the sum rounded to the nearest double; zero is positive, as is the sum of no terms.
    pub fn rounded(&self) -> f64 {
        if self.wide.is_none() {
            let exponent = i64::from(self.base()) - i64::from(BIAS);
            return rounding::nearest(self.window < 0, self.window.unsigned_abs(), exponent, false);
        }
        match self.total() {
            Total::Finite(integer, exponent) => rounding::nearest_integer(&integer, exponent),
            special => special.not_finite(),
        }
    }

    /// Returns the sum divided by the number of its terms, rounded to the nearest double; zero without terms.
    pub fn mean(&self) -> f64 {
        let terms = self.terms();
        if terms == 0 {
            return 0.0;
        }
        if self.wide.is_none() {
            // At least 64 bits of quotient: the dividend fills 128 bits, the divisor has at most 52.
            let magnitude = self.window.unsigned_abs();
            if magnitude == 0 {
                return 0.0;
            }
            let up = magnitude.leading_zeros();
            let dividend = magnitude << up;
            let divisor = u128::from(terms);
            let exponent = i64::from(self.base()) - i64::from(BIAS) - i64::from(up);
            let inexact = !dividend.is_multiple_of(divisor);
            return rounding::nearest(self.window < 0, dividend / divisor, exponent, inexact);
        }
        match self.total() {
            Total::Finite(integer, exponent) => {
                rounding::nearest_ratio(&integer, &BigUint::from(terms), exponent)
            }
            special => special.not_finite(),
        }
    }

    /// Returns the exact value.
    pub(crate) fn total(&self) -> Total {
        match &self.wide {
            None => Total::Finite(
                BigInt::from(self.window),
                i64::from(self.base()) - i64::from(BIAS),
            ),
            Some(wide) => match wide.special {
                [0, 0, 0] => {
                    let (integer, exponent) = wide.value();
                    Total::Finite(integer, i64::from(exponent))
                }
                [0, _, 0] => Total::Infinite(false),
                [0, 0, _] => Total::Infinite(true),
                _ => Total::Undefined,
            },
        }
    }

    /// Returns the exact value as `integer * 2^exponent` when it is in its window.
    pub(crate) fn window(&self) -> Option<(i128, i64)> {
        (self.wide.is_none()).then(|| (self.window, i64::from(self.base()) - i64::from(BIAS)))
    }

    /// Says whether all terms are finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.wide.as_ref().is_none_or(|wide| wide.special == [0; 3])
    }

    /// Returns the bytes on the heap that this sum holds.
    pub fn heap(&self) -> usize {
        self.wide.as_ref().map_or(0, |wide| wide.heap())
    }

    /// Appends the stored form: a tag byte, the number of terms, and the window (its base as two bytes, its value as
    /// sixteen) or the bins; all little-endian. It lives inside one query only.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let terms = self.terms().to_le_bytes();
        match &self.wide {
            Some(wide) => {
                out.push(WIDE);
                out.extend(terms);
                wide.encode(out);
            }
            None if self.base() == NO_BASE => {
                out.push(EMPTY);
                out.extend(terms);
            }
            None => {
                let mut bytes = [WINDOW; 27];
                bytes[1..9].copy_from_slice(&terms);
                bytes[9..11].copy_from_slice(&(self.base() as u16).to_le_bytes());
                bytes[11..].copy_from_slice(&self.window.to_le_bytes());
                out.extend(bytes);
            }
        }
    }

    /// Reads what [`Sum::encode`] wrote and moves `bytes` past it; `None` when the bytes are damaged.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Sum> {
        let [tag] = take(bytes)?;
        let terms = u64::from_le_bytes(take(bytes)?).checked_mul(ONE_TERM)?;
        let mut sum = Sum::default();
        sum.terms_and_base |= terms;
        match tag {
            EMPTY => {}
            WINDOW => {
                let base = u32::from(u16::from_le_bytes(take(bytes)?));
                if !(1..=BASE_MAX).contains(&base) {
                    return None;
                }
                sum.set_base(base);
                sum.window = i128::from_le_bytes(take(bytes)?);
            }
            WIDE => sum.wide = Some(Box::new(Wide::decode(bytes)?)),
            _ => return None,
        }
        Some(sum)
    }

    #[inline(always)]
    fn base(&self) -> u32 {
        (self.terms_and_base & BASE_MASK) as u32
    }

    fn set_base(&mut self, base: u32) {
        self.terms_and_base = (self.terms_and_base & !BASE_MASK) | u64::from(base);
    }

    /// Adds a normal number whose bits lie in the window, and says whether it did.
    #[inline(always)]
    fn fits(&mut self, x: f64) -> bool {
        let shift = parts::biased(x).wrapping_sub(self.base());
        if shift > SHIFT_MAX {
            return false;
        }
        let term = i128::from(parts::signed_mantissa(x)) << shift;
        match self.window.checked_add(term) {
            Some(sum) => {
                self.window = sum;
                true
            }
            None => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn add_slowly(&mut self, x: f64, remove: bool) -> usize {
        if x == 0.0 {
            return 0;
        }
        if !x.is_finite() {
            let before = self.heap();
            let kind = if x.is_nan() {
                0
            } else if x > 0.0 {
                1
            } else {
                2
            };
            self.widen().special[kind] += if remove { -1 } else { 1 };
            return self.heap() - before;
        }
        let Parts {
            negative,
            mantissa,
            exponent,
        } = Parts::of(x);
        let term = if negative != remove {
            -i128::from(mantissa)
        } else {
            i128::from(mantissa)
        };
        self.add_window(term, exponent)
    }

    /// Adds `term * 2^(exponent - BIAS)`, by moving the window or, when that is not enough, by leaving it.
    fn add_window(&mut self, term: i128, exponent: u32) -> usize {
        if term == 0 {
            return 0;
        }
        if let Some(wide) = &mut self.wide {
            let before = wide.heap();
            wide.add(term < 0, term.unsigned_abs(), exponent as i32 - BIAS);
            return wide.heap() - before;
        }
        if self.window == 0 {
            // Nothing but zeros so far, or terms that cancelled: the window may go anywhere.
            let room = 126u32.saturating_sub(length(term)).min(ROOM_BELOW);
            let base = exponent.saturating_sub(room).clamp(1, BASE_MAX.min(exponent));
            self.set_base(base);
            self.window = term << (exponent - base);
            return 0;
        }
        let base = self.base();
        let lowest = (base + self.window.trailing_zeros()).min(exponent + term.trailing_zeros());
        let highest = (base + length(self.window)).max(exponent + length(term));
        if highest - lowest <= 126 {
            let room = ((126 - (highest - lowest)) / 2).min(ROOM_BELOW);
            let target = lowest.saturating_sub(room).clamp(1, BASE_MAX);
            if highest - target <= 126 {
                self.window = moved(self.window, base, target) + moved(term, exponent, target);
                self.set_base(target);
                return 0;
            }
        }
        let before = self.heap();
        self.widen()
            .add(term < 0, term.unsigned_abs(), exponent as i32 - BIAS);
        self.heap() - before
    }

    fn widen(&mut self) -> &mut Wide {
        let base = self.base();
        let window = std::mem::take(&mut self.window);
        self.set_base(NO_BASE);
        self.wide.get_or_insert_with(|| {
            let mut wide = Box::<Wide>::default();
            wide.add(window < 0, window.unsigned_abs(), base as i32 - BIAS);
            wide
        })
    }
}

impl Total {
    /// Returns the double for a value that is not finite; NaN is always the same one.
    pub(crate) fn not_finite(&self) -> f64 {
        match self {
            Total::Infinite(false) => f64::INFINITY,
            Total::Infinite(true) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

/// The number of bits of the magnitude.
fn length(window: i128) -> u32 {
    128 - window.unsigned_abs().leading_zeros()
}

/// Expresses a value in units of another base; the bits that a right shift drops must be zeros.
fn moved(window: i128, from: u32, to: u32) -> i128 {
    if from >= to {
        window << (from - to)
    } else {
        window >> (to - from)
    }
}

#[cfg(test)]
mod tests;
