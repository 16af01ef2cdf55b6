//! Tokens, and how errors travel over HTTP.

use mainstay_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::project::Mistake;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenReport {
    /// Its id.
    pub token: String,
    /// As whom its bearer acts.
    pub name: String,
    /// What its bearer may do: `owner`, `operator` or `reader`.
    pub role: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Who made it.
    pub who: String,
    /// From when on it is worth nothing; none is never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked: Option<Timestamp>,
    /// Whether it is worth something now.
    pub active: bool,
    /// Its secret: in the answer that makes it, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The answer of `token list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokensReport {
    /// The account's tokens.
    pub tokens: Vec<TokenReport>,
}

/// An error as `application/problem+json` (RFC 9457), with all that the command line shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// The page about the code.
    #[serde(rename = "type")]
    pub about: String,
    /// The kind of error, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and where.
    pub detail: String,
    /// The request, as the journal knows it.
    pub request: String,
    /// The stable code.
    pub code: String,
    /// What the caller does next.
    pub kind: ErrorKind,
    /// Why: the chain of causes, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Mistakes of the project, if these are the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
    /// What is wrong, with the lines that it is in and a mark under the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Problem {
    /// Makes the problem of an error.
    pub fn new(error: Error, status: u16, request: &str) -> Self {
        let title = match error.kind {
            ErrorKind::Failed => "The work failed",
            ErrorKind::Invalid => "The request is wrong",
            ErrorKind::NotFound => "There is no such thing",
            ErrorKind::Refused => "It is refused",
            ErrorKind::OutOfDate => "It has moved meanwhile",
            ErrorKind::Unavailable => "Something cannot be reached",
            ErrorKind::Damaged => "What is stored does not verify",
            ErrorKind::Interrupted => "It was stopped",
        };
        Self {
            about: format!("urn:mainstay:error:{}", error.code),
            title: title.to_owned(),
            status,
            detail: error.message,
            request: request.to_owned(),
            code: error.code,
            kind: error.kind,
            causes: error.causes,
            help: error.help,
            mistakes: error.mistakes,
            excerpt: error.excerpt,
        }
    }

    /// Returns the error that it was made of.
    pub fn error(self) -> Error {
        Error {
            code: self.code,
            kind: self.kind,
            message: self.detail,
            causes: self.causes,
            help: self.help,
            mistakes: self.mistakes,
            excerpt: self.excerpt,
        }
    }
}
