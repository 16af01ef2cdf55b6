//! Who may ask for something, and what was answered: tokens, decisions and answers as facts.
//!
//! A token's secret is nowhere: a fact holds its hash. Decisions name the policies that made them; answers are kept so that a
//! request that comes again under the same key gets what the first one got.

use std::fmt;
use std::str::FromStr;

use mainstay_base::{Hash, Timestamp};
use serde::{Deserialize, Serialize};

mainstay_base::id!(
    /// A token: `T-3`.
    TokenId,
    "T-"
);

/// What somebody may do in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, tokens included.
    Owner,
    /// Everything but tokens and what concerns the whole installation.
    Operator,
    /// Looking.
    Reader,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Operator, Self::Reader];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Reader => "reader",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|r| r.name() == text);
        found.ok_or_else(|| format!("there is no role `{text}`: owner, operator or reader"))
    }
}

/// Says whether a text can name an account: a lower-case letter, then at most 62 lower-case letters, digits and underscores.
pub fn is_account(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && text.len() <= 63
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A token was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    /// Its id.
    pub token: TokenId,
    /// As whom its bearer acts.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// From when on it is worth nothing; none is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The hash of its secret.
    pub secret: Hash,
}

/// A token was taken back: it is worth nothing from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// Which.
    pub token: TokenId,
}

/// It was decided whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDecided {
    /// The key of the request.
    pub request: String,
    /// What was asked for: an operation of the API.
    pub operation: String,
    /// Who asked: `token/T-3` or `uid/1000`.
    pub principal: String,
    /// The role, if the principal has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The policies that decided; none if no policy allowed it.
    pub policies: Vec<String>,
    /// The hash of what was asked for; none for a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Hash>,
}

/// A request that changes something was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAnswered {
    /// The key of the request.
    pub request: String,
    /// The operation.
    pub operation: String,
    /// The status of the answer.
    pub status: u16,
    /// The answer, without secrets.
    pub answer: serde_json::Value,
}
