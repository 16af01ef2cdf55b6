//! Statistics against their textbook formulas over integers of any size.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::exact::oracle::{any_column, fixed, nearest};

/// `n`, Σx, Σy, A, B and C of the columns, on the grids 2^-1074 and 2^-2148.
struct Reference {
    n: BigInt,
    x: BigInt,
    y: BigInt,
    a: BigInt,
    b: BigInt,
    c: BigInt,
}

impl Reference {
    fn of(rows: &[(f64, f64)]) -> Reference {
        let n = BigInt::from(rows.len());
        let xs: Vec<BigInt> = rows.iter().map(|row| fixed(row.1, 1074)).collect();
        let ys: Vec<BigInt> = rows.iter().map(|row| fixed(row.0, 1074)).collect();
        // Around the mean times n: n²Σ(x - x̄)(y - ȳ) = Σ(nx - Σx)(ny - Σy), which is n times the central moment.
        let central = |us: &[BigInt], vs: &[BigInt]| -> BigInt {
            let (su, sv): (BigInt, BigInt) = (us.iter().sum(), vs.iter().sum());
            let total: BigInt = us
                .iter()
                .zip(vs)
                .map(|(u, v)| (u * &n - &su) * (v * &n - &sv))
                .sum();
            if rows.is_empty() { total } else { total / &n }
        };
        Reference {
            x: xs.iter().sum(),
            y: ys.iter().sum(),
            a: central(&xs, &xs),
            b: central(&ys, &ys),
            c: central(&xs, &ys),
            n,
        }
    }
}

/// Checks that `root` is the double nearest to `√(numerator / denominator / 2^bits)`: its square and those of the two
/// middles to its neighbours are compared exactly.
fn is_nearest_root(root: f64, numerator: &BigInt, denominator: &BigInt, bits: u32) -> bool {
    let square = |twice: BigInt| &twice * &twice;
    let at = |x: f64| fixed(x, 1075 + 1);
    let below = if root == 0.0 {
        BigInt::ZERO
    } else {
        at(root) + at(root.next_down())
    };
    let over = at(root) + at(root.next_up());
    // below, over are 2 * middle * 2^1076, so their squares are middle² * 2^2154.
    let value: BigInt = numerator << 2154u32;
    (square(below) * denominator) << bits <= value && value <= (square(over) * denominator) << bits
}

fn any_rows() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (any_column(), any_column(), 0..4u8).prop_map(|(y, x, kind)| {
        y.into_iter()
            .zip(x)
            .map(|(y, x)| match kind {
                0 => (y, 0.1),
                1 => (x * 3.0, x),
                _ => (y, x),
            })
            .filter(|(y, x)| y.is_finite() && x.is_finite())
            .collect()
    })
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a == 0.0 && b == 0.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_spread_is_the_textbook_value(rows in any_rows()) {
        let Reference { n, a, .. } = Reference::of(&rows);
        let mut spread = Spread::default();
        for &(_, x) in &rows {
            spread.add(x);
        }
        let one = BigInt::from(1);
        for (of, divisor) in [(Rows::Population, n.clone()), (Rows::Sample, &n - &one)] {
            let variance = spread.statistic(OfSpread::Variance(of));
            let deviation = spread.statistic(OfSpread::Deviation(of));
            if divisor <= BigInt::ZERO {
                prop_assert_eq!((variance, deviation), (None, None));
                continue;
            }
            let divisor = &n * divisor;
            prop_assert!(same(variance.unwrap(), nearest(&a, &divisor, 2148)));
            prop_assert!(is_nearest_root(deviation.unwrap(), &a, &divisor, 2148));
        }
    }

    #[test]
    fn statistics_of_two_columns_are_the_textbook_values(rows in any_rows(), cut in any::<prop::sample::Index>()) {
        let Reference { n, x, y, a, b, c } = Reference::of(&rows);
        let (mut pairs, mut regression) = (Pairs::default(), Regression::default());
        let (left, right) = rows.split_at(if rows.is_empty() { 0 } else { cut.index(rows.len()) });
        let (mut more, mut other) = (Pairs::default(), Regression::default());
        for &row in left {
            pairs.add(row);
            regression.add(row);
        }
        for &row in right {
            more.add(row);
            other.add(row);
        }
        let (mut stored, mut bytes) = (Vec::new(), Vec::new());
        more.encode(&mut stored);
        pairs.merge(&Pairs::decode(&mut &stored[..]).unwrap());
        other.encode(&mut bytes);
        regression.merge(&Regression::decode(&mut &bytes[..]).unwrap());

        if rows.is_empty() {
            prop_assert_eq!(pairs.statistic(OfPairs::MeanX), None);
            prop_assert_eq!(regression.statistic(OfRegression::SquaresX), None);
            return Ok(());
        }
        let is = |got: Option<f64>, numerator: &BigInt, denominator: &BigInt, bits| {
            same(got.unwrap(), nearest(numerator, denominator, bits))
        };
        prop_assert!(is(pairs.statistic(OfPairs::Covariance(Rows::Population)), &c, &(&n * &n), 2148));
        prop_assert!(is(pairs.statistic(OfPairs::ProductsXY), &c, &n, 2148));
        prop_assert!(is(pairs.statistic(OfPairs::MeanX), &x, &n, 1074));
        prop_assert!(is(pairs.statistic(OfPairs::MeanY), &y, &n, 1074));
        prop_assert!(is(regression.statistic(OfRegression::SquaresX), &a, &n, 2148));
        prop_assert!(is(regression.statistic(OfRegression::SquaresY), &b, &n, 2148));
        let degenerate = rows.len() < 2 || a == BigInt::ZERO;
        let slope = regression.statistic(OfRegression::Slope);
        let intercept = regression.statistic(OfRegression::Intercept);
        prop_assert_eq!(slope.is_none(), degenerate);
        prop_assert_eq!(intercept.is_none(), degenerate);
        if !degenerate {
            // The reference rounds only on grids of 1074 bits and more.
            prop_assert!(is(slope, &(&c << 1074u32), &a, 1074));
            prop_assert!(is(intercept, &(&a * &y - &c * &x), &(&n * &a), 1074));
        }
        let degenerate = degenerate || b == BigInt::ZERO;
        let correlation = regression.statistic(OfRegression::Correlation);
        let determination = regression.statistic(OfRegression::Determination);
        prop_assert_eq!(correlation.is_none(), degenerate);
        prop_assert_eq!(determination.is_none(), degenerate);
        if !degenerate {
            let (square, spread) = (&c * &c, &a * &b);
            prop_assert!(is(determination, &(&square << 1074u32), &spread, 1074));
            let correlation = correlation.unwrap();
            prop_assert!(is_nearest_root(correlation.abs(), &square, &spread, 0));
            prop_assert!(correlation == 0.0 || (correlation < 0.0) == (c < BigInt::ZERO));
            prop_assert!(correlation.abs() <= 1.0);
        }
    }
}

#[test]
fn a_large_offset_does_not_hurt() {
    let mut spread = Spread::default();
    for x in [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0] {
        spread.add(x);
    }
    assert_eq!(spread.statistic(OfSpread::Variance(Rows::Sample)), Some(30.0));
    assert_eq!(spread.statistic(OfSpread::Variance(Rows::Population)), Some(22.5));
}

#[test]
fn what_is_not_finite_is_told_apart() {
    let moments = |rows: &[(f64, f64)]| {
        let mut regression = Regression::default();
        for &row in rows {
            regression.add(row);
        }
        regression
    };
    let nan = moments(&[(f64::NAN, f64::NAN)]);
    assert!(nan.statistic(OfRegression::Correlation).unwrap().is_nan());
    let one = moments(&[(f64::NAN, 1.0), (2.0, 2.0)]);
    assert_eq!(one.statistic(OfRegression::Correlation), None);
    assert!(one.statistic(OfRegression::Slope).unwrap().is_nan());
    assert_eq!(one.statistic(OfRegression::SquaresX), Some(0.5));
    assert!(one.statistic(OfRegression::SquaresY).unwrap().is_nan());
    let flat = moments(&[(f64::INFINITY, 1.0), (2.0, 1.0)]);
    assert_eq!(flat.statistic(OfRegression::Slope), None);
    let mut spread = Spread::default();
    spread.add(f64::INFINITY);
    assert!(
        spread
            .statistic(OfSpread::Variance(Rows::Population))
            .unwrap()
            .is_nan()
    );
    assert_eq!(spread.statistic(OfSpread::Variance(Rows::Sample)), None);
    spread.add(1.0);
    spread.remove(f64::INFINITY);
    assert_eq!(spread.statistic(OfSpread::Variance(Rows::Population)), Some(0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_way_over_the_stack_gives_the_same(column in any_column()) {
        let mut spread = Spread::default();
        for &x in &column {
            spread.add(x);
        }
        if column.len() < 2 {
            return Ok(());
        }
        let terms = column.len() as u64;
        let exact = central(terms, &spread.xx, &spread.x, &spread.x);
        for rows in [Rows::Population, Rows::Sample] {
            let divisor = rows.divisor(terms).unwrap();
            if let Some(quick) = spread.quickly(OfSpread::Variance(rows)) {
                prop_assert!(same(quick, ratio(&exact, &divisor)));
            }
            if let Some(quick) = spread.quickly(OfSpread::Deviation(rows)) {
                prop_assert!(same(quick, root(&exact, &divisor)));
            }
        }
    }
}

#[test]
fn ordinary_columns_take_the_way_over_the_stack() {
    for scale in [1.0, 0.01, 1e-200, 1e150] {
        let mut spread = Spread::default();
        for i in 1..1000 {
            spread.add(f64::from(i) * scale);
        }
        assert!(spread.quickly(OfSpread::Variance(Rows::Sample)).is_some());
    }
}
