//! Amounts with their units in the type, so that rows are never added to bytes.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::default(), Add::add)
            }
        }
    };
}

unit!(
    /// A number of rows.
    Rows
);
unit!(
    /// A number of bytes.
    Bytes
);
unit!(
    /// Processor time in microseconds, summed over all threads.
    CpuTime
);

impl CpuTime {
    /// Returns the time in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::count(self.0, "row"))
    }
}

impl fmt::Display for Bytes {
    /// Decimal units, three digits: `3.91 MB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
        if self.0 < 1000 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64;
        let mut unit = "B";
        for u in UNITS {
            if value < 999.5 {
                break;
            }
            value /= 1000.0;
            unit = u;
        }
        let digits = if value < 9.995 {
            2
        } else {
            usize::from(value < 99.95)
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

impl fmt::Display for CpuTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.seconds();
        if s < 0.1 {
            write!(f, "{:.0} ms", s * 1e3)
        } else {
            write!(f, "{s:.1} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_can_read_them() {
        assert_eq!(Bytes(999).to_string(), "999 B");
        assert_eq!(Bytes(3_906_358).to_string(), "3.91 MB");
        assert_eq!(Bytes(999_999).to_string(), "1.00 MB");
        assert_eq!(CpuTime(1_250_000).to_string(), "1.2 s");
    }
}
