//! Lists, a page at a time. A cursor is opaque: it is given back as it came.

use mainstay_api::Error;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::malformed;

/// How many things a page has at most.
pub(crate) const LARGEST: u32 = 1000;

/// Which page of a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// The branch; the live side if left out.
    #[param(min_length = 1, max_length = 100)]
    pub(crate) branch: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// Where the page before ended, as it said.
    #[param(max_length = 40, pattern = "^c[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// Returns how many things are wanted.
pub(crate) fn limit(wanted: Option<u32>) -> Result<usize, Error> {
    match wanted.unwrap_or(100) {
        n @ 1..=LARGEST => Ok(n as usize),
        _ => Err(malformed(format!("`limit` goes from 1 to {LARGEST}"))),
    }
}

/// Reads a cursor.
pub(crate) fn read(cursor: Option<&str>) -> Result<Option<u64>, Error> {
    let Some(text) = cursor else { return Ok(None) };
    let digits = text.strip_prefix('c').filter(|d| d.len() <= 18);
    let found = digits.and_then(|d| d.parse().ok());
    found
        .map(Some)
        .ok_or_else(|| malformed("`cursor` is not what an earlier page gave"))
}

/// Writes a cursor.
pub(crate) fn write(at: u64) -> String {
    format!("c{at}")
}

/// Cuts a page out of a list; the cursor of the next one if there is more.
pub(crate) fn cut<T>(
    all: Vec<T>,
    limited: Option<u32>,
    cursor: Option<&str>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let (limit, start) = (limit(limited)?, read(cursor)?.unwrap_or(0));
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let more = all.len() > start.saturating_add(limit);
    let page = all.into_iter().skip(start).take(limit).collect();
    Ok((page, more.then(|| write((start + limit) as u64))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_the_list() {
        let all: Vec<u32> = (0..25).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = cut(all.clone(), Some(10), cursor.as_deref()).expect("a page");
            seen.extend(page);
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert!(cut(all.clone(), Some(0), None).is_err());
        assert!(cut(all.clone(), Some(1001), None).is_err());
        for wrong in ["", "5", "c", "c-1", "c99999999999999999999"] {
            assert!(cut(all.clone(), None, Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(cut(all, None, Some("c99")).expect("a page"), (Vec::new(), None));
    }
}
