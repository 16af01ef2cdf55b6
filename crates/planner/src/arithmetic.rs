//! Expressions for tests: slices are whole numbers in the column `day`; known are `day`, `day - N`, `day / N`, `day >= N`, `day IS NULL`
//! and numbers.

use mainstay_model::relation::Values;
use mainstay_model::{DatasetName, SliceKey};

use crate::expression::{Expressions, SliceValues};

pub(crate) struct Arithmetic;

struct Days(Vec<Option<i64>>);

fn day(slice: &SliceKey) -> Option<i64> {
    slice.0.first()?.as_deref()?.parse().ok()
}

impl Expressions for Arithmetic {
    fn over(&self, _: Option<&DatasetName>, slices: &[&SliceKey]) -> Option<Box<dyn SliceValues + '_>> {
        Some(Box::new(Days(slices.iter().map(|s| day(s)).collect())))
    }
}

/// The value of an expression for a day.
pub(crate) fn value(expression: &str, day: Option<i64>) -> Option<i64> {
    if let Ok(n) = expression.parse() {
        return Some(n);
    }
    match expression.split_once(' ') {
        None => day,
        Some((_, step)) => {
            let (op, n) = step.split_once(' ')?;
            let n: i64 = n.parse().ok()?;
            day.map(|d| if op == "-" { d - n } else { d.div_euclid(n) })
        }
    }
}

pub(crate) fn holds(condition: &str, day: Option<i64>) -> bool {
    match condition
        .strip_prefix("day >= ")
        .and_then(|n| n.parse::<i64>().ok())
    {
        Some(n) => day.is_some_and(|d| d >= n),
        None => day.is_none(),
    }
}

impl SliceValues for Days {
    fn values(&self, expression: &str) -> Option<Values> {
        Some(Values::Numbers(
            self.0.iter().map(|d| value(expression, *d)).collect(),
        ))
    }

    fn holds(&self, condition: &str) -> Option<Vec<bool>> {
        Some(self.0.iter().map(|d| holds(condition, *d)).collect())
    }

    fn keys(&self, expressions: &[String], _: &DatasetName) -> Option<Vec<SliceKey>> {
        let key = |d: &Option<i64>| {
            let values = expressions.iter().map(|e| value(e, *d).map(|n| n.to_string()));
            SliceKey(values.collect())
        };
        Some(self.0.iter().map(key).collect())
    }

    fn same_keys(&self, expressions: &[String], _: &DatasetName) -> bool {
        expressions == ["day"]
    }
}
