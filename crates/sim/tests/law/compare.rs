//! Compares what a dataset holds with what it should hold, and says in a few rows what differs.

use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::oracle::Rows;

/// How many rows of a difference are shown.
const SHOWN: usize = 5;

/// The order in which rows are compared: NULL last.
pub(crate) fn order(a: &[Option<String>], b: &[Option<String>]) -> Ordering {
    let key = |v: &Option<String>| (v.is_none(), v.clone().unwrap_or_default());
    a.iter().map(key).cmp(b.iter().map(key))
}

/// Returns the rows of `of` that are not in `other`, as often as they are missing there; both are in order.
fn missing(of: &Rows, other: &Rows) -> Rows {
    let mut left = other.iter().peekable();
    let mut found = Rows::new();
    for row in of {
        while left.peek().is_some_and(|o| order(o, row).is_lt()) {
            left.next();
        }
        if left.peek().is_some_and(|o| order(o, row).is_eq()) {
            left.next();
        } else {
            found.push(row.clone());
        }
    }
    found
}

/// Says in words how two multisets of rows differ; none if they do not.
pub(crate) fn difference(is: &Rows, should: &Rows) -> Option<String> {
    if is == should {
        return None;
    }
    let mut text = format!("{} rows instead of {}", is.len(), should.len());
    for (what, rows) in [
        ("too many", missing(is, should)),
        ("missing", missing(should, is)),
    ] {
        for row in rows.iter().take(SHOWN) {
            let values: Vec<&str> = row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect();
            let _ = write!(text, "\n  {what}: {}", values.join(" | "));
        }
        if rows.len() > SHOWN {
            let _ = write!(text, "\n  {what}: {} more", rows.len() - SHOWN);
        }
    }
    Some(text)
}

#[test]
fn rows_count_as_often_as_they_are_there() {
    let rows = |list: &[&str]| list.iter().map(|v| vec![Some((*v).to_owned())]).collect::<Rows>();
    assert_eq!(difference(&rows(&["a", "b"]), &rows(&["a", "b"])), None);
    let said = difference(&rows(&["a", "b", "b"]), &rows(&["a", "b", "c"])).unwrap_or_default();
    assert!(
        said.contains("too many: b") && said.contains("missing: c"),
        "{said}"
    );
}
