//! Ids that people can type: a prefix and a dense number, a type of its own for each.

/// Declares an id type that is written `PREFIX` followed by a number, for example `R-12`.
#[macro_export]
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// What its text form begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::BadId;

            fn from_str(s: &str) -> ::std::result::Result<Self, $crate::id::BadId> {
                $crate::id::number(s, $prefix).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> ::std::result::Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(d: D) -> ::std::result::Result<Self, D::Error> {
                let s = <::std::borrow::Cow<'de, str> as ::serde::Deserialize>::deserialize(d)?;
                s.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

/// What is wrong with a text that should be an id.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not of the form {prefix}1")]
pub struct BadId {
    text: String,
    prefix: &'static str,
}

/// Reads the number of an id; digits only, so that one id has one text.
pub fn number(text: &str, prefix: &'static str) -> Result<u64, BadId> {
    let bad = || BadId {
        text: text.to_owned(),
        prefix,
    };
    let digits = text.strip_prefix(prefix).ok_or_else(bad)?;
    if digits.is_empty()
        || !digits.bytes().all(|b| b.is_ascii_digit())
        || (digits.len() > 1 && digits.starts_with('0'))
    {
        return Err(bad());
    }
    digits.parse().map_err(|_| bad())
}

#[cfg(test)]
#[expect(unreachable_pub, dead_code, reason = "the macro makes types for other crates")]
mod tests {
    id!(
        /// A thing.
        ThingId,
        "T-"
    );

    #[test]
    fn text_and_back() {
        assert_eq!("T-12".parse::<ThingId>().expect("an id"), ThingId(12));
        for bad in ["12", "T-", "T-01", "T-+1", "t-1", "T-99999999999999999999"] {
            assert!(bad.parse::<ThingId>().is_err(), "{bad}");
        }
        assert_eq!(ThingId(3).to_string(), "T-3");
    }
}
