//! An exact sum of any range of exponents: signed bins of 32 bits, with carries left for later.
//!
//! This is the small superaccumulator of R. M. Neal, "Fast exact summation using small and large superaccumulators"
//! (2015, arXiv:1505.05571), with two changes: the row of bins grows to the range of exponents that was seen instead of
//! covering all of them, and its range is open at both ends, so that exact products (exponents from -2148 to 2047) fit.
//!
//! Owns the fall-back form of every exact sum. Refuses to know rows, groups and columns. Invariants: the value is the
//! sum of `bins[i] * 2^(32 * (first + i))`; every bin is below `pending * 2^32` in size and `pending <= PENDING_MAX`, so
//! no bin ever overflows; infinities and NaN are counted apart, so that taking one away again is exact too.

use num_bigint::{BigInt, BigUint, Sign};

const BITS: i32 = 32;
const MASK: i64 = (1 << BITS) - 1;
const PENDING_MAX: u32 = 1 << 30;

/// An exact sum of finite numbers of any exponent, with counts of what is not finite.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wide {
    bins: Vec<i64>,
    first: i32,
    pending: u32,
    /// How many NaN, positive infinite and negative infinite terms are in the sum.
    pub(crate) special: [i64; 3],
}

impl Wide {
    /// Adds `(-1)^negative * magnitude * 2^exponent`.
    pub(crate) fn add(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        if magnitude == 0 {
            return;
        }
        let bin = exponent.div_euclid(BITS);
        let shift = exponent.rem_euclid(BITS) as u32;
        let length = 128 - magnitude.leading_zeros() + shift;
        let mut at = self.cover(bin, length.div_ceil(BITS as u32) as usize);
        let mut piece = ((magnitude << shift) as i64) & MASK;
        let mut rest = magnitude >> (BITS as u32 - shift);
        loop {
            self.bins[at] += if negative { -piece } else { piece };
            if rest == 0 {
                break;
            }
            piece = (rest as i64) & MASK;
            rest >>= BITS;
            at += 1;
        }
        self.pending += 1;
        if self.pending >= PENDING_MAX {
            self.carry();
        }
    }

    /// Adds `(-1)^negative * 2^exponent * Σ limbs[i] * 2^(64 i)`.
    pub(crate) fn add_limbs(&mut self, negative: bool, limbs: &[u64], exponent: i32) {
        for (i, &limb) in limbs.iter().enumerate() {
            self.add(negative, u128::from(limb), exponent + 64 * i as i32);
        }
    }

    /// Adds another exact sum, what is not finite included.
    pub(crate) fn merge(&mut self, other: &Wide) {
        for (mine, theirs) in self.special.iter_mut().zip(other.special) {
            *mine += theirs;
        }
        if other.bins.is_empty() {
            return;
        }
        let at = self.cover(other.first, other.bins.len());
        for (mine, theirs) in self.bins[at..].iter_mut().zip(&other.bins) {
            *mine += theirs;
        }
        self.pending += other.pending;
        if self.pending >= PENDING_MAX {
            self.carry();
        }
    }

    /// Returns the finite part as `integer * 2^exponent`.
    pub(crate) fn value(&self) -> (BigInt, i32) {
        let mut settled = self.clone();
        settled.carry();
        let Some((&top, low)) = settled.bins.split_last() else {
            return (BigInt::ZERO, 0);
        };
        let digits: Vec<u32> = low.iter().map(|&bin| bin as u32).collect();
        let low = BigInt::from_biguint(Sign::Plus, BigUint::new(digits.clone()));
        let high = BigInt::from(top) << (BITS as usize * digits.len());
        (high + low, settled.first * BITS)
    }

    /// Returns the bytes on the heap that this sum holds.
    pub(crate) fn heap(&self) -> usize {
        size_of::<Wide>() + self.bins.capacity() * size_of::<i64>()
    }

    /// Appends the stored form: three counts, the first bin, the number of bins, the bins; all little-endian.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut settled = self.clone();
        settled.carry();
        for count in settled.special {
            out.extend(count.to_le_bytes());
        }
        out.extend(settled.first.to_le_bytes());
        out.extend((settled.bins.len() as u32).to_le_bytes());
        for bin in &settled.bins {
            out.extend(bin.to_le_bytes());
        }
    }

    /// Reads what [`Wide::encode`] wrote and moves `bytes` past it; `None` when the bytes are cut short.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Wide> {
        let mut special = [0; 3];
        for count in &mut special {
            *count = i64::from_le_bytes(take(bytes)?);
        }
        let first = i32::from_le_bytes(take(bytes)?);
        let length = u32::from_le_bytes(take(bytes)?) as usize;
        if bytes.len() < length * size_of::<i64>() {
            return None;
        }
        let bins = (0..length)
            .map(|_| Some(i64::from_le_bytes(take(bytes)?)))
            .collect::<Option<Vec<i64>>>()?;
        Some(Wide {
            bins,
            first,
            pending: 1,
            special,
        })
    }

    /// Makes the row of bins reach from `bin` over `count` bins and returns where `bin` is in it.
    fn cover(&mut self, bin: i32, count: usize) -> usize {
        if self.bins.is_empty() {
            self.first = bin;
        }
        if bin < self.first {
            let missing = (self.first - bin) as usize;
            self.bins.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bin;
        }
        let at = (bin - self.first) as usize;
        if self.bins.len() < at + count {
            self.bins.resize(at + count, 0);
        }
        at
    }

    /// Moves carries up, so that every bin but the last is in `0..2^32` and the last fits 33 bits with its sign.
    fn carry(&mut self) {
        let mut carry = 0;
        for bin in &mut self.bins {
            let sum = *bin + carry;
            *bin = sum & MASK;
            carry = sum >> BITS;
        }
        // The last bin takes the carry back when both fit in it; this keeps small negative numbers short.
        if carry == -1 {
            if let Some(last) = self.bins.last_mut() {
                *last -= 1 << BITS;
            }
        } else if carry != 0 {
            self.bins.push(carry);
        }
        self.pending = 1;
    }
}

/// Takes the next `N` bytes.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}
