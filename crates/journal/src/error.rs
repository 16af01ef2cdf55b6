//! The one error of this crate: a kind that says what to do next, and a sentence that says what happened.

use std::error::Error as StdError;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Another process writes here. Wait for it, ask it, or stop it; [`Error::holder`] has its process id.
    Locked,
    /// A newer writer has taken over, and nothing was appended. Stop; never retry with this handle.
    Fenced,
    /// What was asked for is not there. Create it, or ask for something else.
    Missing,
    /// What is stored contradicts itself. Stop, run a verification, restore from a copy.
    Damaged,
    /// The input breaks a rule that its caller can keep. Correct it.
    Invalid,
    /// A proof or a signature does not hold. Do not trust what it came with.
    Forged,
    /// The store failed or could not be reached. Open the journal again, then repeat what was not acknowledged.
    Unavailable,
    /// It was written by a newer version of this software. Upgrade.
    Newer,
}

/// What went wrong in a journal.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: Kind,
    text: String,
    holder: Option<u32>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error; for stores, which live outside this crate too.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            holder: None,
            source: None,
        }
    }

    /// Adds the error that caused this one.
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Makes the error of a lock that another process holds.
    pub fn locked(text: impl Into<String>, holder: Option<u32>) -> Self {
        Self {
            holder,
            ..Self::new(Kind::Locked, text)
        }
    }

    /// Returns what the caller does next.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the process that holds the lock, where the kind is [`Kind::Locked`] and it is known.
    pub fn holder(&self) -> Option<u32> {
        self.holder
    }

    pub(crate) fn damaged(text: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, text)
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, text)
    }

    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self::new(Kind::Missing, text)
    }

    pub(crate) fn forged(text: impl Into<String>) -> Self {
        Self::new(Kind::Forged, text)
    }
}
