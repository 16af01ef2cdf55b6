//! Sums against integers of any size, in any order, split in any way.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::exact::oracle::{any_column, fixed, nearest};

fn sum_of(values: &[f64]) -> Sum {
    let mut sum = Sum::default();
    for &x in values {
        sum.add(x);
    }
    sum
}

fn reference(values: &[f64], divisor: u64) -> f64 {
    let total: BigInt = values.iter().map(|&x| fixed(x, 1074)).sum();
    let rounded = nearest(&total, &BigInt::from(divisor), 1074);
    // An exact zero is positive; a negative number that rounds to zero keeps its sign.
    if total == BigInt::ZERO { 0.0 } else { rounded }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_sum_is_the_exact_one_rounded(values in any_column()) {
        let expected = reference(&values, 1);
        let sum = sum_of(&values);
        prop_assert!(same(sum.rounded(), expected), "{} {expected}", sum.rounded());
        prop_assert_eq!(sum.terms(), values.len() as u64);
        let mut at_once = Sum::default();
        at_once.add_all(&values);
        prop_assert!(same(at_once.rounded(), expected));
        prop_assert_eq!(at_once.terms(), values.len() as u64);
        if !values.is_empty() {
            prop_assert!(same(sum.mean(), reference(&values, values.len() as u64)));
        }
    }

    #[test]
    fn order_splits_and_storage_do_not_matter(
        (values, shuffled) in any_column().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let expected = sum_of(&values);
        let mut merged = Sum::default();
        let mut rest = &shuffled[..];
        for cut in cuts {
            if rest.is_empty() {
                break;
            }
            let (part, after) = rest.split_at(cut.index(rest.len()));
            let mut bytes = Vec::new();
            sum_of(part).encode(&mut bytes);
            let mut left = &bytes[..];
            merged.merge(&Sum::decode(&mut left).unwrap());
            prop_assert!(left.is_empty());
            rest = after;
        }
        merged.merge(&sum_of(rest));
        prop_assert!(same(merged.rounded(), expected.rounded()));
        prop_assert!(same(merged.mean(), expected.mean()));
        prop_assert_eq!(merged.terms(), expected.terms());
    }

    #[test]
    fn what_is_removed_leaves_no_trace(kept in any_column(), removed in any_column()) {
        let mut sum = sum_of(&removed);
        for &x in &kept {
            sum.add(x);
        }
        sum.add(f64::INFINITY);
        sum.add(f64::NAN);
        for &x in removed.iter().rev() {
            sum.remove(x);
        }
        prop_assert!(sum.rounded().is_nan());
        sum.remove(f64::NAN);
        prop_assert_eq!(sum.rounded(), f64::INFINITY);
        sum.remove(f64::INFINITY);
        prop_assert!(same(sum.rounded(), sum_of(&kept).rounded()));
        prop_assert_eq!(sum.terms(), kept.len() as u64);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_crash(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(sum) = Sum::decode(&mut &bytes[..]) {
            sum.rounded();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn blocks_are_exact_or_refused(
        exponent in -1000i32..1000,
        spread in 0i32..60,
        numbers in prop::collection::vec((-(1i64 << 53)..1 << 53, any::<u16>()), 0..64),
    ) {
        let column: Vec<f64> = numbers
            .iter()
            .map(|&(m, e)| m as f64 * 2f64.powi((exponent + i32::from(e) % (spread + 1)).clamp(-1022, 900)))
            .chain(std::iter::repeat_n(0.0, (8 - numbers.len() % 8) % 8))
            .collect();
        if let Some([a, b]) = blocks::sum(&column) {
            let total: BigInt = column.iter().map(|&x| fixed(x, 1074)).sum();
            prop_assert_eq!(fixed(a, 1074) + fixed(b, 1074), total);
        } else {
            // 53 bits, the spread and the carries need more room than two cuts have, or the numbers are extreme.
            prop_assert!(spread > 31 || !(-790..940).contains(&exponent) || column.iter().all(|&x| x == 0.0));
        }
        let mut sum = Sum::default();
        sum.add_all(&column);
        prop_assert!(same(sum.rounded(), sum_of(&column).rounded()));
    }
}

#[test]
fn blocks_that_are_not_finite_are_refused() {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324] {
        assert_eq!(blocks::sum(&[1.0, x, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), None, "{x}");
    }
    assert_eq!(blocks::sum(&[0.5; 512]), Some([256.0, 0.0]));
    let many: Vec<f64> = (0..100_000).map(|i| f64::from(i % 1000) / 10.0).collect();
    let mut sum = Sum::default();
    sum.add_all(&many);
    assert!(same(sum.rounded(), sum_of(&many).rounded()));
    assert_eq!(sum.terms(), 100_000);
}

#[test]
fn the_known_hard_cases_are_right() {
    assert_eq!(sum_of(&[1e308, 1e308, -1e308, -1e308, 3.0]).rounded(), 3.0);
    assert_eq!(sum_of(&[f64::MAX, f64::MAX]).rounded(), f64::INFINITY);
    assert_eq!(sum_of(&[f64::MAX, f64::MAX]).mean(), f64::MAX);
    assert_eq!(sum_of(&[1.0, 1e100, 1.0, -1e100]).rounded(), 2.0);
    assert_eq!(sum_of(&[0.1; 10]).rounded(), 1.0);
    assert_eq!(sum_of(&[1.0, 2f64.powi(-53)]).rounded(), 1.0);
    assert_eq!(
        sum_of(&[1.0, 2f64.powi(-53), 5e-324]).rounded(),
        1.0 + f64::EPSILON
    );
    assert!(same(sum_of(&[-0.0, -0.0]).rounded(), 0.0));
    assert!(same(sum_of(&[5e-324, -5e-324]).rounded(), 0.0));
    assert!(sum_of(&[f64::INFINITY, f64::NEG_INFINITY]).rounded().is_nan());
    assert_eq!(sum_of(&[f64::NEG_INFINITY, 1.0]).rounded(), f64::NEG_INFINITY);
    assert_eq!(sum_of(&[1.0, f64::NEG_INFINITY]).mean(), f64::NEG_INFINITY);
    assert_eq!(sum_of(&[-f64::NAN, 1.0]).rounded().to_bits(), f64::NAN.to_bits());
}

#[test]
fn ordinary_columns_stay_in_their_windows() {
    let mut sum = Sum::default();
    for cents in 0..1_000_000u32 {
        sum.add(f64::from(cents) / 100.0);
    }
    assert_eq!(sum.heap(), 0);
    assert_eq!(sum.rounded(), 4_999_995_000.0);
}

#[test]
fn carries_of_many_terms_are_kept() {
    let mut sum = sum_of(&[1e-300, 1e300]);
    let mut other = sum.clone();
    for _ in 0..40 {
        other = {
            let mut twice = other.clone();
            twice.merge(&other);
            twice
        };
    }
    for _ in 0..3 {
        sum.merge(&other);
    }
    let expected = (fixed(1e-300, 1074) + fixed(1e300, 1074)) * BigInt::from(3 * (1u64 << 40) + 1);
    assert_eq!(sum.rounded(), nearest(&expected, &BigInt::from(1), 1074));
    assert_eq!(sum.terms(), 2 * (3 * (1 << 40) + 1));
}
