//! Why a command of this program failed: one sentence, and what to do about it.

use std::fmt;

/// What every step returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A sentence for the person at the terminal, perhaps with help, and the exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) status: u8,
}

impl Failure {
    /// The work failed: exit status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            status: 1,
        }
    }

    /// The request was wrong: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            status: 2,
        }
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says which operation on which path failed.
pub(crate) trait Context<T> {
    fn context(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|cause| Failure::new(format!("{what}: {cause}")))
    }
}

/// Turns findings into a failure that counts them; none is success.
pub(crate) fn none_of(findings: usize, what: &str) -> Outcome {
    match findings {
        0 => Ok(()),
        1 => Err(Failure::new(format!("{what}: 1 finding"))),
        n => Err(Failure::new(format!("{what}: {n} findings"))),
    }
}
