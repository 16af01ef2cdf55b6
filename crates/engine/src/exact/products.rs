//! The exact sum of products of two doubles.
//!
//! A product of two doubles has a mantissa of up to 106 bits and an exponent between -2148 and 1942, far outside of what
//! doubles can hold. The product is therefore formed in integers, where nothing is lost to rounding, overflow or
//! underflow, and summed in a window of 256 bits that works like that of [`Sum`](super::sum::Sum), with the same
//! fall-back to [`Wide`].
//!
//! Owns the sum of products, its merge and its stored form. Refuses to know infinities and NaN: its callers count them
//! in the sums of the factors. Invariant: the value is exact at all times.

use num_bigint::{BigInt, BigUint, Sign};

use super::parts::{BIAS, Parts};
use super::wide::{Wide, take};

const LIMBS: usize = 4;
/// The largest left shift of a 106-bit product that stays clear of the window's two top bits.
const SHIFT_MAX: u32 = 256 - 2 - 106;
/// The base of a sum whose window is not in use: far above every exponent, so no term passes the test for the fast path.
const NO_BASE: i32 = 1 << 20;
/// The room that a new window leaves below its first term.
const ROOM_BELOW: u32 = 48;
/// The bits of a window that may be in use before it is moved.
const ROOM: u32 = 254;

const EMPTY: u8 = 0;
const WINDOW: u8 = 1;
const WIDE: u8 = 2;

/// An exact sum of products of finite doubles.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    /// The value in two's complement, low limb first, in units of `2^base`; below `2^254` in size.
    window: [u64; LIMBS],
    wide: Option<Box<Wide>>,
    base: i32,
}

impl Default for Products {
    fn default() -> Self {
        Products {
            window: [0; LIMBS],
            wide: None,
            base: NO_BASE,
        }
    }
}

impl Products {
    /// Adds `x * y`, or takes it away, and returns how many bytes the sum grew on the heap. Both must be finite.
    #[inline(always)]
    pub(crate) fn add(&mut self, x: Parts, y: Parts, remove: bool) -> usize {
        let magnitude = u128::from(x.mantissa) * u128::from(y.mantissa);
        let negative = (x.negative != y.negative) != remove;
        let exponent = (x.exponent + y.exponent) as i32 - 2 * BIAS;
        let shift = exponent.wrapping_sub(self.base) as u32;
        if shift <= SHIFT_MAX {
            let sum = add_shifted(self.window, magnitude, shift, negative);
            if in_room(&sum) {
                self.window = sum;
                return 0;
            }
        }
        self.add_slowly(negative, magnitude, exponent)
    }

    /// Adds another sum and returns how many bytes this one grew on the heap.
    pub(crate) fn merge(&mut self, other: &Products) -> usize {
        if let Some(theirs) = &other.wide {
            let before = self.heap();
            self.widen().merge(theirs);
            return self.heap() - before;
        }
        if other.base == NO_BASE {
            return 0;
        }
        if self.base == NO_BASE && self.wide.is_none() {
            self.window = other.window;
            self.base = other.base;
            return 0;
        }
        let (negative, magnitude) = magnitude(&other.window);
        self.add_limbs(negative, &magnitude, other.base)
    }

    /// Returns the exact value as `integer * 2^exponent`.
    pub(crate) fn value(&self) -> (BigInt, i64) {
        match &self.wide {
            Some(wide) => {
                let (integer, exponent) = wide.value();
                (integer, i64::from(exponent))
            }
            None => {
                let (negative, magnitude) = magnitude(&self.window);
                let sign = if negative { Sign::Minus } else { Sign::Plus };
                (
                    BigInt::from_biguint(sign, integer(&magnitude)),
                    i64::from(self.base),
                )
            }
        }
    }

    /// Returns the exact value as `limbs * 2^exponent` when it is in its window and not negative.
    pub(crate) fn window(&self) -> Option<(&[u64; LIMBS], i64)> {
        let usable = self.wide.is_none() && self.window[LIMBS - 1] >> 63 == 0;
        usable.then_some((&self.window, i64::from(self.base)))
    }

    /// Returns the bytes on the heap that this sum holds.
    pub(crate) fn heap(&self) -> usize {
        self.wide.as_ref().map_or(0, |wide| wide.heap())
    }

    /// Appends the stored form: a tag byte and the window (its base as four bytes, four limbs) or the bins; all
    /// little-endian. It lives inside one query only.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match &self.wide {
            Some(wide) => {
                out.push(WIDE);
                wide.encode(out);
            }
            None if self.base == NO_BASE => out.push(EMPTY),
            None => {
                out.push(WINDOW);
                out.extend(self.base.to_le_bytes());
                for limb in self.window {
                    out.extend(limb.to_le_bytes());
                }
            }
        }
    }

    /// Reads what [`Products::encode`] wrote and moves `bytes` past it; `None` when the bytes are damaged.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Products> {
        let mut products = Products::default();
        match take(bytes)? {
            [EMPTY] => {}
            [WINDOW] => {
                products.base = i32::from_le_bytes(take(bytes)?);
                for limb in &mut products.window {
                    *limb = u64::from_le_bytes(take(bytes)?);
                }
            }
            [WIDE] => products.wide = Some(Box::new(Wide::decode(bytes)?)),
            _ => return None,
        }
        Some(products)
    }

    #[cold]
    #[inline(never)]
    fn add_slowly(&mut self, negative: bool, magnitude: u128, exponent: i32) -> usize {
        if magnitude == 0 {
            return 0;
        }
        self.add_limbs(
            negative,
            &[magnitude as u64, (magnitude >> 64) as u64, 0, 0],
            exponent,
        )
    }

    /// Adds a number that is not zero, by moving the window or, when that is not enough, by leaving it.
    fn add_limbs(&mut self, negative: bool, limbs: &[u64; LIMBS], exponent: i32) -> usize {
        if let Some(wide) = &mut self.wide {
            let before = wide.heap();
            wide.add_limbs(negative, limbs, exponent);
            return wide.heap() - before;
        }
        let (own_negative, own) = magnitude(&self.window);
        let (own_length, theirs) = (length(&own), length(limbs));
        if theirs == 0 {
            return 0;
        }
        let (lowest, highest) = if own_length == 0 {
            (exponent, exponent + theirs as i32)
        } else {
            (
                (self.base + trailing_zeros(&own) as i32).min(exponent + trailing_zeros(limbs) as i32),
                (self.base + own_length as i32).max(exponent + theirs as i32),
            )
        };
        let needed = (highest - lowest) as u32 + 1;
        if needed > ROOM {
            let before = self.heap();
            self.widen().add_limbs(negative, limbs, exponent);
            return self.heap() - before;
        }
        let target = lowest - ((ROOM - needed) / 2).min(ROOM_BELOW) as i32;
        let mut window = [0; LIMBS];
        if own_length != 0 {
            add_moved(&mut window, own_negative, &own, self.base - target);
        }
        add_moved(&mut window, negative, limbs, exponent - target);
        self.window = window;
        self.base = target;
        0
    }

    fn widen(&mut self) -> &mut Wide {
        let base = std::mem::replace(&mut self.base, NO_BASE);
        let (negative, magnitude) = magnitude(&std::mem::take(&mut self.window));
        self.wide.get_or_insert_with(|| {
            let mut wide = Box::<Wide>::default();
            wide.add_limbs(negative, &magnitude, base);
            wide
        })
    }
}

/// Adds `±magnitude * 2^shift` to a window, modulo 2^256.
#[inline(always)]
fn add_shifted(window: [u64; LIMBS], magnitude: u128, shift: u32, negative: bool) -> [u64; LIMBS] {
    let bit = shift % 64;
    let shifted = magnitude << bit;
    let over = ((magnitude >> 64) as u64 >> 1) >> (63 - bit);
    let term = [shifted as u64, (shifted >> 64) as u64, over];
    let mut sum = window;
    match shift / 64 {
        0 => add_at::<0>(&mut sum, term, negative),
        1 => add_at::<1>(&mut sum, term, negative),
        _ => add_at::<2>(&mut sum, term, negative),
    }
    sum
}

/// Adds or subtracts a term that starts at limb `AT`.
#[inline(always)]
fn add_at<const AT: usize>(window: &mut [u64; LIMBS], term: [u64; 3], negative: bool) {
    // Subtracting is adding the complement plus one; above the term the complement is all ones.
    let mask = if negative { u64::MAX } else { 0 };
    let mut carry = u128::from(negative);
    for i in AT..LIMBS {
        let limb = if i - AT < 3 { term[i - AT] } else { 0 } ^ mask;
        let sum = u128::from(window[i]) + u128::from(limb) + carry;
        window[i] = sum as u64;
        carry = sum >> 64;
    }
}

/// Adds `±magnitude * 2^by` to a window; it must fit, and what a right shift drops must be zeros.
fn add_moved(window: &mut [u64; LIMBS], negative: bool, magnitude: &[u64; LIMBS], by: i32) {
    let (limbs, bits) = (by.div_euclid(64), by.rem_euclid(64) as u32);
    let source = |i: i32| {
        usize::try_from(i)
            .ok()
            .and_then(|i| magnitude.get(i))
            .copied()
            .unwrap_or(0)
    };
    let mask = if negative { u64::MAX } else { 0 };
    let mut carry = u128::from(negative);
    for (i, limb) in (0..).zip(window) {
        let low = (source(i - limbs - 1) >> 1) >> (63 - bits);
        let term = (source(i - limbs) << bits | low) ^ mask;
        let sum = u128::from(*limb) + u128::from(term) + carry;
        *limb = sum as u64;
        carry = sum >> 64;
    }
}

/// Says whether the two top bits are equal: the value is below 2^254 in size, so the next addition cannot wrap.
#[inline(always)]
fn in_room(window: &[u64; LIMBS]) -> bool {
    let top = window[LIMBS - 1];
    (top ^ (top << 1)) >> 63 == 0
}

/// Splits two's complement into sign and magnitude.
fn magnitude(window: &[u64; LIMBS]) -> (bool, [u64; LIMBS]) {
    let negative = window[LIMBS - 1] >> 63 == 1;
    if !negative {
        return (false, *window);
    }
    let mut carry = true;
    let magnitude = window.map(|limb| {
        let (sum, over) = (!limb).overflowing_add(u64::from(carry));
        carry = over;
        sum
    });
    (true, magnitude)
}

fn integer(limbs: &[u64]) -> BigUint {
    BigUint::new(
        limbs
            .iter()
            .flat_map(|&limb| [limb as u32, (limb >> 32) as u32])
            .collect(),
    )
}

/// The number of bits up to the highest one.
fn length(limbs: &[u64]) -> u32 {
    limbs
        .iter()
        .rposition(|&limb| limb != 0)
        .map_or(0, |i| 64 * i as u32 + 64 - limbs[i].leading_zeros())
}

/// The number of zero bits below the lowest one.
fn trailing_zeros(limbs: &[u64]) -> u32 {
    limbs
        .iter()
        .position(|&limb| limb != 0)
        .map_or(0, |i| 64 * i as u32 + limbs[i].trailing_zeros())
}

#[cfg(test)]
mod tests;
