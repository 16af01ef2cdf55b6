//! Integers of 512 bits on the stack: the last step of a variance without the heap, when its sums are in their windows.
//!
//! Owns just the operations of that step. Refuses negative numbers. Invariant: nothing is cut off without saying so;
//! callers make sure that values fit.

const LIMBS: usize = 8;

/// How many bits a [`Fixed`] holds.
pub(crate) const ROOM: u32 = 512;

/// A non-negative integer below 2^512, low limb first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed([u64; LIMBS]);

impl Fixed {
    /// Returns `limbs * factor`.
    pub(crate) fn product(limbs: &[u64; 4], factor: u64) -> Fixed {
        let mut product = [0; LIMBS];
        let mut carry = 0;
        for (to, &limb) in product.iter_mut().zip(limbs) {
            let sum = u128::from(limb) * u128::from(factor) + carry;
            *to = sum as u64;
            carry = sum >> 64;
        }
        product[4] = carry as u64;
        Fixed(product)
    }

    /// Returns `x * x`.
    pub(crate) fn square(x: u128) -> Fixed {
        let (low, high) = (x as u64, (x >> 64) as u64);
        let low_square = u128::from(low) * u128::from(low);
        let high_square = u128::from(high) * u128::from(high);
        let mixed = u128::from(low) * u128::from(high);
        let mut square = [0; LIMBS];
        let middle = (low_square >> 64) + 2 * u128::from(mixed as u64);
        let upper = (middle >> 64) + 2 * (mixed >> 64) + u128::from(high_square as u64);
        square[0] = low_square as u64;
        square[1] = middle as u64;
        square[2] = upper as u64;
        square[3] = ((upper >> 64) + (high_square >> 64)) as u64;
        Fixed(square)
    }

    /// Returns the number of bits up to the highest one.
    pub(crate) fn length(&self) -> u32 {
        let top = self.0.iter().rposition(|&limb| limb != 0);
        top.map_or(0, |i| 64 * i as u32 + 64 - self.0[i].leading_zeros())
    }

    /// Returns `self * 2^by`, which must fit.
    pub(crate) fn shifted(&self, by: u32) -> Fixed {
        Fixed(std::array::from_fn(|i| self.bits_from(64 * i as i32 - by as i32)))
    }

    /// Returns `self - other`, which must not be negative.
    pub(crate) fn minus(&self, other: &Fixed) -> Fixed {
        let mut borrow = false;
        Fixed(std::array::from_fn(|i| {
            let (less, under) = self.0[i].overflowing_sub(other.0[i]);
            let (less, again) = less.overflowing_sub(u64::from(borrow));
            borrow = under || again;
            less
        }))
    }

    /// Returns `(q, e, inexact)` with `q = floor(self / divisor * 2^-e)` of 124 to 126 bits; `inexact` says that
    /// something was cut off. With `even`, `e + exponent` is even. Both numbers must be positive.
    pub(crate) fn quotient(&self, divisor: u64, exponent: i64, even: bool) -> (u128, i64, bool) {
        let mut cut = self.length() as i32 - (124 + 64 - divisor.leading_zeros() as i32);
        if even && (i64::from(cut) + exponent) % 2 != 0 {
            cut -= 1;
        }
        let divisor = u128::from(divisor);
        let (mut quotient, mut rest) = (0u128, 0u128);
        for i in [2, 1, 0] {
            let dividend = rest << 64 | u128::from(self.bits_from(64 * i + cut));
            quotient = (quotient << 64) | (dividend / divisor);
            rest = dividend % divisor;
        }
        (quotient, i64::from(cut), rest != 0 || self.any_below(cut))
    }

    /// Returns the 64 bits from bit `at` on; bits outside are zeros.
    fn bits_from(&self, at: i32) -> u64 {
        let limb = |i: i32| {
            usize::try_from(i)
                .ok()
                .and_then(|i| self.0.get(i))
                .copied()
                .unwrap_or(0)
        };
        let (index, bit) = (at.div_euclid(64), at.rem_euclid(64) as u32);
        limb(index) >> bit | (limb(index + 1) << 1) << (63 - bit)
    }

    fn any_below(&self, at: i32) -> bool {
        let zeros = self
            .0
            .iter()
            .position(|&limb| limb != 0)
            .map(|i| 64 * i as i32 + self.0[i].trailing_zeros() as i32);
        zeros.is_some_and(|zeros| zeros < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_tells_what_was_cut_off() {
        let one = Fixed::product(&[1, 0, 0, 0], 1);
        let power = one.shifted(400);
        assert_eq!(power.quotient(1, 0, false), (1 << 124, 276, false));
        let more = power.minus(&one).quotient(1, 0, false);
        assert_eq!(more, ((1 << 125) - 1, 275, true));
        let (third, cut, inexact) = power.quotient(3, 0, true);
        assert!(inexact && cut == 274 && third == (1u128 << 126) / 3);
        assert_eq!(one.quotient(1, 0, false), (1 << 124, -124, false));
        assert_eq!(Fixed::square(u128::MAX).length(), 256);
    }
}
