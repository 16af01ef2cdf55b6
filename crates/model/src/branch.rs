//! Names of branches: sides beside the live one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::AmendmentId;

/// The name of a branch. People's branches are lower-case words (`fix-delays`); an amendment is computed in a branch of its
/// own, named as its address (`amendment/A-7`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(String);

impl BranchName {
    /// The branch in which an amendment is computed.
    pub fn of_amendment(id: AmendmentId) -> Self {
        Self(format!("amendment/{id}"))
    }

    /// Says whether it is the branch of an amendment, made and dropped by mainstay itself.
    pub fn is_of_amendment(&self) -> bool {
        self.0.starts_with("amendment/")
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a text that should be a branch's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name a branch: lower-case letters, digits, `-` and `_`, beginning with a letter; `main` is the live side"
)]
pub struct BadBranch(pub String);

impl FromStr for BranchName {
    type Err = BadBranch;

    fn from_str(s: &str) -> Result<Self, BadBranch> {
        if let Some(id) = s.strip_prefix("amendment/") {
            let id: AmendmentId = id.parse().map_err(|_| BadBranch(s.to_owned()))?;
            return Ok(Self::of_amendment(id));
        }
        let mut chars = s.chars();
        let ok = chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
            && s.len() <= 60
            && s != "main";
        if ok {
            Ok(Self(s.to_owned()))
        } else {
            Err(BadBranch(s.to_owned()))
        }
    }
}

impl Serialize for BranchName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BranchName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        s.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_branches() {
        for good in ["fix", "fix-delays_2", "amendment/A-7"] {
            assert_eq!(good.parse::<BranchName>().expect(good).to_string(), good);
        }
        for bad in ["", "main", "Fix", "-x", "a/b", "amendment/7"] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad}");
        }
    }
}
