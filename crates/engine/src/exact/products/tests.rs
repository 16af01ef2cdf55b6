//! Sums of products against integers of any size.

use proptest::prelude::*;

use super::*;
use crate::exact::oracle::{GRID, any_column, fixed};

fn fixed_point(products: &Products) -> BigInt {
    let (integer, exponent) = products.value();
    if integer == BigInt::ZERO {
        return integer;
    }
    let shift = exponent + i64::from(GRID);
    if shift >= 0 {
        integer << shift as u64
    } else {
        integer >> shift.unsigned_abs()
    }
}

fn sum_of(pairs: &[(f64, f64)]) -> Products {
    let mut products = Products::default();
    for &(x, y) in pairs {
        products.add(Parts::of(x), Parts::of(y), false);
    }
    products
}

fn reference(pairs: &[(f64, f64)]) -> BigInt {
    pairs.iter().map(|&(x, y)| fixed(x, 1074) * fixed(y, 1074)).sum()
}

fn any_pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (any_column(), any_column()).prop_map(|(x, y)| x.into_iter().zip(y).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sums_of_products_are_exact(pairs in any_pairs(), others in any_pairs()) {
        let mut products = sum_of(&pairs);
        prop_assert_eq!(fixed_point(&products), reference(&pairs));
        let mut bytes = Vec::new();
        sum_of(&others).encode(&mut bytes);
        let mut left = &bytes[..];
        products.merge(&Products::decode(&mut left).unwrap());
        prop_assert!(left.is_empty());
        prop_assert_eq!(fixed_point(&products), reference(&pairs) + reference(&others));
        for &(x, y) in &pairs {
            products.add(Parts::of(x), Parts::of(y), true);
        }
        prop_assert_eq!(fixed_point(&products), reference(&others));
    }

    #[test]
    fn squares_of_one_column_are_exact(column in any_column()) {
        let pairs: Vec<_> = column.iter().map(|&x| (x, x)).collect();
        prop_assert_eq!(fixed_point(&sum_of(&pairs)), reference(&pairs));
    }
}

#[test]
fn ordinary_squares_stay_in_their_windows() {
    let mut products = Products::default();
    for cents in 0..1_000_000u32 {
        let x = Parts::of(f64::from(cents) / 100.0);
        products.add(x, x, false);
    }
    assert_eq!(products.heap(), 0);
}

#[test]
fn a_window_that_runs_full_is_left_in_time() {
    let large = (2f64.powi(53) - 1.0) / 4.0;
    let pairs: Vec<_> = std::iter::once((1.0, 1.0))
        .chain(std::iter::repeat_n((large, large), 40))
        .collect();
    for pairs in [pairs.clone(), pairs.iter().map(|&(x, y)| (-x, y)).collect()] {
        let products = sum_of(&pairs);
        assert_eq!(fixed_point(&products), reference(&pairs));
    }
}
