//! Slices: one partition value of a dataset.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The value of a slice: one text per slice column, in the order of the dataset's slice columns; empty for a dataset
/// without slices. A text is the value as a Delta partition value is written (`2013-02-03`, `12`, `JFK`); `None` is NULL.
///
/// NULLs sort first; integers sort by value, everything else by text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SliceKey(pub Vec<Option<String>>);

impl SliceKey {
    /// The one slice of a dataset without slices.
    pub fn whole() -> Self {
        Self(Vec::new())
    }

    /// A slice of a dataset with one slice column.
    pub fn of(value: impl Into<String>) -> Self {
        Self(vec![Some(value.into())])
    }

    /// Writes the slice as people and JSON see it: `2013-02-03`, `day=2013-02-03,origin=JFK`, `null`; `all` without slices.
    pub fn text(&self, columns: &[String]) -> String {
        let value = |v: &Option<String>| v.clone().unwrap_or_else(|| "null".to_owned());
        match self.0.as_slice() {
            [] => "all".to_owned(),
            [one] => value(one),
            many => {
                let parts: Vec<String> = columns
                    .iter()
                    .zip(many)
                    .map(|(c, v)| format!("{c}={}", value(v)))
                    .collect();
                parts.join(",")
            }
        }
    }
}

impl fmt::Display for SliceKey {
    /// The values joined by commas; where the column names matter, [`SliceKey::text`] has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("all");
        }
        for (i, v) in self.0.iter().enumerate() {
            write!(
                f,
                "{}{}",
                if i > 0 { "," } else { "" },
                v.as_deref().unwrap_or("null")
            )?;
        }
        Ok(())
    }
}

/// Compares two values of one slice column: NULL first, integers by value, else text.
pub fn compare_values(a: Option<&str>, b: Option<&str>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (a.parse::<i64>(), b.parse::<i64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
            (Ok(_), Err(_)) => std::cmp::Ordering::Less,
            (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

impl Ord for SliceKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        for (a, b) in self.0.iter().zip(&other.0) {
            let order = compare_values(a.as_deref(), b.as_deref());
            if order.is_ne() {
                return order;
            }
        }
        self.0.len().cmp(&other.0.len())
    }
}

impl PartialOrd for SliceKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_people_see_it() {
        assert_eq!(SliceKey::of("2013-02-03").text(&["day".into()]), "2013-02-03");
        let two = SliceKey(vec![Some("2013-02-03".into()), None]);
        assert_eq!(
            two.text(&["day".into(), "origin".into()]),
            "day=2013-02-03,origin=null"
        );
        assert_eq!(SliceKey::whole().text(&[]), "all");
        assert!(SliceKey::of("9") < SliceKey::of("10"));
        assert!(SliceKey(vec![None]) < SliceKey::of("0"));
    }

    proptest! {
        /// The order is total: antisymmetric and transitive over mixed values.
        #[test]
        fn the_order_is_total(a in "[0-9a]{0,3}", b in "[0-9a]{0,3}", c in "[0-9a]{0,3}") {
            let (a, b, c) = (SliceKey::of(a), SliceKey::of(b), SliceKey::of(c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c { prop_assert!(a <= c); }
            prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        }
    }
}
