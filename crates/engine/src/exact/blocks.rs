//! Exact sums of blocks of doubles with vector instructions.
//!
//! Adding a large power of two to a number and taking it away again splits the number, without error, into a multiple of
//! a unit and a rest (Rump, Ogita, Oishi, "Accurate floating-point summation part I", 2008). The multiples of one unit
//! add up exactly as plain doubles as long as their sum stays below 2^53 units, in any order, so in vector lanes. Two
//! such cuts leave nothing of a block whose numbers are within 33 powers of two of its largest one.
//!
//! Owns this split. Refuses blocks where it would not be exact: something is left after the second cut, or is not
//! finite, or too large or too small. Invariant: when it returns sums, they are those of the block, exactly.
//!
//! Proof for a block of at most `2^k` numbers below `2^E`, with `u = 2^(E + k - 51)` and `σ = 3 * 2^(E + k)`: σ + x stays
//! between `2^(E+k+1)` and `2^(E+k+2)`, where the unit in the last place is u; so `q = (σ + x) - σ` is a multiple of u, and
//! exact by Sterbenz' lemma; `x - q` is at most u/2, a multiple of the last bit of x, and so a double; sums of q are
//! multiples of u below `2^(E + k + 1) = 2^52 u`. The rests are a block of numbers of at most `2^(E + k - 52)`.

/// The longest block, a power of two.
pub(crate) const LENGTH: usize = 1 << LENGTH_BITS;

/// How many numbers are summed side by side; blocks are multiples of it.
pub(crate) const LANES: usize = 8;

const LENGTH_BITS: i32 = 9;

/// Returns two doubles whose exact sum is that of the block, or `None` where this way is closed.
pub(crate) fn sum(block: &[f64]) -> Option<[f64; 2]> {
    let (lanes, rest) = block.as_chunks::<LANES>();
    if block.len() > LENGTH || !rest.is_empty() {
        return None;
    }
    let mut largest = [0f64; LANES];
    for lane in lanes {
        for (largest, x) in largest.iter_mut().zip(lane) {
            let size = x.abs();
            *largest = if size > *largest { size } else { *largest };
        }
    }
    let largest = largest.into_iter().fold(0.0, f64::max);
    // The power of two above the largest number; NaN and infinity show in the sums.
    let above = ((largest.to_bits() >> 52) as i32) - 1022;
    if !(-800..1000).contains(&above) {
        return None;
    }
    let first = three_times_power(above + LENGTH_BITS);
    let second = three_times_power(above + 2 * LENGTH_BITS - 52);
    let (mut high, mut low, mut left) = ([0f64; LANES], [0f64; LANES], [0u64; LANES]);
    for lane in lanes {
        for i in 0..LANES {
            let x = lane[i];
            let q = (first + x) - first;
            let r = x - q;
            let s = (second + r) - second;
            high[i] += q;
            low[i] += s;
            // The sign of a zero does not count.
            left[i] |= (r - s).to_bits() << 1;
        }
    }
    let sums = [high.into_iter().sum::<f64>(), low.into_iter().sum::<f64>()];
    (left == [0; LANES] && sums.iter().all(|sum| sum.is_finite())).then_some(sums)
}

/// Returns `3 * 2^power`.
fn three_times_power(power: i32) -> f64 {
    f64::from_bits((((power + 1 + 1023) as u64) << 52) | (1 << 51))
}
