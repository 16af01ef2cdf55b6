//! Why a job could not be computed, in the user's words.
//!
//! Owns the codes MS0301 to MS0317 and the translation of what the layers below say ([`translate`]). No message names a type
//! of this program or of a library, none asks the user to report a library's bug. Invariant: an error always carries what the
//! attempt used until it failed, so that failures are on the bill, too.

use mainstay_model::run::{RunError, Usage};

pub(crate) mod translate;

/// What the caller does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The query or the data that it meets is at fault: the same attempt fails again; the author changes one of them.
    Query,
    /// It needs more memory or disk than there is: raise the limit, free space or make the job smaller.
    Resources,
    /// A pinned file is gone or damaged: trying again does not help, the data has to be restored or recomputed.
    Data,
    /// A store did not answer or refused: try again if the error says that it is transient, else fix the access.
    Store,
    /// Someone stopped it.
    Cancelled,
    /// It took longer than its time limit.
    TimeLimit,
    /// The engine broke a promise of its own.
    Bug,
}

/// Why a job could not be computed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What the caller does about it.
    pub kind: Kind,
    /// The stable code, with a page in the docs.
    pub code: &'static str,
    /// What happened, to which job, in one or two sentences.
    pub message: String,
    /// What to do about it; none where nothing can be said.
    pub help: Option<String>,
    /// Whether trying again may help.
    pub transient: bool,
    /// What the attempt used until it failed.
    pub usage: Box<Usage>,
}

impl Error {
    pub(crate) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            help: None,
            transient: false,
            usage: Box::default(),
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn transient(mut self, transient: bool) -> Self {
        self.transient = transient;
        self
    }

    /// Puts words before the message, as `check not_null: `.
    pub(crate) fn within(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Returns the error as it is recorded and shown.
    pub fn to_run_error(&self) -> RunError {
        RunError {
            code: self.code.to_owned(),
            message: self.message.clone(),
            help: self.help.clone(),
            transient: self.transient,
        }
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "MS0311", "it was cancelled")
    }

    pub(crate) fn time_limit(limit: std::time::Duration) -> Self {
        Self::new(
            Kind::TimeLimit,
            "MS0310",
            format!("it took longer than its time limit of {}", seconds(limit)),
        )
        .help("raise `time_limit` in the job's settings, or make the job smaller")
    }

    /// An error of the engine's own making; `what` says what was expected, in words.
    pub(crate) fn bug(what: impl std::fmt::Display) -> Self {
        Self::new(Kind::Bug, "MS0314", format!("the engine could not go on: {what}")).help(
            "this is a fault of mainstay, not of the job; `mainstay show RUN --json` has what a report needs",
        )
    }
}

/// Writes a duration as people say it: `1.5 s`, `3600 s`.
fn seconds(d: std::time::Duration) -> String {
    if d.subsec_millis() == 0 {
        format!("{} s", d.as_secs())
    } else {
        format!("{:.1} s", d.as_secs_f64())
    }
}
