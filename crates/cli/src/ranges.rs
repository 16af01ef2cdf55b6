//! Lists of slices as people write them: `2013-02-01..2013-02-07, 2013-02-10`.

/// Writes values, sorted, with ranges in place of three or more days or numbers in a row.
pub(crate) fn compact(values: &[&str]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut i = 0;
    while let Some(first) = values.get(i) {
        let mut last = i;
        while let (Some(at), Some(next)) = (values.get(last), values.get(last + 1))
            && let (Some(a), Some(b)) = (number(at), number(next))
            && b == a + 1
            && at.len() == next.len()
        {
            last += 1;
        }
        if last >= i + 2 {
            parts.push(format!("{first}..{}", values.get(last).unwrap_or(first)));
            i = last + 1;
        } else {
            parts.push((*first).to_owned());
            i += 1;
        }
    }
    parts.join(", ")
}

/// A whole number, or the number of a day.
fn number(value: &str) -> Option<i64> {
    if let Ok(n) = value.parse() {
        return Some(n);
    }
    let mut parts = value.splitn(3, '-').map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    // Days since March 1st of the year 0, counted in years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap = y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    Some(365 * y + leap + (153 * m + 2) / 5 + day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_days_and_numbers() {
        let days = [
            "2012-02-27",
            "2012-02-28",
            "2012-02-29",
            "2012-03-01",
            "2012-03-03",
        ];
        assert_eq!(compact(&days), "2012-02-27..2012-03-01, 2012-03-03");
        assert_eq!(
            compact(&["2013-02-28", "2013-03-01", "2013-03-02"]),
            "2013-02-28..2013-03-02"
        );
        assert_eq!(
            compact(&["2012-12-30", "2012-12-31", "2013-01-01"]),
            "2012-12-30..2013-01-01"
        );
        assert_eq!(compact(&["1", "2", "3", "5", "6"]), "1..3, 5, 6");
        assert_eq!(compact(&["EWR", "JFK", "null"]), "EWR, JFK, null");
        assert_eq!(compact(&[]), "");
    }
}
