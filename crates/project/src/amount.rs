//! Amounts as people write them: durations (`15 min`) and sizes (`2 GiB`).
//!
//! A number, perhaps with a fraction, then a unit; a blank between them is free. Units are written one way each; what is
//! nearly one is refused and named in the answer.

/// A unit's name and how many of the smallest unit it holds.
type Unit = (&'static str, u64);

const DURATIONS: [Unit; 6] = [
    ("ms", 1),
    ("s", 1000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("day", 86_400_000),
    ("days", 86_400_000),
];

/// Other words for the units of durations, which are understood only to say how they should be written.
const OTHER_DURATIONS: [(&str, &str); 16] = [
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("d", "days"),
    ("", "s"),
];

const SIZES: [Unit; 9] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const OTHER_SIZES: [(&str, &str); 6] = [
    ("byte", "B"),
    ("bytes", "B"),
    ("k", "kB"),
    ("m", "MB"),
    ("g", "GB"),
    ("t", "TB"),
];

/// The pattern of durations, for schemas.
pub(crate) const DURATION_PATTERN: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|min|h|day|days)\s*$";
/// The pattern of sizes, for schemas.
pub(crate) const SIZE_PATTERN: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$";

/// What is wrong with a text that should be an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct BadAmount {
    /// The text.
    pub text: String,
    /// What it should be.
    pub wanted: &'static str,
    /// What was perhaps meant.
    pub meant: Option<String>,
}

/// Reads a duration into milliseconds: `500 ms`, `2 s`, `15 min`, `1.5 h`, `1 day`, `2 days`.
///
/// # Errors
/// The text is not a number and one of these units, or more than 2^63 milliseconds.
pub fn duration_ms(text: &str) -> Result<u64, BadAmount> {
    amount(
        text,
        "a duration like `500 ms`, `2 s`, `15 min`, `1 h` or `2 days`",
        &DURATIONS,
        &OTHER_DURATIONS,
    )
}

/// Reads a size into bytes: `100 B`, `64 kB`, `500 MB`, `1.5 GB`, `2 GiB`.
///
/// # Errors
/// The text is not a number and one of these units, or more than 2^63 bytes.
pub fn size_bytes(text: &str) -> Result<u64, BadAmount> {
    amount(text, "a size like `500 MB` or `2 GiB`", &SIZES, &OTHER_SIZES)
}

fn amount(
    text: &str,
    wanted: &'static str,
    units: &[Unit],
    others: &[(&str, &'static str)],
) -> Result<u64, BadAmount> {
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (value, unit) = trimmed.split_at(digits);
    let unit = unit.trim_start();
    let bad = |meant: Option<String>| BadAmount {
        text: text.to_owned(),
        wanted,
        meant,
    };
    if let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) {
        return exact(value, *size).ok_or_else(|| bad(None));
    }
    let lower = unit.to_lowercase();
    let meant = (units
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.to_lowercase() == lower))
    .or_else(|| {
        others
            .iter()
            .find(|(other, _)| *other == lower)
            .map(|(_, name)| *name)
    })
    .or_else(|| mainstay_base::text::nearest(unit, units.iter().map(|(name, _)| *name)));
    let meant = meant
        .filter(|_| exact(value, 1000).is_some())
        .map(|unit| format!("{value} {unit}"));
    Err(bad(meant))
}

/// Multiplies a decimal number exactly, rounding down what is less than one.
fn exact(value: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') || fraction.len() > 15 {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let number = whole.parse::<u64>().ok().map(u128::from)?;
    let total = number
        .checked_mul(scale)?
        .checked_add(fraction.parse::<u128>().ok()?)?;
    let total = total.checked_mul(u128::from(size))? / scale;
    i64::try_from(total).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("500 ms", 500),
            ("2 s", 2000),
            ("15min", 900_000),
            (" 1.5 h ", 5_400_000),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        assert_eq!(
            (duration_ms("1 day"), duration_ms("2 days")),
            (Ok(86_400_000), Ok(172_800_000))
        );
        assert_eq!(duration_ms("0.0019 s"), Ok(1));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("2 GiB", 2u64 << 30),
            ("500 MB", 500_000_000),
            ("1.5kB", 1500),
            ("0 B", 0),
        ] {
            assert_eq!(size_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_was_meant() {
        let meant = |r: Result<u64, BadAmount>| r.expect_err("it is bad").meant;
        assert_eq!(meant(duration_ms("10 minutes")).as_deref(), Some("10 min"));
        assert_eq!(meant(duration_ms("10")).as_deref(), Some("10 s"));
        assert_eq!(meant(duration_ms("2 dyas")).as_deref(), Some("2 days"));
        assert_eq!(meant(size_bytes("2 gib")).as_deref(), Some("2 GiB"));
        assert_eq!(meant(size_bytes("2G")).as_deref(), Some("2 GB"));
        for bad in [
            "",
            "min",
            "1..5 h",
            "-1 s",
            ".5 h",
            "5. h",
            "1 2 s",
            "99999999999999999999 s",
            "1e3 s",
        ] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
        assert_eq!(meant(duration_ms("min")), None);
    }
}
