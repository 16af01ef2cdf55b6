//! What the planner asks whoever knows SQL: the values of expressions over slices.

use mainstay_model::relation::Values;
use mainstay_model::{Column, DatasetName, SliceKey};

/// Evaluates expressions over the slice columns of datasets.
pub trait Expressions {
    /// Prepares slices of a dataset for expressions over its slice columns; of none: one row without columns, for constants. None if
    /// the slices are not of the dataset's types.
    fn over(&self, dataset: Option<&DatasetName>, slices: &[&SliceKey]) -> Option<Box<dyn SliceValues + '_>>;

    /// Returns the slice columns of a dataset: over the same slices, the values are the same while these are.
    fn columns(&self, _dataset: &DatasetName) -> &[Column] {
        &[]
    }
}

/// Slices of a dataset, ready for expressions. An answer of none means that it is not known.
pub trait SliceValues {
    /// Returns the values of an expression, one for each slice.
    fn values(&self, expression: &str) -> Option<Values>;

    /// Says for each slice whether a condition is true.
    fn holds(&self, condition: &str) -> Option<Vec<bool>>;

    /// Returns the slices of another dataset that have the values of these expressions, one for each slice. None too if they are
    /// the slices themselves ([`SliceValues::same_keys`]).
    fn keys(&self, expressions: &[String], of: &DatasetName) -> Option<Vec<SliceKey>>;

    /// Says whether the slices of another dataset that have the values of these expressions are the slices themselves.
    fn same_keys(&self, expressions: &[String], of: &DatasetName) -> bool;
}

/// No expression has a value that is known: every relation with conditions reads everything.
#[derive(Clone, Copy, Debug)]
pub struct NoExpressions;

impl Expressions for NoExpressions {
    fn over(&self, _: Option<&DatasetName>, _: &[&SliceKey]) -> Option<Box<dyn SliceValues + '_>> {
        None
    }
}
