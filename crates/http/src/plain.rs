//! Values of parameters and bodies that Rust and JSON Schema see differently: whole numbers, and texts with a longest length.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A whole number as JSON Schema has it: `44.0` is one, and so is text in a query. At most the largest of 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

const LARGEST: u64 = i64::MAX as u64;

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Whole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a whole number from 0 to {LARGEST}")
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Whole, E> {
                if n <= LARGEST {
                    Ok(Whole(n))
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(n), &self))
                }
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Whole, E> {
                let whole = u64::try_from(n);
                whole
                    .map(Whole)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))
            }

            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Whole, E> {
                // 2^53: beyond it a floating point number is not one whole number.
                if n.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&n) {
                    Ok(Whole(n as u64))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(n), &self))
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
                match text.parse() {
                    Ok(n) => self.visit_u64(n),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        d.deserialize_any(Read)
    }
}

/// How long a reason may be, in characters.
const REASON: usize = 4000;

/// Reads a reason.
pub(crate) fn reason<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    if text.as_ref().is_some_and(|t| t.chars().count() > REASON) {
        return Err(de::Error::custom(format!(
            "a reason has at most {REASON} characters"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_of_json_schema() {
        let read = |text: &str| serde_json::from_str::<Whole>(text).ok().map(|w| w.0);
        assert_eq!(read("44"), Some(44));
        assert_eq!(read("44.0"), Some(44));
        assert_eq!(read("9223372036854775807"), Some(LARGEST));
        for wrong in [
            "-1",
            "-1.0",
            "44.5",
            "9223372036854775808",
            "1e300",
            "null",
            "[]",
            "true",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
