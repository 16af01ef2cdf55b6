//! Which slices of its inputs a slice of an output reads, as plain data.
//!
//! A relation is found when a query is planned and is kept in the journal for years; its expressions are therefore SQL text over
//! slice columns, which people can read too. Nothing here evaluates them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::DatasetName;

/// Which slices of an input a slice of the output reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The slice with the same values.
    Same,
    /// Everything.
    All,
    /// The slices for which one of these holds; nothing if there is none.
    Where(Vec<Alternative>),
}

/// Conditions that must all hold for a slice of the input to be read for a slice of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alternative {
    /// How a value of the input's slice compares with a value of the output's slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<Comparison>,
    /// Conditions over the input's slice columns that must be true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// Conditions over the output's slice columns that must be true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

/// One comparison: `input op output`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comparison {
    /// An SQL expression over the input's slice columns.
    pub input: String,
    /// How they compare.
    pub op: Comparator,
    /// An SQL expression over the output's slice columns.
    pub output: String,
}

/// How two values compare. All but [`Comparator::Is`] are false where a value is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Comparator {
    /// Equal, or both NULL.
    #[serde(rename = "is")]
    Is,
    /// Equal.
    #[serde(rename = "=")]
    Equal,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    AtMost,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
    /// Greater or equal.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Comparator {
    /// How it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::Equal => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

impl fmt::Display for Reads {
    /// The relation in words: `the same slice`, `everything`, `day >= [day - INTERVAL '6 days'] and day <= [day]`. What is of
    /// the output's slice stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the same slice"),
            Self::All => f.write_str("everything"),
            Self::Where(alternatives) if alternatives.is_empty() => f.write_str("nothing"),
            Self::Where(alternatives) => {
                for (i, alternative) in alternatives.iter().enumerate() {
                    write!(f, "{}{alternative}", if i > 0 { "; or " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self
            .compare
            .iter()
            .map(|c| format!("{} {} [{}]", c.input, c.op.sign(), c.output));
        let output = self.output.iter().map(|c| format!("[{c}]"));
        let input = self.input.iter().map(|c| {
            if c.contains(" OR ") {
                format!("({c})")
            } else {
                c.clone()
            }
        });
        let all: Vec<String> = compared.chain(input).chain(output).collect();
        if all.is_empty() {
            f.write_str("everything")
        } else {
            f.write_str(&all.join(" and "))
        }
    }
}

/// Where slices of an output come from: each slice of the output is made by one of the origins of its query, from the values
/// that a slice of the origin's dataset has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The dataset; none if the values are constants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// For each slice column of the output, an SQL expression over the dataset's slice columns.
    pub values: Vec<String>,
}

/// Why more of an input is read than might be necessary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Widened {
    /// The input.
    pub input: DatasetName,
    /// What in the query caused it.
    pub operator: String,
    /// Why, and how the query could be written instead.
    pub message: String,
}

/// The values of an expression for a list of slices, one each; none is NULL. Values of one kind compare as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Booleans (0 and 1), integers, dates (days) and times (in the unit of their type).
    Numbers(Vec<Option<i64>>),
    /// Everything else, in an encoding that sorts byte by byte.
    Bytes(Vec<Option<Box<[u8]>>>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_is_still_read() {
        let old: Vec<Reads> = serde_json::from_str(r#"["same","all"]"#).expect("old");
        assert_eq!(old, [Reads::Same, Reads::All]);
        assert_eq!(serde_json::to_string(&old).expect("json"), r#"["same","all"]"#);
    }

    #[test]
    fn a_relation_is_read_as_it_was_written() {
        let week = Reads::Where(vec![Alternative {
            compare: vec![
                Comparison {
                    input: "day".into(),
                    op: Comparator::AtLeast,
                    output: "day - INTERVAL '6 days'".into(),
                },
                Comparison {
                    input: "day".into(),
                    op: Comparator::AtMost,
                    output: "day".into(),
                },
            ],
            output: vec!["day IS NOT NULL".into()],
            ..Alternative::default()
        }]);
        let json = serde_json::to_string(&week).expect("json");
        assert_eq!(serde_json::from_str::<Reads>(&json).expect("read"), week);
        assert_eq!(
            week.to_string(),
            "day >= [day - INTERVAL '6 days'] and day <= [day] and [day IS NOT NULL]"
        );
        assert_eq!(Reads::Where(Vec::new()).to_string(), "nothing");
    }
}
