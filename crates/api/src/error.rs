//! Errors as people and scripts see them.

use serde::{Deserialize, Serialize};

use crate::project::Mistake;

/// What the caller does next; the command line makes its exit status of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The work itself failed: a run, a check.
    Failed,
    /// The request was wrong: fix it.
    Invalid,
    /// There is no such thing: name another.
    NotFound,
    /// It is not allowed, or was not confirmed.
    Refused,
    /// What it was based on has moved: look again, then repeat.
    OutOfDate,
    /// A store or server cannot be reached, or is locked: wait or repair, then repeat.
    Unavailable,
    /// What is stored does not verify.
    Damaged,
    /// It was stopped.
    Interrupted,
}

/// An error: a stable code with a page in the docs, what happened, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{message}")]
pub struct Error {
    /// The stable code.
    pub code: String,
    /// What the caller does next.
    pub kind: ErrorKind,
    /// What happened, and where.
    pub message: String,
    /// Why: the chain of causes, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Mistakes of the project, if these are the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
    /// What is wrong, with the lines that it is in and a mark under the place; people see it in place of the message.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl Error {
    /// Makes an error without causes or help.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            kind,
            message: message.into(),
            causes: Vec::new(),
            help: None,
            mistakes: Vec::new(),
            excerpt: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the chain of causes of another error, itself included.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(e) = next {
            let text = e.to_string();
            // Many errors repeat what is below them.
            if self.causes.last().is_none_or(|before| !before.contains(&text)) {
                self.causes.push(text);
            }
            next = e.source();
        }
        self
    }
}
