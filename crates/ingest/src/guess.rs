//! What a text looks like: the types that texts of a column allow, narrowed value by value.
//!
//! Owns the rules of inference for CSV. They are strict, so that nothing is lost: codes such as `007`, `+49…` and whole
//! numbers beyond 64 bits stay texts, and so does a column in which two kinds meet (whole and broken numbers are doubles).

use mainstay_model::ColumnType;

/// What the texts of a column have looked like so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Guess {
    /// Only NULLs.
    #[default]
    Nothing,
    Boolean,
    Long,
    Double,
    Date,
    Timestamp,
    TimestampNtz,
    String,
}

impl Guess {
    /// Takes one more value into account.
    pub(crate) fn see(self, value: &[u8]) -> Self {
        if self == Self::String {
            self
        } else {
            self.or(Self::of(value))
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Nothing, x) | (x, Self::Nothing) => x,
            (Self::Long, Self::Double) | (Self::Double, Self::Long) => Self::Double,
            _ => Self::String,
        }
    }

    fn of(value: &[u8]) -> Self {
        match value {
            [b't' | b'T' | b'f' | b'F', ..] if is_boolean(value) => Self::Boolean,
            [b'0'..=b'9' | b'-' | b'N' | b'i' | b'I', ..] => number(value).unwrap_or_else(|| moment(value)),
            _ => Self::String,
        }
    }

    /// Returns the type of a column that looked like this.
    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Self::Nothing | Self::String => ColumnType::String,
            Self::Boolean => ColumnType::Boolean,
            Self::Long => ColumnType::Long,
            Self::Double => ColumnType::Double,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
            Self::TimestampNtz => ColumnType::TimestampNtz,
        }
    }
}

fn is_boolean(value: &[u8]) -> bool {
    matches!(
        value,
        b"true" | b"True" | b"TRUE" | b"false" | b"False" | b"FALSE"
    )
}

/// A number as programs write it: no leading zeros, no plus sign, an exponent only after one digit or a broken part.
fn number(value: &[u8]) -> Option<Guess> {
    let unsigned = value.strip_prefix(b"-").unwrap_or(value);
    if matches!(unsigned, b"inf" | b"Infinity" | b"Inf") || value == b"NaN" {
        return Some(Guess::Double);
    }
    let digits = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = unsigned.get(digits..)?;
    if digits == 0 || (digits > 1 && unsigned.first() == Some(&b'0')) {
        return None;
    }
    if rest.is_empty() {
        let text = std::str::from_utf8(value).ok()?;
        return match text.parse::<i64>() {
            Ok(0) if text.starts_with('-') => Some(Guess::Double),
            Ok(_) => Some(Guess::Long),
            Err(_) => Some(Guess::String),
        };
    }
    let (broken, rest) = match rest.strip_prefix(b".") {
        None => (0, rest),
        Some(after) => {
            let broken = after.iter().take_while(|b| b.is_ascii_digit()).count();
            if broken == 0 {
                return None;
            }
            (broken, after.get(broken..)?)
        }
    };
    match rest {
        [] => Some(Guess::Double),
        [b'e' | b'E', exponent @ ..] if broken > 0 || digits == 1 => {
            let exponent = exponent
                .strip_prefix(b"-")
                .or_else(|| exponent.strip_prefix(b"+"))
                .unwrap_or(exponent);
            let plain =
                !exponent.is_empty() && exponent.len() <= 3 && exponent.iter().all(u8::is_ascii_digit);
            plain.then_some(Guess::Double)
        }
        _ => None,
    }
}

/// A date `YYYY-MM-DD`, a time after it (`T` or a space), and a zone after that.
fn moment(value: &[u8]) -> Guess {
    let two = |at: usize, most: u8| matches!(value.get(at..at + 2), Some([a @ b'0'..=b'9', b @ b'0'..=b'9']) if (a - b'0') * 10 + (b - b'0') <= most);
    let is = |at: usize, options: &[u8]| value.get(at).is_some_and(|b| options.contains(b));
    let date = value.get(..4).is_some_and(|y| y.iter().all(u8::is_ascii_digit))
        && is(4, b"-")
        && two(5, 12)
        && is(7, b"-")
        && two(8, 31);
    if !date || !is_real_date(value) {
        return Guess::String;
    }
    if value.len() == 10 {
        return Guess::Date;
    }
    if !(is(10, b"Tt ") && two(11, 23) && is(13, b":") && two(14, 59) && is(16, b":") && two(17, 59)) {
        return Guess::String;
    }
    let mut rest = value.get(19..).unwrap_or_default();
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 9 {
            return Guess::String;
        }
        rest = fraction.get(digits..).unwrap_or_default();
    }
    match rest {
        [] => Guess::TimestampNtz,
        [b'Z' | b'z'] => Guess::Timestamp,
        [
            b'+' | b'-',
            b'0'..=b'1',
            b'0'..=b'9',
            b':',
            b'0'..=b'5',
            b'0'..=b'9',
        ] => Guess::Timestamp,
        _ => Guess::String,
    }
}

fn is_real_date(value: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        value
            .get(range)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| d.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(values: &[&str]) -> Guess {
        values.iter().fold(Guess::Nothing, |g, v| g.see(v.as_bytes()))
    }

    #[test]
    fn each_kind_of_text() {
        for (text, expected) in [
            ("1", Guess::Long),
            ("-12", Guess::Long),
            ("0", Guess::Long),
            ("007", Guess::String),
            ("+5", Guess::String),
            ("9223372036854775807", Guess::Long),
            ("9223372036854775808", Guess::String),
            ("-0", Guess::Double),
            ("1.5", Guess::Double),
            ("0.5", Guess::Double),
            ("00.5", Guess::String),
            ("1e-05", Guess::Double),
            ("12e3", Guess::String),
            ("1.", Guess::String),
            (".5", Guess::String),
            ("NaN", Guess::Double),
            ("-inf", Guess::Double),
            ("true", Guess::Boolean),
            ("FALSE", Guess::Boolean),
            ("t", Guess::String),
            ("2013-02-03", Guess::Date),
            ("2013-02-30", Guess::String),
            ("2013-2-3", Guess::String),
            ("2013-02-03T04:05:06Z", Guess::Timestamp),
            ("2013-02-03 04:05:06.123+01:00", Guess::Timestamp),
            ("2013-02-03T04:05:06", Guess::TimestampNtz),
            ("2013-02-03T24:05:06", Guess::String),
            ("2013-02-03T04:05", Guess::String),
            ("10.0.0.1", Guess::String),
            ("N14228", Guess::String),
            ("", Guess::String),
        ] {
            assert_eq!(Guess::of(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn kinds_that_meet() {
        assert_eq!(guess(&["1", "2.5", "3"]), Guess::Double);
        assert_eq!(guess(&["1", "x"]), Guess::String);
        assert_eq!(guess(&["1", "true"]), Guess::String);
        assert_eq!(guess(&["2013-02-03", "2013-02-03T00:00:00"]), Guess::String);
        assert_eq!(guess(&[]).column_type(), ColumnType::String);
    }
}
