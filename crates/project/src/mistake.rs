//! Mistakes: what is wrong in a project's files, and where.
//!
//! A mistake is complete without its file: code, place, what is wrong, what is at the place, and what to do. It never stops
//! the search for others. How it looks is `render`'s.

use serde::Serialize;

use crate::place::Place;

/// One mistake in a project's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file, relative to the project.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The first character's column, from 1, in characters.
    pub column: u32,
    /// The column after the last character; equal to `column` where something is missing.
    pub end_column: u32,
    /// Its code, one of [`CODES`](crate::CODES) or of a later phase.
    pub code: &'static str,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to say at the place, in a few words.
    pub label: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Mistake {
    /// Makes a mistake at a place.
    pub fn new(
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        Self {
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
            end_column: place.end_column,
            code,
            message: message.into(),
            label: label.into(),
            help,
        }
    }
}

/// Sorts mistakes as people read them: by file, the project's main file first, then by place.
pub(crate) fn sort(mistakes: &mut Vec<Mistake>) {
    let key = |m: &Mistake| {
        (
            m.file != crate::MAIN_FILE,
            m.file.clone(),
            m.line,
            m.column,
            m.code,
        )
    };
    mistakes.sort_by_cached_key(key);
    mistakes.dedup();
}
